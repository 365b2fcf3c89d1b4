"""What wakes functions besides HTTP: streams, queues, schedules, state machines. Deliveries survive a killed host."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infrastructure.local.region import Region
from tests.support.region import until


def put(region: Region, *ids: str) -> None:
    for one in ids:
        region.client("dynamodb").put_item(TableName="dev-things", Item={"pk": {"S": one}})


class Seen:
    """Collects what the consumers told."""

    def __init__(self, region: Region, queue: str = "dev-seen") -> None:
        self._sqs = region.client("sqs")
        self._url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.messages: list[dict[str, Any]] = []

    def until(self, enough: Callable[[list[dict[str, Any]]], bool], seconds: float = 20) -> list[dict[str, Any]]:
        def look() -> bool:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                self.messages.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            return enough(self.messages)

        until(look, seconds)
        return self.messages

    def streamed(self, one: str) -> int:
        """How often the stream brought this id."""
        return sum(1 for message in self.messages if message.get("stream") == one)


class TestStreams:
    """DynamoDB streams as Lambda's event source mappings deliver them."""

    def test_an_insert_arrives_and_an_update_is_filtered(self, small: Region) -> None:
        put(small, "plain-1", "plain-1", "plain-2")

        seen = Seen(small)
        seen.until(lambda _: seen.streamed("plain-2") > 0)
        assert seen.streamed("plain-1") == 1

    def test_a_failing_record_is_tried_three_times_then_given_up_and_the_rest_goes_on(self, small: Region) -> None:
        """MaximumRetryAttempts 2; what is given up lies in the failure queue with the batch's numbers."""
        put(small, "before-1", "fail-1", "after-1")

        seen = Seen(small)
        seen.until(lambda _: seen.streamed("after-1") > 0)
        assert seen.streamed("before-1") == 1
        # Once more where it came in one batch with others, which was then bisected.
        assert seen.streamed("fail-1") in (3, 4)
        given_up = Seen(small, "dev-given-up")
        record = given_up.until(bool)[0]
        assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert record["DDBStreamBatchInfo"]["batchSize"] == 1

    def test_a_raising_record_is_isolated_by_bisecting(self, small: Region) -> None:
        ids = [f"many-{n}" for n in range(7)]
        put(small, *ids[:3], "raise-1", *ids[3:])

        seen = Seen(small)
        seen.until(lambda _: all(seen.streamed(one) for one in ids))
        info = Seen(small, "dev-given-up").until(bool)[0]["DDBStreamBatchInfo"]
        assert info["batchSize"] == 1

    def test_a_record_written_while_the_host_is_dead_arrives(self, small: Region) -> None:
        os.kill(small.functions_host.pid, signal.SIGKILL)
        put(small, "orphan-1")

        seen = Seen(small)
        seen.until(lambda _: seen.streamed("orphan-1") > 0)

    def test_a_record_written_after_a_restart_of_the_emulator_arrives(self, small: Region) -> None:
        """Streams start anew with it; its consumers must not count the old records."""
        put(small, "earlier-1", "earlier-2")
        Seen(small).until(lambda messages: {"stream": "earlier-2"} in messages)
        small.restart_emulator()
        put(small, "restarted-1")

        seen = Seen(small)
        seen.until(lambda _: seen.streamed("restarted-1") > 0)


class TestQueues:
    """SQS with partial batch failures."""

    def test_a_failed_message_comes_again_and_the_others_do_not(self, small: Region) -> None:
        sqs = small.client("sqs")
        url = sqs.get_queue_url(QueueName="dev-work")["QueueUrl"]
        for body in ("once-a", "twice-b", "once-c"):
            sqs.send_message(QueueUrl=url, MessageBody=body)

        seen = Seen(small)
        seen.until(lambda messages: {"work": "twice-b", "count": 2} in messages)
        assert sum(1 for message in seen.messages if message.get("work") == "once-a") == 1

    def test_a_message_in_a_dead_hosts_hands_is_redelivered(self, small: Region) -> None:
        sqs = small.client("sqs")
        os.kill(small.functions_host.pid, signal.SIGKILL)
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="dev-work")["QueueUrl"], MessageBody="dead-1")

        seen = Seen(small)
        seen.until(lambda messages: any(message.get("work") == "dead-1" for message in messages))


class TestBus:
    """Rules that call a function: asynchronous invocations with two more tries."""

    def put(self, region: Region, **detail: Any) -> None:
        entry = {"Source": "news", "DetailType": "x", "Detail": json.dumps(detail), "EventBusName": "dev"}
        region.client("events").put_events(Entries=[entry])

    def test_a_failing_function_is_tried_three_times_and_its_event_kept(self, small: Region) -> None:
        self.put(small, what="bad")

        seen = Seen(small)
        seen.until(lambda messages: messages.count({"news": "bad"}) == 3)
        given_up = Seen(small, "dev-given-up")
        records = given_up.until(lambda messages: any("requestPayload" in message for message in messages))
        record = next(message for message in records if "requestPayload" in message)
        assert record["requestPayload"]["detail"] == {"what": "bad"}
        assert record["responsePayload"]["errorMessage"] == "bad news"

    def test_an_event_in_a_killed_hosts_hands_is_delivered_again(self, small: Region) -> None:
        self.put(small, what="good", seconds=1)
        seen = Seen(small)
        seen.until(lambda messages: {"news": "good"} in messages)
        os.kill(small.functions_host.pid, signal.SIGKILL)

        seen.until(lambda messages: {"done": "good"} in messages)
        assert seen.messages.count({"news": "good"}) == 2
        until(lambda: not list((small.state_dir / "asynchronous").glob("*.json")))


class TestStateMachines:
    """Step Functions call functions through the host."""

    def test_a_task_survives_the_host_that_dies_under_it(self, small: Region) -> None:
        states = small.client("stepfunctions")
        arn = next(m["stateMachineArn"] for m in states.list_state_machines()["stateMachines"])
        log = small.state_dir / "logs" / "dev-slow.log"
        before = calls(log)
        execution = states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
        until(lambda: calls(log) == before + 1)
        os.kill(small.functions_host.pid, signal.SIGKILL)

        until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
        assert states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
        assert calls(log) >= before + 2


def calls(log: Path) -> int:
    """How many calls of a function have begun, by its log."""
    return log.read_text().count("START RequestId:") if log.exists() else 0
