"""The outbox: events are written with the change and published afterwards, at least once.

Each context's table holds its outbox rows (`pk = outbox#<event id>`). The table's stream publishes them at once
(INSERT filter on `cls = Outbox`); a sparse index of unsent rows lets a schedule publish what the stream lost. Both know
a table by its name alone, so that one function serves all.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from snapforge.aws import settings, tables
from snapforge.aws.attributes import TimestampAttribute
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
    unsent_at = TimestampAttribute(range_key=True)


class OutboxRow(tables.Row):
    """One event on its way out. A context subclasses it with its own `Meta.context` and `cls`."""

    event = UnicodeAttribute()
    unsent = UnicodeAttribute(null=True)
    unsent_at = TimestampAttribute(null=True)
    by_unsent = UnsentIndex()


def put(tx: tables.Transaction, row: type[OutboxRow], event: Event) -> None:
    """Add the event to the transaction that makes it true."""
    tx.put_new(row_of(row, event), failed=lambda _: RuntimeError(f"event {event.id} exists already"))


def row_of(row: type[OutboxRow], event: Event) -> OutboxRow:
    """The row in which an event waits."""
    return row(
        pk=f"outbox#{event.id}",
        sk="outbox",
        event=event.model_dump_json(),
        unsent=f"unsent#{_shard(event.id)}",
        unsent_at=event.at,
        ttl=clock.epoch(event.at + KEPT),
    )


def publish_row(table: str, image: tables.Item, publish: Publisher) -> None:
    """Publish an outbox row of `table`, then mark it as sent. A crash between the two publishes twice: consumers key
    their work by event id. `image`: the row in DynamoDB's typed form, as its stream brings it.
    """
    publish(Event.model_validate_json(image["event"]["S"]))
    client = _client()
    try:
        client.update_item(
            TableName=settings.table(table),
            Key={"pk": image["pk"], "sk": image["sk"]},
            UpdateExpression="REMOVE unsent, unsent_at",
            ConditionExpression="attribute_exists(event)",
        )
    except client.exceptions.ConditionalCheckFailedException:
        # A row that TTL has taken meanwhile must not come back as an empty one.
        return


def publish_late(table: str, publish: Publisher) -> int:
    """Publish what has waited in `table` for longer than LATE; returns how many.

    One that cannot be published does not hold up the others: all failures are raised together at the end.
    """
    sent, failed = 0, []
    for image in _late(table, clock.rfc3339(clock.now() - LATE)):
        try:
            publish_row(table, image, publish)
        except Exception as error:  # noqa: BLE001 - whatever it was, the rest must go out; it is raised below
            error.add_note(image["pk"]["S"])
            failed.append(error)
        else:
            sent += 1
    if failed:
        raise ExceptionGroup("events that could not be published", failed)
    return sent


def publish_all_late(names: Iterable[str], publish: Publisher) -> int:
    """The same for several tables; one that fails does not hold up the others."""
    sent, failed = 0, []
    for name in names:
        try:
            sent += publish_late(name, publish)
        except Exception as error:  # noqa: BLE001 - as above
            error.add_note(name)
            failed.append(error)
    if failed:
        raise ExceptionGroup("tables whose late events could not all be published", failed)
    return sent


def _late(table: str, before: str) -> Iterator[tables.Item]:
    """Rows of the index, which may lag: each is read, and passed over where it has been sent."""
    client, name = _client(), settings.table(table)
    for shard in range(SHARDS):
        pages = client.get_paginator("query").paginate(
            TableName=name,
            IndexName="unsent",
            KeyConditionExpression="unsent = :shard AND unsent_at < :before",
            ExpressionAttributeValues={":shard": {"S": f"unsent#{shard}"}, ":before": {"S": before}},
        )
        for key in (found for page in pages for found in page["Items"]):
            row = client.get_item(TableName=name, Key={"pk": key["pk"], "sk": key["sk"]}, ConsistentRead=True)
            if "unsent" in row.get("Item", ()):
                yield row["Item"]


def _client() -> Any:
    return cast(Any, tables.connection().client)


def _shard(event_id: str) -> int:
    return sum(event_id.encode()) % SHARDS
