"""The news of identity on its way to the bus."""

import json
from datetime import timedelta
from typing import Any

import pytest

from snapforge.aws import bus
from snapforge.identity import store
from snapforge.kit import clock
from snapforge.kit.events import Event
from tests.support import people
from tests.support.aws import ROOT, Aws
from tests.support.http import LambdaContext, load


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What reached the bus."""
    seen: list[Event] = []
    monkeypatch.setattr(bus, "publish", seen.append)
    return seen


def stream_record(aws: Aws, event_id: str) -> dict[str, Any]:
    """The stream's record of an outbox row."""
    key = {"pk": {"S": f"outbox#{event_id}"}, "sk": {"S": "outbox"}}
    item = aws.client("dynamodb").get_item(TableName=people.TABLE, Key=key)["Item"]
    source = f"arn:aws:dynamodb:eu-central-1:000000000000:table/{people.TABLE}/stream/2026-11-21T02:00:00.000"
    return {"eventName": "INSERT", "eventSourceARN": source, "dynamodb": {"NewImage": item, "SequenceNumber": "7"}}


class TestPublishIdentityOutbox:
    """The stream's consumer."""

    def test_the_event_arrives_and_is_marked(self, aws: Aws, published: list[Event]) -> None:
        """As it was written; then it is no longer unsent."""
        email = people.fresh_address()
        people.sign_up(email)
        (event,) = people.events(email)
        handler = load("identity/publish_identity_outbox").handler
        assert handler({"Records": [stream_record(aws, event["id"])]}, LambdaContext()) == {"batchItemFailures": []}
        assert [(one.id, one.type) for one in published] == [(event["id"], "user.verification_requested")]
        row = store.Outbox.get(f"outbox#{event['id']}", "outbox")
        assert row.unsent is None

    def test_a_failure_is_returned_and_the_row_stays_unsent(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """The stream delivers it again."""

        def refuse(_: Event) -> None:
            raise bus.BusRefusedError("no")

        monkeypatch.setattr(bus, "publish", refuse)
        email = people.fresh_address()
        people.sign_up(email)
        (event,) = people.events(email)
        handler = load("identity/publish_identity_outbox").handler
        answered = handler({"Records": [stream_record(aws, event["id"])]}, LambdaContext())
        assert answered == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        assert store.Outbox.get(f"outbox#{event['id']}", "outbox").unsent is not None

    def test_the_sample_event(self, aws: Aws, published: list[Event]) -> None:
        """events/identity/publish_identity_outbox.json is served."""
        sample = json.loads((ROOT / "events/identity/publish_identity_outbox.json").read_text())
        handler = load("identity/publish_identity_outbox").handler
        assert handler(sample, LambdaContext()) == {"batchItemFailures": []}
        assert [event.type for event in published] == ["user.signed_up"]


class TestSweepIdentityOutbox:
    """The schedule behind the stream."""

    def test_what_the_stream_lost_goes_out_once(
        self, aws: Aws, published: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a minute, not before; a second sweep finds nothing of it."""
        email = people.fresh_address()
        people.sign_up(email)
        (event,) = people.events(email)
        sample = json.loads((ROOT / "events/identity/sweep_identity_outbox.json").read_text())
        handler = load("identity/sweep_identity_outbox").handler
        handler(sample, LambdaContext())
        assert event["id"] not in [one.id for one in published]
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert handler(sample, LambdaContext())["published"] >= 1
        assert handler(sample, LambdaContext()) == {"published": 0}
        assert [one.id for one in published].count(event["id"]) == 1
