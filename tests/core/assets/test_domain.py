"""What holds of uploads, captures and photos, without I/O."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from snapforge.assets import domain, refusals
from snapforge.assets.domain import Announced, Capture, CaptureState, Facts, Photo, PhotoWarning
from snapforge.kit import ids

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def facts(**changes: object) -> Facts:
    good = {
        "media_type": "image/jpeg", "bytes": 1000, "sha256": "0" * 64, "original_width": 4000, "original_height": 3000,
        "width": 4000, "height": 3000, "alpha": False, "sharpness": 800.0, "mean": 120.0, "clipped_dark": 0.0,
        "clipped_bright": 0.0, "phash": "f" * 64,
    }  # fmt: skip
    return Facts.model_validate(good | changes)


def photo(place: int, **changes: object) -> Photo:
    """Photos of different looks unless `phash` says otherwise."""
    look = {"phash": f"{0xFF << 8 * (place % 32):064x}"} | changes
    return Photo(f"upl_{place:03d}", f"IMG_{place}.jpg", f"s3://assets/photos/{place}.jpg", facts(**look))


@pytest.mark.part("AST-1")
class TestRefuseAnnounced:
    """What need not even be sent."""

    @pytest.mark.parametrize("media_type", sorted(domain.PHOTO_TYPES))
    def test_photos_of_every_taken_type_are_welcome(self, media_type: str) -> None:
        assert domain.refuse_announced(Announced("a", 50_000_000, media_type), in_capture=True) is None

    @pytest.mark.parametrize(
        ("size", "media_type", "in_capture", "code"),
        [
            (10, "image/gif", True, "media_type_unsupported"),
            (10, "text/plain", False, "media_type_unsupported"),
            (0, "image/jpeg", True, "file_empty"),
            (50_000_001, "image/jpeg", True, "photo_too_large"),
            (10, "application/zip", True, "archive_in_capture"),
            (5_000_000_001, "application/zip", False, "archive_too_large"),
        ],
    )
    def test_the_rest_is_refused_with_code_and_fix(
        self, size: int, media_type: str, in_capture: bool, code: str
    ) -> None:
        refusal = domain.refuse_announced(Announced("a", size, media_type), in_capture=in_capture)
        assert refusal is not None
        assert refusal.code == code
        assert refusal.fix

    def test_a_checksum_is_taken_for_a_post_but_not_for_parts(self) -> None:
        small, large = Announced("a", 100_000_000, "application/zip", "0" * 64), 100_000_001
        assert domain.refuse_announced(small, in_capture=False) is None
        refusal = domain.refuse_announced(Announced("a", large, "application/zip", "0" * 64), in_capture=False)
        assert refusal is not None
        assert refusal.code == "checksum_unsupported"
        assert domain.refuse_announced(Announced("a", large, "application/zip"), in_capture=False) is None

    @pytest.mark.parametrize(("size", "taken"), [(5_000_000_000, True), (5_000_000_001, False)])
    def test_an_archive_has_five_gigabytes_at_most(self, size: int, taken: bool) -> None:
        refusal = domain.refuse_announced(Announced("a", size, "application/zip"), in_capture=False)
        assert (refusal is None) == taken
        assert refusal is None or "5.00 GB; at most 5 GB" in refusal.reason

    def test_whoever_sends_too_large_a_photo_is_told_both_sizes(self) -> None:
        refusal = domain.refuse_announced(Announced("a", 62_350_000, "image/jpeg"), in_capture=True)
        assert refusal is not None
        assert "62.4 MB; at most 50 MB" in refusal.reason
        assert "50 megapixels" in refusals.too_many_pixels().reason

    def test_a_post_lives_a_quarter_of_an_hour_and_parts_longer(self) -> None:
        assert Announced("a", 10, "image/jpeg").life == timedelta(minutes=15)
        assert Announced("a", 10**9, "application/zip").life == timedelta(hours=12)

    @pytest.mark.parametrize(("size", "count"), [(1, 1), (67_108_864, 1), (67_108_865, 2), (5 * 10**9, 75)])
    def test_parts_cover_the_file(self, size: int, count: int) -> None:
        assert domain.part_count(size) == count


@pytest.mark.part("AST-1")
class TestRefuseArrived:
    """What lies in S3 and is not looked at."""

    def test_in_time_and_of_the_announced_size_it_is_looked_at(self) -> None:
        late = NOW + timedelta(hours=1)
        assert domain.refuse_arrived(announced=5, arrived=5, at=late, expires_at=NOW) is None

    def test_after_its_expiry_it_is_not(self) -> None:
        late = NOW + timedelta(hours=1, seconds=1)
        refusal = domain.refuse_arrived(announced=5, arrived=5, at=late, expires_at=NOW)
        assert refusal is not None
        assert refusal.code == "upload_expired"

    def test_of_another_size_it_is_not(self) -> None:
        refusal = domain.refuse_arrived(announced=5, arrived=6, at=NOW, expires_at=NOW)
        assert refusal is not None
        assert refusal.code == "size_differs"


@pytest.mark.part("AST-2")
class TestCapture:
    """Counts and photos of a capture."""

    @pytest.mark.parametrize(
        ("expected", "checked", "state"),
        [
            (0, 0, CaptureState.open),
            (3, 0, CaptureState.open),
            (3, 1, CaptureState.checking),
            (3, 3, CaptureState.ready),
        ],
    )
    def test_the_counts_imply_the_state(self, expected: int, checked: int, state: CaptureState) -> None:
        capture = Capture("cap_1", "org_1", "", NOW, 1, expected, checked, (), ())
        assert capture.state == state

    def test_an_empty_capture_has_nothing_to_assess(self) -> None:
        assert domain.assess([]) == ()

    def test_good_photos_carry_no_warnings(self) -> None:
        photos = domain.assess([photo(place) for place in range(20)])
        assert [one.warnings for one in photos] == [()] * 20
        assert (photos[0].width, photos[0].height, photos[0].focal_px) == (4000, 3000, None)

    def test_a_photo_much_softer_than_the_others_is_blurred(self) -> None:
        soft = photo(9, sharpness=100.0)
        assert domain.assess([*(photo(place) for place in range(5)), soft])[-1].warnings == (PhotoWarning.blurred,)

    def test_where_all_are_soft_each_is_blurred_only_below_the_floor(self) -> None:
        assert domain.assess([photo(1, sharpness=100.0), photo(2, sharpness=110.0)])[0].warnings == ()
        assert domain.assess([photo(1, sharpness=5.0)])[0].warnings == (PhotoWarning.blurred,)

    @pytest.mark.parametrize(
        ("changes", "warning"),
        [
            ({"mean": 20.0}, PhotoWarning.dark),
            ({"clipped_bright": 0.6}, PhotoWarning.overexposed),
            ({"width": 640, "height": 480}, PhotoWarning.small),
        ],
    )
    def test_exposure_and_size_are_told(self, changes: dict[str, object], warning: PhotoWarning) -> None:
        assert domain.assess([photo(1, **changes)])[0].warnings == (warning,)

    @pytest.mark.parametrize(
        ("good", "bad", "warning"),
        [
            ({"sharpness": 12.0}, {"sharpness": 11.99}, PhotoWarning.blurred),
            ({"mean": 30.0}, {"mean": 29.9}, PhotoWarning.dark),
            ({"clipped_bright": 0.45}, {"clipped_bright": 0.4501}, PhotoWarning.overexposed),
            ({"width": 800, "height": 64}, {"width": 799, "height": 799}, PhotoWarning.small),
            ({"width": 64, "height": 800}, {"width": 64, "height": 799}, PhotoWarning.small),
        ],
    )
    def test_at_the_threshold_a_photo_is_good(
        self, good: dict[str, object], bad: dict[str, object], warning: PhotoWarning
    ) -> None:
        assert [domain.assess([photo(1, **changes)])[0].warnings for changes in (good, bad)] == [(), (warning,)]

    @pytest.mark.parametrize(("sharpness", "blurred"), [(160.0, False), (159.9, True)])
    def test_a_fifth_of_what_is_usual_in_the_capture_is_sharp_enough(self, sharpness: float, blurred: bool) -> None:
        """Usual is the median: others that are softer still change nothing."""
        others = [photo(place, sharpness=800.0) for place in range(5)] + [photo(6, sharpness=13.0)]
        found = domain.assess([*others, photo(7, sharpness=sharpness)])[-1].warnings
        assert found == ((PhotoWarning.blurred,) if blurred else ())

    @pytest.mark.parametrize(("bits", "double"), [(0, True), (4, True), (5, False)])
    def test_up_to_four_bits_apart_photos_look_the_same(self, bits: int, double: bool) -> None:
        """Of 256, wherever they lie."""
        look = 0x5 << 120
        other = look ^ sum(1 << 60 * place for place in range(4))
        other = look if bits == 0 else other ^ (1 << 250 if bits == 5 else 0)
        photos = domain.assess([photo(1, phash=f"{look:064x}"), photo(2, phash=f"{other:064x}")])
        assert (photos[1].duplicate_of is not None) == double

    def test_near_duplicates_name_the_earliest_in_whatever_order_they_come(self) -> None:
        first, again, third = photo(1, phash="0" * 64), photo(2, phash="f" + "0" * 63), photo(3, phash="0" * 63 + "1")
        other = photo(4)
        for order in ([first, again, third, other], [other, third, again, first]):
            found = {one.id: one.duplicate_of for one in domain.assess(order)}
            assert found == {first.id: None, again.id: first.id, third.id: first.id, other.id: None}
        assert PhotoWarning.near_duplicate in domain.assess([first, again])[1].warnings


@pytest.mark.part("AST-4")
class TestAssetIds:
    """Names that follow from content."""

    def test_the_same_result_has_the_same_id_and_another_has_another(self) -> None:
        job = ids.new("job")
        once = domain.asset_id(job, "s3://a/runs/1/1/", "picture-00.png")
        assert once == domain.asset_id(job, "s3://a/runs/1/1/", "picture-00.png")
        others = {
            domain.asset_id(job, "s3://a/runs/2/1/", "picture-00.png"),
            domain.asset_id(job, "s3://a/runs/1/1/", "x"),
        }
        assert once not in others
        assert re.fullmatch(ids.pattern("asset"), once)
        assert once.startswith(domain.asset_prefix(job))

    def test_a_result_that_an_earlier_release_registered_keeps_its_id(self) -> None:
        """Or a second registration would deliver it twice. Of its job ten letters, of its own sixteen."""
        job = "job_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
        assert domain.asset_id(job, "s3://a/runs/1/1/", "picture-00.png") == "ast_01JD8Z4Q0VC3T3YRJ9STY459AE"

    def test_a_key_names_the_content_and_its_type(self) -> None:
        assert domain.content_key("ab" + "0" * 62, "image/avif") == f"assets/ab/ab{'0' * 62}.avif"
        assert domain.content_key("ab" + "0" * 62, "application/x-new").endswith(".bin")
