"""Warm CPU per request, ours and the peer's by turns in one process; prints JSON to the file named as argument.

Each turn is a batch of requests by a user of its own (we limit a session's requests, the peer does not), after one that
is not counted and that fills the caches of both.
"""

import gc
import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snapforge.aws import clients, tables
from snapforge.http import Body, IdempotencyKey, Permission, Principal, Response, created, endpoint
from snapforge.identity.service import access_tokens
from snapforge.identity.service.access_tokens import Claims
from snapforge.jobs.schemas import Job, JobCreate
from snapforge.kit import ids
from snapforge.kit.permissions import OrgRole
from tests.bench.canned import Canned
from tests.bench.peers import fastapi_frame, fastapi_jobs
from tests.support.http import LambdaContext, event, load

TURNS, BATCH = 24, 60
BODY = {"kind": "image", "prompt": "a kingfisher on river stones, morning light", "aspect": "3:2", "count": 2}
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
ready: list[Job] = []


@endpoint("POST /v1/jobs", permission=Permission.jobs_create, idempotent=True, status=201)
def frame_create(principal: Principal, body: Body[JobCreate], key: IdempotencyKey) -> Response:
    """Order, with a service that does nothing."""
    return created(ready[0], at=f"/v1/jobs/{ready[0].id}")


@endpoint("GET /v1/jobs/{job_id}", permission=Permission.jobs_read)
def frame_get(principal: Principal, job_id: str) -> Job:
    """Read, with a service that does nothing."""
    return ready[0]


def post(token: str) -> dict[str, Any]:
    """An order with a fresh key."""
    headers = {"authorization": f"Bearer {token}", "idempotency-key": uuid.uuid4().hex}
    return event("POST", "/v1/jobs", body=BODY, headers=headers)


def get(token: str, job_id: str) -> dict[str, Any]:
    """A poll."""
    headers = {"authorization": f"Bearer {token}"}
    return event("GET", f"/v1/jobs/{job_id}", headers=headers, path_parameters={"job_id": job_id})


def token() -> str:
    """Of a user nobody has seen."""
    claims = Claims(ids.new("user"), ids.new("org"), ids.new("session"), OrgRole.owner, 1)
    return access_tokens.issue(claims)


def batch(handler: Handler, events: list[dict[str, Any]], wanted: int) -> float:
    """CPU microseconds per request. RuntimeError for any answer but the wanted."""
    context = LambdaContext()
    _expect(handler(events[0], context), wanted)
    gc.collect()
    began = time.process_time()
    for asked in events[1:]:
        answer = handler(asked, context)
        if answer["statusCode"] != wanted:
            _expect(answer, wanted)
    return (time.process_time() - began) / (len(events) - 1) * 1e6


def _expect(answer: dict[str, Any], wanted: int) -> None:
    if answer["statusCode"] != wanted:
        raise RuntimeError(f"{answer['statusCode']}: {answer['body']}")


def turns(ours: Handler, peer: Handler, make: Callable[[str], dict[str, Any]], wanted: int) -> dict[str, list[float]]:
    """Batches by turns, the first of each not counted."""
    told: dict[str, list[float]] = {"ours": [], "peer": []}
    for turn in range(TURNS + 1):
        bearer = token()
        for name, handler in (("ours", ours), ("peer", peer)):
            spent = batch(handler, [make(bearer) for _ in range(BATCH + 1)], wanted)
            if turn:
                told[name].append(spent)
    return told


def same_items(canned: Canned, ours: Handler, peer: Handler) -> dict[str, Any]:
    """Both write the same: tables, attributes, conditions' number. Returns our job's item."""
    shapes = []
    jobs: dict[str, Any] = {}
    for handler in (ours, peer):
        _expect(handler(post(token()), LambdaContext()), 201)
        puts = [entry["Put"] for entry in canned.written]
        shapes.append(sorted((put["TableName"], *sorted(put["Item"]), "ConditionExpression" in put) for put in puts))
        jobs = jobs or next(put["Item"] for put in puts if put["Item"]["cls"]["S"] == "Job")
    if shapes[0] != shapes[1]:
        raise RuntimeError(f"the transactions differ:\n{shapes[0]}\n{shapes[1]}")
    return jobs


def main() -> None:
    """All four comparisons."""
    canned = Canned()
    for client in (
        clients.client("secretsmanager"),
        tables.connection().client,
        fastapi_jobs.dynamodb,
        fastapi_jobs.secretsmanager,
    ):
        canned.attach(client)
    create, read = load("jobs/create_job").handler, load("jobs/get_job").handler
    item = same_items(canned, create, fastapi_jobs.handler)
    canned.found(item)
    job_id = item["id"]["S"]
    answers = [h(get(token(), job_id), LambdaContext())["body"] for h in (read, fastapi_jobs.handler)]
    ours, peers = (json.loads(answer) for answer in answers)
    if ours.keys() != peers.keys() or ours["progress"] != peers["progress"]:
        raise RuntimeError(f"the answers differ:\n{ours}\n{peers}")
    ready.append(Job.model_validate_json(answers[0]))
    fastapi_frame.ready.append(ready[0])
    told = {
        "POST /v1/jobs": turns(create, fastapi_jobs.handler, post, 201),
        "GET /v1/jobs/{id}": turns(read, fastapi_jobs.handler, lambda bearer: get(bearer, job_id), 200),
        "frame of POST /v1/jobs": turns(frame_create, fastapi_frame.handler, post, 201),
        "frame of GET /v1/jobs/{id}": turns(frame_get, fastapi_frame.handler, lambda bearer: get(bearer, job_id), 200),
    }
    Path(sys.argv[1]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
