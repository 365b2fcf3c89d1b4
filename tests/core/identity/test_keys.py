"""API keys, on a real DynamoDB emulation."""

import re
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from snapforge.identity import domain, schemas, store
from snapforge.identity.errors import KeyNotFound, TooManyKeys
from snapforge.identity.service import keys
from snapforge.kit import clock, ids
from snapforge.kit.errors import NotFound, RateLimited, Unauthenticated
from snapforge.kit.permissions import KEY_SCOPES, Permission, Principal
from tests.core.identity.conftest import PROCESSES, Race
from tests.support import people
from tests.support.aws import Aws

pytestmark = pytest.mark.part("ID-8")


@pytest.fixture(scope="module")
def owner(aws: Aws) -> Principal:
    """A verified user who owns an org."""
    return people.verified().principal


def frozen(monkeypatch: pytest.MonkeyPatch, seconds: float = 0) -> None:
    """Stop the clock, so many seconds from now."""
    moment = clock.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "now", lambda: moment)


class TestCreate:
    """Make a key."""

    def test_it_works_at_once_for_its_org_and_scopes(self, owner: Principal) -> None:
        """And for nothing else."""
        key = people.new_key(owner)
        principal, _ = keys.principal_of_key(key.key)
        assert (principal.org_id, principal.key_id, principal.user_id) == (owner.org_id, key.id, None)
        assert principal.permissions == {Permission.jobs_read}
        assert not principal.test_mode
        assert principal.actor == key.id

    def test_a_test_key_says_so(self, owner: Principal) -> None:
        """In its text and in its principal."""
        key = people.new_key(owner, mode="test")
        assert key.key.startswith("sf_test_")
        assert keys.principal_of_key(key.key)[0].test_mode

    def test_the_secret_is_stored_hashed(self, owner: Principal, aws: Aws) -> None:
        """The row and the event hold no secret."""
        key = people.new_key(owner)
        secret = key.key.removeprefix(key.prefix)
        item = aws.client("dynamodb").get_item(
            TableName=people.TABLE, Key={"pk": {"S": f"key#{key.id}"}, "sk": {"S": "key"}}
        )["Item"]
        assert secret not in str(item)
        assert item["secret_hash"]["S"] == domain.sha256(key.key)
        found = people.events(key.id)
        assert [(event["type"], event["org_id"]) for event in found] == [("api_key.created", owner.org_id)]
        assert secret not in str(found)

    @pytest.mark.parametrize("scopes", [[], ["keys:manage"], ["sessions:manage"], ["platform:health"], ["nonsense"]])
    def test_keys_only_get_the_scopes_of_work(self, scopes: list[str]) -> None:
        """A key can make no keys."""
        with pytest.raises(ValidationError):
            schemas.ApiKeyCreate.model_validate({"name": "x", "scopes": scopes})

    def test_all_scopes_of_work_fit(self) -> None:
        """Doubles are dropped."""
        made = schemas.ApiKeyCreate.model_validate({"name": "x", "scopes": sorted(KEY_SCOPES)})
        assert set(made.scopes) == KEY_SCOPES
        doubled = schemas.ApiKeyCreate.model_validate({"name": "x", "scopes": ["jobs:read", "jobs:read"]})
        assert doubled.scopes == [Permission.jobs_read]

    def test_no_org(self, aws: Aws) -> None:
        """Is a 404."""
        with pytest.raises(NotFound):
            people.new_key(Principal(ids.new("org"), frozenset()))

    def test_fifty_at_most_also_in_a_race(self, aws: Aws, race: Race) -> None:
        """With 47 keys, eight requests at once make three; expired and revoked ones do not count."""
        principal = people.verified().principal
        dead = [people.new_key(principal), people.new_key(principal, expires_in_days=1)]
        keys.revoke_api_key(principal, dead[0].id)
        expired = store.OrgKey(pk=f"org#{principal.org_id}", sk=f"key#{dead[1].id}")
        expired.update(actions=[store.OrgKey.expires_at.set(clock.now() - timedelta(seconds=1))])
        with store.OrgKey.batch_write() as batch:
            for key_id in [ids.new("api_key") for _ in range(47)]:
                batch.save(store.OrgKey(pk=f"org#{principal.org_id}", sk=f"key#{key_id}", key_id=key_id))
        outcomes = race(people.make_key_once, principal)
        assert sum(bool(re.fullmatch(ids.pattern("api_key"), outcome)) for outcome in outcomes) == 3
        assert outcomes.count("TooManyKeys") == PROCESSES - 3
        with pytest.raises(TooManyKeys):
            people.new_key(principal)


