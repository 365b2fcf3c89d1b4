"""Rows of the table `notifications`.

Access patterns: the delivery of one message of an event to one person (pk `mail#<event id>`, sk
`<template>#<hash of the address>`), kept 30 days against doubled events. Two people get two mails; never two to one.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pynamodb.attributes import DiscriminatorAttribute, UnicodeAttribute
from pynamodb.exceptions import PutError

from snapforge.aws.attributes import TimestampAttribute
from snapforge.aws.tables import Row, find, update
from snapforge.kit import clock
from snapforge.notifications.domain import CLAIM_KEPT

KEPT = timedelta(days=30)
FREE = datetime(1970, 1, 1, tzinfo=UTC)
"""Of a claim that was given up."""


class NotificationsRow(Row):
    """The base of this table's rows."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "notifications"


class Delivery(NotificationsRow, discriminator="Delivery"):
    """One mail of one event to one person: claimed, then sent."""

    template = UnicodeAttribute()
    state = UnicodeAttribute()
    claimed_until = TimestampAttribute()
    message_id = UnicodeAttribute(null=True)


def mail_pk(event_id: str) -> str:
    return f"mail#{event_id}"


def delivery_sk(template: str, email: str) -> str:
    """Keys hold no personal data: the address is hashed, without its case."""
    return f"{template}#{sha256(email.casefold().encode()).hexdigest()}"


def claim(event_id: str, template: str, email: str, now: datetime) -> Delivery | None:
    """Take the mail for sending; None when it was sent, or another sender has it now."""
    row = Delivery(
        pk=mail_pk(event_id),
        sk=delivery_sk(template, email),
        template=template,
        state="claimed",
        claimed_until=now + CLAIM_KEPT,
        ttl=clock.epoch(now + KEPT),
    )
    free = Delivery.pk.does_not_exist() | ((Delivery.state == "claimed") & (Delivery.claimed_until < now))
    try:
        row.save(condition=free)
    except PutError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return None
        raise
    return row


def sent(event_id: str, template: str, email: str) -> bool:
    """Whether that mail is out."""
    found = find(Delivery, mail_pk(event_id), delivery_sk(template, email))
    return found is not None and found.state == "sent"


def mark_sent(row: Delivery, message_id: str) -> None:
    """The mail is out."""
    row.update(actions=[Delivery.state.set("sent"), Delivery.message_id.set(message_id)])


class _TakenOver(Exception):
    """The claim had run out, and another sender has the mail."""


def give_up(row: Delivery) -> None:
    """Sending failed: free the claim at once, so that the redelivery need not wait for it to run out.

    Another sender's claim is left alone: it may be sending right now.
    """
    ours = Delivery.claimed_until == row.claimed_until
    with suppress(_TakenOver):
        update(row, [Delivery.claimed_until.set(FREE)], ours, failed=lambda _: _TakenOver())
