"""Sets of photos that cannot work, and sets of which a part can."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from snapforge.contracts.manifest import Photo
from worker.engines.scene import photo_checks, photos
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-10")


def pattern(seed: int, width: int = 400, height: int = 300) -> np.ndarray:
    """An RGB picture that differs from others."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (9, 12, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


class PhotoSet:
    """A folder of photos to look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given: list[Photo] = []
        self.paths: list[Path] = []

    def add(self, picture: np.ndarray, suffix: str = "jpg", quality: int = 92) -> Path:
        path = self.folder / f"{len(self.paths):03d}.{suffix}"
        code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
        cv2.imwrite(str(path), cv2.cvtColor(picture, code), [cv2.IMWRITE_JPEG_QUALITY, quality])
        name = f"IMG_{len(self.paths)}.{suffix}"
        self.given.append(Photo(uri="s3://b/p", name=name, width=picture.shape[1], height=picture.shape[0]))
        self.paths.append(path)
        return path

    def fill(self, count: int) -> "PhotoSet":
        for seed in range(count):
            self.add(pattern(seed))
        return self

    def look(self) -> photo_checks.CheckedPhotos:
        return photo_checks.inspect(self.given, self.paths)


@pytest.fixture
def photo_set(tmp_path: Path) -> PhotoSet:
    return PhotoSet(tmp_path)


class TestWhatIsLeftOut:
    def test_good_photos_are_all_used_without_a_note(self, photo_set: PhotoSet) -> None:
        assert photo_set.fill(9).look() == photo_checks.CheckedPhotos(tuple(range(9)), ())

    @pytest.mark.parametrize("damage", ["text", "empty", "cut short"])
    def test_a_corrupt_photo_is_left_out_and_named(self, photo_set: PhotoSet, damage: str) -> None:
        whole = photo_set.fill(9).paths[4].read_bytes()
        photo_set.paths[4].write_bytes(
            {"text": b"no picture", "empty": b"", "cut short": whole[: len(whole) // 2]}[damage]
        )
        found = photo_set.look()
        assert found.usable == (0, 1, 2, 3, 5, 6, 7, 8)
        assert found.notes == ("Left out, because they cannot be read as a picture: IMG_4.jpg.",)

    def test_a_black_photo_is_left_out_and_named(self, photo_set: PhotoSet) -> None:
        photo_set.fill(8).add(np.zeros((300, 400, 3), np.uint8))
        assert photo_set.look().notes == (
            "Left out, because they show nothing (one colour from edge to edge): IMG_8.jpg.",
        )

    def test_an_entirely_transparent_photo_shows_nothing(self, photo_set: PhotoSet) -> None:
        photo_set.fill(8).add(np.dstack([pattern(50), np.zeros((300, 400), np.uint8)]), "png")
        assert "show nothing" in photo_set.look().notes[0]

    def test_a_tiny_photo_is_left_out_and_named(self, photo_set: PhotoSet) -> None:
        photo_set.fill(8).add(pattern(9, 200, 120))
        assert photo_set.look().notes == ("Left out, because they are smaller than 160 pixels: IMG_8.jpg.",)

    def test_the_same_photo_again_is_left_out(self, photo_set: PhotoSet) -> None:
        """It would be learned from and held out at the same time."""
        photo_set.fill(9).add(pattern(3), quality=60)
        found = photo_set.look()
        assert found.usable == tuple(range(9))
        assert found.notes == ("Left out, because another photo shows the very same view: IMG_9.jpg.",)

    def test_many_names_are_cut_short(self) -> None:
        assert photo_checks.listed([str(n) for n in range(20)], 3) == "0, 1, 2 and 17 more"


class TestWhatWorks:
    def test_photos_of_all_sizes_and_both_orientations(self, photo_set: PhotoSet) -> None:
        for seed, (width, height) in enumerate([(400, 300), (300, 400), (640, 360), (200, 1200)] * 3):
            photo_set.add(pattern(seed, width, height))
        assert len(photo_set.look().usable) == 12

    def test_transparent_and_opaque_photos_together(self, photo_set: PhotoSet) -> None:
        photo_set.fill(6)
        for seed in range(6, 12):
            alpha = np.zeros((300, 400), np.uint8)
            alpha[50:250, 80:300] = 255
            photo_set.add(np.dstack([pattern(seed), alpha]), "png")
        assert photo_set.look() == photo_checks.CheckedPhotos(tuple(range(12)), ())

    def test_an_object_that_turns_by_a_few_degrees_on_white_paper_is_no_copy(self, photo_set: PhotoSet) -> None:
        for step in range(9):
            paper = np.full((300, 400, 3), 235, np.uint8)
            paper[100:200, 150:250] = np.roll(pattern(1, 100, 100), 4 * step, axis=1)
            photo_set.add(paper)
        assert len(photo_set.look().usable) == 9


class TestRefusals:
    def test_too_few_photos(self, photo_set: PhotoSet) -> None:
        with pytest.raises(InputError) as caught:
            photo_set.fill(7).look()
        assert caught.value.code == "too_few_photos"
        assert "25 to 60 photos" in caught.value.fix

    def test_all_photos_identical(self, photo_set: PhotoSet) -> None:
        for _ in range(12):
            photo_set.add(pattern(0))
        with pytest.raises(InputError) as caught:
            photo_set.look()
        assert caught.value.code == "photos_all_equal"
        assert caught.value.message == "Only 1 of 12 photos differ from each other."

    def test_all_photos_black(self, photo_set: PhotoSet) -> None:
        for _ in range(12):
            photo_set.add(np.zeros((300, 400, 3), np.uint8))
        with pytest.raises(InputError) as caught:
            photo_set.look()
        assert caught.value.code == "photos_unusable"
        assert "show nothing" in caught.value.fix
        assert "IMG_0.jpg" in caught.value.fix

    def test_too_few_are_left_after_the_corrupt_ones(self, photo_set: PhotoSet) -> None:
        for path in photo_set.fill(10).paths[:3]:
            path.write_text("no picture")
        with pytest.raises(InputError) as caught:
            photo_set.look()
        assert caught.value.message == "7 of 10 photos can be used; a model needs at least 8."
        assert "IMG_0.jpg, IMG_1.jpg, IMG_2.jpg" in caught.value.fix


class TestReadingSmall:
    def test_a_jpeg_is_decoded_small_and_looks_like_the_whole_one_shrunk(self, photo_set: PhotoSet) -> None:
        path = photo_set.add(pattern(2, 1600, 1200))
        small, whole = photos.read_small(path, 200), photos.shrink(photos.read(path), 200)
        assert small.shape == whole.shape == (150, 200, 4)
        assert np.abs(small.astype(int) - whole).mean() < 1.5

    def test_a_small_photo_is_read_as_it_is(self, photo_set: PhotoSet) -> None:
        path = photo_set.add(np.dstack([pattern(2), np.full((300, 400), 90, np.uint8)]), "png")
        assert (photos.read_small(path, 900) == photos.read(path)).all()

    def test_the_size_comes_from_the_header(self, photo_set: PhotoSet) -> None:
        assert photos.size(photo_set.add(pattern(0, 320, 200))) == (320, 200)
