"""The engine around jobs, for tests: a Batch that says what it is told to say, and real task tokens.

Tokens come from Step Functions itself, by a state machine of one state that waits for its token and sends it to a
queue; so a test sees whether the workflow heard an answer, and which.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from snapforge.aws import clients, outbox, s3, states, tables
from snapforge.aws.idempotency import IdempotencyKey
from snapforge.billing.service import audits, ledger
from snapforge.contracts.reports import REPORT
from snapforge.contracts.results import Result, ResultFile, Usage
from snapforge.contracts.tickets import Ticket
from snapforge.jobs import schemas, store
from snapforge.jobs.domain import locations
from snapforge.jobs.domain.workflow import (
    ClassifyAnswer,
    ClassifyCall,
    DispatchCall,
    Outcome,
    RunRef,
    SettleAnswer,
    SettleCall,
    execution_name,
)
from snapforge.jobs.service.runs import attempts, dispatch, publishing, reports, settlement, steps
from snapforge.jobs.service.submission import submit
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Permission, Principal
from tests.core.jobs.captures import capture
from tests.support.aws import Aws

Made = tuple[Principal, schemas.Job]
"""A customer and their job."""

WAITING = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": {
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {
                "QueueUrl": "",
                "MessageBody": "{% $string({'token': $states.context.Task.Token, 'input': $states.input}) %}",
            },
            "End": True,
        }
    },
}


@dataclass
class FakeBatch:
    """AWS Batch's REST API over a dictionary."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """SubmitJob, DescribeJobs, ListJobs, TerminateJob."""
        with self.lock:
            if path == "/v1/listjobs":
                asked = (body["jobQueue"], body["jobStatus"])
                found = [job for job in self.jobs.values() if (job.get("queue"), job["status"]) == asked]
                return {"jobSummaryList": found}
            if path == "/v1/submitjob":
                batch_id = f"batch-{len(self.jobs) + 1:04d}"
                self.jobs[batch_id] = {
                    "jobId": batch_id,
                    "status": "RUNNABLE",
                    "asked": body,
                    "jobName": body["jobName"],
                    "queue": body["jobQueue"],
                }
                return {"jobId": batch_id, "jobName": body["jobName"]}
            if path == "/v1/describejobs":
                return {"jobs": [self.jobs[job] for job in body["jobs"] if job in self.jobs]}
            if body["jobId"] not in self.jobs:
                return {"__type": "ClientException", "message": "no such job"}
            job = self.jobs[body["jobId"]]
            if job["status"] not in {"SUCCEEDED", "FAILED"}:
                job |= {"status": "FAILED", "statusReason": body["reason"], "terminated": True}
            return {}

    def end(self, batch_id: str, status: str, exit_code: int | None = None, reason: str = "") -> None:
        """Batch is done with a job."""
        self.jobs[batch_id] |= {"status": status, "statusReason": reason}
        if exit_code is not None:
            self.jobs[batch_id]["container"] = {"exitCode": exit_code}

    def warm_worker(self) -> str:
        """A warm worker that runs; its Batch id."""
        with self.lock:
            batch_id = f"batch-{len(self.jobs) + 1:04d}"
            self.jobs[batch_id] = {
                "jobId": batch_id,
                "status": "RUNNING",
                "jobName": "image-worker",
                "queue": "snapforge-dev-images",
            }
            return batch_id

    def of(self, job_id: str) -> list[dict[str, Any]]:
        """What was submitted for a job, in order."""
        return [job for job in self.jobs.values() if job["jobName"].startswith(job_id)]


