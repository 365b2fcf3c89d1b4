"""The one clock: aware UTC, and RFC 3339 with `Z`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, UTC. Tests replace this one function."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-11-21T02:20:00.123456Z`: fixed width, sorts as times do. ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the time line; use clock.now()")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """The moment that an RFC 3339 text names. ValueError when it names none or lacks a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} lacks a time zone")
    return moment.astimezone(UTC)


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970, as DynamoDB's TTL wants them."""
    return int(moment.timestamp())
