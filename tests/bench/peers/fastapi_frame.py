"""The two routes of `fastapi_jobs` with a service that does nothing: what routing, validation, auth and answer cost."""

from fastapi import FastAPI, Response

from snapforge.jobs.schemas import Job, JobCreate
from tests.bench.peers.fastapi_jobs import Creator, IdempotencyKey, Reader, observed

app = FastAPI(openapi_url=None)
ready: list[Job] = []
"""What both answer; the bench puts it here."""


@app.post("/v1/jobs", status_code=201, response_model_exclude_none=True)
async def create_job(body: JobCreate, who: Creator, idempotency_key: IdempotencyKey, response: Response) -> Job:
    """Order."""
    response.headers["location"] = f"/v1/jobs/{ready[0].id}"
    return ready[0]


@app.get("/v1/jobs/{job_id}", response_model_exclude_none=True)
async def get_job(job_id: str, who: Reader) -> Job:
    """Read."""
    return ready[0]


handler = observed(app)
