"""render.asl.yaml at work: the real definition on a real engine, with steps that answer as scripted."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.support.aws import ACCOUNT, REGION, Aws, outside
from tests.support.templates import REPO

pytestmark = pytest.mark.part("JOB-4")

STEPS = ("CheckJob", "DispatchJob", "ClassifyFailure", "SettleJob")
RUN = {"org_id": "org_a", "job_id": "job_b", "run": 1}
DISPATCH = {"next": "dispatch", "attempt": 1, "outcome": {"outcome": "gone"}}
DONE = {"outcome": "done", "result_uri": "s3://assets/runs/job_b/1/1/result.json"}
LOST = {"outcome": "failed", "failure": {"category": "transient", "code": "reclaimed", "message": "…"}}


class Broken(Exception):
    """A step that raises."""


class Silence:
    """A dispatch that nobody ever answers."""


@dataclass
class Steps:
    """What each step answers, call by call (the last answer stays), and what it was asked."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, name: str, payload: dict[str, Any]) -> Any:
        """One invocation. DispatchJob's answer is what is told to the waiting execution."""
        self.calls.append((name, payload))
        waiting = self.answers[name]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if answer is Broken:
            raise Broken
        if name == "DispatchJob" and answer is not Silence:
            outside("stepfunctions").send_task_success(taskToken=payload["task_token"], output=json.dumps(answer))
        return None if answer is Silence else answer

    @property
    def names(self) -> list[str]:
        """The steps in the order they were called."""
        return [name for name, _ in self.calls]

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The payloads of one step."""
        return [payload for called, payload in self.calls if called == name]


@pytest.fixture(scope="module")
def current() -> list[Steps]:
    """The script that the functions follow now, as the only element."""
    return [Steps()]


@pytest.fixture(scope="module")
def steps_host(aws: Aws, current: list[Steps]) -> Iterator[None]:
    """The four steps as functions that ask the script. Waits of the engine take no time."""

    class Host(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = self.headers["x-amzn-lambda-function-name"]
            try:
                status, answer = 200, current[0](name, payload)
            except Broken:
                status, answer = 500, {"errorType": "Broken", "errorMessage": "scripted"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            if status == 500:
                self.send_header("x-amz-function-error", "Unhandled")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    host = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    _scale_waits(aws, 0)
    proxy = {"Variables": {"MINISTACK_LAMBDA_PROXY_URL": f"http://127.0.0.1:{host.server_address[1]}/"}}
    functions = aws.client("lambda")
    for name in STEPS:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::{ACCOUNT}:role/none",
            Handler="x.handler",
            Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18},
            Environment=proxy,
        )
    yield
    for name in STEPS:
        functions.delete_function(FunctionName=name)
    _scale_waits(aws, 1)
    host.shutdown()
    host.server_close()


def _make_machine(name: str, patience: int | None = None) -> str:
    """The state machine's ARN; `patience` shortens the time-out of Dispatch (seconds)."""
    definition = (REPO / "infrastructure/state_machines/render.asl.yaml").read_text()
    for step in STEPS:
        definition = definition.replace(f"${{{step}}}", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}")
    body = yaml.safe_load(definition)
    if patience is not None:
        body["States"]["Dispatch"]["TimeoutSeconds"] = patience
    arn: str = outside("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(body), roleArn=f"arn:aws:iam::{ACCOUNT}:role/none"
    )["stateMachineArn"]
    return arn


def _scale_waits(aws: Aws, factor: float) -> None:
    body = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{aws.endpoint}/_ministack/config", body), timeout=5).close()


@dataclass
class Engine:
    """Runs the machine against a script."""

    arn: str
    current: list[Steps]
    ended: dict[str, Any] = field(default_factory=dict)

    def run(self, **answers: list[Any]) -> Steps:
        """One execution to its end; `ended` is DescribeExecution's answer."""
        steps = self.current[0] = Steps(answers)
        states = outside("stepfunctions")
        execution = states.start_execution(stateMachineArn=self.arn, input=json.dumps(RUN))["executionArn"]
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.ended = states.describe_execution(executionArn=execution)
            if self.ended["status"] != "RUNNING":
                return steps
            time.sleep(0.02)
        raise AssertionError(f"still running after {steps.names}")


@pytest.fixture(scope="module")
def engine(steps_host: None, current: list[Steps]) -> Engine:
    """The engine with its state machine."""
    return Engine(_make_machine("render-under-test"), current)


@pytest.fixture(scope="module")
def impatient(steps_host: None, current: list[Steps]) -> Engine:
    """The same, with a second for Dispatch in place of two days."""
    return Engine(_make_machine("render-impatient", patience=1), current)


