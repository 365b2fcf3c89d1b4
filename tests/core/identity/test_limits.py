"""Exact counters by address."""

from datetime import timedelta

import pytest

from snapforge.identity.service import limits
from snapforge.kit import clock, ids
from snapforge.kit.errors import RateLimited
from tests.core.identity.conftest import Race
from tests.support import people
from tests.support.aws import Aws

pytestmark = pytest.mark.part("ID-9")


class TestCountAddress:
    """Login, sign-up and the like, by the caller's address."""

    @pytest.mark.parametrize(
        ("action", "count", "minutes"), [("login", 30, 5), ("signup", 20, 60), ("verify", 30, 5), ("resend", 20, 60)]
    )
    def test_up_to_the_limit(
        self, aws: Aws, action: str, count: int, minutes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then 429 with the headers, until the window is over; another address is free."""
        begin, address = clock.now().replace(minute=0, second=0, microsecond=0), ids.new("event")
        monkeypatch.setattr(clock, "now", lambda: begin)
        left = [limits.count_address(action, address).remaining for _ in range(count)]
        assert left == list(range(count - 1, -1, -1))
        for seconds in (0, minutes * 60 - 1):
            monkeypatch.setattr(clock, "now", lambda: begin + timedelta(seconds=seconds))  # noqa: B023 - called now
            with pytest.raises(RateLimited) as limited:
                limits.count_address(action, address)
            assert limited.value.headers["Retry-After"] == str(minutes * 60 - seconds)
            assert f"At most {count} in {minutes} minutes" in limited.value.detail
        assert limits.count_address(action, ids.new("event")).remaining == count - 1
        monkeypatch.setattr(clock, "now", lambda: begin + timedelta(minutes=minutes))
        assert limits.count_address(action, address).remaining == count - 1

    def test_actions_are_counted_apart(self, aws: Aws) -> None:
        """Logging in takes nothing from signing up."""
        address = ids.new("event")
        limits.count_address("login", address)
        assert limits.count_address("signup", address).remaining == 19

    def test_one_call_and_a_row_that_goes_by_itself(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """One UpdateItem; it goes a window later than it counts."""
        address = "198.51.100.77"
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now)
        with people.aws_calls() as calls:
            limits.count_address("login", address)
        assert calls == ["UpdateItem"]
        items = aws.client("dynamodb").query(
            TableName=people.TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"count#login#{address}"}},
        )["Items"]
        assert [int(item["ttl"]["N"]) for item in items] == [(int(now.timestamp()) // 300 + 2) * 300]
        assert {item["cls"]["S"] for item in items} == {"Counter"}

    def test_exact_over_eight_processes(self, aws: Aws, race: Race) -> None:
        """8 times 10 tries at one moment: twenty are let in."""
        assert sum(race(people.count_often, ids.new("event"), 10, clock.now())) == 20
