"""An event for every message, and for every branch of its templates."""

from typing import Any

from infrastructure.tools.samples import event_data
from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import Channel, Message, MessageContext
from snapforge.messages.languages import Language
from snapforge.notifications.render import Mail, render
from snapforge.notifications.translations import translations

ORG = "org_01KA0000000000000000000000"
SAMPLES: dict[str, dict[str, Any]] = {
    "user.verification_requested": {"email": "robin@example.com", "name": "Robin", "token": "abc/+=def"},
    "user.signup_repeated": {"email": "robin@example.com", "name": "Robin"},
    "job.succeeded": {
        "email": "robin@example.com",
        "job_id": "job_1",
        "kind": "scene",
        "charged": 40,
        "files": [{"name": "model.glb", "key": "assets/a/1.glb"}],
        "preview_key": "assets/a/2.webp",
        "notes": ["These pictures are noise."],
    },
    "job.failed": {
        "email": "robin@example.com",
        "job_id": "job_1",
        "kind": "image",
        "charged": 0,
        "released": 12,
        "failure": {"message": "The photos <do> not connect.", "fix": "Take more."},
    },
}
BROKEN = {"category": "bug", "code": "worker_broke", "message": "KeyError: 'poses'", "fix": ""}
UNREADABLE = {
    "category": "input",
    "code": "photo_unreadable",
    "message": "a.jpg cannot be read as a picture.",
    "fix": "Upload the photo again.",
}
LORA = {"id": "lora_1", "name": "My mug", "trigger": "ohwx mug"}


def news(event: str, /, **changes: Any) -> Event:
    """The sample of a type of event, with changes; of others, the example that its context shows."""
    data = SAMPLES[event] if event in SAMPLES else {"email": "robin@example.com", **event_data()[event]}
    return Event(type=event, org_id=ORG, data=data | changes)


EVENTS = [
    news("user.verification_requested"),
    news("user.signup_repeated"),
    news("job.succeeded"),
    news("job.succeeded", kind="image", charged=1240),
    news("job.succeeded", kind="lora", charged=1, lora=LORA),
    *(news("job.failed", kind=kind, failure=BROKEN) for kind in ("image", "scene", "lora")),
    news("job.failed", failure=UNREADABLE, released=0),
    news("job.failed", charged=3),
    *(news(event) for event in catalogue.events(Channel.mail) if event not in SAMPLES),
]
CALLED_FOR = [(message, event) for event in EVENTS for message in catalogue.of(event, Channel.mail)]
"""Every mail in each of its forms."""


def compose(message: Message, event: Event, language: Language = Language.en, name: str = "Robin") -> Mail:
    """A mail without AWS: links are signed by nobody."""
    context = MessageContext(
        "https://snapforge.example",
        lambda key: f"https://cdn.example/{key}?Signature=s",
        language,
        translations(language).gettext,
    )
    values = message.values(event, context) | {"name": name, "public_url": context.public_url}
    return render(message.template, values, language)
