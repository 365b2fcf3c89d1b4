"""One attempt from its manifest to its last report: one Batch job, one process. `main` is the process."""

import logging
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from snapforge.contracts.manifest import Manifest
from worker.attempt import Attempt
from worker.errors import Exit, Interrupted, WorkerError, explain
from worker.inputs import fetch
from worker.kinds import KINDS, Kind
from worker.lifecycle import UnreadableManifest, finished, read_manifest, run_stage, write_partial, write_result
from worker.progress import Reporter, Sender
from worker.signals import Stop
from worker.storage import Storage
from worker.tools import log_json
from worker.workspace import claim, scratch

_logger = logging.getLogger(__name__)
_REPORT_TIMEOUT_S = 300.0
_REPORT_TIMEOUT_INTERRUPTED_S = 40.0
"""How long the final report is tried; after SIGTERM the machine is gone soon."""


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
        manifest = read_manifest(storage, os.environ.get("MANIFEST_URI", ""), batch_job_id)
        standing = claim(storage, manifest.output_uri, batch_job_id, batch_attempt)
    except WorkerError as error:
        _logger.exception("the attempt could not be begun")
        if isinstance(error, UnreadableManifest) and error.reports_to:
            Reporter(*error.reports_to).failed(error, None, _REPORT_TIMEOUT_INTERRUPTED_S)
        return error.exit
    if standing == "not_owner":
        _logger.info("another Batch job owns this attempt")
        return Exit.DONE
    reporter = Reporter(manifest.reports_queue_url, Sender.of(manifest, batch_job_id))
    if standing == "resumed" and (result_uri := finished(storage, manifest.output_uri)):
        return Exit.DONE if reporter.done(result_uri, _REPORT_TIMEOUT_S) else Exit.TRY_AGAIN
    try:
        with scratch(batch_job_id) as folder:
            return _attempt(manifest, folder, storage, reporter, kinds, resumed=standing == "resumed")
    except OSError as unexpected:  # of the scratch folder itself: no space, or not ours to write
        _logger.exception("there is no scratch folder")
        failure = explain(unexpected)
        reporter.failed(failure, None, _REPORT_TIMEOUT_S)
        return failure.exit


def _attempt(
    manifest: Manifest, folder: Path, storage: Storage, reporter: Reporter, kinds: Mapping[str, str], *, resumed: bool
) -> int:
    attempt: Attempt | None = None
    kind: Kind | None = None
    try:
        # After the stages nothing watches: a result that lies in S3 must not be ended by the deadline.
        with Stop(manifest.deadline, partial(_give_up, reporter, folder)) as stop:
            kind = Kind.of(kinds[manifest.work.kind])
            attempt = Attempt(manifest, folder, storage, reporter, stop, stages=kind.track, resumed=resumed)
            if resumed:
                # Counts this entry, in case it dies before its first checkpoint.
                attempt.save()
            attempt.begin("fetch")
            with attempt.meter.stage("fetch"):
                fetch(storage, attempt.work, attempt.folder)
            for stage in kind.stages:
                run_stage(attempt, stage)
            result_uri = write_result(attempt, kind)
    except Exception as unexpected:
        # The process's edge: whatever ended the attempt is reported, with its traceback in the log.
        _logger.exception("the attempt failed")
        error = explain(unexpected)
        partial_uri = write_partial(attempt, kind, error) if attempt and kind else None
        reporter.failed(
            error, partial_uri, _REPORT_TIMEOUT_INTERRUPTED_S if isinstance(error, Interrupted) else _REPORT_TIMEOUT_S
        )
        return error.exit
    # Where the queue stays out of reach, the next entry of this Batch job finds result.json and reports it.
    return Exit.DONE if reporter.done(result_uri, _REPORT_TIMEOUT_S) else Exit.TRY_AGAIN


def _give_up(reporter: Reporter, folder: Path, error: WorkerError) -> None:
    """End the process from outside of a stage that does not notice that it has to stop."""
    _logger.error("the stage did not stop in time: %s", error)
    reporter.failed(error, None, _REPORT_TIMEOUT_INTERRUPTED_S)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(error.exit)
