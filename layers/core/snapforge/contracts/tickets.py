"""How an attempt waits for a warm worker: a ticket on a queue, and the names of what lies under its prefix.

A ticket is the message body; its message group is the org's share, so that SQS is fair between orgs. A worker may have
a ticket twice, and two workers the same one: who writes CLAIM first (If-None-Match: *) owns the attempt. The owner
rewrites BEAT at least every BEAT_SECONDS while it works; a stranger that finds a claim whose beat is older than
LOST_SECONDS reports the attempt as failed (transient, `worker_lost`), so that a new attempt takes over. CANCELED is the
control plane's word that nobody wants the attempt any more; the owner looks for it after claiming and every few
seconds of work.
"""

from pydantic import Field

from snapforge.contracts.base import CONTRACT, EXAMPLE_JOB, Contract

CLAIM = "claim.json"
BEAT = "beat.json"
CANCELED = "canceled.json"
RESULT = "result.json"

BEAT_SECONDS = 20
LOST_SECONDS = 90


class Ticket(Contract):
    """An attempt that waits in an images queue, or in the queue of providers."""

    contract: int = Field(default=CONTRACT, examples=[CONTRACT])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    run: int
    attempt: int
    manifest_uri: str = Field(examples=[f"s3://snapforge-dev-assets-000000000000/runs/{EXAMPLE_JOB}/1/1/manifest.json"])
    """s3:// address of the attempt's manifest; its folder is the attempt's prefix."""
    group: str = Field(examples=["flux-schnell:1024x1024:4:0"])
    """Tickets of equal group may be drawn in one micro-batch: model, size, steps and guidance."""
    pictures: int = Field(examples=[2])
    """How many pictures are ordered."""
    provider: str | None = Field(default=None, examples=["together"])
    """Who draws it instead of our own GPUs; only in the queue `providers`."""
