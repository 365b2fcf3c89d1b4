"""Billing's functions as Lambda calls them."""

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import ValidationError

from snapforge.billing import errors
from snapforge.billing.service import audits, ledger
from snapforge.identity import schemas
from snapforge.identity.service import accounts, sessions
from snapforge.kit import clock, ids
from tests.core.billing.operations import hold, new_org, news, settle
from tests.support.aws import Aws
from tests.support.http import LambdaContext, call, load

pytestmark = [pytest.mark.part("BIL-1"), pytest.mark.usefixtures("aws")]
EVENTS = Path(__file__).parents[3] / "events" / "billing"


def sample(name: str) -> dict[str, Any]:
    """The committed sample event of a function."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def invoke(name: str, event: dict[str, Any]) -> Any:
    """Call a function that no HTTP client calls."""
    return load(f"billing/{name}").handler(event, LambdaContext())


@dataclass(frozen=True)
class Customer:
    """A fresh user's org and access token."""

    org_id: str
    token: str


@pytest.fixture
def customer(aws: Aws) -> Customer:
    """Signed up and logged in; no credits yet, for no bus runs here."""
    email = f"u{secrets.token_hex(8)}@example.com"
    accounts.sign_up(schemas.SignUp(email=email, password="a kingfisher on three stones", name="Ada"))
    opened = sessions.log_in(
        schemas.LogIn(email=email, password="a kingfisher on three stones"), address="203.0.113.7", user_agent="tests"
    )
    return Customer(sessions.principal_of_session(opened.body.access_token).org_id, opened.body.access_token)


def signed_up(org_id: str) -> dict[str, Any]:
    """The sample bus event, for this org."""
    event = sample("on_user_signed_up")
    event["detail"]["org_id"] = org_id
    return event


class TestGetBalance:
    def test_of_a_new_org_is_zero(self, customer: Customer) -> None:
        """200 with zeros before the first grant."""
        answer = call("billing/get_balance", token=customer.token)
        assert (answer.status, answer.json) == (200, {"available": 0, "held": 0, "debt": 0, "grants": []})

    def test_tells_available_held_and_grants(self, customer: Customer) -> None:
        """What a hold reserves is gone from available."""
        invoke("on_user_signed_up", signed_up(customer.org_id))
        soon = clock.now() + timedelta(hours=1)
        ledger.grant(customer.org_id, credits=20, kind="plan", key="p", memo="Plan", expires_at=soon)
        hold(customer.org_id, 30)
        answer = call("billing/get_balance", token=customer.token)
        assert answer.json == {
            "available": 90,
            "held": 30,
            "debt": 0,
            "grants": [{"kind": "signup", "remaining": 90}],
        }
        settle(customer.org_id, 5)
        assert call("billing/get_balance", token=customer.token).json["grants"] == [
            {"kind": "plan", "remaining": 15, "expires_at": clock.rfc3339(soon)},
            {"kind": "signup", "remaining": 100},
        ]


class TestListJournals:
    def test_is_the_statement_newest_first(self, customer: Customer) -> None:
        """Grant, hold, settle; pages by cursor."""
        invoke("on_user_signed_up", signed_up(customer.org_id))
        hold(customer.org_id, 30)
        settle(customer.org_id, 10)
        first = call("billing/list_journals", token=customer.token, query={"limit": 2}).json
        rest = call(
            "billing/list_journals", token=customer.token, query={"limit": 2, "cursor": first["next_cursor"]}
        ).json
        lines = first["items"] + rest["items"]
        assert [(line["kind"], line["change_available"], line["change_held"]) for line in lines] == [
            ("settle", 20, -30),
            ("hold", -30, 30),
            ("grant", 100, 0),
        ]
        assert "next_cursor" not in rest
        assert all(sum(leg["amount"] for leg in line["legs"]) == 0 for line in lines)
        assert lines[2]["memo"] == "Welcome credits"

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "%%"}, {"page": 2}])
    def test_refuses_a_query_that_does_not_fit(self, customer: Customer, query: dict[str, Any]) -> None:
        """400 with a code."""
        answer = call("billing/list_journals", token=customer.token, query=query)
        assert (answer.status, "code" in answer.json) == (400, True)

    def test_shows_nothing_of_another_org(self, customer: Customer) -> None:
        """A cursor carries no org."""
        other = new_org(10)
        hold(other, 1)
        cursor = ledger.journals(other, None, 1).next_cursor
        answer = call("billing/list_journals", token=customer.token, query={"cursor": cursor})
        assert (answer.status, answer.json) == (200, {"items": []})


