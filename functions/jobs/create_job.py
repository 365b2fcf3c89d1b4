"""POST /v1/jobs"""

from typing import Annotated

from snapforge.aws.idempotency import KeyReused
from snapforge.billing import errors as billing_errors
from snapforge.http import Body, IdempotencyKey, Permission, Principal, Response, created, endpoint
from snapforge.jobs import errors
from snapforge.jobs.schemas import Job, JobCreate
from snapforge.jobs.service.submission import submit


@endpoint(
    "POST /v1/jobs",
    permission=Permission.jobs_create,
    idempotent=True,
    status=201,
    raises=(
        errors.ModelNotOffered,
        *errors.MODERATION,
        *billing_errors.HOLDING,
        *errors.CAPTURE,
        *errors.LORA,
        KeyReused,
    ),
)
def handler(principal: Principal, body: Body[JobCreate], key: IdempotencyKey) -> Annotated[Response, Job]:
    """Order pictures, a model or a LoRA. Credits are held now, and captured if it succeeds; a failure is free."""
    job = submit.create_job(principal, body, key)
    return created(job, at=f"/v1/jobs/{job.id}")