class TestTheWay:
    def test_a_job_that_works(self, engine: Engine) -> None:
        """Check, dispatch, settle; the worker's outcome reaches Settle as it was told."""
        steps = engine.run(CheckJob=[DISPATCH], DispatchJob=[DONE], SettleJob=[{"state": "succeeded"}])
        assert steps.names == ["CheckJob", "DispatchJob", "SettleJob"]
        assert steps.asked("CheckJob") == [RUN]
        assert steps.asked("DispatchJob")[0].keys() == {*RUN, "attempt", "task_token"}
        assert steps.asked("SettleJob") == [{**RUN, "attempt": 1, "outcome": DONE}]
        assert engine.ended["status"] == "SUCCEEDED"
        assert json.loads(engine.ended["output"]) == {"state": "succeeded"}

    def test_a_job_that_needs_a_second_attempt(self, engine: Engine) -> None:
        """A failure is classified; a retry waits, is checked again, and its attempt is the one that Check names."""
        again = {"next": "retry", "wait_seconds": 20, "outcome": {"outcome": "gone"}}
        steps = engine.run(
            CheckJob=[DISPATCH, {**DISPATCH, "attempt": 2}],
            DispatchJob=[LOST, DONE],
            ClassifyFailure=[again],
            SettleJob=[{"state": "succeeded"}],
        )
        assert steps.names == ["CheckJob", "DispatchJob", "ClassifyFailure", "CheckJob", "DispatchJob", "SettleJob"]
        assert steps.asked("ClassifyFailure") == [{**RUN, "attempt": 1, "outcome": LOST}]
        assert [call["attempt"] for call in steps.asked("DispatchJob")] == [1, 2]
        assert steps.asked("SettleJob") == [{**RUN, "attempt": 2, "outcome": DONE}]

    def test_a_job_that_fails_for_good(self, engine: Engine) -> None:
        """What Classify settles is settled with the outcome that it gives."""
        verdict = {"outcome": "failed", "failure": {"category": "input", "code": "blurred", "message": "…"}}
        steps = engine.run(
            CheckJob=[DISPATCH],
            DispatchJob=[LOST],
            ClassifyFailure=[{"next": "settle", "wait_seconds": 0, "outcome": verdict}],
            SettleJob=[{"state": "failed"}],
        )
        assert steps.asked("SettleJob") == [{**RUN, "attempt": 1, "outcome": verdict}]
        assert engine.ended["status"] == "SUCCEEDED"

    def test_a_job_out_of_time_at_the_start(self, engine: Engine) -> None:
        """Check may settle at once."""
        late = {"outcome": "failed", "failure": {"category": "deadline", "code": "deadline", "message": "…"}}
        steps = engine.run(
            CheckJob=[{"next": "settle", "attempt": 3, "outcome": late}], SettleJob=[{"state": "failed"}]
        )
        assert steps.names == ["CheckJob", "SettleJob"]
        assert steps.asked("SettleJob") == [{**RUN, "attempt": 3, "outcome": late}]

    @pytest.mark.parametrize("told", ["CheckJob", "DispatchJob", "ClassifyFailure"])
    def test_a_job_that_nobody_waits_for(self, engine: Engine, told: str) -> None:
        """Canceled or superseded: whichever step learns of it, the execution ends and settles nothing."""
        gone = {"outcome": "gone"}
        steps = engine.run(
            CheckJob=[DISPATCH if told != "CheckJob" else {"next": "end", "attempt": 1, "outcome": gone}],
            DispatchJob=[LOST if told == "ClassifyFailure" else gone],
            ClassifyFailure=[{"next": "end", "wait_seconds": 0, "outcome": gone}],
        )
        assert steps.names[-1] == told
        assert "SettleJob" not in steps.names
        assert engine.ended["status"] == "SUCCEEDED"


class TestBrokenSteps:
    def test_a_dispatch_that_nobody_answers_is_classified_by_its_error(self, impatient: Engine) -> None:
        """The last resort: after the time-out, Classify gets the error's name in place of an outcome."""
        late = {"outcome": "failed", "failure": {"category": "deadline", "code": "deadline", "message": "…"}}
        steps = impatient.run(
            CheckJob=[DISPATCH],
            DispatchJob=[Silence],
            ClassifyFailure=[{"next": "settle", "wait_seconds": 0, "outcome": late}],
            SettleJob=[{"state": "failed"}],
        )
        assert steps.names == ["CheckJob", "DispatchJob", "ClassifyFailure", "SettleJob"]
        assert steps.asked("ClassifyFailure") == [{**RUN, "attempt": 1, "error": "States.Timeout"}]

    def test_a_passing_failure_is_not_noticed(self, engine: Engine) -> None:
        """A step that raises twice is tried a third time."""
        steps = engine.run(
            CheckJob=[Broken, Broken, DISPATCH], DispatchJob=[DONE], SettleJob=[Broken, {"state": "succeeded"}]
        )
        assert steps.names == ["CheckJob"] * 3 + ["DispatchJob"] + ["SettleJob"] * 2
        assert engine.ended["status"] == "SUCCEEDED"

    @pytest.mark.parametrize("broken", ["CheckJob", "ClassifyFailure"])
    def test_a_lasting_failure_settles_as_our_fault(self, engine: Engine, broken: str) -> None:
        """After four tries the run is settled as a bug: nothing is charged."""
        steps = engine.run(
            CheckJob=[Broken if broken == "CheckJob" else DISPATCH],
            DispatchJob=[LOST],
            ClassifyFailure=[Broken],
            SettleJob=[{"state": "failed"}],
        )
        assert steps.names.count(broken) == 4
        [settled] = steps.asked("SettleJob")
        assert settled["outcome"]["failure"]["category"] == "bug"
        assert engine.ended["status"] == "SUCCEEDED"

    def test_a_settle_that_fails_is_tried_as_a_failure(self, engine: Engine) -> None:
        """When the good end cannot be written, the customer gets the credits back."""
        steps = engine.run(
            CheckJob=[DISPATCH], DispatchJob=[DONE], SettleJob=[Broken, Broken, Broken, Broken, {"state": "failed"}]
        )
        last = steps.asked("SettleJob")[-1]
        assert last["outcome"]["failure"]["category"] == "bug"
        assert [call["outcome"] for call in steps.asked("SettleJob")[:4]] == [DONE] * 4
        assert engine.ended["status"] == "SUCCEEDED"

    def test_an_end_that_cannot_be_written_shows(self, engine: Engine) -> None:
        """The execution fails, which raises the alarm; the sweeper finds the job."""
        steps = engine.run(CheckJob=[DISPATCH], DispatchJob=[DONE], SettleJob=[Broken])
        assert steps.names.count("SettleJob") == 8
        assert engine.ended["status"] == "FAILED"
        assert engine.ended["error"] == "Unsettled"
