"""A MiniStack with one bucket, and jobs that run in it as Batch runs them: real processes, real S3 and SQS."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import boto3

from snapforge.contracts.manifest import ImageWork, Manifest, SceneWork
from snapforge.contracts.reports import REPORT, Done, Failed, Progress
from snapforge.contracts.results import Result
from tests.support.aws import ACCOUNT, REGION, ROOT, ministack

BUCKET = f"snapforge-dev-assets-{ACCOUNT}"
_TIMEOUT_S = 60.0
T = TypeVar("T")
TOY = "tests.gpu_batch.frame.toy_worker"


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """The first true answer of `look`, asked every 20 ms."""
    end = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise TimeoutError(what)


@dataclass(frozen=True)
class Region:
    """A running emulator. `environment` is what a worker process needs to reach it and to have a disk of its own."""

    endpoint: str
    workspace: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "WORKSPACE": str(self.workspace),
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
        )

    def put(self, key: str, body: bytes) -> str:
        """Store an object; returns its s3:// address."""
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def job(self, work: ImageWork | SceneWork, **fields: Any) -> "Job":
        """A new job with a queue of its own. `fields` override the manifest's."""
        job_id = f"job_{uuid.uuid4().hex}"
        queue_url = self.client("sqs").create_queue(QueueName=job_id)["QueueUrl"]
        manifest = Manifest(
            **{
                "job_id": job_id,
                "run": 1,
                "attempt": 1,
                "deadline": datetime.now(UTC) + timedelta(minutes=10),
                "reports_queue_url": queue_url,
                "output_uri": f"s3://{BUCKET}/runs/{job_id}/1/1/",
                "work": work,
                **fields,
            }
        )
        return Job(self, manifest)


@contextmanager
def running(folder: Path) -> Iterator[Region]:
    """Start MiniStack on a free port of the loopback, with the bucket, and keep nothing."""
    with ministack(folder) as endpoint:
        region = Region(endpoint, folder / "workspace")
        region.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield region


@dataclass
class Job:
    """One attempt of one job, and what can be seen of it from outside."""

    region: Region
    manifest: Manifest
    reports: list[Progress | Done | Failed] = field(default_factory=list)

    def start(
        self,
        batch_job_id: str = "batch-1",
        *,
        batch_attempt: int = 1,
        module: str = TOY,
        largest_file: int | None = None,
        **environment: str,
    ) -> "Worker":
        """Start a worker process on the manifest. `largest_file` is RLIMIT_FSIZE in bytes."""
        uri = self.manifest.output_uri + "manifest.json"
        self.region.put(uri.split(f"{BUCKET}/")[1], self.manifest.model_dump_json().encode())
        return self.start_on(
            uri, batch_job_id, batch_attempt=batch_attempt, module=module, largest_file=largest_file, **environment
        )

    def start_on(
        self,
        uri: str,
        batch_job_id: str = "batch-1",
        *,
        batch_attempt: int = 1,
        module: str = TOY,
        largest_file: int | None = None,
        **environment: str,
    ) -> "Worker":
        """Start a worker process on any manifest address."""
        process = subprocess.Popen(
            [*_limited(largest_file), sys.executable, "-m", module],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}",
                "OMP_NUM_THREADS": "1",
                **self.region.environment,
                "MANIFEST_URI": uri,
                "AWS_BATCH_JOB_ID": batch_job_id,
                "AWS_BATCH_JOB_ATTEMPT": str(batch_attempt),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Worker(process)

    def run(self, batch_job_id: str = "batch-1", **how: Any) -> "Worker":
        """Start a worker process and wait for its end."""
        worker = self.start(batch_job_id, **how)
        worker.wait()
        return worker

    def receive_reports(self) -> list[Progress | Done | Failed]:
        """Take what lies in the queue; returns all reports so far."""
        sqs = self.region.client("sqs")
        while batch := sqs.receive_message(
            QueueUrl=self.manifest.reports_queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for message in batch:
                self.reports.append(REPORT.validate_json(message["Body"]))
                sqs.delete_message(QueueUrl=self.manifest.reports_queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self.reports

    def clear_reports(self) -> None:
        """Pass over what was reported up to now."""
        self.receive_reports()
        self.reports.clear()

    def wait_for_stage(self, stage: str) -> None:
        """Return when progress reads `stage` (for the first time since `clear_reports`)."""
        wait_for(
            lambda: any(isinstance(report, Progress) and report.stage == stage for report in self.receive_reports()),
            f"stage {stage}",
        )

    @property
    def last(self) -> Done | Failed:
        """The final report: the last that was heard, and the only one of its kind since `clear_reports`."""
        *before, last = self.receive_reports()
        assert all(isinstance(report, Progress) for report in before)
        assert not isinstance(last, Progress)
        return last

    @property
    def progress(self) -> list[Progress]:
        return [report for report in self.receive_reports() if isinstance(report, Progress)]

    def names(self) -> list[str]:
        """The names of all objects under the attempt's prefix, below it."""
        prefix = self.manifest.output_uri.removeprefix(f"s3://{BUCKET}/")
        listing = self.region.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"].removeprefix(prefix) for item in listing.get("Contents", ())]

    def read(self, name: str) -> bytes:
        """One object under the attempt's prefix."""
        key = self.manifest.output_uri.removeprefix(f"s3://{BUCKET}/") + name
        body: bytes = self.region.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def objects(self) -> dict[str, bytes]:
        """All objects under the attempt's prefix, by name."""
        return {name: self.read(name) for name in self.names()}

    @property
    def result(self) -> Result:
        return Result.model_validate_json(self.read("result.json"))

    def files(self) -> dict[str, bytes]:
        """The result's files, by name."""
        return {file.name: self.read(file.name) for file in self.result.files}


def _limited(largest_file: int | None) -> list[str]:
    return ["prlimit", f"--fsize={largest_file}"] if largest_file else []


class Worker:
    """A running worker process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.output = b""

    def wait(self, timeout_s: float = 0.0) -> int:
        """Wait for the end, at least as long as elsewhere; returns the exit code (negative: the signal)."""
        self.output += self.process.communicate(timeout=max(timeout_s, _TIMEOUT_S))[0]
        return self.process.returncode

    @property
    def code(self) -> int:
        return self.process.returncode

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log: every line must be a JSON object."""
        return [json.loads(line) for line in self.output.splitlines()]

    def kill(self) -> None:
        """SIGKILL, as Spot or the kernel does it; the process must have been alive."""
        assert self.process.poll() is None
        self.process.send_signal(signal.SIGKILL)
        self.wait()
        assert self.code == -signal.SIGKILL

    def terminate(self) -> int:
        """SIGTERM, then wait for the end."""
        assert self.process.poll() is None
        self.process.send_signal(signal.SIGTERM)
        return self.wait()
