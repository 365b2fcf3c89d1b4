"""`POST /v1/jobs` and `GET /v1/jobs/{id}` as FastAPI (`async def`) + Mangum + boto3.

The same access tokens with the same checks, the same wire schemas and rules (prices, ledger decisions are plain values
and taken from the house), the same conditions on the same items in one transaction. Rows are written by hand as typed
items, the leanest way in boto3. It has no limit per session, no ETag, no replay of a known key, no problem documents.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import boto3
import jwt
from aws_lambda_powertools import Logger, Metrics
from botocore.config import Config
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from mangum import Mangum
from pydantic import TypeAdapter

from snapforge.billing import domain as ledger
from snapforge.jobs.domain import deadlines, pictures, pricing, progress
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.progress import ProgressSnapshot
from snapforge.jobs.domain.requests import ImageRequest, Parameters
from snapforge.jobs.schemas import Job, JobCreate, Price, Progress
from snapforge.kit import ids
from snapforge.kit.permissions import BY_ROLE, OrgRole

PREFIX = "snapforge-dev-"
EPOCH_SECONDS = 5.0
dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "total_max_attempts": 4}))
secretsmanager = boto3.client("secretsmanager")
parameters_of: TypeAdapter[Any] = TypeAdapter(Parameters)
logger = Logger(service="peer", use_rfc3339=True)
metrics = Metrics(namespace="Peer", service="peer")
_keys: dict[str, str] = {}
_epochs: dict[str, tuple[float, int]] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    org_id: str
    user_id: str


def item(**values: str | int | bool | None) -> dict[str, Any]:
    """DynamoDB's typed form of plain values; None is left out."""
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            typed[name] = {"BOOL": value}
        elif isinstance(value, int):
            typed[name] = {"N": str(value)}
        elif value is not None:
            typed[name] = {"S": value}
    return typed


