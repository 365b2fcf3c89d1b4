"""Poses from match graphs without pictures: what one model is made of, and what is taken out of it again."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from snapforge.contracts.manifest import Photo
from snapforge.contracts.results import PoseRung
from worker.engines.scene import presets
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses import Model, Task, degrees_round, features, keyframes, mapping, matching, refusals
from worker.engines.scene.poses.calibration import calibrate
from worker.engines.scene.poses.judgement import judge
from worker.engines.scene.poses.progress_store import ProgressStore
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-10")

COUNT = 14


def made(tmp_path: Path, apart: Iterable[tuple[int, int]] = (), few: int = 0) -> tuple[Task, pycolmap.Reconstruction]:
    """Photos 0 … COUNT-1 of one scene with exact matches, and the truth; pairs `apart` do not match."""
    pycolmap.set_random_seed(0)
    (tmp_path / "sparse").mkdir()
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1, COUNT, 200
    options.camera_has_prior_focal_length = True
    with pycolmap.Database.open(tmp_path / "sparse" / "database.db") as database:
        truth = pycolmap.synthesize_dataset(options, database)
        names = sorted(image.name for image in database.read_all_images())
        ids = {image.name: image.image_id for image in database.read_all_images()}
        for a, b in apart:
            pair = ids[names[a]], ids[names[b]]
            database.delete_matches(*pair)
            database.delete_two_view_geometry(*pair)
    photos = [Photo(uri="s3://b/k", name=name, width=1024, height=768, focal_px=1280.0) for name in names]
    paths = [tmp_path / name for name in names]
    return Task(photos, paths, None, tmp_path / "sparse", presets.settings("draft", "cpu"), False, 0), truth


def between(one: Iterable[int], other: Iterable[int]) -> list[tuple[int, int]]:
    return [(min(a, b), max(a, b)) for a in one for b in other if a != b]


class TestDatabase:
    def test_pairs_without_a_match_count_as_tried(self, tmp_path: Path) -> None:
        task, _ = made(tmp_path, [(0, 1), (2, 3)])
        with pycolmap.Database.open(task.database) as database:
            ids = {image.name: image.image_id for image in database.read_all_images()}
            database.write_matches(ids[task.names[0]], ids[task.names[1]], np.zeros((0, 2), np.uint32))
        seen = matching.graph(task)
        assert seen.tried[0, 1]
        assert not seen.inliers[0, 1]
        assert not seen.tried[2, 3]
        assert seen.tried.sum() == COUNT * (COUNT - 1) - 2

    def test_forgotten_photos_have_neither_features_nor_pairs(self, tmp_path: Path) -> None:
        task, _ = made(tmp_path)
        features.forget(task, [0, 5])
        seen = matching.graph(task)
        assert not seen.tried[[0, 5]].any()
        assert seen.tried.sum() == (COUNT - 2) * (COUNT - 3)
        with pycolmap.Database.open(task.database) as database:
            held = {image.name: database.exists_keypoints(image.image_id) for image in database.read_all_images()}
        assert [name for name, there in held.items() if not there] == [task.names[0], task.names[5]]

    def test_matches_that_guided_matching_added_outlive_a_calibration(self, tmp_path: Path) -> None:
        """pycolmap keeps them beside a pair's own matches, and verifying anew would look at the latter alone."""
        task, _ = made(tmp_path)
        before = matching.graph(task).inliers
        with pycolmap.Database.open(task.database) as database:
            for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
                pair = pycolmap.pair_id_to_image_pair(pair_id)
                database.delete_matches(*pair)
                database.write_matches(*pair, geometry.inlier_matches[: len(geometry.inlier_matches) // 3])
        unknown = replace(task, photos=[photo.model_copy(update={"focal_px": None}) for photo in task.photos])
        assert calibrate(unknown)
        assert matching.graph(task).inliers.sum() > 0.9 * before.sum()


class TestJudging:
    def test_a_true_model_stays_whole(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        verdict = judge(task, Model(truth, "truth"))
        assert verdict.dropped == ()
        assert verdict.agreement == 1
        assert verdict.model is not None
        assert len(verdict.model.names) == COUNT

    def test_a_photo_that_its_pairs_contradict_is_taken_out(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        image = truth.find_image_with_name(task.names[3])
        turn = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0.0, 0.0, 0.6])), np.zeros(3))
        truth.frame(image.frame_id).set_cam_from_world(image.camera_id, turn * image.cam_from_world())
        assert judge(task, Model(truth, "truth")).dropped == (task.names[3],)

    def test_a_photo_with_its_points_behind_it_is_taken_out(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        image = truth.find_image_with_name(task.names[5])
        flip = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0.0, np.pi, 0.0])), np.zeros(3))
        truth.frame(image.frame_id).set_cam_from_world(image.camera_id, flip * image.cam_from_world())
        assert judge(task, Model(truth, "truth")).dropped == (task.names[5],)

    def test_cameras_that_cannot_be_leave_no_model(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        for camera in truth.cameras.values():
            camera.params = [80_000.0, 512.0, 384.0, 0.0]
        verdict = judge(task, Model(truth, "truth"))
        assert verdict.model is None
        assert len(verdict.dropped) == COUNT


class TestParts:
    def test_two_loops_that_share_three_photos_become_one_model(self, tmp_path: Path) -> None:
        """Global mapping joins them by itself, which is why the ladder has no rung that merges models."""
        task, _ = made(tmp_path, between(range(6), range(9, COUNT)) + between(range(6, 9), range(6, 9)))
        models = mapping.global_models(task)
        assert max(len(model.names) for model in models) == COUNT

    def test_photos_that_share_nothing_are_refused_with_the_names_of_both_groups(self, tmp_path: Path) -> None:
        first, second = range(5), range(5, COUNT)
        task, _ = made(tmp_path, between(first, second))
        models = sorted(mapping.global_models(task), key=lambda model: -len(model.names))
        assert [len(model.names) for model in models] == [9, 5]
        seen = matching.graph(task)
        assert seen.components == [list(second), list(first)]
        with pytest.raises(InputError, match="photos_do_not_connect") as caught:
            refusals.refuse_parts(task.only(range(COUNT)), models[1:], seen)
        assert task.names[13] in caught.value.fix

    def test_two_large_groups_are_two_scenes(self, tmp_path: Path) -> None:
        task, _ = made(tmp_path)
        names = task.names

        class Part:
            def __init__(self, numbers: Iterable[int]) -> None:
                self.names = {names[number] for number in numbers}

        with pytest.raises(InputError, match="photos_of_two_scenes") as caught:
            refusals.refuse_parts(task, [Part(range(6)), Part(range(6, 14))], matching.graph(task))  # type: ignore[list-item]
        one, _, other = caught.value.fix.partition("The other:")
        assert names[5] in one
        assert names[6] not in one
        assert names[6] in other

    def test_photos_left_out_are_registered_into_the_model(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        for name in task.names[:3]:
            truth.deregister_frame(truth.find_image_with_name(name).frame_id)
        longer = mapping.extended(task, Model(truth, "truth"))
        assert len(longer.names) == COUNT
        assert longer.error_px < 0.01

    def test_a_photo_that_shares_twenty_points_with_one_other_is_registered(self, tmp_path: Path) -> None:
        """COLMAP itself asks for 30."""
        task, truth = made(tmp_path, between([3], [one for one in range(COUNT) if one not in (3, 4)]))
        with pycolmap.Database.open(task.database) as database:
            pair = [database.read_image_with_name(task.names[number]).image_id for number in (3, 4)]
            geometry = database.read_two_view_geometry(*pair)
            geometry.inlier_matches = geometry.inlier_matches[:20]
            database.update_two_view_geometry(*pair, geometry)
        truth.deregister_frame(truth.find_image_with_name(task.names[3]).frame_id)
        longer = mapping.extended(task, Model(truth, "truth"))
        assert len(longer.names) == COUNT
        assert len(judge(task, longer).model.names) == COUNT  # type: ignore[union-attr]


class TestJournal:
    def test_a_plan_is_made_once_and_a_rung_climbed_once(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        rung = PoseRung(name="one", registered=COUNT, reprojection_error_px=0.1, seconds=1.0)
        first = ProgressStore(task.work)
        assert first.plan("pairs", lambda: [[0, 1]]) == [[0, 1]]
        first.add(rung, [Model(truth, "truth")])
        again = ProgressStore(task.work)
        assert again.plan("pairs", lambda: [[7, 8]]) == [[0, 1]]
        assert again.climbed("one")
        assert again.rungs == (rung,)
        assert [model.names for model in again.models()] == [set(task.names)]

    def test_features_that_gave_no_larger_model_are_taken_back(self, tmp_path: Path) -> None:
        task, truth = made(tmp_path)
        store = ProgressStore(task.work)
        store.add(PoseRung(name="one", registered=COUNT, reprojection_error_px=0.1, seconds=1.0), [Model(truth, "t")])
        store.branch()
        with pycolmap.Database.open(task.database) as database:
            database.clear_two_view_geometries()
        store.add(PoseRung(name="two", registered=2, reprojection_error_px=0.1, seconds=1.0), [])
        assert store.registered == COUNT
        assert matching.graph(task).inliers.any()


class TestKeyframes:
    @staticmethod
    def frames(folder: Path, step: int, count: int) -> list[Path]:
        """A camera that slides along a wall by `step` of 320 pixels a frame."""
        random = np.random.default_rng(1)
        wall = cv2.resize(random.integers(0, 255, (24, 200), np.uint8), (2000, 240), interpolation=cv2.INTER_CUBIC)
        folder.mkdir()
        made = []
        for number in range(count):
            made.append(folder / f"{number:03d}.png")
            cv2.imwrite(str(made[-1]), wall[:, number * step : number * step + 320])
        return made

    def test_frames_of_a_video_are_thinned_to_even_steps(self, tmp_path: Path) -> None:
        chosen = keyframes.choose(self.frames(tmp_path / "v", 2, 60), lambda share: None)
        assert chosen[0] == 0
        assert set(np.diff(chosen)) <= {4, 5}

    def test_a_walk_is_used_whole(self, tmp_path: Path) -> None:
        chosen = keyframes.choose(self.frames(tmp_path / "w", 12, 48), lambda share: None)
        assert chosen == list(range(48))

    def test_a_small_set_is_used_whole(self, tmp_path: Path) -> None:
        assert keyframes.choose(self.frames(tmp_path / "s", 1, 12), lambda share: None) == list(range(12))


class TestCoverage:
    @pytest.mark.parametrize(("azimuths", "degrees"), [(range(0, 360, 20), 360), (range(0, 91, 10), 90), ((0, 180), 0)])
    def test_degrees_that_the_cameras_stand_round_the_object(self, azimuths: Iterable[int], degrees: int) -> None:
        angles = np.radians(list(azimuths))
        assert degrees_round(np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)) == degrees