class TestUse:
    """What every request with a key does."""

    def test_one_update_item(self, owner: Principal) -> None:
        """Authenticates, counts and stamps the use: one call, whatever comes of it."""
        key = people.new_key(owner)
        with people.aws_calls() as calls:
            keys.principal_of_key(key.key)
        assert calls == ["UpdateItem"]
        with people.aws_calls() as calls, pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key[:-1] + ("a" if key.key[-1] != "a" else "b"))
        assert calls == ["UpdateItem"]

    def test_it_stamps_the_last_use(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """A failed try with the wrong secret does not."""
        key = people.new_key(owner)
        frozen(monkeypatch)
        keys.principal_of_key(key.key)
        used = clock.now()
        frozen(monkeypatch, 60)
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key[:-4] + "0000")
        (listed,) = [one for one in keys.list_api_keys(owner) if one.id == key.id]
        assert listed.last_used_at == used

    @pytest.mark.parametrize("text", ["sf_live_", "sf_live_x_y", "nonsense", "sf_live_" + "0" * 26 + "_" + "é" * 43])
    def test_nonsense_costs_no_call(self, aws: Aws, text: str) -> None:
        """It does not even look like a key."""
        with people.aws_calls() as calls, pytest.raises(Unauthenticated):
            keys.principal_of_key(text)
        assert calls == []

    def test_an_unknown_key_makes_no_row(self, aws: Aws) -> None:
        """The condition fails where there is nothing."""
        key_id = ids.new("api_key")
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(domain.new_key_text(key_id, test_mode=False))
        assert store.key_details([key_id]) == {}

    def test_the_mode_is_part_of_the_secret(self, owner: Principal) -> None:
        """A live key cannot be used as a test key."""
        key = people.new_key(owner).key
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(key.replace("sf_live_", "sf_test_"))

    @pytest.mark.parametrize(("before", "works"), [(timedelta(milliseconds=1), True), (timedelta(0), False)])
    def test_it_expires_to_the_moment(
        self, owner: Principal, monkeypatch: pytest.MonkeyPatch, before: timedelta, works: bool
    ) -> None:
        key = people.new_key(owner, expires_in_days=1)
        assert key.expires_at is not None
        then = key.expires_at - before
        monkeypatch.setattr(clock, "now", lambda: then)
        with nullcontext() if works else pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key)

    def test_its_row_stays_ninety_days_after_its_end(self, owner: Principal) -> None:
        """By DynamoDB's TTL; one without an end stays."""
        dated, revoked, plain = (people.new_key(owner, expires_in_days=days) for days in (1, None, None))
        keys.revoke_api_key(owner, revoked.id)
        rows = store.key_details([dated.id, revoked.id, plain.id])
        assert dated.expires_at is not None
        assert rows[dated.id].ttl == clock.epoch(dated.expires_at + timedelta(days=90))
        assert abs(rows[revoked.id].ttl - clock.epoch(clock.now() + timedelta(days=90))) < 60
        assert rows[plain.id].ttl is None

    def test_an_expired_key_is_dead(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """To the second, whether DynamoDB has deleted it or not."""
        key = people.new_key(owner, expires_in_days=1)
        frozen(monkeypatch, 86399)
        assert keys.principal_of_key(key.key)
        frozen(monkeypatch, 86402 - 86399)
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key)

    def test_a_dead_key_that_is_also_spent_is_401(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its rate is nobody's business any more."""
        key = people.new_key(owner)
        frozen(monkeypatch)
        for _ in range(domain.KEY_LIMIT.count):
            keys.principal_of_key(key.key)
        keys.revoke_api_key(owner, key.id)
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key)


