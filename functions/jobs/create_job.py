"""POST /v1/jobs"""

from typing import Annotated

from snapforge.assets import errors as assets_errors
from snapforge.aws.idempotency import KeyReused
from snapforge.billing import errors as billing_errors
from snapforge.http import Body, IdempotencyKey, Permission, Principal, Response, created, endpoint
from snapforge.jobs import errors
from snapforge.jobs.schemas import Job, JobCreate
from snapforge.jobs.service.submission import submit
from snapforge.loras import errors as loras_errors


@endpoint(
    "POST /v1/jobs",
    permission=Permission.jobs_create,
    idempotent=True,
    status=201,
    raises=(
        errors.ModelNotOffered,
        errors.PromptRefused,
        errors.ModerationUnavailable,
        billing_errors.InsufficientCredits,
        billing_errors.AccountInDebt,
        assets_errors.CaptureNotFound,
        assets_errors.CaptureNotReady,
        errors.CaptureNotUsable,
        loras_errors.LoraNotFound,
        loras_errors.LoraDeleted,
        loras_errors.LoraNotReady,
        loras_errors.LoraInTraining,
        errors.LoraDoesNotFit,
        KeyReused,
    ),
)
def handler(principal: Principal, body: Body[JobCreate], key: IdempotencyKey) -> Annotated[Response, Job]:
    """Order pictures, a model or a LoRA. Credits are held now, and captured if it succeeds; a failure is free."""
    job = submit.create_job(principal, body, key)
    return created(job, at=f"/v1/jobs/{job.id}")
