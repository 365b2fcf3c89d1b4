"""Exact counters by address."""

from datetime import timedelta

import pytest

from snapforge.identity import domain
from snapforge.identity.service import limits
from snapforge.kit import clock, ids
from snapforge.kit.errors import RateLimited
from tests.core.identity.conftest import Race
from tests.support import people
from tests.support.aws import Aws

pytestmark = pytest.mark.part("ID-9")


class TestCountAddress:
    """Login, sign-up and the like, by the caller's address."""

    @pytest.mark.parametrize("action", ["login", "signup", "verify", "resend"])
    def test_up_to_the_limit(self, aws: Aws, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then 429 with the headers; another address and the next window are free."""
        moment, address = clock.now(), ids.new("event")
        monkeypatch.setattr(clock, "now", lambda: moment)
        limit = domain.COUNTED[action]
        left = [limits.count_address(action, address).remaining for _ in range(limit.count)]
        assert left == list(range(limit.count - 1, -1, -1))
        with pytest.raises(RateLimited) as limited:
            limits.count_address(action, address)
        assert 1 <= int(limited.value.headers["Retry-After"]) <= limit.seconds
        assert limits.count_address(action, ids.new("event")).remaining == limit.count - 1
        monkeypatch.setattr(clock, "now", lambda: moment + timedelta(seconds=limit.seconds))
        assert limits.count_address(action, address).remaining == limit.count - 1

    def test_actions_are_counted_apart(self, aws: Aws) -> None:
        """Logging in takes nothing from signing up."""
        address = ids.new("event")
        limits.count_address("login", address)
        assert limits.count_address("signup", address).remaining == domain.COUNTED["signup"].count - 1

    def test_one_call_and_a_row_that_goes_by_itself(self, aws: Aws) -> None:
        """One UpdateItem; its TTL lies after the window."""
        address = "198.51.100.77"
        with people.aws_calls() as calls:
            limits.count_address("login", address)
        assert calls == ["UpdateItem"]
        items = aws.client("dynamodb").query(
            TableName=people.TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"count#login#{address}"}},
        )["Items"]
        assert all(int(item["ttl"]["N"]) > clock.now().timestamp() for item in items)
        assert {item["cls"]["S"] for item in items} == {"Counter"}

    def test_exact_over_eight_processes(self, aws: Aws, race: Race) -> None:
        """8 times 10 tries at one moment: twenty are let in."""
        assert sum(race(people.count_often, ids.new("event"), 10, clock.now())) == domain.COUNTED["signup"].count
