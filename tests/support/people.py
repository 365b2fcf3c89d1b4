"""Users, sessions and keys, made through identity's service; and what was asked of AWS."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest import mock

import boto3

from snapforge.aws import clients, tables
from snapforge.aws.clients import client
from snapforge.identity import schemas, store
from snapforge.identity.service import accounts, keys, limits, sessions
from snapforge.identity.service.sessions import Opened
from snapforge.kit import clock
from snapforge.kit.errors import Problem, RateLimited
from snapforge.kit.permissions import Permission, Principal

TABLE = "snapforge-dev-identity"
PASSWORD = "a kingfisher on three stones"
OURS = {"x-requested-with": "snapforge"}
"""The headers that our own pages send with the cookie."""


@dataclass(frozen=True)
class Somebody:
    """A user with an open session."""

    email: str
    opened: Opened

    @property
    def principal(self) -> Principal:
        """From the access token."""
        return sessions.principal_of_session(self.opened.body.access_token)


def fresh_address() -> str:
    """An address nobody has."""
    return f"u{secrets.token_hex(8)}@example.com"


def sign_up(email: str, password: str = PASSWORD, name: str = "Ada Lovelace") -> None:
    """Sign up."""
    accounts.sign_up(schemas.SignUp(email=email, password=password, name=name))


def log_in(email: str, password: str = PASSWORD) -> Opened:
    """Open a session."""
    return sessions.log_in(schemas.LogIn(email=email, password=password), address="203.0.113.7", user_agent="tests")


def verify(token: str) -> None:
    """Follow a link."""
    accounts.verify_email(schemas.VerifyEmail(token=token))


def unverified() -> Somebody:
    """A user who has not followed the link."""
    email = fresh_address()
    sign_up(email)
    return Somebody(email, log_in(email))


def verified() -> Somebody:
    """A user who has."""
    email = fresh_address()
    sign_up(email)
    verify(links(email)[0])
    return Somebody(email, log_in(email))


def events(needle: str) -> list[dict[str, Any]]:
    """The outbox's events that mention `needle` (an address or an id), oldest first."""
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=TABLE,
            FilterExpression="cls = :c AND contains(event, :n)",
            ExpressionAttributeValues={":c": {"S": "Outbox"}, ":n": {"S": needle}},
        )
    )
    found = [json.loads(item["event"]["S"]) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda event: str(event["at"]))


def links(email: str) -> list[str]:
    """The verification tokens mailed to an address, oldest first."""
    return [event["data"]["token"] for event in events(email) if event["type"] == "user.verification_requested"]


def cookie_of(opened: Opened) -> dict[str, str]:
    """The cookies a browser sends after such an answer."""
    name, _, value = opened.cookie.partition(";")[0].partition("=")
    return {name: value}


def new_key(principal: Principal, **more: Any) -> schemas.ApiKeyCreated:
    """An API key."""
    return keys.create_api_key(principal, schemas.ApiKeyCreate(name="tests", scopes=[Permission.jobs_read], **more))


@contextmanager
def aws_calls() -> Iterator[list[str]]:
    """Collects the names of the AWS operations called within."""
    seen: list[str] = []

    def note(model: Any, **_: Any) -> None:
        seen.append(model.name)

    emitters = [tables.connection().client.meta.events, client("secretsmanager").meta.events]
    for emitter in emitters:
        emitter.register("before-call", note)
    try:
        yield seen
    finally:
        for emitter in emitters:
            emitter.unregister("before-call", note)


def _at(start: float) -> None:
    time.sleep(max(0.0, start - time.time()))


def take_often(key: str, times: int, moment: datetime, start: float) -> int:
    """In another process: use a key `times` times at one frozen moment; how often it was let in."""
    _at(start)
    granted = 0
    with mock.patch.object(clock, "now", return_value=moment):
        for _ in range(times):
            with suppress(RateLimited):
                keys.principal_of_key(key)
                granted += 1
    return granted


def count_often(address: str, times: int, moment: datetime, start: float) -> int:
    """In another process: count an address; how often it was let in."""
    _at(start)
    granted = 0
    with mock.patch.object(clock, "now", return_value=moment):
        for _ in range(times):
            with suppress(RateLimited):
                limits.count_address("signup", address)
                granted += 1
    return granted


def refresh_once(cookies: dict[str, str], start: float) -> str:
    """In another process: refresh; the new cookie, or the error's name."""
    _at(start)
    try:
        return sessions.refresh(cookies, OURS).cookie
    except Problem as error:
        return type(error).__name__


def sign_up_once(email: str, moment: datetime, start: float) -> str:
    """In another process: sign up at a frozen moment."""
    _at(start)
    with mock.patch.object(clock, "now", return_value=moment):
        sign_up(email)
    return "done"


def make_key_once(principal: Principal, start: float) -> str:
    """In another process: make a key; its id, or the error's name."""
    _at(start)
    try:
        return new_key(principal).id
    except Problem as error:
        return type(error).__name__


def verify_once(token: str, start: float) -> str:
    """In another process: follow a link."""
    _at(start)
    verify(token)
    return "done"


def log_out_everywhere(principal: Principal) -> None:
    """In another process."""
    sessions.log_out_all_devices(principal)


def log_out_here(cookies: dict[str, str]) -> str:
    """In another process: log out one session."""
    return sessions.log_out(cookies, OURS)


def forget_clients() -> None:
    """In a forked process: make new connections, the parent's are not to be shared."""
    clients.make.cache_clear()
    tables.connection.cache_clear()
    rows: list[type[tables.Row]] = [*store.IdentityRow.__subclasses__(), store.IdentityRow, store.Outbox]
    for row in rows:
        row._connection = None
