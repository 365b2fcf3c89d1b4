"""What is said of a survey: findings by name, and what forbids a job."""

from typing import Any

import pytest

from snapforge.jobs.domain import preflight
from snapforge.jobs.domain.preflight import Finding
from tests.core.jobs.captures import survey

pytestmark = pytest.mark.part("JOB-2")


def found(photos: int = 24, **more: Any) -> list[Finding]:
    names = [f"{number:02d}.jpg" for number in range(photos)]
    return preflight.connections(survey(photos, **more), names)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


class TestConnections:
    def test_photos_that_all_connect_need_no_word(self) -> None:
        assert found() == []

    def test_a_turned_camera_is_refused(self) -> None:
        (finding,) = found(turned=True, registered=(), coverage_degrees=None)
        assert (finding.severity, finding.code) == ("blocker", "no_parallax")
        assert "move the camera sideways" in finding.fix

    def test_photos_to_retake_are_named(self) -> None:
        core = tuple(range(22))
        findings = found(groups=(core,), registered=core)
        assert [(each.code, each.photo) for each in findings] == [("unconnected", "22.jpg"), ("unconnected", "23.jpg")]
        assert preflight.blocked(findings) is None

    def test_a_stored_survey_that_expected_less_than_its_first_group_still_reads(self) -> None:
        """The first rule left photos out that hang on one link; the worker takes them, so they need no word."""
        core = tuple(range(20))
        findings = found(groups=((*core, 20, 21),), registered=core)
        assert [(each.code, each.photo) for each in findings] == [("unconnected", "22.jpg"), ("unconnected", "23.jpg")]

    def test_two_objects_are_told_apart_by_the_first_photo_of_each(self) -> None:
        one, other = tuple(range(14)), tuple(range(14, 24))
        (finding,) = found(groups=(one, other), registered=one)
        assert finding.code == "separate_groups"
        assert "14, 10 photos (they begin with 00.jpg, 14.jpg)" in finding.message

    def test_a_pair_apart_is_no_second_object(self) -> None:
        one = tuple(range(22))
        assert codes(found(groups=(one, (22, 23)), registered=one)) == ["unconnected", "unconnected"]

    @pytest.mark.parametrize(
        ("placed", "severity", "code"),
        [(11, "warning", "few_connect"), (9, "warning", "few_connect"), (8, "blocker", "photos_do_not_connect")],
    )
    def test_what_is_hopeless_is_refused_and_what_may_work_is_not(self, placed: int, severity: str, code: str) -> None:
        """Of 24 photos the worker wants 12; 70 % of that may still become enough at its full size."""
        core = tuple(range(placed))
        finding = found(groups=(core,), registered=core)[0]
        assert (finding.severity, finding.code) == (severity, code)
        assert f"About {placed} of 24 photos" in finding.message

    def test_just_enough_is_enough(self) -> None:
        core = tuple(range(12))
        assert codes(found(groups=(core,), registered=core)) == ["unconnected"] * 12

    def test_exactly_seventy_percent_may_work(self) -> None:
        """Of 20 photos the worker wants 10."""
        placed = [found(20, groups=(tuple(range(count)),), registered=tuple(range(count)))[0].code for count in (6, 7)]
        assert placed == ["photos_do_not_connect", "few_connect"]

    def test_from_more_than_three_in_ten_on_photos_are_frames_of_a_film(self) -> None:
        assert codes(found(20, alike=tuple(range(6)))) == []
        assert codes(found(20, alike=tuple(range(7)))) == ["video_frames"]

    def test_nothing_that_connects_is_refused(self) -> None:
        findings = found(groups=(), registered=(), coverage_degrees=None)
        assert codes(findings) == ["photos_do_not_connect"] + ["unconnected"] * 24

    def test_three_apart_are_a_group(self) -> None:
        one = tuple(range(21))
        assert codes(found(groups=(one, (21, 22, 23)), registered=one)) == ["separate_groups"]

    @pytest.mark.parametrize(
        ("degrees", "told"), [(150, "150"), (154, "150"), (156, "160"), (299, "300"), (300, None), (None, None)]
    )
    def test_one_side_is_said_with_its_angle(self, degrees: int | None, told: str | None) -> None:
        """To ten degrees: it is no finer known."""
        findings = found(coverage_degrees=degrees)
        assert codes(findings) == (["one_side"] if told else [])
        assert all(f"about {told} of 360" in finding.message for finding in findings)

    def test_of_photos_that_find_no_place_no_angle_is_told(self) -> None:
        findings = found(groups=(), registered=(), coverage_degrees=100)
        assert codes(findings) == ["photos_do_not_connect"] + ["unconnected"] * 24

    @pytest.mark.parametrize(
        ("photos", "degrees", "film"), [(24, 57, True), (24, 58, False), (100, 119, True), (100, 120, False)]
    )
    def test_steps_of_less_than_two_and_a_half_degrees_on_a_short_way_are_a_film(
        self, photos: int, degrees: int, film: bool
    ) -> None:
        """24 photos are 23 steps, of 57.5 degrees; from a third of a turn on it is a thorough capture."""
        assert ("video_frames" in codes(found(photos, coverage_degrees=degrees))) == film

    def test_frames_of_a_film_are_noticed(self) -> None:
        assert "video_frames" in codes(found(coverage_degrees=40))
        assert codes(found(alike=tuple(range(1, 12)))) == ["video_frames"]
        assert codes(found(alike=(1, 2))) == []

    def test_a_thorough_full_turn_is_no_film(self) -> None:
        assert found(200) == []