@pytest.mark.part("ID-9")
class TestRate:
    """Sixty requests in any ten seconds, exactly."""

    def test_sixty_then_429_then_again(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """The headers count down; a refused request takes nothing; room comes back as requests leave the window."""
        key = people.new_key(owner).key
        frozen(monkeypatch)
        left = [keys.principal_of_key(key)[1].remaining for _ in range(60)]
        assert left == list(range(59, -1, -1))
        frozen(monkeypatch, 5)
        for _ in range(3):
            with pytest.raises(RateLimited) as limited:
                keys.principal_of_key(key)
        assert limited.value.headers["Retry-After"] == "5"
        assert limited.value.headers["RateLimit-Remaining"] == "0"
        frozen(monkeypatch, 5)
        assert keys.principal_of_key(key)[1].remaining == 59

    def test_the_window_slides(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """Thirty now and thirty in six seconds: after ten seconds there is room for thirty, not sixty."""
        key = people.new_key(owner).key
        frozen(monkeypatch)
        for _ in range(30):
            keys.principal_of_key(key)
        frozen(monkeypatch, 6)
        for _ in range(30):
            keys.principal_of_key(key)
        frozen(monkeypatch, 4)
        assert [keys.principal_of_key(key)[1].remaining for _ in range(30)] == list(range(29, -1, -1))
        with pytest.raises(RateLimited):
            keys.principal_of_key(key)

    def test_exact_over_eight_processes(self, owner: Principal, race: Race) -> None:
        """8 times 15 requests at one moment: sixty are let in."""
        key = people.new_key(owner).key
        assert sum(race(people.take_often, key, 15, clock.now())) == 60

    def test_the_wrong_secret_takes_nothing(self, owner: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        """A stranger cannot use up somebody's rate, and learns nothing of it."""
        key = people.new_key(owner).key
        frozen(monkeypatch)
        wrong = key[:-4] + "0000"
        for _ in range(70):
            with pytest.raises(Unauthenticated):
                keys.principal_of_key(wrong)
        assert keys.principal_of_key(key)[1].remaining == 59

    def test_the_row_costs_one_write_unit(self, owner: Principal, aws: Aws) -> None:
        """Key, ring and all stay below 1 KB (names, plus values as DynamoDB sizes them)."""
        key = people.new_key(owner)
        keys.principal_of_key(key.key)
        item: dict[str, Any] = aws.client("dynamodb").get_item(
            TableName=people.TABLE, Key={"pk": {"S": f"key#{key.id}"}, "sk": {"S": "key"}}
        )["Item"]
        full = item | {"taken": {"L": [{"N": str(int(clock.now().timestamp() * 1000))}] * domain.KEY_LIMIT.count}}
        assert sum(len(name) + _size(value) for name, value in full.items()) <= 1024


def _size(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "L":
        return 3 + sum(1 + _size(one) for one in held)
    if kind == "N":
        return 1 + (len(str(held)) + 1) // 2
    return len(str(held)) if kind == "S" else 1


class TestList:
    """The org's keys."""

    def test_oldest_first_without_secrets(self, aws: Aws) -> None:
        """Two calls, however many; revoked ones are gone."""
        principal = people.verified().principal
        made = [people.new_key(principal) for _ in range(3)]
        keys.revoke_api_key(principal, made[1].id)
        with people.aws_calls() as calls:
            listed = keys.list_api_keys(principal)
        assert calls == ["Query", "BatchGetItem"]
        assert [key.id for key in listed] == [made[0].id, made[2].id]
        assert all(not hasattr(key, "key") for key in listed)
        assert listed[0].prefix == made[0].key[:34]

    def test_none(self, aws: Aws) -> None:
        """An empty list."""
        assert keys.list_api_keys(people.verified().principal) == []

    def test_another_orgs_are_not_there(self, owner: Principal) -> None:
        """Each sees its own."""
        key = people.new_key(owner)
        assert key.id not in [one.id for one in keys.list_api_keys(people.verified().principal)]


class TestRevoke:
    """Kill a key."""

    def test_it_dies_at_once(self, owner: Principal) -> None:
        """No cache stands between."""
        key = people.new_key(owner)
        keys.principal_of_key(key.key)
        keys.revoke_api_key(owner, key.id)
        with pytest.raises(Unauthenticated):
            keys.principal_of_key(key.key)

    def test_twice_is_fine_and_tells_once(self, owner: Principal) -> None:
        """One event."""
        key = people.new_key(owner)
        keys.revoke_api_key(owner, key.id)
        keys.revoke_api_key(owner, key.id)
        assert [event["type"] for event in people.events(key.id)] == ["api_key.created", "api_key.revoked"]

    def test_two_at_once_tell_once(self, owner: Principal) -> None:
        """Both read the key alive; one transaction wins, the other is content."""
        key = people.new_key(owner)
        row = store.key_of(owner.org_id, key.id)
        keys._revoke(owner, row)
        keys._revoke(owner, row)
        assert [event["type"] for event in people.events(key.id)].count("api_key.revoked") == 1

    def test_another_orgs_key_is_not_found(self, owner: Principal) -> None:
        """And lives on."""
        key = people.new_key(owner)
        with pytest.raises(KeyNotFound):
            keys.revoke_api_key(people.verified().principal, key.id)
        assert keys.principal_of_key(key.key)

    @pytest.mark.parametrize(
        "key_id", ["", "nonsense", "key_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z", "org_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z"]
    )
    def test_an_absent_one_is_not_found(self, owner: Principal, key_id: str) -> None:
        """The same error."""
        with pytest.raises(KeyNotFound):
            keys.revoke_api_key(owner, key_id)
