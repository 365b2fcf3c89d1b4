"""To AWS Batch: a job of its own for the attempt, on the queue of its priority."""

from snapforge.aws import batch
from snapforge.jobs import store
from snapforge.jobs.domain import deadlines, shares
from snapforge.jobs.service.runs.dispatch import manifests
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.kit import clock


def hand_over(job: JobRow, row: AttemptRow) -> None:
    """Write the manifest, submit, note Batch's id. CaptureNotFound."""
    manifest_uri = manifests.write(job, row, clock.now())
    batch_id = batch.submit(
        name=f"{job.id}-{row.run}-{row.attempt}",
        queue=job.parameters.priority,
        definition=job.kind,
        share=shares.of_org(job.org_id),
        environment={"MANIFEST_URI": manifest_uri},
        timeout=int(deadlines.limits(job.parameters).run.total_seconds()),
    )
    if not store.change_open_attempt(row, AttemptRow.batch_ids.add({batch_id})):
        # It ended while it was handed over: canceled.
        batch.terminate(batch_id, "the job has ended")
