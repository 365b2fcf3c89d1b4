"""The outbox: news is written with the change and published afterwards, at least once.

Each context's table holds its outbox rows (`pk = outbox#<event id>`). The table's stream publishes them at once
(INSERT filter on `cls = Outbox`); a sparse index of unsent rows lets a schedule publish what the stream lost.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import UpdateError
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from snapforge.aws import tables
from snapforge.kit import clock
from snapforge.kit.events import Event

SHARDS = 4
KEPT = timedelta(days=7)
LATE = timedelta(seconds=60)

Publisher = Callable[[Event], None]


class UnsentIndex(GlobalSecondaryIndex["OutboxRow"]):  # type: ignore[no-untyped-call]
    """Rows not yet published, by age, in SHARDS partitions."""

    class Meta:
        index_name = "unsent"
        projection = KeysOnlyProjection()

    unsent = UnicodeAttribute(hash_key=True)
    unsent_at = UnicodeAttribute(range_key=True)


class OutboxRow(tables.Row):
    """One event on its way out. A context subclasses it with its own `Meta.context` and `cls`."""

    event = UnicodeAttribute()
    unsent = UnicodeAttribute(null=True)
    unsent_at = UnicodeAttribute(null=True)
    by_unsent = UnsentIndex()


def put(tx: tables.Transaction, row: type[OutboxRow], event: Event) -> None:
    """Add the event to the transaction that makes it true."""
    tx.put_new(
        row(
            pk=f"outbox#{event.id}",
            sk="outbox",
            event=event.model_dump_json(),
            unsent=f"unsent#{_shard(event.id)}",
            unsent_at=clock.rfc3339(event.at),
            ttl=clock.epoch(event.at + KEPT),
        ),
        failed=lambda _: RuntimeError(f"event {event.id} exists already"),
    )


def publish_records(
    records: Iterable[dict[str, Any]], row: type[OutboxRow], publish: Publisher
) -> dict[str, list[dict[str, str]]]:
    """Publish the outbox rows of a DynamoDB stream batch, in order.

    Returns Lambda's partial answer: the first failed record stops the batch, as a stream's order demands.
    """
    from aws_lambda_powertools import Logger

    for record in records:
        image = record["dynamodb"]["NewImage"]
        try:
            publish_one(row, image["pk"]["S"], Event.model_validate_json(image["event"]["S"]), publish)
        except Exception:  # noqa: BLE001 - whatever it was, the stream must retry from here and the log must know
            Logger().exception("outbox record not published")
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def publish_late(row: type[OutboxRow], publish: Publisher) -> int:
    """Publish what has waited for longer than LATE; returns how many.

    One that cannot be published does not hold up the others: all failures are raised together at the end.
    """
    before = clock.rfc3339(clock.now() - LATE)
    sent, failed = 0, []
    for shard in range(SHARDS):
        for key in row.by_unsent.query(f"unsent#{shard}", row.unsent_at < before):
            found = tables.find(row, key.pk, key.sk)
            if found is None or found.unsent is None:
                continue
            try:
                publish_one(row, found.pk, Event.model_validate_json(found.event), publish)
            except Exception as error:  # noqa: BLE001 - whatever it was, the rest must go out; it is raised below
                error.add_note(found.pk)
                failed.append(error)
            else:
                sent += 1
    if failed:
        raise ExceptionGroup("news that could not be published", failed)
    return sent


def publish_one(row: type[OutboxRow], pk: str, event: Event, publish: Publisher) -> None:
    """Publish, then mark as sent. A crash between the two publishes twice: consumers key their work by event id."""
    publish(event)
    try:
        row(pk=pk, sk="outbox").update(
            actions=[row.unsent.remove(), row.unsent_at.remove()], condition=row.event.exists()
        )
    except UpdateError as error:
        # A row that TTL has taken meanwhile must not come back as an empty one.
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise


def _shard(event_id: str) -> int:
    return sum(event_id.encode()) % SHARDS
