"""Rows of the table `notifications`.

Access patterns: the delivery of one event (pk `mail#<event id>`, sk `delivery`), kept 30 days against doubled events.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from pynamodb.attributes import DiscriminatorAttribute, UnicodeAttribute
from pynamodb.exceptions import PutError

from snapforge.aws.attributes import IntegerAttribute
from snapforge.aws.tables import Row, update
from snapforge.kit import clock
from snapforge.notifications.domain import CLAIM_KEPT

KEPT = timedelta(days=30)


class NotificationsRow(Row):
    """The base of this table's rows."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "notifications"


class Delivery(NotificationsRow, discriminator="Delivery"):
    """One mail of one event: claimed, then sent."""

    template = UnicodeAttribute()
    state = UnicodeAttribute()
    claimed_until = IntegerAttribute()
    message_id = UnicodeAttribute(null=True)


def claim(event_id: str, template: str, now: datetime) -> Delivery | None:
    """Take the mail for sending; None when it was sent, or another sender has it now."""
    row = Delivery(
        pk=f"mail#{event_id}",
        sk="delivery",
        template=template,
        state="claimed",
        claimed_until=clock.epoch(now + CLAIM_KEPT),
        ttl=clock.epoch(now + KEPT),
    )
    free = Delivery.pk.does_not_exist() | ((Delivery.state == "claimed") & (Delivery.claimed_until < clock.epoch(now)))
    try:
        row.save(condition=free)
    except PutError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return None
        raise
    return row


def sent(event_id: str) -> bool:
    """Whether the event's mail is out."""
    try:
        found = Delivery.get(f"mail#{event_id}", "delivery", consistent_read=True)
    except Delivery.DoesNotExist:
        return False
    return found.state == "sent"


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
        update(row, [Delivery.claimed_until.set(0)], ours, failed=lambda _: _TakenOver())
