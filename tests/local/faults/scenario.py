"""What the fault tests see and do: a customer's API calls, and an ill-willed operator's look from outside."""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
from boto3.dynamodb.types import TypeDeserializer
from PIL import Image

from infrastructure.local.demo.client import Answer, Api
from infrastructure.local.demo.customer import Customer, sign_up
from infrastructure.local.paths import ACCOUNT, REGION
from infrastructure.local.region import Region
from tests.support.region import until

PICTURE = {"kind": "image", "prompt": "a red cube", "width": 64, "height": 64, "count": 1, "steps": 2, "seed": 11}
LONG = PICTURE | {"width": 192, "height": 192, "count": 6, "steps": 50}
"""Seconds of drawing in two micro-batches: time enough to be hit in it."""
QUEUES = ("images-rush", "images-standard", "images-bulk")
PATIENCE = 200.0
FINAL = frozenset({"succeeded", "failed", "canceled"})


class Patient(Api):
    """A client that sends again what was not answered, with the same key, as customers' clients do."""

    def call(self, operation: str, *, key: str | None = None, **more: Any) -> Answer:
        """As Api's; a broken connection is tried for half a minute."""
        key = key or str(uuid.uuid4())
        end = time.monotonic() + 30
        while True:
            try:
                return super().call(operation, key=key, **more)
            except httpx.TransportError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def new_customer(region: Region, web: httpx.Client, *, credits: int = 0) -> Customer:
    """Sign up, with `credits` beyond the sign-up grant."""
    customer = sign_up(Api(region.api_url, "", web), region.mail)
    if credits:
        grant = {"org_id": customer.org_id, "credits": credits, "reason": "test", "key": f"test:{customer.org_id}"}
        region.invoke("grant-credits", grant)
    return customer


