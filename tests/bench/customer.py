"""A customer with credits and a job, made through the handlers on the emulator."""

import json
import uuid
from dataclasses import dataclass

from snapforge.billing.service import ledger
from snapforge.identity import schemas
from snapforge.identity.service import keys
from snapforge.kit.permissions import KEY_SCOPES
from tests.support import people
from tests.support.http import call

ORDER = {"kind": "image", "prompt": "a kingfisher on river stones, morning light", "aspect": "3:2", "count": 2}


@dataclass(frozen=True)
class Customer:
    """Whose requests are measured."""

    email: str
    user_id: str
    org_id: str
    token: str
    """Of a session; good for ten minutes."""
    key: str
    job_id: str


def make() -> Customer:
    """Sign up, verify, log in, take credits, order pictures."""
    somebody = people.verified()
    opened = somebody.opened.body
    ledger.grant(opened.org_id, credits=100_000, kind="admin", key="bench", memo="for benchmarks")
    made = keys.create_api_key(somebody.principal, schemas.ApiKeyCreate(name="bench", scopes=sorted(KEY_SCOPES)))
    job = call("jobs/create_job", body=ORDER, token=opened.access_token, key=uuid.uuid4().hex)
    if job.status != 201:
        raise RuntimeError(f"no job to measure with: {job.text}")
    return Customer(
        somebody.email, opened.user_id, opened.org_id, opened.access_token, made.key, json.loads(job.text)["id"]
    )


def fresh_token(customer: Customer) -> str:
    """Another access token for the same customer."""
    return people.log_in(customer.email).body.access_token