class TestOnUserSignedUp:
    def test_gives_welcome_credits_once(self) -> None:
        """The bus delivers at least once."""
        org_id = new_org()
        told = [invoke("on_user_signed_up", signed_up(org_id)) for _ in range(2)]
        assert told[0] == told[1]
        assert ledger.balance(org_id).available == 100
        assert [event["type"] for event in news(org_id)] == ["credits.granted"]


class TestGrantCredits:
    def test_gives_once_per_key(self) -> None:
        """The answer holds the journal and the balance."""
        org_id = new_org(1)
        event = sample("grant_credits") | {"org_id": org_id}
        told = [invoke("grant_credits", event) for _ in range(2)]
        assert told[0] == told[1]
        assert told[0]["balance"]["available"] == 501
        assert ledger.journals(org_id).items[0].memo == "Sorry for the outage"

    def test_refuses_a_key_for_another_grant(self) -> None:
        """An operator who types the key of another ticket is told."""
        event = sample("grant_credits") | {"org_id": new_org(1)}
        invoke("grant_credits", event)
        with pytest.raises(errors.KeyReused):
            invoke("grant_credits", event | {"credits": 600})

    def test_refuses_an_unknown_org(self) -> None:
        """No account comes from a typing error."""
        with pytest.raises(errors.AccountNotFound):
            invoke("grant_credits", sample("grant_credits") | {"org_id": ids.new("org")})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"credits": 0},
            {"credits": 1.5},
            {"credits": "5"},
            {"credits": True},
            {"org_id": "me"},
            {"key": ""},
            {"x": 1},
        ],
        ids=str,
    )
    def test_refuses_what_does_not_fit(self, wrong: dict[str, Any]) -> None:
        """Integers only, ids only, nothing unknown."""
        with pytest.raises(ValidationError):
            invoke("grant_credits", sample("grant_credits") | {"org_id": new_org(1)} | wrong)


class TestAuditLedger:
    def test_tells_whether_the_ledger_is_exact(self) -> None:
        """And the faults, where it is not."""
        org_id = new_org(10)
        assert invoke("audit_ledger", {"org_id": org_id}) == {"org_id": org_id, "exact": True, "faults": []}
        key = {"pk": {"S": f"org#{org_id}"}, "sk": {"S": "key#first"}}
        boto3.client("dynamodb").delete_item(TableName="snapforge-dev-ledger", Key=key)
        told = invoke("audit_ledger", {"org_id": org_id})
        assert not told["exact"]
        assert "journals are numbered [], the account counts 1" in told["faults"]

    def test_serves_its_sample(self) -> None:
        """An org without anything is exact."""
        assert invoke("audit_ledger", sample("audit_ledger"))["exact"]


class TestExpireGrants:
    def test_books_what_expired_and_publishes_what_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both once."""
        org_id, now = new_org(), clock.now()
        ledger.grant(org_id, credits=5, kind="plan", key="p", memo="Plan", expires_at=now + timedelta(hours=1))
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
        told = invoke("expire_grants", sample("expire_grants"))
        assert told["expired"] >= 1
        assert invoke("expire_grants", sample("expire_grants")) == {"expired": 0}
        assert ledger.balance(org_id).available == 0
        assert audits.audit(org_id) == []