@dataclass
class Scenario:
    """One customer in the running region."""

    region: Region
    customer: Customer
    web: httpx.Client
    api: Api = field(init=False)
    began: int = field(init=False)
    """Credits before the test."""
    ordered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = Patient(self.region.api_url, self.customer.api_key, self.web)
        self.began = self.balance()["available"]

    def close(self) -> None:
        """Leave nothing at work."""
        for job_id in self.ordered:
            if self.job(job_id)["state"] not in FINAL:
                self.api.call("cancel_job", job_id=job_id)

    # --- as a customer -----------------------------------------------------------------------------------------------

    def balance(self) -> dict[str, int]:
        found: dict[str, int] = self.api.get("get_balance")
        return found

    def order(self, order: dict[str, Any] = PICTURE) -> str:
        """Create a job; returns its id."""
        self.ordered.append(str(self.api.call("create_job", body=order).json["id"]))
        return self.ordered[-1]

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get("get_job", job_id=job_id)
        return found

    def when(self, job_id: str, stage: str, *, attempt: int = 1, seconds: float = PATIENCE) -> dict[str, Any]:
        """Poll until the job's `stage` reads so in this attempt (AssertionError when it has ended before)."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            assert job["state"] not in FINAL, f"it ended before {stage}: {job['state']}, {job.get('failure')}"
            return job if (job["progress"]["stage"], job["attempt"]) == (stage, attempt) else None

        # A key has six requests a second.
        found = until(look, seconds, every=0.2)
        assert found is not None
        return found

    def ends(self, job_id: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the final state."""
        *_, last = self.api.watch(job_id, seconds=seconds, pause=0.2)
        return last

    # --- what must hold after every fault ----------------------------------------------------------------------------

    def settled(self, job_id: str, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The job ends by itself in one of `states`; results are whole, nothing is held, the ledger is exact."""
        job = self.ends(job_id, seconds=seconds)
        assert job["state"] in states, (job["state"], job.get("failure"))
        self.whole(job)
        return job

    def whole(self, job: dict[str, Any]) -> None:
        """The promises for a final job: paid only for success, and then everything is there."""
        price = job["price"]
        assert price["held"] == 0
        assert price["charged"] + price["released"] == price["credits"]
        if job["state"] == "succeeded":
            assert price["charged"] == price["credits"]
            self._results(job)
        else:
            assert price["charged"] == 0
            assert "results" not in job
        assert self.faults() == []

    def _results(self, job: dict[str, Any]) -> None:
        pictures = [file for file in job["results"]["files"] if file["role"] == "picture"]
        order = job["parameters"]
        if job["kind"] == "image":
            assert [file["seed"] for file in pictures] == list(range(order["seed"], order["seed"] + order["count"]))
        for file in job["results"]["files"]:
            body = httpx.get(file["url"], trust_env=False).raise_for_status().content
            assert len(body) == file["bytes"]
            if file["role"] == "picture":
                with Image.open(BytesIO(body)) as picture:
                    picture.load()
                    assert picture.size == (order["width"], order["height"])

    def balanced(self, *jobs: dict[str, Any]) -> None:
        """All that was taken is what these final jobs charged, and nothing is held."""
        after = self.balance()
        charged = sum(job["price"]["charged"] for job in jobs)
        assert (after["available"], after["held"]) == (self.began - charged, 0)
        assert self.faults() == []

    def faults(self) -> list[str]:
        """What the ledger's audit finds."""
        found: list[str] = self.region.invoke("audit-ledger", {"org_id": self.customer.org_id})["faults"]
        return found

    def mails(self, subject: str) -> list[dict[str, Any]]:
        """Mails to this customer whose subject holds a word."""
        return [
            mail
            for mail in self.region.mail()
            if self.customer.email in mail["to"] and subject.lower() in mail["subject"].lower()
        ]

    # --- from outside ------------------------------------------------------------------------------------------------

    def job_row(self, job_id: str) -> dict[str, Any]:
        """The job as it is stored."""
        key = {"pk": {"S": f"org#{self.customer.org_id}"}, "sk": {"S": f"job#{job_id}"}}
        found = self.region.client("dynamodb").get_item(TableName="snapforge-dev-jobs", Key=key, ConsistentRead=True)
        return plain(found["Item"])

    def attempt_rows(self, job_id: str) -> list[dict[str, Any]]:
        """The attempts as they are stored, oldest first."""
        found = self.region.client("dynamodb").query(
            TableName="snapforge-dev-jobs",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"job#{job_id}"}},
            ConsistentRead=True,
        )
        return [plain(item) for item in found["Items"]]

    def batch_ids(self, job_id: str) -> set[str]:
        """Batch's ids of all who worked on it: jobs of its own, and warm workers that claimed it."""
        rows = self.attempt_rows(job_id)
        return {found for row in rows for found in row.get("batch_ids", ())} | {
            row["owner"] for row in rows if "owner" in row
        }

    def sent(self, job_id: str) -> bool:
        """Whether the ticket of its first attempt was on the queue."""
        return any("sent_at" in row for row in self.attempt_rows(job_id))

    def tickets(self, *, in_hand: bool = True) -> int:
        """Tickets that wait or, unless left out, that a worker has in hand, of everybody."""
        sqs = self.region.client("sqs")
        names = ["ApproximateNumberOfMessages", *(["ApproximateNumberOfMessagesNotVisible"] if in_hand else [])]
        urls = [f"{self.region.emulator_url}/{ACCOUNT}/snapforge-dev-{queue}" for queue in QUEUES]
        found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
        return sum(int(attributes[name]) for attributes in found for name in names)

    def left_in_s3(self, job_id: str, attempt: int = 1) -> set[str]:
        """Names of what lies below an attempt of the first run, checkpoints left out."""
        prefix = f"runs/{job_id}/1/{attempt}/"
        found = self.region.client("s3").list_objects_v2(Bucket=f"snapforge-dev-assets-{ACCOUNT}", Prefix=prefix)
        names = {str(item["Key"]).removeprefix(prefix) for item in found.get("Contents", ())}
        return {name for name in names if not name.startswith("checkpoints/")}

    def workers(self, job_id: str) -> list[psutil.Process]:
        """The processes that work on this job, or did: a warm worker goes on with others' tickets."""
        return processes(self.batch_ids(job_id))

    def claimant(self, job_id: str, attempt: int = 1) -> str | None:
        """The Batch id of the warm worker that has claimed an attempt of the first run, before it has told anybody."""
        if "claim.json" not in self.left_in_s3(job_id, attempt):
            return None
        key = f"runs/{job_id}/1/{attempt}/claim.json"
        claim = self.region.client("s3").get_object(Bucket=f"snapforge-dev-assets-{ACCOUNT}", Key=key)["Body"].read()
        return str(json.loads(claim)["batch_job_id"])

    def kept(self, job_id: str, attempt: int = 1) -> list[str]:
        """Names of the checkpoints that an attempt of the first run has stored."""
        prefix = f"runs/{job_id}/1/{attempt}/checkpoints/"
        found = self.region.client("s3").list_objects_v2(Bucket=f"snapforge-dev-assets-{ACCOUNT}", Prefix=prefix)
        names = [str(item["Key"]).removeprefix(prefix) for item in found.get("Contents", ())]
        return [name for name in names if name != "state.json"]

    def resumable(self, job_id: str, attempt: int = 1) -> set[str]:
        """Names of the checkpoints that the next attempt can go on from: a file counts once state.json names it."""
        s3, bucket = self.region.client("s3"), f"snapforge-dev-assets-{ACCOUNT}"
        key = f"runs/{job_id}/1/{attempt}/checkpoints/state.json"
        if not s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]:
            return set()
        return set(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["files"])

    def signal_worker(self, job_id: str, number: int) -> list[int]:
        """Send a signal to the job's worker and all it started; returns the pids (AssertionError where none works)."""
        found = self.workers(job_id)
        assert found, "no worker is at it"
        for process in found:
            os.kill(process.pid, number)
        return [process.pid for process in found]

    def let_time_pass(self, job_id: str, *, deadline: bool = False) -> None:
        """What a minute (or the time to the deadline) does, at once: the sweeper's next look is due, and it looks."""
        self.move_deadline(job_id, ("deadline", "deadline_at") if deadline else ("deadline_at",))
        self.region.invoke("sweep-jobs", {})

    def move_deadline(self, job_id: str, attributes: tuple[str, ...]) -> None:
        """Set moments of an unfinished job's row to now, in DynamoDB."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.region.client("dynamodb").update_item(
            TableName="snapforge-dev-jobs",
            Key={"pk": {"S": f"org#{self.customer.org_id}"}, "sk": {"S": f"job#{job_id}"}},
            UpdateExpression="SET " + ", ".join(f"{name} = :now" for name in attributes),
            ConditionExpression="attribute_exists(deadline_at)",
            ExpressionAttributeValues={":now": {"S": now}},
        )

    def tell(self, queue: str, *bodies: str) -> None:
        """Put messages into one of the scenario's queues."""
        sqs = self.region.client("sqs")
        url = f"{self.region.emulator_url}/{ACCOUNT}/snapforge-dev-{queue}"
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body)

    def outbox(self, context: str) -> list[dict[str, Any]]:
        """The stored outbox rows of this customer, in DynamoDB's own form, oldest first."""
        pages = self.region.client("dynamodb").get_paginator("scan").paginate(TableName=f"snapforge-dev-{context}")
        rows = [row for page in pages for row in page["Items"] if row["cls"]["S"] == "Outbox"]
        mine = [row for row in rows if json.loads(row["event"]["S"])["org_id"] == self.customer.org_id]
        return sorted(mine, key=lambda row: str(row["pk"]["S"]))

    def publish_again(self, context: str) -> list[str]:
        """Hand every outbox row of this customer to the stream's consumer once more; returns the events' types."""
        rows = self.outbox(context)
        records = [
            {
                "eventID": str(number),
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "eventSourceARN": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/snapforge-dev-{context}/stream/again",
                "dynamodb": {"SequenceNumber": str(number), "NewImage": row},
            }
            for number, row in enumerate(rows, 1)
        ]
        publisher = "publish-jobs-outbox" if context == "jobs" else "publish-outbox"
        answer = self.region.invoke(publisher, {"Records": records})
        assert not answer.get("batchItemFailures")
        return [str(json.loads(row["event"]["S"])["type"]) for row in rows]

    def log(self, function: str) -> Path:
        """Where a function's log lies."""
        return self.region.state.logs / f"snapforge-dev-{function}.log"


