"""Which news becomes which mail, and what the mail says. Plain values in, plain values out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from snapforge.kit.events import Event

LINK_KEPT = timedelta(days=7)
"""How long the signed links in a mail work."""
CLAIM_KEPT = timedelta(minutes=2)
"""After this a sender that claimed a mail and did not finish is taken for dead."""

Signer = Callable[[str], str]
"""Makes a signed link of an asset key, valid for LINK_KEPT."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who gets a mail."""

    email: str
    name: str
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class MailContext:
    """What every template may use."""

    public_url: str
    sign: Signer


def verify_address(event: Event, house: MailContext) -> dict[str, Any]:
    """The link that verifies an address; it works once."""
    return {"link": f"{house.public_url}/verify-email?token={quote(str(event.data['token']), safe='')}", "hours": 24}


def signup_repeated(event: Event, house: MailContext) -> dict[str, Any]:
    """Sent to an address that has an account already; the API tells nobody."""
    return {"link": f"{house.public_url}/login"}


def job_succeeded(event: Event, house: MailContext) -> dict[str, Any]:
    """Signed links of the results, a preview, and the credits charged."""
    return {
        "job_id": event.data["job_id"],
        "kind": event.data["kind"],
        "credits": event.data["charged"],
        "link": f"{house.public_url}/jobs/{event.data['job_id']}",
        "files": [{"name": file["name"], "link": house.sign(file["key"])} for file in event.data.get("files", ())],
        "preview": house.sign(event.data["preview_key"]) if event.data.get("preview_key") else None,
        "notes": event.data.get("notes", []),
        "lora": event.data.get("lora"),
        "days": LINK_KEPT.days,
    }


def job_failed(event: Event, house: MailContext) -> dict[str, Any]:
    """Why, what to do, and what was charged."""
    failure = event.data["failure"]
    return {
        "job_id": event.data["job_id"],
        "kind": event.data["kind"],
        "credits": event.data["charged"],
        "released": event.data.get("released", 0),
        "message": failure["message"],
        "fix": failure.get("fix", ""),
        "link": f"{house.public_url}/jobs/{event.data['job_id']}",
    }


MAILS: dict[str, Callable[[Event, MailContext], dict[str, Any]]] = {
    "verify_address": verify_address,
    "signup_repeated": signup_repeated,
    "job_succeeded": job_succeeded,
    "job_failed": job_failed,
}
"""Template folder to the function that fills it."""

BY_EVENT = {
    "user.verification_requested": "verify_address",
    "user.signup_repeated": "signup_repeated",
    "job.succeeded": "job_succeeded",
    "job.failed": "job_failed",
}
"""Event type to the mail it becomes. Others become none."""
