"""Trainings around the engine: an order for a LoRA, and what its worker leaves."""

import json
from hashlib import sha256
from typing import Any

from snapforge.aws import s3
from snapforge.contracts.results import LoraQuality, Result, ResultFile, Usage
from snapforge.jobs import schemas
from snapforge.jobs.domain.requests import LoraParameters
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service.runs import attempts
from snapforge.jobs.service.submission import submit
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal
from tests.core.jobs.captures import capture
from tests.core.jobs.engine import Engine, idempotency_key

VASE: dict[str, Any] = {"kind": "lora", "rights": True, "name": "A vase", "trigger": "grvase", "subject": "vase"}


def order_lora(who: Principal, **more: Any) -> schemas.Job:
    """Order a LoRA from twelve photos; with `lora_id`, its next version."""
    asked = {"kind": "lora", "rights": True} if "lora_id" in more else VASE
    asked = asked | {"capture_id": more.pop("capture_id", None) or capture(who, photos=12)} | more
    return submit.create_job(
        who, schemas.LoraCreate.model_validate(asked), idempotency_key(who, ids.new("event"), json.dumps(asked))
    )


def lora_of(job: schemas.Job) -> tuple[str, int]:
    """Which version of which LoRA a job trains."""
    assert isinstance(job.parameters, LoraParameters)
    return job.parameters.lora_id, job.parameters.lora_version


def leave_adapter(job: schemas.Job, *, run: int = 1, attempt: int = 1) -> str:
    """Leave an adapter, its sample grid and result.json as the worker does; returns the result's address."""
    prefix = attempts.prefix_uri(job.id, run, attempt)
    bodies = {"adapter.safetensors": b"weights of " + job.id.encode(), "preview.jpg": b"grid of " + job.id.encode()}
    for name, body in bodies.items():
        s3.put(prefix + name, body, "application/octet-stream")
    now = clock.now()
    result = Result(
        job_id=job.id,
        run=run,
        attempt=attempt,
        engine="peft:flow-matching",
        model="flux-schnell",
        files=(
            _file("adapter.safetensors", "adapter", bodies["adapter.safetensors"], "application/octet-stream"),
            _file("preview.jpg", "preview", bodies["preview.jpg"], "image/jpeg"),
        ),
        usage=Usage(started_at=now, ended_at=now, compute_seconds=600, device="cpu", instance_type="local"),
        lora=LoraQuality(
            family="flux1",
            rank=16,
            steps=1000,
            photos_given=12,
            photos_used=12,
            captions=("grvase vase",) * 12,
            loss_before=0.9,
            loss_after=0.6,
        ),
    )
    s3.put(prefix + "result.json", result.model_dump_json().encode(), "application/json")
    return prefix + "result.json"


def _file(name: str, role: Any, body: bytes, media_type: str) -> ResultFile:
    return ResultFile(name=name, role=role, media_type=media_type, bytes=len(body), sha256=sha256(body).hexdigest())


def train(engine: Engine, who: Principal, **more: Any) -> str:
    """Order a LoRA and let its training succeed; returns the LoRA's id."""
    job = order_lora(who, **more)
    uri = leave_adapter(job)
    assert engine.settle(who, job, Outcome(outcome="done", result_uri=uri)).state == "succeeded"
    return lora_of(job)[0]
