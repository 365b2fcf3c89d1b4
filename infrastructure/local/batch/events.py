"""Sends `Batch Job State Change` events.

EventBridge takes no event with a source of `aws.*` from a customer, so the rules of the default bus are looked up and
tested (TestEventPattern) and their targets served from here, in order.
"""

import json
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

from infrastructure.local.host.aws import authorization, call
from infrastructure.local.loopback import open_url
from infrastructure.local.paths import ACCOUNT, REGION

_TRIES = 8


class StateChanges:
    """A thread that sends events one after the other."""

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="state-changes", daemon=True)
        self._thread.start()

    def tell(self, job: dict[str, Any]) -> None:
        """Send the state change of a job (as DescribeJobs shows it)."""
        self._queue.put(event(job))

    def close(self) -> None:
        """Wait until everything is sent, for a short while."""
        self._queue.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        while (one := self._queue.get()) is not None:
            self._send_with_patience(one)

    def _send_with_patience(self, one: dict[str, Any]) -> None:
        for n in range(_TRIES):
            try:
                self._send(one)
                return
            except (urllib.error.URLError, OSError) as error:
                # The emulator may be restarting; the order of the events must hold.
                print(f"state change not sent yet: {error}", file=sys.stderr)
                time.sleep(min(0.1 * 2**n, 3))

    def _send(self, one: dict[str, Any]) -> None:
        for rule in call(self._emulator, "events", "AWSEvents.ListRules", {})["Rules"]:
            pattern = rule.get("EventPattern")
            if not pattern or "aws.batch" not in pattern or rule.get("State") != "ENABLED":
                continue
            test = {"EventPattern": pattern, "Event": json.dumps(one)}
            if call(self._emulator, "events", "AWSEvents.TestEventPattern", test)["Result"]:
                targets = call(self._emulator, "events", "AWSEvents.ListTargetsByRule", {"Rule": rule["Name"]})
                for target in targets["Targets"]:
                    self._deliver(target, one)

    def _deliver(self, target: dict[str, Any], one: dict[str, Any]) -> None:
        shaped = {"Input", "InputPath", "InputTransformer"} & set(target)
        service, name = target["Arn"].split(":")[2], target["Arn"].split(":")[-1]
        if shaped or service not in ("sqs", "lambda"):
            print(f"target {target['Arn']} of a Batch rule is not served here ({shaped or service})", file=sys.stderr)
        elif service == "sqs":
            url = f"{self._emulator}/{ACCOUNT}/{name}"
            message = {"QueueUrl": url, "MessageBody": json.dumps(one)}
            call(self._emulator, "sqs", "AmazonSQS.SendMessage", message)
        else:
            request = urllib.request.Request(
                f"{self._emulator}/2015-03-31/functions/{name}/invocations",
                json.dumps(one).encode(),
                {"X-Amz-Invocation-Type": "Event", "Authorization": authorization("lambda")},
            )
            open_url(request).close()


def event(job: dict[str, Any]) -> dict[str, Any]:
    """The envelope as EventBridge delivers it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Batch Job State Change",
        "source": "aws.batch",
        "account": ACCOUNT,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [job["jobArn"]],
        "detail": job,
    }