def text(moment: datetime) -> str:
    """RFC 3339."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _key(kid: str) -> str:
    if not _keys:
        ring = json.loads(secretsmanager.get_secret_value(SecretId="snapforge/dev/session-keys")["SecretString"])
        _keys.update({key["kid"]: key["key"] for key in ring.values() if key})
    return _keys[kid]


def _epoch(user_id: str) -> int:
    now = time.monotonic()
    found = _epochs.get(user_id)
    if found is None or now - found[0] >= EPOCH_SECONDS:
        key = item(pk=f"user#{user_id}", sk="epoch")
        row = dynamodb.get_item(TableName=PREFIX + "identity", Key=key, ConsistentRead=True)["Item"]
        found = _epochs[user_id] = (now, int(row["epoch"]["N"]))
    return found[1]


def needs(permission: str) -> Callable[[str], Awaitable[Caller]]:
    """The dependency that authenticates and checks one permission."""

    async def caller(authorization: Annotated[str, Header()]) -> Caller:
        token = authorization.removeprefix("Bearer ")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                _key(header["kid"]),
                algorithms=["HS256"],
                audience="snapforge-api",
                issuer="snapforge-dev",
                options={"require": ["exp", "iat", "iss", "aud", "sub", "org", "sid", "role", "ep"]},
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401) from error
        if header.get("typ") != "at+jwt" or claims["ep"] != _epoch(claims["sub"]):
            raise HTTPException(401)
        if permission not in BY_ROLE[OrgRole(claims["role"])]:
            raise HTTPException(403)
        return Caller(claims["org"], claims["sub"])

    return caller


IdempotencyKey = Annotated[str, Header(min_length=8, max_length=128)]
Creator = Annotated[Caller, Depends(needs("jobs:create"))]
Reader = Annotated[Caller, Depends(needs("jobs:read"))]
app = FastAPI(openapi_url=None)
OFFERED = ("flux-schnell",)


@app.post("/v1/jobs", status_code=201, response_model_exclude_none=True)
async def create_job(
    body: JobCreate, who: Creator, idempotency_key: IdempotencyKey, request: Request, response: Response
) -> Job:
    """Order pictures."""
    assert isinstance(body, ImageRequest)
    now = datetime.now(UTC)
    parameters = pictures.resolve(body, 7, OFFERED)
    price = pricing.price(parameters)
    deadline = now + deadlines.limits(parameters).queue
    job = Job(
        id=ids.new("job"),
        kind="image",
        state=JobState.queued,
        run=1,
        attempt=1,
        progress=Progress(stage="queued", percent=0, eta_seconds=pricing.predicted_seconds(parameters)),
        price=Price(credits=price.credits, quoted=False, held=price.credits),
        predicted_seconds=pricing.predicted_seconds(parameters),
        created_at=now,
        deadline=deadline,
        parameters=parameters,
    )
    asked = b"\0".join((b"POST", b"/v1/jobs", await request.body()))
    known = _known(who, idempotency_key, hashlib.sha256(asked).hexdigest(), job, now)
    hold_id = ids.new("hold")
    puts = [known, _job(who, job, price.parts, hold_id, now), *_hold(who, job, hold_id, now), _news(who, job, now)]
    dynamodb.transact_write_items(TransactItems=[{"Put": put} for put in puts], ClientRequestToken=ids.new("event"))
    response.headers["location"] = f"/v1/jobs/{job.id}"
    return job


@app.get("/v1/jobs/{job_id}", response_model_exclude_none=True)
async def get_job(job_id: str, who: Reader) -> Job:
    """A job with its progress."""
    rows = dynamodb.query(
        TableName=PREFIX + "jobs",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues=item(**{":pk": f"org#{who.org_id}", ":sk": f"job#{job_id}"}),
        ConsistentRead=True,
    )["Items"]
    row = next((found for found in rows if found["cls"]["S"] == "Job"), None)
    told = next((found for found in rows if found["cls"]["S"] == "Progress"), None)
    if row is None:
        raise HTTPException(404)
    return _read(row, told)


def _known(who: Caller, key: str, fingerprint: str, job: Job, now: datetime) -> dict[str, Any]:
    until = int((now + timedelta(hours=24)).timestamp())
    scoped = hashlib.sha256(f"POST /v1/jobs|{key}".encode()).hexdigest()[:40]
    return {
        "TableName": PREFIX + "jobs",
        "Item": item(
            pk=f"idem#{who.org_id}#{scoped}",
            sk="idem",
            cls="Idempotency",
            fingerprint=fingerprint,
            status=201,
            body=job.model_dump_json(exclude_none=True),
            headers=json.dumps({"location": f"/v1/jobs/{job.id}"}),
            expires_at=until,
            ttl=until,
        ),
        "ConditionExpression": "attribute_not_exists(pk) OR expires_at < :now",
        "ExpressionAttributeValues": item(**{":now": int(now.timestamp())}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _job(who: Caller, job: Job, parts: int, hold_id: str, now: datetime) -> dict[str, Any]:
    assert job.deadline is not None
    written = item(
        pk=f"org#{who.org_id}",
        sk=f"job#{job.id}",
        cls="Job",
        id=job.id,
        org_id=who.org_id,
        version=1,
        kind=job.kind,
        parameters=job.parameters.model_dump_json(exclude_none=True),
        created_by=who.user_id,
        created_at=text(now),
        state=job.state.value,
        run=1,
        attempt=1,
        reduced=False,
        failed="[]",
        recovery=0,
        hold_id=hold_id,
        credits=job.price.credits,
        parts=parts,
        quoted=False,
        predicted_seconds=job.predicted_seconds,
        queued_at=text(now),
        deadline=text(job.deadline),
        deadline_shard=deadlines.shard(job.id),
        deadline_at=text(deadlines.next_look(now, job.deadline)),
        spent="[]",
    )
    return _new("jobs", written)


def _hold(who: Caller, job: Job, hold_id: str, now: datetime) -> list[dict[str, Any]]:
    """The account as decided, the journal and the hold."""
    key = item(pk=f"org#{who.org_id}", sk="account")
    row = dynamodb.get_item(TableName=PREFIX + "billing", Key=key, ConsistentRead=True)["Item"]
    account = ledger.Account(
        org_id=who.org_id,
        available=int(row["avail"]["N"]),
        held=int(row["held"]["N"]),
        debt=int(row["debt"]["N"]),
        grants=tuple(_grant(part["M"]) for part in row["grants"]["L"]),
        version=int(row["version"]["N"]),
    )
    deed = ledger.JournalDraft(id=ids.new("journal"), key=f"job:{job.id}:1:hold", memo=f"2 pictures · {job.id}", at=now)
    change = ledger.hold(account, deed, hold_id=hold_id, credits=job.price.credits)
    assert change.posting is not None
    after, journal = change.posting.account, change.posting.journal
    pk = f"org#{who.org_id}"
    state = item(pk=pk, sk="account", cls="Account", available=after.available, held=after.held, debt=after.debt)
    state |= item(version=after.version) | {"grants": _grants(after.grants)}
    legs = {"L": [{"M": item(account=leg.account, amount=leg.amount)} for leg in journal.legs]}
    entry = item(pk=pk, sk=f"key#{journal.key}", cls="Journal", id=journal.id, seq=journal.seq, kind=journal.kind.value)
    entry |= item(at=text(now), memo=journal.memo, fingerprint=journal.fingerprint, hold_id=hold_id) | {"legs": legs}
    held = item(pk=pk, sk=f"hold#{hold_id}", cls="Hold", amount=change.hold.amount, state=change.hold.state.value)
    held |= item(captured=0, released=0) | {"allocations": _grants(change.hold.allocations)}
    unchanged = {
        "TableName": PREFIX + "billing",
        "Item": state,
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": item(**{":version": account.version}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return [unchanged, _new("ledger", entry), _new("billing", held)]


def _news(who: Caller, job: Job, now: datetime) -> dict[str, Any]:
    data = {"org_id": who.org_id, "job_id": job.id, "run": 1}
    event_id = ids.new("event")
    event = {"type": "job.submitted", "id": event_id, "at": text(now), "org_id": who.org_id, "data": data}
    written = item(
        pk=f"outbox#{event_id}",
        sk="outbox",
        cls="Outbox",
        event=json.dumps(event),
        unsent=f"unsent#{sum(event_id.encode()) % 4}",
        unsent_at=text(now),
        ttl=int((now + timedelta(days=7)).timestamp()),
    )
    return _new("jobs", written)


def _new(table: str, written: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": PREFIX + table,
        "Item": written,
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _grant(row: dict[str, Any]) -> ledger.Grant:
    return ledger.Grant(
        id=row["id"]["S"],
        kind=ledger.GrantKind(row["kind"]["S"]),
        priority=int(row["priority"]["N"]),
        expires_at=datetime.fromisoformat(row["expires_at"]["S"]) if "expires_at" in row else None,
        remaining=int(row["remaining"]["N"]),
    )


def _grants(grants: tuple[ledger.Grant, ...]) -> dict[str, Any]:
    return {
        "L": [
            {
                "M": item(
                    id=grant.id,
                    kind=grant.kind.value,
                    priority=grant.priority,
                    expires_at=text(grant.expires_at) if grant.expires_at else None,
                    remaining=grant.remaining,
                )
            }
            for grant in grants
        ]
    }


def _read(row: dict[str, Any], told: dict[str, Any] | None) -> Job:
    state = JobState(row["state"]["S"])
    started = datetime.fromisoformat(row["started_at"]["S"]) if "started_at" in row else None
    current = _told(told) if told else None
    predicted, credits_ = int(row["predicted_seconds"]["N"]), int(row["credits"]["N"])
    return Job(
        id=row["id"]["S"],
        kind=row["kind"]["S"],
        state=state,
        run=int(row["run"]["N"]),
        attempt=int(row["attempt"]["N"]),
        progress=Progress(
            stage=told["stage"]["S"] if told else "queued",
            percent=progress.percent(state, current),
            eta_seconds=progress.eta_seconds(state, current, predicted, started),
            message=told["message"]["S"] if told else "",
            at=current.at if current else None,
        ),
        price=Price(credits=credits_, quoted=row["quoted"]["BOOL"], held=credits_),
        predicted_seconds=predicted,
        created_at=datetime.fromisoformat(row["created_at"]["S"]),
        started_at=started,
        deadline=datetime.fromisoformat(row["deadline"]["S"]),
        parameters=parameters_of.validate_json(row["parameters"]["S"]),
    )


def _told(row: dict[str, Any]) -> ProgressSnapshot:
    return ProgressSnapshot(
        attempt=int(row["attempt"]["N"]),
        percent=int(row["percent"]["N"]),
        floor=int(row["floor"]["N"]),
        stage=row["stage"]["S"],
        eta_seconds=int(row["eta_seconds"]["N"]) if "eta_seconds" in row else None,
        at=datetime.fromisoformat(row["at"]["S"]),
    )


def observed(served: FastAPI) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The Lambda handler of an app: one log line and three metrics a request, by Powertools, as the house has."""
    mangum = Mangum(served, lifespan="off")

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        answer: dict[str, Any] = mangum(event, context)
        milliseconds = (time.perf_counter() - started) * 1000
        route = event["requestContext"]["http"]["path"]
        logger.append_keys(route=route, request_id=event["requestContext"]["requestId"])
        logger.info("request", extra={"status": answer["statusCode"], "milliseconds": round(milliseconds, 2)})
        logger.remove_keys(["route", "request_id"])
        metrics.add_dimension("function", "jobs")
        metrics.add_metric("Latency", "Milliseconds", milliseconds)
        metrics.add_metric("Requests", "Count", 1)
        metrics.add_metric("ServerErrors", "Count", int(answer["statusCode"] >= 500))
        metrics.flush_metrics()
        return answer

    return handler


handler = observed(app)
