"""A new customer: signs up, confirms by the mail's link, logs in, makes an API key."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from infrastructure.local.demo.client import Api

Mailbox = Callable[[], list[dict[str, Any]]]
SCOPES = [
    "uploads:write",
    "assets:read",
    "jobs:create",
    "jobs:read",
    "jobs:cancel",
    "loras:read",
    "loras:write",
    "billing:read",
    "profile:read",
]


@dataclass(frozen=True)
class Customer:
    """Who they are and how they come in."""

    email: str
    password: str
    org_id: str
    access_token: str
    api_key: str


def sign_up(api: Api, mailbox: Mailbox, *, name: str = "Robin") -> Customer:
    """Make an account with a fresh address, all through the API and the mailbox; waits for the sign-up grant."""
    email = f"{name.lower()}-{secrets.token_hex(4)}@example.com"
    password = secrets.token_urlsafe(18)
    api.call("sign_up", body={"email": email, "password": password, "name": name})
    mail = wait_for_mail(mailbox, email, subject="confirm")
    token = re.search(r"token=([\w%.~-]+)", mail["text"])
    if token is None:
        raise LookupError(f"no token in the mail: {mail['text'][:200]}")
    api.call("verify_email", body={"token": token[1]})
    session = api.call("log_in", body={"email": email, "password": password}).json
    member = replace(api, token=session["access_token"])
    key = member.call("create_api_key", body={"name": "demo", "scopes": SCOPES}).json["key"]
    customer = Customer(email, password, session["org_id"], session["access_token"], key)
    wait_for_credits(replace(api, token=key))
    return customer


def wait_for_credits(api: Api, *, seconds: float = 30) -> int:
    """Poll the balance until the sign-up grant is there; returns the available credits (TimeoutError)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        available = int(api.get("get_balance")["available"])
        if available:
            return available
        time.sleep(0.3)
    raise TimeoutError("the sign-up grant has not arrived")


def wait_for_mail(mailbox: Mailbox, to: str, *, subject: str, seconds: float = 60) -> dict[str, Any]:
    """Poll the local mailbox for a mail to an address whose subject holds a word (TimeoutError)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for mail in mailbox():
            if to in mail["to"] and subject.lower() in mail["subject"].lower():
                return mail
        time.sleep(0.3)
    raise TimeoutError(f"no mail to {to} about {subject!r} after {seconds:.0f} s")
