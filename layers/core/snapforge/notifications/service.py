"""Send the mails that an event calls for, each once."""

from functools import cache

from snapforge import observe
from snapforge.assets.service import delivery
from snapforge.aws import mail, settings
from snapforge.aws.errors import AwsError
from snapforge.identity.service import accounts
from snapforge.kit import clock
from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import LINK_KEPT, Channel, Message, MessageContext, To
from snapforge.messages.languages import negotiate
from snapforge.notifications import store
from snapforge.notifications.domain import Person
from snapforge.notifications.errors import DeliveryInProgress
from snapforge.notifications.render import Mail, render
from snapforge.notifications.translations import translations


def handle(event: Event) -> int:
    """Send the event's mails; returns how many, 0 when it calls for none or all were sent before.

    Each is claimed, sent, then marked. A crash between sending and marking can double a mail; none is ever lost. One
    that fails does not hold up the others: the first failure is raised in the end, DeliveryInProgress while another
    sender holds a mail.
    """
    sent, failures = 0, []
    for message in catalogue.of(event, Channel.mail):
        for person in recipients(event, message):
            try:
                sent += _send_once(event, message, person)
            except (DeliveryInProgress, *AwsError) as error:
                failures.append(error)
    if failures:
        raise failures[0]
    return sent


def _send_once(event: Event, message: Message, person: Person) -> bool:
    claimed = store.claim(event.id, message.template, person.email, clock.now())
    if claimed is None:
        if store.sent(event.id, message.template, person.email):
            return False
        raise DeliveryInProgress(event.id)
    try:
        made = compose(message, event, person)
        number = mail.send(
            to=person.email, subject=made.subject, text=made.text, html=made.html, tags={"template": message.template}
        )
    except AwsError:
        store.give_up(claimed)
        raise
    store.mark_sent(claimed, number)
    return True


def recipients(event: Event, message: Message) -> list[Person]:
    """Whom a message goes to, nobody twice."""
    found: dict[str, Person] = {}
    for to in message.to:
        for person in _people(event, to):
            found.setdefault(person.email.casefold(), person)
    return list(found.values())


def _people(event: Event, to: To) -> list[Person]:
    if to is To.staff:
        return _staff()
    if to is To.named or "email" in event.data:
        return [Person(event.data["email"], event.data.get("name", ""), event.data.get("locale", "en"))]
    return [Person(*accounts.address_of_org_owner(event.org_id))]


def _staff() -> list[Person]:
    addresses = [address.strip() for address in (settings.find("STAFF_MAIL") or "").split(",")]
    found = [Person(address, "") for address in addresses if address]
    if not found:
        _log_no_staff()
    return found


@cache
def _log_no_staff() -> None:
    """Once per process: a deployment without is allowed, and would log it with every event."""
    observe.logger().warning("no_staff", extra={"setting": "STAFF_MAIL"})


def compose(message: Message, event: Event, person: Person) -> Mail:
    """Fill a message for a person, in their language."""
    language = negotiate(person.locale)
    context = MessageContext(
        public_url=settings.get("PUBLIC_URL"),
        sign=lambda key: delivery.sign(key, expires_in=LINK_KEPT),
        language=language,
        translate=translations(language).gettext,
    )
    values = message.values(event, context)
    return render(message.template, values | {"name": person.name, "public_url": context.public_url}, language)
