"""The steps of an attempt's life that both workers take: one attempt a process (`worker.run`), many (`worker.warm`)."""

import json
import logging

from pydantic import ValidationError

from snapforge.contracts.base import CONTRACT
from snapforge.contracts.manifest import Manifest
from snapforge.contracts.tickets import RESULT
from worker.attempt import Attempt
from worker.errors import BadManifest, QualityError, WorkerError
from worker.kinds import Kind
from worker.progress import Sender
from worker.stages.base import Stage
from worker.storage import Missing, Storage

_logger = logging.getLogger(__name__)


class UnreadableManifest(BadManifest):
    """The manifest is no work order; `reports_to` is the queue and the sender where it still says whose it is."""

    def __init__(self, message: str, reports_to: tuple[str, "Sender"] | None) -> None:
        super().__init__(message)
        self.reports_to = reports_to


def read_manifest(storage: Storage, uri: str, batch_job_id: str) -> Manifest:
    """The work order at `uri`. Raises BadManifest where there is none, UnreadableManifest where it is none."""
    if not batch_job_id or not uri.startswith("s3://"):
        raise BadManifest("AWS_BATCH_JOB_ID and the manifest's address (s3://…) must be set.")
    try:
        raw = storage.read(uri)
    except Missing as error:
        raise BadManifest(f"There is no manifest at {uri}.") from error
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise UnreadableManifest(str(error), _addressee(raw, batch_job_id)) from error
    if manifest.contract not in (CONTRACT, CONTRACT - 1):
        message = f"Contract {manifest.contract} is none of {CONTRACT} and {CONTRACT - 1}."
        raise UnreadableManifest(message, _addressee(raw, batch_job_id))
    for prefix in filter(None, (manifest.output_uri, manifest.resume_uri)):
        if not (prefix.startswith("s3://") and prefix.endswith("/")):
            message = f"{prefix!r} is no s3:// prefix that ends with '/'."
            raise UnreadableManifest(message, _addressee(raw, batch_job_id))
    return manifest


def _addressee(raw: bytes, batch_job_id: str) -> tuple[str, Sender] | None:
    try:
        fields = json.loads(raw)
        sender = Sender(str(fields["job_id"]), int(fields["run"]), int(fields["attempt"]), batch_job_id)
        return str(fields["reports_queue_url"]), sender
    except (ValueError, KeyError, TypeError):
        return None


def finished(storage: Storage, prefix: str) -> str | None:
    """The address of result.json where an earlier entry wrote it and died before it could report it."""
    uri = prefix + RESULT
    return uri if any(found.uri == uri for found in storage.find(uri)) else None


def run_stage(attempt: Attempt, stage: Stage) -> None:
    """One stage with its progress, times and checkpoint; nothing where its outputs were restored."""
    attempt.check_interrupted()
    if stage.done and stage.done(attempt):
        attempt.skip(stage.name)
        return
    attempt.begin(stage.name)
    _logger.info("stage", extra={"stage": stage.name})
    with attempt.meter.stage(stage.name):
        stage.run(attempt)
    attempt.save()


def write_result(attempt: Attempt, kind: Kind) -> str:
    """Upload what the stages named, then result.json; returns its address."""
    attempt.begin("upload")
    return attempt.write_result(RESULT, attempt.upload_results(), *kind.describe(attempt))


def write_partial(attempt: Attempt, kind: Kind, error: WorkerError) -> str | None:
    """Keep the times for the next entry and write partial.json: the receipt so far, and a quality failure's files.

    Returns its address, or None where S3 fails too.
    """
    try:
        attempt.save()
        files = attempt.upload_results() if isinstance(error, QualityError) else ()
        return attempt.write_result("partial.json", files, *kind.describe(attempt))
    except (WorkerError, Missing) as second:
        _logger.warning("no partial result: %s", second)
        return None
