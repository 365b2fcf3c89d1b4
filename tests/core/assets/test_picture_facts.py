"""What is measured of pictures and written anew: lens, looks, variants; and that no metadata comes along."""

import io

import pytest
from PIL import Image, ImageFilter

from snapforge.assets.domain import Facts, Photo, PhotoWarning, assess
from snapforge.assets.pictures import lens, opening, photo, writing
from tests.support import samples
from tests.support.samples import decoded, near


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

    @pytest.mark.parametrize("plane", [(5080.0, 2), (2000.0, 3), (200.0, 4), (0.2, 5), (5080.0, None)])
    def test_the_pitch_is_told_in_inches_and_metric_units(self, plane: tuple[float, int | None]) -> None:
        """Inches where no unit stands."""
        assert self.facts(plane=plane).focal_px == pytest.approx(1140, rel=1e-3)

    def test_of_an_unknown_unit_the_equivalent_is_taken(self) -> None:
        for unit in (0, 1, 6):
            assert self.facts(plane=(5080.0, unit)).focal_px == pytest.approx(26 / 43.2666 * 1500, rel=1e-4)

    @pytest.mark.parametrize(("focal_35", "known"), [(3, False), (4, True), (30, True), (1038, True), (1039, False)])
    def test_between_a_fisheye_and_a_telescope_a_lens_is_believed(self, focal_35: int, known: bool) -> None:
        """A tenth to thirty times the longest side: of 4:3, 3.5 to 1038 mm equivalent."""
        assert (self.facts(focal_35=focal_35).focal_px is not None) == known

    def test_a_resized_file_is_not_as_wide_as_the_sensor(self) -> None:
        """The tags speak of 2400 pixels, the file has 1200."""
        assert self.facts(plane=(5080.0, 2), sensor_width=2400).focal_px == pytest.approx(570, rel=1e-3)

    def test_digital_zoom_is_only_in_the_equivalent(self) -> None:
        assert self.facts(plane=(5080.0, 2), zoom=2.0).focal_px == pytest.approx(26 / 43.2666 * 1500, rel=1e-4)

    @pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
    def test_nonsense_is_unknown_and_no_reason_to_refuse(self) -> None:
        assert self.facts(focal_35=None).focal_px is None
        assert self.facts(focal_35=0).focal_px is None
        assert self.facts(focal_35=0).lens.focal_35mm is None
        assert self.facts(focal_35=None, plane=(9e9, 2)).focal_px is None
        assert self.facts(offset="noon").lens.taken_at == "2026-05-01T12:00:00"
        assert self.facts(taken="yesterday").lens.taken_at is None
        broken = samples.encoded(samples.scene(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xfe" * 40)
        assert photo.prepare(broken).facts.focal_px is None


@pytest.mark.part("AST-2")
class TestTags:
    """What stands in EXIF, whatever it is."""

    def opened(self, **tags: object) -> Image.Image:
        made = Image.Exif()
        for number, value in tags.items():
            made[int(number.removeprefix("_"), 16)] = value
        return Image.open(io.BytesIO(samples.encoded(samples.scene(64, 64), exif=made.tobytes())))

    def test_a_maker_is_told_in_a_hundred_printable_letters(self) -> None:
        found, _ = lens.read_lens(self.opened(_010F="  Snap\x07 " + "x" * 200, _0110=" "), (64, 64))
        assert (found.make, found.model) == ("Snap " + "x" * 95, None)

    @pytest.mark.parametrize(("value", "told"), [(1, 1), (8, 8), (0, 1), (9, 1)])
    def test_an_orientation_that_is_none_is_upright(self, value: int, told: int) -> None:
        assert lens.orientation(self.opened(_0112=value)) == told


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


def quality(picture: Image.Image) -> int:
    """The quality at which Pillow writes a JPEG with these tables."""
    tables = picture.quantization  # type: ignore[attr-defined]
    same = [
        number
        for number in range(60, 100)
        if decoded(samples.encoded(Image.new("RGB", (16, 16)), quality=number)).quantization == tables  # type: ignore[attr-defined]
    ]
    return same[0]


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

    def test_a_jpeg_is_written_at_the_quality_that_its_use_wants(self) -> None:
        """92 without loss of colour detail for a texture, 88 for delivery, 82 for a thumbnail."""
        image = samples.scene(640, 480)
        made = writing.variants(image)
        written = (writing.working_copy(image), made["jpeg"], made["thumbnail"])
        assert [quality(decoded(one.body)) for one in written] == [92, 88, 82]
        # Of each component: id, sampling across and down, table.
        assert [decoded(one.body).layer[0][1:3] for one in written] == [(1, 1), (2, 2), (2, 2)]  # type: ignore[attr-defined]
        assert [bool(decoded(one.body).info.get("progressive")) for one in written] == [False, True, False]

    def test_a_thumbnail_costs_no_byte_too_many(self) -> None:
        """Twenty of them are a page."""
        image = samples.scene(320, 240)
        assert len(writing.thumbnail(image).body) < len(samples.encoded(image, quality=82))

    def test_transparent_is_white_to_the_last_level(self) -> None:
        made = writing.variants(Image.new("RGBA", (64, 64), (0, 0, 0, 0)))
        assert decoded(made["jpeg"].body).getextrema() == ((255, 255),) * 3

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
