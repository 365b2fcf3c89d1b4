"""One attempt from its manifest to its last report. `main` is the process."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from snapforge.contracts.base import CONTRACT
from snapforge.contracts.manifest import Manifest
from worker.attempt import Attempt
from worker.errors import BadManifest, BugError, Exit, Interrupted, QualityError, WorkerError, explain
from worker.inputs import fetch
from worker.progress import Reporter, Sender
from worker.signals import Stop
from worker.stages.base import Context, Stage
from worker.storage import Missing, Storage
from worker.tools import log_json
from worker.workspace import claim, scratch

_logger = logging.getLogger(__name__)
KINDS = {"image": "worker.stages.image", "scene": "worker.stages.scene"}
"""The module of each kind of work, imported when a job of that kind runs."""
_PATIENCE_S = 300.0
_PATIENCE_INTERRUPTED_S = 40.0
"""How long the final report is tried; after SIGTERM the machine is gone soon."""


@dataclass(frozen=True)
class Kind:
    """What `KINDS` names: the stages, and who drew the result."""

    stages: Sequence[Stage]
    describe: Callable[[Context], tuple[str, str]]

    @classmethod
    def of(cls, name: str) -> "Kind":
        """Import a kind's module. Raises BugError where this image lacks its engines."""
        try:
            module = import_module(name)
        except ImportError as error:
            raise BugError("engine_missing", f"This worker image cannot run {name}: {error}") from error
        return cls(module.STAGES, module.describe)

    @property
    def track(self) -> list[tuple[str, float]]:
        """(name, weight) of the stages between the frame's own `fetch` and `upload`."""
        whole = sum(stage.weight for stage in self.stages)
        return [
            ("fetch", 0.01 * whole),
            *((stage.name, stage.weight) for stage in self.stages),
            ("upload", 0.02 * whole),
        ]


def main(kinds: Mapping[str, str] = KINDS) -> int:
    """Run the attempt that the environment names; returns the exit code (`errors.Exit`).

    Environment: MANIFEST_URI (s3://…), AWS_BATCH_JOB_ID, AWS_BATCH_JOB_ATTEMPT, WORKSPACE (scratch base, optional), and
    what boto3 reads. Engines read WEIGHTS_URI.
    """
    batch_job_id = os.environ.get("AWS_BATCH_JOB_ID", "")
    batch_attempt = os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1")
    log_json(batch_job_id=batch_job_id, batch_attempt=batch_attempt)
    try:
        storage = Storage()
        manifest = _read_manifest(storage, os.environ.get("MANIFEST_URI", ""), batch_job_id)
        standing = claim(storage, manifest.output_uri, batch_job_id, batch_attempt)
    except WorkerError as error:
        _logger.exception("the attempt could not be begun")
        return error.exit
    if standing == "stranger":
        _logger.info("another Batch job owns this attempt")
        return Exit.DONE
    reporter = Reporter(manifest.reports_queue_url, Sender.of(manifest, batch_job_id))
    if standing == "again" and (result_uri := _finished(storage, manifest)):
        return Exit.DONE if reporter.done(result_uri, _PATIENCE_S) else Exit.TRY_AGAIN
    try:
        with scratch(batch_job_id) as folder:
            return _attempt(manifest, folder, storage, reporter, kinds, again=standing == "again")
    except OSError as unexpected:  # of the scratch folder itself: no room, or not ours to write
        _logger.exception("there is no scratch folder")
        failure = explain(unexpected)
        reporter.failed(failure, None, _PATIENCE_S)
        return failure.exit