@contextmanager
def serve(batch: FakeBatch) -> Iterator[str]:
    """Serve it on a free port; yields the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told = batch.answer(self.path, body)
            answer = json.dumps(told).encode()
            self.send_response(400 if "__type" in told else 200)
            if "__type" in told:
                self.send_header("x-amzn-errortype", told["__type"])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Engine:
    """What a test does around the jobs context."""

    def __init__(self, aws: Aws, batch: FakeBatch, tokens_url: str) -> None:
        self.aws = aws
        self.batch = batch
        self._tokens_url = tokens_url
        self._tickets: list[tuple[str, Ticket, str]] = []
        self._claims: dict[str, str] = {}

    def customer(self, credits: int = 100) -> Principal:
        """A fresh org with credits."""
        org_id = ids.new("org")
        if credits:
            ledger.grant(org_id, credits=credits, kind="admin", key=f"test:{org_id}", memo="test")
        return Principal(org_id=org_id, permissions=frozenset(Permission), user_id=ids.new("user"))

    def order(self, who: Principal, key: str = "", **more: Any) -> schemas.Job:
        """Create an image job."""
        order = schemas.ImageCreate.model_validate({"kind": "image", "prompt": "a kingfisher", "count": 2} | more)
        return submit.create_job(who, order, idempotency_key(who, key or ids.new("event")))

    def order_scene(self, who: Principal, **more: Any) -> schemas.Job:
        """Create a scene job of 24 photos."""
        order = schemas.SceneCreate.model_validate({"kind": "scene", "capture_id": capture(who)} | more)
        return submit.create_job(who, order, idempotency_key(who, ids.new("event")))

    def row(self, who: Principal, job: schemas.Job) -> store.JobRow:
        """The job's row."""
        found = store.find_job(who.org_id, job.id)
        assert found is not None
        return found

    def start(self, who: Principal, job: schemas.Job) -> str:
        """Start the current run's execution and return its task token."""
        row = self.row(who, job)
        name = execution_name(job.id, int(row.run), int(row.recovery))
        states.start(name, ref(who, job, int(row.run)).model_dump())
        return self.token(job.id)

    def token(self, job_id: str) -> str:
        """The next token that an execution of the job waits with."""
        sqs, deadline = self.aws.client("sqs"), time.monotonic() + 10
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=self._tokens_url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=self._tokens_url, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                if body["input"].get("job_id") == job_id:
                    return str(body["token"])
        raise AssertionError("no token came")

    def dispatch(self, who: Principal, job: schemas.Job, token: str, attempt: int = 1, run: int = 1) -> None:
        """The step, and the attempt's Batch id."""
        dispatch.dispatch(DispatchCall(org_id=who.org_id, job_id=job.id, run=run, attempt=attempt, task_token=token))

    def tickets(self, job: schemas.Job, attempt: int = 1) -> list[tuple[str, Ticket, str]]:
        """(queue, ticket, message group) of all tickets that were sent for an attempt, taken off their queues."""
        sqs = self.aws.client("sqs")
        for queue in locations.QUEUES:
            url = self.aws.queue_url(queue)
            while messages := sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
            ).get("Messages"):
                for message in messages:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    ticket = Ticket.model_validate_json(message["Body"])
                    self._tickets.append((queue, ticket, message["Attributes"]["MessageGroupId"]))
        return [sent for sent in self._tickets if (sent[1].job_id, sent[1].attempt) == (job.id, attempt)]

    def working(self, who: Principal, job: schemas.Job, *, run: int = 1) -> str:
        """Start, dispatch, claim and tell of the first progress; returns the worker's Batch id."""
        self.dispatch(who, job, self.start(who, job), run=run)
        return self.claim(job, run=run)

    def claim(self, job: schemas.Job, *, run: int = 1, attempt: int = 1) -> str:
        """The attempt's worker claims it and tells of its progress."""
        batch_id = self.worker(job, run=run, attempt=attempt)
        self.progress(job, batch_id, 10, run=run, attempt=attempt)
        return batch_id

    def worker(self, job: schemas.Job, *, run: int = 1, attempt: int = 1) -> str:
        """Who has claimed the attempt; where nobody has, its last Batch job or a warm worker of its own does, now."""
        prefix = attempts.prefix_uri(job.id, run, attempt)
        if prefix not in self._claims:
            own = [found for found in self.batch.of(job.id) if found["jobName"] == f"{job.id}-{run}-{attempt}"]
            batch_id = str(own[-1]["jobId"]) if own else self.batch.warm_worker()
            self.batch.jobs[batch_id]["status"] = "RUNNING"
            s3.put(prefix + "claim.json", json.dumps({"batch_job_id": batch_id}).encode(), "application/json")
            self._claims[prefix] = batch_id
        return self._claims[prefix]

    def progress(
        self, job: schemas.Job, batch_id: str, percent: float, *, run: int = 1, attempt: int = 1, stage: str = "draw"
    ) -> None:
        """A report."""
        self.report(
            job, batch_id, run=run, attempt=attempt, type="progress", stage=stage, percent=percent, eta_seconds=9
        )

    def report(self, job: schemas.Job, batch_id: str, *, run: int = 1, attempt: int = 1, **more: Any) -> None:
        """Any report, as on_report gets it."""
        common = {"job_id": job.id, "run": run, "attempt": attempt, "batch_job_id": batch_id}
        reports.take_report(REPORT.validate_python(common | {"at": clock.now()} | more))

    def failed(self, job: schemas.Job, batch_id: str, category: str, *, run: int = 1, attempt: int = 1) -> None:
        """A report of failure."""
        self.report(
            job,
            batch_id,
            run=run,
            attempt=attempt,
            type="failed",
            category=category,
            code="it_broke",
            message="It broke.",
        )

    def results(
        self, job: schemas.Job, *, run: int = 1, attempt: int = 1, pictures: int = 2, name: str = "result.json"
    ) -> str:
        """Leave pictures and result.json as a worker does; returns its address."""
        prefix = attempts.prefix_uri(job.id, run, attempt)
        files = []
        for number in range(pictures):
            body = f"{job.id} {run} {attempt} {number}".encode()
            s3.put(f"{prefix}picture-{number:02d}.png", body, "image/png")
            files.append(picture(number, body))
        now = clock.now()
        result = Result(
            job_id=job.id,
            run=run,
            attempt=attempt,
            engine="diffusers:flux",
            model="flux-schnell",
            files=tuple(files),
            usage=Usage(started_at=now, ended_at=now, compute_seconds=12.5, device="cpu", instance_type="local"),
            notes=("A stand-in drew noise.",),
        )
        s3.put(prefix + name, result.model_dump_json().encode(), "application/json")
        return prefix + name

    def done(self, job: schemas.Job, batch_id: str, *, run: int = 1, attempt: int = 1, pictures: int = 2) -> None:
        """Leave the result and report it."""
        uri = self.results(job, run=run, attempt=attempt, pictures=pictures)
        self.report(job, batch_id, run=run, attempt=attempt, type="done", result_uri=uri)

    def heard(self, job: schemas.Job, run: int = 1, recovery: int = 0) -> Outcome | None:
        """The outcome that the execution was answered with; None while it waits."""
        name = execution_name(job.id, run, recovery)
        arn = os.environ["STATE_MACHINE_ARN"].replace(":stateMachine:", ":execution:") + f":{name}"
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            found = self.aws.client("stepfunctions").describe_execution(executionArn=arn)
            if found["status"] == "SUCCEEDED":
                return Outcome.model_validate_json(found["output"])
            time.sleep(0.02)
        return None

    def settle(
        self, who: Principal, job: schemas.Job, outcome: Outcome, *, run: int = 1, attempt: int = 1
    ) -> SettleAnswer:
        """The step."""
        return settlement.settle(
            SettleCall(org_id=who.org_id, job_id=job.id, run=run, attempt=attempt, outcome=outcome)
        )

    def classify(
        self,
        who: Principal,
        job: schemas.Job,
        outcome: Outcome | None,
        *,
        run: int = 1,
        attempt: int = 1,
        error: str = "",
    ) -> ClassifyAnswer:
        """The step."""
        return steps.classify(
            ClassifyCall(
                org_id=who.org_id, job_id=job.id, run=run, attempt=attempt, outcome=outcome, error=error or None
            )
        )

    def batch_event(self, batch_id: str) -> None:
        """The state change of a Batch job, as on_batch_state gets it."""
        detail = self.batch.jobs[batch_id]
        reports.take_batch_state(detail["jobId"], detail.get("jobName", ""))

    def news(self, who: Principal) -> list[str]:
        """The types of the org's news that wait in the outbox, oldest first."""
        return [event["type"] for event in sorted(self._waiting(who), key=lambda event: str(event["at"]))]

    def publish(self, who: Principal) -> None:
        """Publish the org's news, as the stream does."""
        for event in self._waiting(who):
            image = {
                "pk": {"S": f"outbox#{event['id']}"},
                "sk": {"S": "outbox"},
                "event": {"S": json.dumps(event)},
            }
            outbox.publish_row("jobs", image, publishing.publish)

    def _waiting(self, who: Principal) -> Iterator[dict[str, Any]]:
        for shard in range(outbox.SHARDS):
            for key in store.Outbox.by_unsent.query(f"unsent#{shard}"):
                row = tables.find(store.Outbox, key.pk, key.sk)
                event = json.loads(row.event) if row else {}
                if event.get("org_id") == who.org_id:
                    yield event


