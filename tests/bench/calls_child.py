"""Counts the AWS calls and capacity of requests, in a process of its own; writes JSON to the file named as argument."""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import botocore

from tests.bench import capacity
from tests.bench import customer as customers
from tests.support.http import Answer, call

asked: list[dict[str, Any]] = []
seen: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
"""Operation, what was asked, what was answered."""


def watch(session: Any) -> None:
    """Note what every client of a session does."""

    def before(params: dict[str, Any], **_: Any) -> None:
        asked.append(params)

    def after(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model, asked.pop(), parsed))

    session.register("provide-client-params.*.*", before)
    session.register("after-call.*.*", after)


def requests(someone: customers.Customer) -> dict[str, dict[str, Any]]:
    """Endpoints and how they are asked."""
    upload = {"files": [{"name": "a.jpg", "media_type": "image/jpeg", "bytes": 1000}]}
    return {
        "jobs/create_job": {"body": customers.ORDER, "status": 201},
        "jobs/get_job": {"path": {"job_id": someone.job_id}},
        "jobs/list_jobs": {},
        "jobs/preview_job": {"body": customers.ORDER},
        "assets/create_capture": {"body": {"name": "bench"}, "status": 201},
        "assets/presign_upload": {"body": upload, "status": 201},
        "assets/list_assets": {},
        "billing/get_balance": {},
        "billing/list_journals": {},
        "identity/get_me": {},
    }


def ask(place: str, token: str, how: dict[str, Any]) -> tuple[Answer, list[tuple[str, float, float]]]:
    """One request, and the calls it made."""
    seen.clear()
    answer = call(place, path=how.get("path"), body=how.get("body"), token=token, key=uuid.uuid4().hex)
    if answer.status != how.get("status", 200):
        raise RuntimeError(f"{place}: {answer.status} {answer.text}")
    return answer, [_count(*made) for made in seen]


def _count(model: Any, sent: dict[str, Any], parsed: dict[str, Any]) -> tuple[str, float, float]:
    of_dynamodb = model.service_model.service_name == "dynamodb"
    return (model.name, *(capacity.of(model.name, sent, parsed) if of_dynamodb else (0.0, 0.0)))


def main() -> None:
    """Each endpoint with a session token (warm: the second request counts), and with an API key."""
    botocore.register_initializer(watch)
    someone = customers.make()
    told = {}
    for place, how in requests(someone).items():
        ask(place, someone.token, how)
        told[place] = {"session": ask(place, someone.token, how)[1], "key": ask(place, someone.key, how)[1]}
    Path(sys.argv[1]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