def _read_manifest(storage: Storage, uri: str, batch_job_id: str) -> Manifest:
    if not batch_job_id or not uri.startswith("s3://"):
        raise BadManifest("AWS_BATCH_JOB_ID and MANIFEST_URI (s3://…) must be set.")
    try:
        raw = storage.read(uri)
    except Missing as error:
        raise BadManifest(f"There is no manifest at {uri}.") from error
    try:
        manifest = Manifest.model_validate_json(raw)
        if manifest.contract not in (CONTRACT, CONTRACT - 1):
            raise BadManifest(f"Contract {manifest.contract} is none of {CONTRACT} and {CONTRACT - 1}.")
        for prefix in filter(None, (manifest.output_uri, manifest.resume_uri)):
            if not (prefix.startswith("s3://") and prefix.endswith("/")):
                raise BadManifest(f"{prefix!r} is no s3:// prefix that ends with '/'.")
    except (ValidationError, BadManifest) as error:
        bad = error if isinstance(error, BadManifest) else BadManifest(str(error))
        _tell_bad_manifest(raw, bad, batch_job_id)
        raise bad from error
    return manifest


def _tell_bad_manifest(raw: bytes, error: BadManifest, batch_job_id: str) -> None:
    """Tell Failed where the unreadable manifest still says to whom."""
    try:
        loose = json.loads(raw)
        queue_url = str(loose["reports_queue_url"])
        sender = Sender(str(loose["job_id"]), int(loose["run"]), int(loose["attempt"]), batch_job_id)
    except (ValueError, KeyError, TypeError):
        return
    Reporter(queue_url, sender).failed(error, None, _PATIENCE_INTERRUPTED_S)


def _finished(storage: Storage, manifest: Manifest) -> str | None:
    """The address of result.json where an earlier entry wrote it and died before it could tell."""
    uri = manifest.output_uri + "result.json"
    return uri if any(found.uri == uri for found in storage.find(uri)) else None


def _attempt(
    manifest: Manifest, folder: Path, storage: Storage, reporter: Reporter, kinds: Mapping[str, str], *, again: bool
) -> int:
    attempt: Attempt | None = None
    kind: Kind | None = None
    try:
        # After the stages nothing watches: a result that lies in S3 must not be ended by the deadline.
        with Stop(manifest.deadline, partial(_give_up, reporter, folder)) as stop:
            kind = Kind.of(kinds[manifest.work.kind])
            attempt = Attempt(manifest, folder, storage, reporter, stop, stages=kind.track, again=again)
            if again:
                # Counts this entry, in case it dies before its first checkpoint.
                attempt.save()
            _run_stages(attempt, kind, storage)
            result_uri = attempt.write_result("result.json", attempt.upload_results(), *kind.describe(attempt))
    except Exception as unexpected:
        # The process's edge: whatever ended the attempt is told to the control plane, with its traceback in the log.
        _logger.exception("the attempt failed")
        error = explain(unexpected)
        partial_uri = _write_partial(attempt, kind, error) if attempt and kind else None
        reporter.failed(error, partial_uri, _PATIENCE_INTERRUPTED_S if isinstance(error, Interrupted) else _PATIENCE_S)
        return error.exit
    # Where the queue stays out of reach, the next entry of this Batch job finds result.json and tells.
    return Exit.DONE if reporter.done(result_uri, _PATIENCE_S) else Exit.TRY_AGAIN


def _run_stages(attempt: Attempt, kind: Kind, storage: Storage) -> None:
    attempt.begin("fetch")
    with attempt.meter.stage("fetch"):
        fetch(storage, attempt.work, attempt.folder)
    for stage in kind.stages:
        attempt.check_interrupted()
        if stage.done and stage.done(attempt):
            attempt.skip(stage.name)
            continue
        attempt.begin(stage.name)
        _logger.info("stage", extra={"stage": stage.name})
        with attempt.meter.stage(stage.name):
            stage.run(attempt)
        attempt.save()
    attempt.begin("upload")


def _write_partial(attempt: Attempt, kind: Kind, error: WorkerError) -> str | None:
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


def _give_up(reporter: Reporter, folder: Path, error: WorkerError) -> None:
    """End the process from outside of a stage that does not notice that it has to stop."""
    _logger.error("the stage did not stop in time: %s", error)
    reporter.failed(error, None, _PATIENCE_INTERRUPTED_S)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(error.exit)
