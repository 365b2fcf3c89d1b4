"""Small copies, pairs, and the looking process itself on a handful of tiny pictures."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snapforge.preflight import looking, pairs, small
from snapforge.preflight.graph import Link

pytestmark = pytest.mark.part("JOB-2")

SIZE = (240, 180)


def picture(image: Image.Image, kind: str = "JPEG") -> bytes:
    body = io.BytesIO()
    image.save(body, kind, quality=95)
    return body.getvalue()


def scene(shift: int, seed: int = 0) -> Image.Image:
    """A near sheet of blobs in front of a far one; moved sideways, the near one moves twice as far."""
    random = np.random.default_rng(seed)
    far = Image.fromarray(random.integers(60, 190, (40, 90), np.uint8)).resize((900, 400), Image.Resampling.BICUBIC)
    near = Image.fromarray(random.integers(0, 255, (16, 40), np.uint8)).resize((900, 160), Image.Resampling.BICUBIC)
    view = far.crop((shift, 0, shift + SIZE[0], SIZE[1]))
    view.paste(near.crop((2 * shift, 0, 2 * shift + SIZE[0], 90)), (0, 90))
    return view


def look(bodies: list[bytes], folder: Path) -> list[Link]:
    for number, body in enumerate(bodies):
        small.write_copy(body, 1000, looking.copy_path(folder, number))
    return looking.look(folder, [None] * len(bodies), limit_s=60)


class TestCopies:
    def test_the_longest_side_falls_as_photos_grow_in_number(self) -> None:
        sides = [small.side_for([(1200, 800)] * count) for count in (0, 10, 66, 300)]
        assert sides[0] == sides[1] == small.LARGEST_SIDE
        assert 850 < sides[2] < 950
        assert sides[3] == small.SMALLEST_SIDE

    def test_a_copy_is_a_grey_file_of_plain_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "000.pgm"
        scale = small.write_copy(picture(Image.new("RGB", (3000, 2000), "white")), 600, path)
        assert scale == pytest.approx(0.2)
        assert path.read_bytes().startswith(b"P5\n600 400\n255\n")
        assert len(path.read_bytes()) == len(b"P5\n600 400\n255\n") + 600 * 400

    def test_a_small_photo_stays_as_it_is(self, tmp_path: Path) -> None:
        assert small.write_copy(picture(Image.new("L", SIZE)), 1000, tmp_path / "000.pgm") == 1.0

    def test_clear_pixels_are_an_even_grey(self, tmp_path: Path) -> None:
        path = tmp_path / "000.pgm"
        small.write_copy(picture(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG"), 1000, path)
        assert set(path.read_bytes()[-16:]) == {128}

    def test_what_is_no_picture_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="cannot identify"):
            small.write_copy(b"no picture", 1000, tmp_path / "000.pgm")


class TestPairs:
    def test_small_sets_are_matched_with_all(self) -> None:
        assert len(pairs.choose([np.zeros((3, 128), np.float32)] * 12)) == 66

    def test_look_alikes_far_apart_are_found(self) -> None:
        """Photos 20 … 39 show the same places in another order."""
        random = np.random.default_rng(0)
        places = random.normal(size=(20, 60, 128)).astype(np.float32)
        places /= np.linalg.norm(places, axis=2, keepdims=True)
        order = random.permutation(20)
        chosen = set(pairs.choose([*places, *places[order]]))
        assert {(int(place), 20 + number) for number, place in enumerate(order)} <= chosen
        assert len(chosen) < 40 * 39 / 4

    def test_photos_without_features_agree_with_nobody(self) -> None:
        random = np.random.default_rng(1)
        rows = random.normal(size=(50, 128)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        table = pairs.agreement([rows, np.zeros((0, 128), np.float32), rows])
        assert table[0, 2] == 50
        assert table[1].sum() == 0


class TestLook:
    def test_photos_of_one_scene_are_linked_and_strangers_are_not(self, tmp_path: Path) -> None:
        bodies = [picture(scene(shift)) for shift in (0, 15, 30, 45)] + [picture(scene(0, seed=9))]
        survey = looking.survey(5, look(bodies, tmp_path), 1.0)
        assert survey.groups == ((0, 1, 2, 3),)
        assert survey.registered == (0, 1, 2, 3)
        assert not survey.turned

    def test_photos_that_show_nothing_give_no_links(self, tmp_path: Path) -> None:
        blank = picture(Image.new("RGB", SIZE, "grey"))
        assert looking.survey(3, look([blank] * 3, tmp_path), 1.0).groups == ()

    def test_out_of_time_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(looking.LookFailedError, match="not done after"):
            looking.look(tmp_path, [None], limit_s=0.001)

    def test_a_process_that_dies_is_said(self, tmp_path: Path) -> None:
        """No copies in the folder: the process ends with an error."""
        with pytest.raises(looking.LookFailedError, match="exit"):
            looking.look(tmp_path, [None, None], limit_s=60)
