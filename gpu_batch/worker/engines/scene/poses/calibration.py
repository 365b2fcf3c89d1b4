"""Focal lengths of photos without one in their EXIF, from the match graph itself."""

import pathlib
import shutil
import tempfile

import numpy as np

from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses.task import Task


def calibrate(task: Task) -> list[float]:
    """Estimate the unknown focal lengths (pixels, one for each camera), then verify all matches again with them.

    pycolmap's own step strikes out every pair that does not fit the focal length found: of the 66 skull photos a
    quarter of the pairs, those between the loops among them, and only 47 photos were left in one piece. Verified anew
    as calibrated cameras most of these pairs hold, and all 66 photos do.
    """
    if all(photo.focal_px is not None for photo in task.photos):
        return []
    options = pycolmap.ViewGraphCalibrationOptions()
    options.random_seed = task.seed
    options.reestimate_relative_pose = False
    with tempfile.TemporaryDirectory() as folder:
        trial = pathlib.Path(folder, "database.db")
        shutil.copy(task.database, trial)
        if not pycolmap.calibrate_view_graph(trial, options):
            return []
        with pycolmap.Database.open(trial) as database:
            cameras = database.read_all_cameras()
    _keep_guided(task.database)
    with pycolmap.Database.open(task.database) as database:
        for camera in cameras:
            database.update_camera(camera)
        database.clear_two_view_geometries()
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = task.seed
    pycolmap.geometric_verification(task.database, two_view_geometry_options=verification)
    return [float(camera.params[0]) for camera in cameras]


def _keep_guided(path: pathlib.Path) -> None:
    """Put the matches that guided matching added among a pair's own: verifying anew looks only at the latter."""
    with pycolmap.Database.open(path) as database:
        for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
            pair = pycolmap.pair_id_to_image_pair(pair_id)
            plain, verified = np.asarray(database.read_matches(*pair)), np.asarray(geometry.inlier_matches)
            # A feature has one match: the verified one.
            free = ~np.isin(plain[:, 0], verified[:, 0]) & ~np.isin(plain[:, 1], verified[:, 1])
            both = np.concatenate([verified, plain[free]])
            if len(both) > len(plain):
                database.delete_matches(*pair)
                database.write_matches(*pair, both)