def idempotency_key(who: Principal, key: str, fingerprint: str = "same") -> IdempotencyKey:
    """A key of POST /v1/jobs."""
    return IdempotencyKey(who.org_id, "POST /v1/jobs", key, fingerprint)


def ref(who: Principal, job: schemas.Job, run: int = 1) -> RunRef:
    """The input of its execution."""
    return RunRef(org_id=who.org_id, job_id=job.id, run=run)


def picture(number: int, body: bytes) -> ResultFile:
    """A result file of these bytes."""
    from hashlib import sha256

    return ResultFile(
        name=f"picture-{number:02d}.png",
        role="picture",
        media_type="image/png",
        bytes=len(body),
        sha256=sha256(body).hexdigest(),
        width=64,
        height=64,
        seed=number,
    )


_engines: list[Engine] = []


@contextmanager
def running(aws: Aws) -> Iterator[Engine]:
    """The engine, on the emulator. One in a process: the code under test asks the one that the environment names."""
    if _engines:
        yield _engines[0]
        return
    tokens_url = aws.client("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    definition = json.loads(json.dumps(WAITING))
    definition["States"]["Wait"]["Arguments"]["QueueUrl"] = tokens_url
    sfn = aws.client("stepfunctions")
    if not any(machine["name"] == "snapforge-dev-render" for machine in sfn.list_state_machines()["stateMachines"]):
        role = "arn:aws:iam::000000000000:role/test"
        sfn.create_state_machine(name="snapforge-dev-render", roleArn=role, definition=json.dumps(definition))
    batch = FakeBatch()
    with serve(batch) as endpoint, mock.patch.dict(os.environ, {"AWS_ENDPOINT_URL_BATCH": endpoint}):
        clients.make.cache_clear()
        _engines.append(Engine(aws, batch, tokens_url))
        yield _engines[0]
        _engines.clear()
    clients.make.cache_clear()


def exact(who: Principal, *, available: int) -> None:
    """Nothing is held, and the ledger has no fault."""
    balance = ledger.balance(who.org_id)
    assert (balance.available, balance.held) == (available, 0)
    assert audits.audit(who.org_id) == []
