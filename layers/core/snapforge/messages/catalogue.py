"""Every message. A new one is an entry of MESSAGES, the function that fills it, and its template."""

from typing import Any
from urllib.parse import quote

from snapforge.contracts.reports import FailureCategory
from snapforge.kit.events import Event
from snapforge.messages import failures
from snapforge.messages.domain import LINK_KEPT, Channel, Message, MessageContext, To


def verify_address(event: Event, context: MessageContext) -> dict[str, Any]:
    """The link that verifies an address; it works once."""
    return {"link": f"{context.public_url}/verify-email?token={quote(str(event.data['token']), safe='')}", "hours": 24}


def signup_repeated(event: Event, context: MessageContext) -> dict[str, Any]:
    """Sent to an address that has an account already; the API tells nobody."""
    return {"link": f"{context.public_url}/login"}


def job_succeeded(event: Event, context: MessageContext) -> dict[str, Any]:
    """Signed links of the results, a preview, and the credits charged."""
    return {
        "job_id": event.data["job_id"],
        "kind": event.data["kind"],
        "credits": event.data["charged"],
        "link": f"{context.public_url}/jobs/{event.data['job_id']}",
        "files": [{"name": file["name"], "link": context.sign(file["key"])} for file in event.data.get("files", ())],
        "preview": context.sign(event.data["preview_key"]) if event.data.get("preview_key") else None,
        "notes": event.data.get("notes", []),
        "lora": event.data.get("lora"),
        "days": LINK_KEPT.days,
    }


def job_failed(event: Event, context: MessageContext) -> dict[str, Any]:
    """Why, what to do, and what was charged."""
    return {
        "job_id": event.data["job_id"],
        "kind": event.data["kind"],
        "credits": event.data["charged"],
        "released": event.data.get("released", 0),
        "told": failures.tell(event.data["failure"], context.language, context.translate),
        "link": f"{context.public_url}/jobs/{event.data['job_id']}",
    }


def job_broken(event: Event, context: MessageContext) -> dict[str, Any]:
    """Which job, and what the worker or the control plane said, in English as it stands in the log."""
    failure = event.data["failure"]
    return {
        "job_id": event.data["job_id"],
        "org_id": event.org_id,
        "kind": event.data["kind"],
        "code": failure["code"],
        "message": failure["message"],
    }


def is_our_fault(event: Event) -> bool:
    """Whether the customer was told that we have been told."""
    return bool(event.data["failure"].get("category") == FailureCategory.bug)


_MAIL = (Channel.mail,)

MESSAGES = (
    Message("user.verification_requested", "verify_address", (To.named,), _MAIL, verify_address),
    Message("user.signup_repeated", "signup_repeated", (To.named,), _MAIL, signup_repeated),
    Message("job.succeeded", "job_succeeded", (To.owner,), _MAIL, job_succeeded),
    Message("job.failed", "job_failed", (To.owner,), _MAIL, job_failed),
    Message("job.failed", "job_broken", (To.staff,), _MAIL, job_broken, when=is_our_fault),
)


def of(event: Event, channel: Channel) -> tuple[Message, ...]:
    """The messages that an event calls for on a channel; most events call for none."""
    return tuple(one for one in MESSAGES if one.event == event.type and channel in one.channels and one.when(event))


def events(channel: Channel) -> tuple[str, ...]:
    """The types of events that call for a message on a channel."""
    return tuple(dict.fromkeys(one.event for one in MESSAGES if channel in one.channels))
