"""From a message to an attempt that is ours; or what else has to be done with the message."""

import json
import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snapforge.contracts.base import CONTRACT
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM, LOST_SECONDS, Ticket
from worker.adapters import AdapterCache, fetch_adapters
from worker.attempt import Attempt
from worker.errors import BadManifest, Canceled, ProcessUnusable, WorkerError, WorkerLost, explain
from worker.kinds import Kind
from worker.lifecycle import UnreadableManifest, finished, read_manifest
from worker.progress import Reporter, Sender
from worker.signals import Stop
from worker.stages.image import draw
from worker.storage import Missing, Storage
from worker.warm.in_flight_job import InFlightJob, InFlightJobs, image_work, prefix_of
from worker.warm.queues import Message, Queues
from worker.warm.settings import Settings
from worker.workspace import claim

_logger = logging.getLogger(__name__)
_REPORT_TIMEOUT_S = 20.0
_RETRY_AFTER_S = 10
"""When a message comes again that could not be read for a transient error."""


class TicketReceiver:
    """Opens tickets and claims attempts. `failed` ends a claimed job with an error."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        queues: Queues,
        in_flight: InFlightJobs,
        stop: Stop,
        *,
        folder: Path,
        kind: Kind,
        adapters: AdapterCache,
        sqs: Any,
        failed: Callable[[InFlightJob, WorkerError], None],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._queues = queues
        self._in_flight = in_flight
        self._stop = stop
        self._folder = folder
        self._kind = kind
        self._adapters = adapters
        self._sqs = sqs
        self._failed = failed

    def open(self, message: Message) -> None:
        """Read a message's ticket and manifest and add the job to those in flight, unclaimed."""
        try:
            ticket = Ticket.model_validate_json(message.body)
            if ticket.contract not in (CONTRACT, CONTRACT - 1) or not ticket.manifest_uri.startswith("s3://"):
                raise BadManifest(f"This is no ticket that this release reads: {message.body[:500]}")
            if held := self._in_flight.find(prefix_of(ticket)):
                if held.message.id == message.id:
                    # Delivered twice: the newest receipt is the one that counts.
                    held.message.receipt = message.receipt
                else:
                    # Sent twice: the first ticket keeps the attempt, and comes back if we die.
                    self._queues.delete(message)
                return
            if self._in_flight.recently_ended(prefix_of(ticket)):
                self._queues.delete(message)
                return
            manifest = read_manifest(self._storage, ticket.manifest_uri, self._settings.batch_job_id)
            self._in_flight.add(InFlightJob(message, ticket, manifest, self._stop))
        except UnreadableManifest as error:
            self._fail_unreadable(message, prefix_of(ticket), error)
        except (ValidationError, BadManifest):
            # There is nowhere to report to. After five receives it is a dead letter, and the control plane fails it.
            _logger.exception("a ticket that cannot be read")
            self._queues.put_back([message])
        except Exception as unexpected:
            _logger.exception("a ticket could not be opened")
            self._retry_later(message, explain(unexpected))

    def claim(self, job: InFlightJob) -> bool:
        """Make the job's attempt ours. False where it is another's, ended or unwanted; then it is in flight no more."""
        settings = self._settings
        try:
            standing = claim(self._storage, job.prefix, settings.batch_job_id, settings.batch_attempt)
            if standing == "not_owner" or (standing == "resumed" and finished(self._storage, job.prefix)):
                self._in_flight.remove(job)
                self._resolve_claimed(job)
                return False
            self._begin(job, resumed=standing == "resumed")
        except Exception as unexpected:
            _logger.exception("a job could not be started")
            error = explain(unexpected)
            if job.claimed:
                self._failed(job, error)
            else:
                self._put_back(job, error)
            return False
        return True

    def _put_back(self, job: InFlightJob, error: WorkerError) -> None:
        """It is started later; right away by another process, where this one cannot work any more."""
        self._in_flight.remove(job)
        if not isinstance(error, ProcessUnusable) or job.reporter is None:
            self._retry_later(job.message, error)
            return
        self._stop.request(error)
        # The claim stands, so others would wait for our beats: the attempt ends, and any worker may take the next one.
        if job.reporter.failed(error, None, _REPORT_TIMEOUT_S):
            self._queues.delete(job.message)

    def _begin(self, job: InFlightJob, *, resumed: bool) -> None:
        """Set the attempt up: reporter, folder, beat, a last look for a cancel, what earlier entries kept, adapters."""
        sender = Sender.of(job.manifest, self._settings.batch_job_id)
        job.reporter = Reporter(job.manifest.reports_queue_url, sender, self._sqs)
        folder = self._folder / f"{job.ticket.job_id}-{job.ticket.run}-{job.ticket.attempt}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        attempt = Attempt(
            job.manifest, folder, self._storage, job.reporter, job,
            stages=self._kind.track, resumed=resumed, shared=True,
        )  # fmt: skip
        job.attempt = attempt
        write_beat(self._storage, job.prefix, self._settings.batch_job_id)
        if resumed:
            # Counts this entry, in case it dies before its first checkpoint.
            attempt.save()
        if is_canceled(self._storage, job.prefix):
            job.canceled.set()
            raise Canceled
        attempt.begin("fetch")
        draw.all_drawn(attempt)
        job.set_missing(draw.missing(attempt))
        if job.missing:
            fetch_adapters(self._adapters, image_work(job.manifest), attempt.folder)

    def _resolve_claimed(self, job: InFlightJob) -> None:
        """What to do with a ticket whose attempt another worker claimed, or ended."""
        owner = json.loads(self._storage.read(job.prefix + CLAIM))
        reporter = Reporter(
            job.manifest.reports_queue_url,
            Sender.of(job.manifest, owner["batch_job_id"]),
            self._sqs,
        )
        if uri := finished(self._storage, job.prefix):
            # The owner may have died between result and report. A second report changes nothing.
            reported = reporter.done(uri, _REPORT_TIMEOUT_S)
        elif is_canceled(self._storage, job.prefix):
            reporter.close()
            reported = True
        elif (silent := self._silent_for(job.prefix, owner)) > LOST_SECONDS:
            reporter.close()
            own = Sender.of(job.manifest, self._settings.batch_job_id)
            # In our own name: the control plane looks the owner's Batch job up before it believes it.
            reported = Reporter(job.manifest.reports_queue_url, own, self._sqs).failed(
                WorkerLost(), None, _REPORT_TIMEOUT_S
            )
        else:
            reporter.close()
            self._queues.put_back([job.message], round(LOST_SECONDS - silent) + 1)
            return
        if reported:
            self._queues.delete(job.message)

    def _silent_for(self, prefix: str, owner: dict[str, Any]) -> float:
        """Seconds since the owner's last sign of life."""
        try:
            last = json.loads(self._storage.read(prefix + BEAT))["at"]
        except Missing:
            last = owner["at"]
        return (datetime.now(UTC) - datetime.fromisoformat(last)).total_seconds()

    def _fail_unreadable(self, message: Message, prefix: str, error: UnreadableManifest) -> None:
        """Fail an attempt whose manifest is no work order, as its claimant: others are not believed."""
        _logger.error("a manifest that cannot be read", extra={"prefix": prefix, "error": str(error)})
        if error.reports_to is None:
            self._queues.put_back([message])
            return
        try:
            if claim(self._storage, prefix, self._settings.batch_job_id, self._settings.batch_attempt) == "not_owner":
                self._queues.delete(message)
                return
        except WorkerError as unavailable:
            self._retry_later(message, unavailable)
            return
        if Reporter(*error.reports_to, self._sqs).failed(error, None, _REPORT_TIMEOUT_S):
            self._queues.delete(message)

    def _retry_later(self, message: Message, error: WorkerError) -> None:
        _logger.warning("a ticket is put back: %s", error)
        self._queues.put_back([message], _RETRY_AFTER_S)


def write_beat(storage: Storage, prefix: str, batch_job_id: str) -> None:
    """Rewrite the attempt's sign of life."""
    body = json.dumps({"batch_job_id": batch_job_id, "at": datetime.now(UTC).isoformat()})
    storage.write(prefix + BEAT, body.encode(), "application/json")


def is_canceled(storage: Storage, prefix: str) -> bool:
    """Whether the control plane has left its word that nobody wants the attempt."""
    try:
        storage.read(prefix + CANCELED)
    except Missing:
        return False
    return True
