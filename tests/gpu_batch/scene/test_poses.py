"""Poses: which model is taken, which photos are matched, and what is refused before it costs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from infrastructure.local.demo.render import render_photos
from tests.gpu_batch.scene.attempt import Entry, work_of
from tests.gpu_batch.scene.conftest import FOCAL, SIZE, Shoot
from worker.engines.scene import normalise, pairs, presets
from worker.engines.scene.poses import Task, features, matching
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-10")


class TestPairs:
    def test_small_sets_are_matched_with_all(self) -> None:
        assert len(pairs.first_pairs([np.zeros((3, 128), np.uint8)] * 36)) == 36 * 35 // 2

    def test_large_sets_match_neighbours_and_look_alikes(self) -> None:
        random = np.random.default_rng(0)
        looks = random.integers(0, 255, (40, 60, 128), np.uint8)
        # Photos 40 … 79 show the same places in another order.
        other = random.permutation(40)
        chosen = set(pairs.first_pairs([*looks, *looks[other]]))
        assert len(chosen) < 80 * 79 / 4
        assert {(a, a + 1) for a in range(79)} <= chosen
        assert all((int(place), 40 + number) in chosen for number, place in enumerate(other))

    def test_photos_without_features_have_their_neighbours(self) -> None:
        chosen = pairs.first_pairs([np.zeros((0, 128), np.uint8)] * 50)
        assert {(a, a + 1) for a in range(49)} <= set(chosen)

    def test_partners_of_partners_come_next_and_nothing_twice(self) -> None:
        inliers = np.zeros((5, 5), np.int64)
        for a, b in ((0, 1), (1, 2), (3, 4)):
            inliers[a, b] = inliers[b, a] = 50
        assert pairs.more_pairs(inliers, inliers.astype(bool)) == [(0, 2)]

    def test_a_weak_photo_meets_all_others_up_to_a_limit_the_likeliest_first(self) -> None:
        inliers = np.zeros((9, 9), np.int64)
        for a, b in ((0, 1), (1, 7), (1, 8)):
            inliers[a, b] = inliers[b, a] = 50
        tried = inliers.astype(bool)
        assert pairs.pairs_of({0}, inliers, tried, max_count=99) == [(0, other) for other in range(2, 9)]
        assert pairs.pairs_of({0}, inliers, tried, max_count=2) == [(0, 7), (0, 8)]

    def test_the_strongest_links_of_the_photos_left_out(self) -> None:
        inliers = np.zeros((6, 6), np.int64)
        for a, b, matches in ((0, 2, 20), (0, 3, 40), (0, 4, 30), (0, 1, 90), (1, 5, 16)):
            inliers[a, b] = inliers[b, a] = matches
        assert pairs.strongest({0, 1}, {2, 3, 4, 5}, inliers, max_count=2) == [(0, 3), (0, 4), (1, 5)]


class TestMatching:
    def test_pairs_matched_again_by_their_geometry_have_more_matches(self, shoot: Shoot, tmp_path: Path) -> None:
        paths = shoot.photos[:3]
        (tmp_path / "sparse").mkdir()
        given = work_of(paths, SIZE, FOCAL).photos
        task = Task(given, paths, None, tmp_path / "sparse", presets.settings("draft", "cpu"), False, 0)
        features.extract(task, range(3), features.Recipe.usual(task), lambda share: None)
        matching.match(task, [(0, 1), (1, 2)], False, lambda share: None)
        plain = matching.graph(task)
        matching.match_again(task, [(0, 1)], lambda share: None)
        recomputed = matching.graph(task)
        assert recomputed.inliers[0, 1] > 1.15 * plain.inliers[0, 1] > 0
        assert recomputed.inliers[1, 2] == plain.inliers[1, 2]
        assert (recomputed.tried == plain.tried).all()


def entry(tmp_path: Path, photos: list[Path]) -> Entry:
    return Entry(tmp_path / "entry", tmp_path / "kept", work_of(photos, SIZE, FOCAL), photos)


class TestRefusals:
    def test_one_photo(self, shoot: Shoot, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="too_few_photos") as caught:
            entry(tmp_path, shoot.photos[:1]).go()
        assert "25 to 60 photos" in caught.value.fix

    def test_all_photos_equal(self, shoot: Shoot, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="photos_all_equal") as caught:
            entry(tmp_path, shoot.photos[:1] * 12).go()
        assert "move the camera" in caught.value.fix

    def test_nearly_equal_photos_count_as_equal(self, shoot: Shoot, tmp_path: Path) -> None:
        """The same view, saved again and again at other qualities."""
        picture = cv2.imread(str(shoot.photos[0]))
        copies = []
        for quality in range(60, 96, 3):
            path = tmp_path / f"again-{quality}.jpg"
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            copies.append(path)
        with pytest.raises(InputError, match="photos_all_equal"):
            entry(tmp_path, copies).go()

    def test_photos_of_different_things_name_those_that_do_not_connect(self, tmp_path: Path) -> None:
        """Twelve unrelated patterns: nothing matches anything."""
        made = []
        for index in range(12):
            random = np.random.default_rng(index)
            blobs = cv2.resize(random.integers(0, 255, (27, 36, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
            path = tmp_path / f"thing-{index}.png"
            cv2.imwrite(str(path), blobs)
            made.append(path)
        with pytest.raises(InputError, match="photos_do_not_connect") as caught:
            entry(tmp_path, made).go(until="poses")
        assert "thing-0.png" in caught.value.fix
        assert caught.value.exit == 65

    def test_photos_from_one_spot_have_no_parallax(self, tmp_path: Path) -> None:
        """The camera only turns: every pair is a homography."""
        random = np.random.default_rng(2)
        wall = cv2.resize(random.integers(0, 255, (90, 160, 3), np.uint8), (1600, 900), interpolation=cv2.INTER_CUBIC)
        matrix = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
        far = np.array([[600, 0, 800], [0, 600, 450], [0, 0, 1.0]])
        made = []
        for index in range(12):
            turn, _ = cv2.Rodrigues(np.array([0.02 * (index % 3), 0.05 * (index - 6), 0.01 * index]))
            path = tmp_path / f"turn-{index}.png"
            cv2.imwrite(str(path), cv2.warpPerspective(wall, matrix @ turn @ np.linalg.inv(far), SIZE))
            made.append(path)
        with pytest.raises(InputError, match="photos_without_parallax") as caught:
            entry(tmp_path, made).go(until="poses")
        assert "Walk round" in caught.value.fix


class TestPartlyConnected:
    def test_strays_are_left_out_and_named(self, tmp_path: Path) -> None:
        photos = render_photos(tmp_path / "p", 16, SIZE, seed=4)
        for index in range(2):
            random = np.random.default_rng(index)
            stray = tmp_path / f"stray-{index}.jpg"
            plain = np.full((SIZE[1], SIZE[0], 3), 215, np.uint8)
            plain[60:200, 100:260] = cv2.resize(random.integers(0, 255, (14, 16, 3), np.uint8), (160, 140))
            cv2.imwrite(str(stray), plain)
            photos.append(stray)
        attempt = entry(tmp_path, photos)
        attempt.go(until="poses")
        assert attempt.state["registered"] == 16
        assert any("stray-0.jpg, stray-1.jpg" in note for note in attempt.notes)


class TestHeldOut:
    def test_one_in_eight_and_never_an_end(self) -> None:
        assert [n for n in range(32) if normalise._is_held_out(n, 32)] == [4, 12, 20, 28]
        assert not any(normalise._is_held_out(n, 9) for n in range(9))
