"""`python -m snapforge.preflight.eye FOLDER`: features, matches and geometry of small copies, in a process of its own.

FOLDER holds `NNN.pgm` and `task.json` ({"focals": [px or null]}); the links are written to `links.json`.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from snapforge.preflight import pairs
from snapforge.preflight.graph import Link, Rotation

FEATURES = 3000
PEAK = 0.003
"""As low as the worker's: plain, shiny objects have few features."""
_FOCAL = 1.2
"""Of the longer side, where a photo does not tell: a phone's main camera has about that."""
_SEED = 0


def main(folder: Path) -> None:
    """Look, and write the links."""
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    focals = json.loads((folder / "task.json").read_text())["focals"]
    names = [f"{index:03d}.pgm" for index in range(len(focals))]
    database = folder / "database.db"
    _extract(database, folder, names, focals)
    with pycolmap.Database.open(database) as opened:
        ids = {image.name: image.image_id for image in opened.read_all_images()}
        largest = [_largest_first(opened, ids[name]) for name in names]
    _match(database, folder, [(names[a], names[b]) for a, b in pairs.choose(largest)])
    links = _links(database, {ids[name]: index for index, name in enumerate(names)})
    (folder / "links.json").write_text(json.dumps([asdict(link) for link in links]))


def _extract(database: Path, folder: Path, names: list[str], focals: list[float | None]) -> None:
    options = pycolmap.FeatureExtractionOptions()
    options.sift.max_num_features = FEATURES
    options.sift.first_octave = -1
    options.sift.peak_threshold = PEAK
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_PINHOLE"
    reader.default_focal_length_factor = _FOCAL
    pycolmap.extract_features(
        database,
        folder,
        image_names=names,
        camera_mode=pycolmap.CameraMode.PER_IMAGE,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )
    with pycolmap.Database.open(database) as opened:
        for image in opened.read_all_images():
            focal = focals[names.index(image.name)]
            if focal:
                camera = opened.read_camera(image.camera_id)
                camera.focal_length = focal
                camera.has_prior_focal_length = True
                opened.update_camera(camera)


def _largest_first(database: Any, image_id: int) -> pairs.Descriptors:
    """Descriptors as unit vectors, those of the largest features first."""
    rows = np.asarray(database.read_descriptors(image_id).data, np.float32)
    points = np.asarray(database.read_keypoints(image_id), np.float32)
    if not len(rows):
        return np.zeros((0, 128), np.float32)
    area = np.abs(points[:, 2] * points[:, 5] - points[:, 3] * points[:, 4]) if points.shape[1] == 6 else points[:, 2]
    rows = rows[np.argsort(-area, kind="stable")]
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def _match(database: Path, folder: Path, chosen: list[tuple[str, str]]) -> None:
    listing = folder / "pairs.txt"
    listing.write_text("".join(f"{a} {b}\n" for a, b in chosen))
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = listing
    geometry = pycolmap.TwoViewGeometryOptions()
    geometry.ransac.random_seed = _SEED
    pycolmap.match_image_pairs(database, pycolmap.FeatureMatchingOptions(), pairing, geometry, pycolmap.Device.cpu)


def _links(database: Path, numbers: dict[int, int]) -> list[Link]:
    kinds = pycolmap.TwoViewGeometryConfiguration
    turned = {kinds.PANORAMIC.value, kinds.PLANAR_OR_PANORAMIC.value}
    nothing = {kinds.UNDEFINED.value, kinds.DEGENERATE.value, kinds.WATERMARK.value}
    found = []
    with pycolmap.Database.open(database) as opened:
        points = {image: np.asarray(opened.read_keypoints(image), np.float32)[:, :2] for image in numbers}
        cameras = {image.image_id: opened.read_camera(image.camera_id) for image in opened.read_all_images()}
        pair_ids, geometries = opened.read_two_view_geometries()
        for pair, geometry in zip(pair_ids, geometries, strict=True):
            matches = np.asarray(geometry.inlier_matches)
            kind = int(geometry.config)
            if kind in nothing or not len(matches):
                continue
            first, second = pycolmap.pair_id_to_image_pair(int(pair))
            ours = points[first].astype(float), points[second].astype(float)
            # Apart from the matching, which would call every turn a plane.
            posed = pycolmap.estimate_two_view_geometry_pose(
                cameras[first], ours[0], cameras[second], ours[1], geometry
            )
            apart = np.linalg.norm(points[first][matches[:, 0]] - points[second][matches[:, 1]], axis=1)
            diagonal = float(np.hypot(cameras[first].width, cameras[first].height))
            found.append(
                _link(
                    (numbers[first], numbers[second]),
                    len(matches),
                    kind in turned,
                    float(np.quantile(apart, 0.75)) / diagonal,
                    geometry.cam2_from_cam1 if posed else None,
                )
            )
    return sorted(found, key=lambda link: (link.a, link.b))


def _link(photos: tuple[int, int], inliers: int, turned: bool, move: float, pose: Any) -> Link:
    matrix = None if pose is None else np.asarray(pose.rotation.matrix(), float)
    a, b = photos
    if a > b:
        a, b, matrix = b, a, None if matrix is None else matrix.T
    rotation: Rotation | None = None if matrix is None else tuple(round(float(v), 5) for v in matrix.ravel())  # type: ignore[assignment]
    return Link(a, b, inliers, turned, round(move, 5), rotation)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
