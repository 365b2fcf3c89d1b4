"""Pictures of unknown origin: refused with code and fix, or converted exactly as said."""

import io
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFilter

from snapforge.assets.domain import Facts, Photo, PhotoWarning, assess
from snapforge.assets.pictures import opening, photo, writing
from snapforge.assets.pictures.opening import Refused
from tests.core.assets import samples

ROOT = Path(__file__).parents[3]


def refused(data: bytes) -> str:
    """The code with which a file is refused; it must come with a reason and a fix."""
    with pytest.raises(Refused) as caught:
        photo.prepare(data)
    assert caught.value.refusal.reason
    assert caught.value.refusal.fix
    return caught.value.refusal.code


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...], tolerance: int) -> None:
    found = image.getpixel(place)
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= tolerance, (found, colour)


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


@pytest.mark.part("AST-2")
class TestLens:
    """EXIF is read before it is stripped."""

    def facts(self, **tags: object) -> Facts:
        return photo.prepare(samples.encoded(samples.scene(1200, 900), exif=samples.exif(**tags))).facts  # type: ignore[arg-type]

    def test_the_equivalent_focal_length_is_taken_by_the_diagonal(self) -> None:
        found = self.facts()
        assert found.focal_px == pytest.approx(26 / 43.2666 * 1500, rel=1e-4)
        assert (found.lens.make, found.lens.model, found.lens.focal_mm) == ("Snap", "Phone 9", 5.7)
        assert found.lens.focal_35mm == 26
        assert found.lens.taken_at == "2026-05-01T12:00:00+02:00"

    def test_the_sensor_pitch_wins_where_it_is_told(self) -> None:
        """5.7 mm at 200 pixels a millimetre (inch: 5080)."""
        assert self.facts(plane=(5080.0, 2)).focal_px == pytest.approx(1140, rel=1e-3)
        assert self.facts(plane=(2000.0, 3)).focal_px == pytest.approx(1140, rel=1e-3)

    def test_a_resized_file_is_not_as_wide_as_the_sensor(self) -> None:
        """The tags speak of 2400 pixels, the file has 1200."""
        assert self.facts(plane=(5080.0, 2), sensor_width=2400).focal_px == pytest.approx(570, rel=1e-3)

    def test_digital_zoom_is_only_in_the_equivalent(self) -> None:
        assert self.facts(plane=(5080.0, 2), zoom=2.0).focal_px == pytest.approx(26 / 43.2666 * 1500, rel=1e-4)

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
    def test_nonsense_is_unknown_and_no_reason_to_refuse(self) -> None:
        assert self.facts(focal_35=None).focal_px is None
        assert self.facts(focal_35=0).focal_px is None
        assert self.facts(focal_35=None, plane=(9e9, 2)).focal_px is None
        assert self.facts(offset="noon").lens.taken_at == "2026-05-01T12:00:00"
        assert self.facts(taken="yesterday").lens.taken_at is None
        broken = samples.encoded(samples.scene(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xfe" * 40)
        assert photo.prepare(broken).facts.focal_px is None


@pytest.mark.part("AST-3")
class TestMetadata:
    """Nothing of it comes along: least of all the position."""

    @pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
    def test_position_comment_and_profile_are_gone_from_all_that_is_written(self, form: str) -> None:
        options = {"exif": samples.exif(), "icc_profile": samples.SRGB}
        if form == "JPEG":
            options |= {"comment": samples.GPS_MARK, "xmp": b"<x:xmpmeta>" + samples.GPS_MARK}
        data = samples.encoded(samples.scene(), form, **options)
        assert samples.GPS_MARK in data
        prepared = photo.prepare(data)
        opened = opening.open_picture(data)
        picture = photo.to_upright_srgb(opened.image, 2048)
        written = [prepared.working, prepared.thumbnail, *writing.variants(picture).values()]
        for one in written:
            for mark in (samples.GPS_MARK, b"Exif", b"Phone 9", b"xmpmeta", b"lcms", b"ICC_PROFILE"):
                assert mark not in one.body, (one.media_type, mark)
            assert dict(decoded(one.body).getexif()) == {}
            assert not set(decoded(one.body).info) & {"exif", "xmp", "icc_profile", "comment"}
        assert samples.GPS_MARK.decode() not in prepared.facts.model_dump_json()
        assert "51" not in prepared.facts.lens.model_dump_json()


@pytest.mark.part("AST-3")
class TestVariants:
    """JPEG, WebP, AVIF at most 2048 px, and a thumbnail."""

    def test_each_form_has_its_size_and_the_right_colours(self) -> None:
        image = Image.new("RGB", (3000, 1500), (30, 160, 220))
        made = writing.variants(image)
        assert {name: (one.media_type, one.width, one.height) for name, one in made.items()} == {
            "jpeg": ("image/jpeg", 2048, 1024),
            "webp": ("image/webp", 2048, 1024),
            "avif": ("image/avif", 2048, 1024),
            "thumbnail": ("image/jpeg", 320, 160),
        }
        for one in made.values():
            assert decoded(one.body).size == (one.width, one.height)
            near(decoded(one.body).convert("RGB"), (100, 100), (30, 160, 220), 4)

    def test_small_pictures_are_not_enlarged_and_alpha_falls_on_white_only_in_jpeg(self) -> None:
        made = writing.variants(Image.new("RGBA", (200, 100), (255, 0, 0, 0)))
        assert made["webp"].width == 200
        near(decoded(made["jpeg"].body), (50, 50), (255, 255, 255), 2)
        assert decoded(made["avif"].body).convert("RGBA").getchannel("A").getextrema() == (0, 0)


@pytest.mark.part("AST-2")
class TestMeasures:
    """Blur, exposure, and the look of a photo."""

    def prepared(self, image: Image.Image, **options: object) -> Photo:
        found = photo.prepare(samples.encoded(image, **options))  # type: ignore[arg-type]
        return Photo(f"upl_{found.facts.sha256}", "a.jpg", "s3://a/b", found.facts)

    def test_a_blurred_photo_stands_out_at_any_resolution(self) -> None:
        sharp = samples.scene(2000, 1500)
        photos = [
            self.prepared(sharp),
            self.prepared(samples.scene(2000, 1500, 1)),
            self.prepared(samples.scene(1000, 750, 2)),
        ]
        soft = self.prepared(sharp.filter(ImageFilter.GaussianBlur(10)))
        found = assess([*photos, soft])
        assert [PhotoWarning.blurred in one.warnings for one in found] == [False, False, False, True]

    def test_dark_and_overexposed_photos_are_told_but_not_a_white_ground(self) -> None:
        dark = self.prepared(samples.scene().point(lambda value: value * 0.12))
        burnt = self.prepared(samples.scene().point(lambda value: min(255, value + 170)))
        ground = Image.new("RGB", (960, 720), (255, 255, 255))
        ground.paste(samples.scene().resize((520, 400)), (220, 160))
        assert [
            set(assess([one])[0].warnings) & {PhotoWarning.dark, PhotoWarning.overexposed} for one in (dark, burnt)
        ] == [
            {PhotoWarning.dark},
            {PhotoWarning.overexposed},
        ]
        assert assess([self.prepared(ground)])[0].warnings == ()

    def test_copies_look_the_same_and_other_views_do_not(self) -> None:
        image = samples.scene(1600, 1200)
        copies = [
            self.prepared(image.resize((1000, 750))),
            self.prepared(image, quality=50),
            self.prepared(image.point(lambda value: min(255, value + 6))),
        ]
        found = assess([self.prepared(image), *copies, self.prepared(samples.scene(1600, 1200, seed=5))])
        doubles = [PhotoWarning.near_duplicate in one.warnings for one in found]
        assert sum(doubles[:4]) == 3
        assert not doubles[4]

    def test_transparent_pixels_do_not_count(self) -> None:
        image = samples.scene().convert("RGBA")
        mask = Image.new("L", image.size, 0)
        mask.paste(255, (300, 200, 660, 520))
        image.putalpha(mask)
        on_black, on_white = (
            Image.new("RGBA", image.size, (0, 0, 0, 0)),
            Image.new("RGBA", image.size, (255, 255, 255, 0)),
        )
        for ground in (on_black, on_white):
            ground.paste(image, mask=mask)
        one, other = self.prepared(on_black, form="PNG").facts, self.prepared(on_white, form="PNG").facts
        assert (one.mean, one.sharpness, one.phash) == (other.mean, other.sharpness, other.phash)
        assert one.clipped_dark < 0.1
