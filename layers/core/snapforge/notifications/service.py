"""Send the mail that an event calls for, once."""

from snapforge.assets.service import delivery
from snapforge.aws import mail, settings
from snapforge.aws.errors import AwsError
from snapforge.identity.service import accounts
from snapforge.kit import clock
from snapforge.kit.events import Event
from snapforge.notifications import domain, store
from snapforge.notifications.errors import DeliveryInProgress
from snapforge.notifications.render import Mail, render


def handle(event: Event) -> bool:
    """Send the event's mail; False when it calls for none or was sent before.

    The mail is claimed, sent, then marked. A crash between sending and marking can double a mail; none is ever lost.
    Raises DeliveryInProgress while another sender holds it.
    """
    template = domain.BY_EVENT.get(event.type)
    if template is None:
        return False
    claimed = store.claim(event.id, template, clock.now())
    if claimed is None:
        if store.sent(event.id):
            return False
        raise DeliveryInProgress(event.id)
    try:
        person = recipient(event)
        made = compose(template, event, person)
        number = mail.send(
            to=person.email, subject=made.subject, text=made.text, html=made.html, tags={"template": template}
        )
    except AwsError:
        store.give_up(claimed)
        raise
    store.mark_sent(claimed, number)
    return True


def recipient(event: Event) -> domain.Person:
    """The address in the event, else the org's owner."""
    if "email" in event.data:
        return domain.Person(email=event.data["email"], name=event.data.get("name", ""))
    email, name, locale = accounts.address_of_org_owner(event.org_id)
    return domain.Person(email, name, locale)


def compose(template: str, event: Event, person: domain.Person) -> Mail:
    """Fill a template for a person."""
    house = domain.MailContext(
        public_url=settings.get("PUBLIC_URL"), sign=lambda key: delivery.sign(key, expires_in=domain.LINK_KEPT)
    )
    values = domain.MAILS[template](event, house)
    return render(template, values | {"name": person.name, "public_url": house.public_url})
