"""Pictures of unknown origin: refused with code and fix, or converted exactly as said."""

import io
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from snapforge.assets.pictures import photo
from snapforge.assets.pictures.opening import Refused
from tests.support import samples
from tests.support.samples import decoded, near

ROOT = Path(__file__).parents[3]


def refused(data: bytes) -> str:
    """The code with which a file is refused; it must come with a reason and a fix."""
    with pytest.raises(Refused) as caught:
        photo.prepare(data)
    assert caught.value.refusal.reason
    assert caught.value.refusal.fix
    return caught.value.refusal.code


@pytest.mark.part("AST-2")
class TestRefused:
    """Malformed or unfit files get a clear reason and are never used."""

    def test_a_text_file_named_jpg(self) -> None:
        assert refused(b"Dear Sir or Madam, please find the photo attached.\n" * 50) == "not_a_picture"

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
    def test_a_truncated_jpeg(self, share: float) -> None:
        data = samples.jpeg()
        assert refused(data[: int(len(data) * share)]) == "picture_damaged"

    @pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "HEIF"])
    def test_a_truncated_file_of_the_other_types(self, form: str) -> None:
        data = samples.encoded(samples.scene(320, 240), form)
        assert refused(data[: len(data) // 2]) == "picture_damaged"
        assert refused(data[:24]) == "picture_damaged"

    @pytest.mark.parametrize("make", [samples.bomb_png, samples.bomb_jpeg])
    @pytest.mark.parametrize("side", [60_000, 8_000])
    def test_a_header_that_claims_too_many_pixels(self, make: object, side: int) -> None:
        assert callable(make)
        assert refused(make(side)) == "too_many_pixels"

    def test_the_bomb_is_refused_without_allocating(self, tmp_path: Path) -> None:
        """In a process that may not hold a hundredth of the 10.8 GB that the header claims."""
        bomb = tmp_path / "bomb.png"
        bomb.write_bytes(samples.bomb_png())
        program = (
            "import sys, pathlib, resource\n"
            "from snapforge.assets.pictures import opening, photo\n"
            "opening.prepare()\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try: photo.prepare(pathlib.Path(sys.argv[1]).read_bytes())\n"
            "except opening.Refused as refused: print(refused.refusal.code)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(bomb)],
            env={"PYTHONPATH": str(ROOT / "layers" / "core")},
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
        )
        code, grown_kib = done.stdout.split()
        assert code == "too_many_pixels"
        assert int(grown_kib) < 20_000

    @pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
    def test_animations(self, form: str) -> None:
        assert refused(samples.animated(form)) == "picture_animated"

    @pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP"])
    def test_still_pictures_of_types_that_are_not_taken(self, form: str) -> None:
        assert refused(samples.encoded(samples.scene(320, 240), form)) == "media_type_unsupported"

    def test_a_picture_too_small_for_anything(self) -> None:
        assert refused(samples.encoded(samples.scene(400, 60))) == "picture_too_small"

    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_the_limit_does_not_hang_on_a_warning_filter(self) -> None:
        """Between one and two times the limit Pillow only warns."""
        assert refused(samples.bomb_png(8_000)) == "too_many_pixels"

    @pytest.mark.filterwarnings("ignore::UserWarning")
    @pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF"])
    def test_a_damaged_file_is_refused_or_read_but_never_an_error_of_ours(self, form: str) -> None:
        """Bytes changed at random. A longer run of this (32,000 files) met no other outcome."""
        options = {} if form == "GIF" else {"exif": samples.exif(orientation=6), "icc_profile": samples.SRGB}
        good = samples.encoded(samples.scene(96, 72), form, **options)
        chance = random.Random(20)
        outcomes = set()
        for _ in range(40):
            bad = bytearray(good)
            for _ in range(chance.choice((1, 2, 4, 16))):
                bad[chance.randrange(min(len(bad), 1500))] = chance.choice((0, 255, chance.randrange(256)))
            try:
                outcomes.add(photo.prepare(bytes(bad)).facts.media_type)
            except Refused as caught:
                outcomes.add(caught.refusal.code)
        assert outcomes & {"picture_damaged", "media_type_unsupported"}

    def test_nothing_at_all(self) -> None:
        assert refused(b"") == "not_a_picture"


@pytest.mark.part("AST-2")
class TestConverted:
    """Upright, sRGB, 8 bit, whatever came."""

    @pytest.mark.parametrize(
        ("form", "media_type"),
        [
            ("JPEG", "image/jpeg"),
            ("PNG", "image/png"),
            ("WEBP", "image/webp"),
            ("AVIF", "image/avif"),
            ("HEIF", "image/heic"),
        ],
    )
    def test_each_type_becomes_a_jpeg_with_its_colours(self, form: str, media_type: str) -> None:
        image = Image.new("RGB", (400, 300), (200, 40, 90))
        prepared = photo.prepare(samples.encoded(image, form))
        assert prepared.facts.media_type == media_type
        assert (prepared.working.media_type, prepared.working.width, prepared.working.height) == (
            "image/jpeg",
            400,
            300,
        )
        near(decoded(prepared.working.body), (200, 150), (200, 40, 90), 4)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("form", ["JPEG", "HEIF", "AVIF", "PNG", "WEBP"])
    def test_every_orientation_is_set_upright(self, form: str, orientation: int) -> None:
        """The corner marked red is the upper left one, wherever it was stored."""
        upright = Image.new("RGB", (240, 160), (20, 120, 40))
        upright.paste((230, 20, 20), (0, 0, 80, 60))
        stored = upright.transpose(UNTURN[orientation]) if orientation > 1 else upright
        prepared = photo.prepare(samples.encoded(stored, form, exif=samples.exif(orientation=orientation)))
        assert (prepared.working.width, prepared.working.height) == (240, 160)
        assert (prepared.facts.original_width, prepared.facts.original_height) == (240, 160)
        picture = decoded(prepared.working.body)
        near(picture, (30, 20), (230, 20, 20), 12)
        near(picture, (200, 20), (20, 120, 40), 12)
        near(picture, (30, 130), (20, 120, 40), 12)

    def test_cmyk_without_a_profile(self) -> None:
        data = samples.encoded(Image.new("RGB", (200, 200), (180, 60, 30)).convert("CMYK"))
        near(decoded(photo.prepare(data).working.body), (100, 100), (180, 60, 30), 6)

    def test_another_rgb_space_is_converted_by_its_profile(self) -> None:
        """Display P3's pure red-ish (200, 50, 50) lies outside what the same numbers mean in sRGB."""
        wide = wide_profile()
        image = Image.new("RGB", (200, 200), (200, 100, 100))
        expected = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(wide)), ImageCms.createProfile("sRGB")
        )
        assert expected is not None
        colour = expected.getpixel((0, 0))
        assert isinstance(colour, tuple)
        assert max(abs(a - b) for a, b in zip(colour, (200, 100, 100), strict=True)) > 8
        for form in ("JPEG", "PNG", "HEIF", "AVIF", "WEBP"):
            picture = decoded(photo.prepare(samples.encoded(image, form, icc_profile=wide)).working.body)
            near(picture, (100, 100), colour, 5)

    def test_a_profile_that_does_not_fit_or_is_broken_is_ignored(self) -> None:
        image = Image.new("RGB", (200, 200), (90, 140, 190))
        for profile in (b"no profile", samples.SRGB[:200], grey_profile()):
            picture = decoded(photo.prepare(samples.encoded(image, icc_profile=profile)).working.body)
            near(picture, (100, 100), (90, 140, 190), 4)

    def test_sixteen_bit_grey_keeps_its_ramp(self) -> None:
        picture = np.asarray(decoded(photo.prepare(samples.sixteen_bit_grey()).working.body).convert("L"))[64]
        assert np.abs(picture.astype(int) - np.arange(256)).max() <= 3

    def test_sixteen_bit_colour(self) -> None:
        near(decoded(photo.prepare(samples.sixteen_bit_rgb()).working.body), (64, 64), (200, 100, 50), 4)

    def test_alpha_is_kept_in_a_png(self) -> None:
        image = samples.scene(300, 200).convert("RGBA")
        image.putalpha(Image.new("L", (300, 200), 255))
        assert photo.prepare(samples.encoded(image, "PNG")).working.media_type == "image/jpeg"
        image.paste((0, 0, 0, 0), (0, 0, 100, 200))
        prepared = photo.prepare(samples.encoded(image, "PNG"))
        assert prepared.facts.alpha
        assert prepared.working.media_type == "image/png"
        picture = decoded(prepared.working.body)
        assert picture.getpixel((50, 100)) == (0, 0, 0, 0)
        assert picture.getchannel("A").getpixel((200, 100)) == 255

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
    def test_odd_modes(self, mode: str) -> None:
        image = Image.new("RGB", (200, 100), (255, 255, 255)).convert(mode)
        near(decoded(photo.prepare(samples.encoded(image, "PNG")).working.body), (50, 50), (255, 255, 255), 2)

    def test_a_palette_with_a_transparent_colour_keeps_it(self) -> None:
        image = Image.new("P", (200, 100), 1)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.paste(0, (0, 0, 100, 100))
        picture = decoded(photo.prepare(samples.encoded(image, "PNG", transparency=0)).working.body)
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getpixel((20, 50)) == 0
        assert picture.getpixel((150, 50)) == (0, 0, 255, 255)

    def test_a_phone_jpeg_with_a_second_picture_behind_is_a_photo(self) -> None:
        data = samples.encoded(samples.scene(), "MPO", save_all=True, append_images=[samples.scene(320, 240)])
        prepared = photo.prepare(data)
        assert (prepared.facts.media_type, prepared.facts.width) == ("image/jpeg", 960)

    def test_a_large_photo_is_reduced_to_4096(self) -> None:
        prepared = photo.prepare(samples.encoded(samples.scene(6000, 1500), quality=60, exif=samples.exif()))
        assert (prepared.facts.original_width, prepared.facts.original_height) == (6000, 1500)
        assert (prepared.working.width, prepared.working.height) == (4096, 1024)
        assert prepared.facts.focal_px == pytest.approx(26 / 43.2666 * np.hypot(4096, 1024), rel=1e-4)
        assert max(prepared.thumbnail.width, prepared.thumbnail.height) == 320


UNTURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def wide_profile() -> bytes:
    """An RGB profile with a gamut unlike sRGB's: sRGB's own with red and blue primaries moved."""
    data = bytearray(samples.SRGB)
    tags = {
        bytes(data[132 + 12 * i : 136 + 12 * i]): int.from_bytes(data[136 + 12 * i : 140 + 12 * i])
        for i in range(data[131])
    }
    at = tags[b"rXYZ"] + 8
    data[at : at + 12] = b"".join(
        int(value * 65536).to_bytes(4, "big", signed=True) for value in (0.5151, 0.2412, -0.0011)
    )
    at = tags[b"gXYZ"] + 8
    data[at : at + 12] = b"".join(
        int(value * 65536).to_bytes(4, "big", signed=True) for value in (0.2920, 0.6922, 0.0419)
    )
    return bytes(data)


def grey_profile() -> bytes:
    """A profile that says it is for grey pictures."""
    data = bytearray(samples.SRGB)
    data[16:20] = b"GRAY"
    return bytes(data)
