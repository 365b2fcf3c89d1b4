"""Three images queues in the test region, tickets in them, and warm workers that drain them: real processes."""

import json
import os
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from snapforge.contracts.manifest import ImageWork
from snapforge.contracts.tickets import CLAIM, Ticket
from tests.gpu_batch.frame.region import BUCKET, Job, Region, Worker
from tests.support.aws import ROOT

TOY = "tests.gpu_batch.frame.toy_warm"
NAMES = ("rush", "standard", "bulk")


def work(**fields: Any) -> ImageWork:
    """A toy's work order: one small picture of two steps."""
    defaults: dict[str, Any] = {
        "model": "m",
        "prompt": "p",
        "width": 64,
        "height": 48,
        "steps": 2,
        "guidance": 0.0,
        "seed": 7,
        "count": 1,
    }
    return ImageWork.model_validate(defaults | fields)


@dataclass
class Fleet:
    """Queues of their own for one test, and the workers that it starts."""

    region: Region
    urls: tuple[str, ...]
    workers: list[Worker] = field(default_factory=list)

    def submit(self, queue: str = "standard", *, job: Job | None = None, **fields: Any) -> Job:
        """A job with a ticket in `queue`, as Dispatch leaves it. `fields` are the work order's."""
        job = job or self.region.job(work(**fields))
        uri = self.region.put(key(job, "manifest.json"), job.manifest.model_dump_json().encode())
        self.send(ticket(job, uri).model_dump_json(), queue)
        return job

    def send(self, body: str, queue: str = "standard") -> None:
        """Put any message into a queue."""
        self.region.client("sqs").send_message(QueueUrl=self.urls[NAMES.index(queue)], MessageBody=body)

    def start(self, batch_job_id: str = "warm-1", *, module: str = TOY, **environment: str) -> Worker:
        """Start a warm worker."""
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}",
                "OMP_NUM_THREADS": "1",
                **self.region.environment,
                "IMAGE_QUEUE_URLS": ",".join(self.urls),
                "IDLE_SECONDS": "0",
                "MICRO_BATCH": "4",
                "AWS_BATCH_JOB_ID": batch_job_id,
                "AWS_BATCH_JOB_ATTEMPT": "1",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.workers.append(Worker(process))
        return self.workers[-1]

    def run(self, batch_job_id: str = "warm-1", **how: str) -> Worker:
        """Start a warm worker and wait until it has left."""
        worker = self.start(batch_job_id, **how)
        worker.wait()
        return worker

    def waiting(self) -> int:
        """Messages in all queues, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.region.client("sqs")
        return sum(
            int(count)
            for url in self.urls
            for count in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()
        )

    def visible(self) -> int:
        """Messages that another worker could have now."""
        sqs = self.region.client("sqs")
        name = "ApproximateNumberOfMessages"
        return sum(
            int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]) for url in self.urls
        )

    def close(self) -> None:
        """End what a failed test left running."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                with suppress(ValueError):
                    worker.process.communicate()


def fleet_of(region: Region) -> Fleet:
    """Fresh queues."""
    tail, sqs = uuid.uuid4().hex, region.client("sqs")
    return Fleet(region, tuple(sqs.create_queue(QueueName=f"{name}-{tail}")["QueueUrl"] for name in NAMES))


def key(job: Job, name: str) -> str:
    """The key of an object under the job's prefix."""
    return job.manifest.output_uri.removeprefix(f"s3://{BUCKET}/") + name


def ticket(job: Job, uri: str) -> Ticket:
    """The ticket of a job whose manifest lies at `uri`."""
    manifest = job.manifest
    assert isinstance(manifest.work, ImageWork)
    return Ticket(
        job_id=manifest.job_id,
        run=manifest.run,
        attempt=manifest.attempt,
        manifest_uri=uri,
        group=f"{manifest.work.model}/{manifest.work.width}x{manifest.work.height}",
        pictures=manifest.work.count,
    )


def put(job: Job, name: str, content: dict[str, Any]) -> None:
    """Leave an object under the job's prefix, as another party would."""
    job.region.put(key(job, name), json.dumps(content).encode())


def claimed_by(job: Job, batch_job_id: str, ago_s: float = 0.0) -> None:
    """Leave another worker's claim, `ago_s` old."""
    put(job, CLAIM, {"batch_job_id": batch_job_id, "batch_attempt": "1", "entry": "e", "at": ago(ago_s)})


def ago(ago_s: float) -> str:
    """A time of day as workers write it."""
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()


def batches(worker: Worker) -> list[list[int]]:
    """The seeds of each micro-batch that the toy drew."""
    return [line["seeds"] for line in worker.log if line["message"] == "draws"]


def kept(job: Job) -> int:
    """How many pictures a later entry would restore: those that the state names, not all that are uploaded."""
    if "checkpoints/state.json" not in job.names():
        return 0
    return sum(name.startswith("picture") for name in json.loads(job.read("checkpoints/state.json"))["files"])