def processes(batch_ids: set[str]) -> list[psutil.Process]:
    """The processes of Batch jobs, those that they started too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AWS_BATCH_JOB_ID") in batch_ids and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """A DynamoDB item as Python values."""
    read = TypeDeserializer()
    return {name: read.deserialize(value) for name, value in item.items()}


@contextmanager
def struck_at_start_of(log: Path, strike: Callable[[], None]) -> Iterator[list[str]]:
    """While the body runs, wait for the next invocation to begin in a function's log and strike in that moment.

    Yields a list that holds the struck invocation's request id afterwards.
    """
    hit: list[str] = []
    seen = log.stat().st_size if log.exists() else 0
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if log.exists() and log.stat().st_size > seen:
                with log.open() as text:
                    text.seek(seen)
                    starts = [line for line in text if line.startswith("START RequestId: ")]
                if starts:
                    strike()
                    hit.append(starts[0].split()[2])
                    return
            time.sleep(0.001)

    thread = threading.Thread(target=watch, name="striker")
    thread.start()
    try:
        yield hit
    finally:
        stop.set()
        thread.join()


def kill_host(region: Region) -> None:
    """SIGKILL the functions host, and with it every function's process. The region's supervisor brings it back."""
    os.kill(region.functions_host.pid, signal.SIGKILL)
