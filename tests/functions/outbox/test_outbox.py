"""The events of all contexts on their way to the bus."""

import importlib
import json
import secrets
from datetime import timedelta
from typing import Any

import pytest

from snapforge.admin import contexts
from snapforge.aws import bus, outbox, tables
from snapforge.kit import clock, ids
from snapforge.kit.events import Event
from tests.support.aws import ROOT, Aws
from tests.support.http import LambdaContext, load

TABLES = sorted(contexts.outboxes())


def outbox_rows(table: str) -> type[outbox.OutboxRow]:
    """The context's own class of them; a table with an outbox has its context's name."""
    found: type[outbox.OutboxRow] = importlib.import_module(f"snapforge.{table}.store").Outbox
    return found


def test_there_are_some() -> None:
    """The parametrised tests below must not be empty."""
    assert len(TABLES) >= 3


def written(table: str) -> Event:
    """An event in the table's outbox."""
    event = Event(type="thing.happened", org_id=ids.new("org"), data={"table": table})
    tx = tables.Transaction()
    outbox.put(tx, outbox_rows(table), event)
    tx.commit()
    return event


def row(aws: Aws, table: str, event: Event) -> dict[str, Any]:
    key = {"pk": {"S": f"outbox#{event.id}"}, "sk": {"S": "outbox"}}
    found: dict[str, Any] = aws.client("dynamodb").get_item(TableName=f"snapforge-dev-{table}", Key=key)["Item"]
    return found


def record(aws: Aws, table: str, event: Event) -> dict[str, Any]:
    """The stream's record of an outbox row."""
    source = f"arn:aws:dynamodb:eu-central-1:000000000000:table/snapforge-dev-{table}/stream/2026-11-21T02:00:00.000"
    image = row(aws, table, event)
    return {"eventName": "INSERT", "eventSourceARN": source, "dynamodb": {"NewImage": image, "SequenceNumber": "7"}}


def publish(*records: dict[str, Any]) -> Any:
    return load("outbox/publish_outbox").handler({"Records": list(records)}, LambdaContext())


def sweep() -> Any:
    sample = json.loads((ROOT / "events/outbox/sweep_outbox.json").read_text())
    return load("outbox/sweep_outbox").handler(sample, LambdaContext())


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What reached the bus."""
    seen: list[Event] = []
    monkeypatch.setattr(bus, "publish", seen.append)
    return seen


class TestPublishOutbox:
    """The streams' consumer."""

    @pytest.mark.parametrize("table", TABLES)
    def test_the_event_arrives_and_is_marked(self, aws: Aws, published: list[Event], table: str) -> None:
        """As it was written; then it is no longer unsent."""
        event = written(table)
        assert "unsent" in row(aws, table, event)
        assert publish(record(aws, table, event)) == {"batchItemFailures": []}
        assert published == [event]
        assert "unsent" not in row(aws, table, event)

    @pytest.mark.parametrize("table", TABLES)
    def test_a_failure_is_returned_and_the_row_stays_unsent(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch, table: str
    ) -> None:
        """The stream delivers it again."""

        def refuse(_: Event) -> None:
            raise bus.BusRefusedError("no")

        monkeypatch.setattr(bus, "publish", refuse)
        event = written(table)
        assert publish(record(aws, table, event)) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        assert "unsent" in row(aws, table, event)

    def test_it_reaches_the_bus_itself(self, aws: Aws) -> None:
        """Whole, as a rule of the house's bus hands it on."""
        event = written("billing")
        name = f"test-{secrets.token_hex(4)}"
        url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        events = aws.client("events")
        pattern = json.dumps({"detail-type": [event.type], "detail": {"id": [event.id]}})
        events.put_rule(Name=name, EventBusName="snapforge-dev", EventPattern=pattern)
        arn = f"arn:aws:sqs:eu-central-1:000000000000:{name}"
        events.put_targets(Rule=name, EventBusName="snapforge-dev", Targets=[{"Id": "1", "Arn": arn}])
        publish(record(aws, "billing", event))
        (message,) = aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        assert Event.model_validate(json.loads(message["Body"])["detail"]) == event

    def test_a_stream_that_is_not_its_own_stops_the_batch(self, aws: Aws, published: list[Event]) -> None:
        """Jobs' events start work: published by this function they would start none."""
        foreign = record(aws, "billing", written("billing"))
        foreign["eventSourceARN"] = foreign["eventSourceARN"].replace("snapforge-dev-billing", "snapforge-dev-jobs")
        assert publish(foreign) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        assert published == []

    def test_the_sample_event(self, aws: Aws, published: list[Event]) -> None:
        """events/outbox/publish_outbox.json is served."""
        sample = json.loads((ROOT / "events/outbox/publish_outbox.json").read_text())
        assert publish(*sample["Records"]) == {"batchItemFailures": []}
        assert len(published) == len(sample["Records"])


class TestSweepOutbox:
    """The schedule behind the streams."""

    def test_what_the_streams_lost_goes_out_once(
        self, aws: Aws, published: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of every table; after a minute, not before; a second sweep finds nothing of it."""
        events = [written(table) for table in TABLES]
        sweep()
        assert not {event.id for event in events} & {one.id for one in published}
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert sweep()["published"] >= len(TABLES)
        assert sweep() == {"published": 0}
        assert sorted(one.id for one in published if one in events) == sorted(event.id for event in events)

    def test_a_table_that_cannot_be_read_holds_up_no_other(
        self, aws: Aws, published: list[Event], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All failures are raised in the end, by the table's name."""
        event = written("billing")
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr(clock, "now", lambda: later)
        with pytest.raises(ExceptionGroup) as raised:
            outbox.publish_all_late(("gone", "billing"), bus.publish)
        assert event.id in [one.id for one in published]
        assert [error.__notes__ for error in raised.value.exceptions] == [["gone"]]
