"""The pure building blocks."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapforge.kit import clock, ids, money, page, permissions
from snapforge.kit.errors import NotFound, Problem
from snapforge.kit.limits import Allowance


class TestIds:
    """Identifiers."""

    def test_an_id_has_its_prefix_and_the_documented_shape(self) -> None:
        made = ids.new("job")
        assert made.startswith("job_")
        assert len(made) == 30
        assert re.fullmatch(ids.pattern("job"), made)
        assert not re.fullmatch(ids.pattern("org"), made)

    def test_prefixes_are_unique(self) -> None:
        assert len(set(ids.PREFIXES.values())) == len(ids.PREFIXES)

    def test_ids_sort_by_the_time_of_making(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = datetime(2026, 11, 21, tzinfo=UTC)
        made = []
        for step in range(5):
            monkeypatch.setattr(clock, "now", lambda step=step: start + timedelta(milliseconds=step))
            made.append(ids.new("job"))
        assert made == sorted(made)

    @pytest.mark.parametrize(
        "bad", ["job_", "job_x", "JOB_01KA0000000000000000000000", "job_01KA000000000000000000000I"]
    )
    def test_a_malformed_id_is_none(self, bad: str) -> None:
        assert not re.fullmatch(ids.pattern("job"), bad)


class TestClock:
    """Time."""

    def test_a_naive_moment_is_refused(self) -> None:
        with pytest.raises(ValueError, match="naive"):
            clock.rfc3339(datetime(2026, 1, 1))
        with pytest.raises(ValueError, match="zone"):
            clock.parse("2026-01-01T00:00:00")

    @given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)))
    def test_a_text_round_trips_exactly(self, moment: datetime) -> None:
        assert clock.parse(clock.rfc3339(moment)) == moment

    @given(
        st.lists(
            st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)),
            min_size=2,
        )
    )
    def test_texts_sort_as_times_do(self, moments: list[datetime]) -> None:
        assert sorted(map(clock.rfc3339, moments)) == [clock.rfc3339(moment) for moment in sorted(moments)]

    def test_other_zones_become_utc(self) -> None:
        moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
        assert clock.rfc3339(moment) == "2026-01-01T00:00:00.000000Z"


class TestMoney:
    """Money without floats."""

    @pytest.mark.parametrize(
        ("text", "currency", "minor"), [("19.99", "EUR", 1999), ("500", "JPY", 500), ("1.5", "USD", 150)]
    )
    def test_decimal_texts_become_minor_units(self, text: str, currency: str, minor: int) -> None:
        assert money.parse(text, currency) == money.Money(minor, currency)

    @pytest.mark.parametrize(
        ("text", "currency"), [("1.005", "EUR"), ("5.1", "JPY"), ("NaN", "EUR"), ("Infinity", "EUR"), ("x", "EUR")]
    )
    def test_what_does_not_fit_the_currency_is_refused(self, text: str, currency: str) -> None:
        with pytest.raises(ValueError, match=r"digits|amount"):
            money.parse(text, currency)

    def test_a_float_or_bool_is_no_amount(self) -> None:
        with pytest.raises(TypeError):
            money.Money(1.5, "EUR")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            money.Money(True, "EUR")
        with pytest.raises(ValueError, match="known"):
            money.Money(1, "XXX")


class TestPages:
    """Cursors."""

    @given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
    def test_a_cursor_round_trips(self, sort_key: str) -> None:
        assert page.decode_cursor(page.encode_cursor(sort_key)) == sort_key

    @pytest.mark.parametrize(
        "bad",
        [
            "é",
            "****",
            "AA=A",
            page.encode_cursor("org#other"),
            page.encode_cursor("job#\x00"),
            page.encode_cursor("job#" + "x" * 400),
        ],
    )
    def test_a_forged_cursor_is_a_clear_error(self, bad: str) -> None:
        with pytest.raises(page.InvalidCursor) as caught:
            page.decode_cursor(bad, prefix="job#")
        assert "next_cursor" in caught.value.hint


class TestPermissions:
    """One table."""

    def test_a_key_can_never_manage_keys_or_sessions(self) -> None:
        assert permissions.Permission.keys_manage not in permissions.KEY_SCOPES
        assert permissions.Permission.sessions_manage not in permissions.KEY_SCOPES

    def test_every_org_role_stands_in_the_table_and_every_permission_is_somebodys(self) -> None:
        assert set(permissions.BY_ROLE) == set(permissions.OrgRole)
        assert frozenset().union(*permissions.BY_ROLE.values()) == set(permissions.Permission)


class TestProblems:
    """RFC 9457 documents."""

    def test_a_document_has_the_promised_members(self) -> None:
        body = NotFound("No job `job_1`.", fix="Look at /v1/jobs.", charged=0, refunded=3, job="job_1").document()
        assert body == {
            "type": "/docs/#not_found",
            "title": "Not found",
            "status": 404,
            "code": "not_found",
            "detail": "No job `job_1`.",
            "retryable": False,
            "fix": "Look at /v1/jobs.",
            "charged": 0,
            "refunded": 3,
            "job": "job_1",
        }

    def test_codes_are_unique_over_the_house(self) -> None:
        from infrastructure.tools.functions import endpoints

        assert endpoints()
        seen: dict[str, type[Problem]] = {}
        waiting = [Problem]
        while waiting:
            for child in waiting.pop().__subclasses__():
                waiting.append(child)
                if child.__module__.startswith("snapforge.") and "code" in vars(child):
                    assert seen.setdefault(child.code, child) is child, (child, seen[child.code])

    def test_retry_after_is_told_only_when_exceeded(self) -> None:
        assert "Retry-After" not in Allowance(10, 3, 7).headers()
        assert Allowance(10, 0, 0, exceeded=True).headers()["Retry-After"] == "1"
