"""The frame of all that is not HTTP: what each trigger parses, how it fails, what it answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from snapforge import observe
from snapforge.aws.events import ObjectCreated
from snapforge.kit.events import Event
from snapforge.triggers import Invocation, StreamRecord, aws_event, command, event, queue, schedule, step, stream
from tests.support.http import LambdaContext


class Parcel(BaseModel):
    """What the toy functions take."""

    weight: int


class Receipt(BaseModel):
    """What they answer."""

    paid: int


def message(number: str, body: Any) -> dict[str, Any]:
    """An SQS record."""
    return {"messageId": number, "body": body if isinstance(body, str) else json.dumps(body)}


def on_bus(kind: str, **data: Any) -> dict[str, Any]:
    """An event of ours, as EventBridge wraps it."""
    detail = {"type": kind, "id": "evt_1", "at": "2026-11-27T12:00:00Z", "org_id": "org_1", "data": data}
    return {"source": "snapforge", "detail-type": kind, "detail": detail}


def collect(into: list[Any]) -> Callable[[Any], None]:
    """A handler that keeps what it is given."""

    def handle(payload: Any) -> None:
        into.append(payload)

    return handle


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The errors that were logged: message and extra members."""
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(observe.logger(), "exception", lambda text, extra=None: found.append((text, extra or {})))
    return found


class TestQueue:
    """SQS."""

    def test_each_message_is_parsed_and_handled(self) -> None:
        taken: list[Parcel] = []
        handler = queue("parcels", Parcel)(collect(taken))
        answer = handler({"Records": [message("a", {"weight": 1}), message("b", {"weight": 2})]}, LambdaContext())
        assert answer == {"batchItemFailures": []}
        assert taken == [Parcel(weight=1), Parcel(weight=2)]

    @pytest.mark.parametrize("body", ["", "no json", "[]", '{"weight": "heavy"}', "{}"])
    def test_a_malformed_message_fails_alone_and_its_content_is_not_logged(
        self, body: str, logged: list[tuple[str, dict[str, Any]]]
    ) -> None:
        """It is delivered again, and ends in the dead letters; the others are done."""
        taken: list[Parcel] = []
        handler = queue("parcels", Parcel)(collect(taken))
        answer = handler({"Records": [message("bad", body), message("good", {"weight": 2})]}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
        assert taken == [Parcel(weight=2)]
        ((text, extra),) = logged
        assert (text, extra["message_id"]) == ("message failed", "bad")
        assert extra["malformed"]
        assert "heavy" not in json.dumps(extra)

    def test_a_message_whose_handling_fails_is_delivered_again_alone(self, logged: list[Any]) -> None:
        def handle(parcel: Parcel) -> None:
            if parcel.weight == 1:
                raise RuntimeError("too light")

        answer = queue("parcels", Parcel)(handle)(
            {"Records": [message("a", {"weight": 1}), message("b", {"weight": 2})]}, LambdaContext()
        )
        assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}
        assert len(logged) == 1

    def test_a_handler_that_asks_gets_the_message_id_and_the_time_left(self) -> None:
        seen: list[Invocation] = []

        def handle(parcel: Parcel, invocation: Invocation) -> None:
            seen.append(invocation)

        queue("parcels", Parcel)(handle)({"Records": [message("a", {"weight": 1})]}, LambdaContext())
        assert seen == [Invocation(remaining_seconds=30.0, message_id="a")]


class TestEvent:
    """EventBridge."""

    def test_one_of_the_house_comes_straight(self) -> None:
        handler = event("job.succeeded")(lambda happened: {"job": happened.data["job_id"]})
        assert handler(on_bus("job.succeeded", job_id="job_1"), LambdaContext()) == {"job": "job_1"}

    def test_one_of_the_house_comes_through_a_queue(self) -> None:
        taken: list[Event] = []
        handler = event("job.succeeded", "job.failed", queue="mail")(collect(taken))
        records = [message("a", on_bus("job.failed", job_id="job_1")), message("b", on_bus("job.succeeded"))]
        assert handler({"Records": records}, LambdaContext()) == {"batchItemFailures": []}
        assert [one.type for one in taken] == ["job.failed", "job.succeeded"]

    def test_one_of_aws_is_read_whole(self) -> None:
        taken: list[ObjectCreated] = []
        handler = aws_event("aws.s3", "Object Created", ObjectCreated, queue="uploaded")(collect(taken))
        created = {
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": "2026-11-27T12:00:00Z",
            "detail": {"object": {"key": "incoming/a b", "size": 3, "etag": "e"}},
        }
        assert handler({"Records": [message("a", created)]}, LambdaContext()) == {"batchItemFailures": []}
        assert (taken[0].detail.object.key, taken[0].detail.object.size) == ("incoming/a b", 3)

    @pytest.mark.parametrize(
        "envelope",
        [{}, {"detail-type": "job.succeeded"}, on_bus("job.failed"), on_bus("job.succeeded") | {"detail": {"id": 1}}],
    )
    def test_a_malformed_one_or_one_that_is_not_declared_is_refused(
        self, envelope: dict[str, Any], logged: list[Any]
    ) -> None:
        """Straight: raised, so that Lambda retries and parks it. Through a queue: delivered again."""
        handled: list[Event] = []
        with pytest.raises((ValidationError, ValueError, KeyError)):
            event("job.succeeded")(collect(handled))(envelope, LambdaContext())
        through = event("job.succeeded", queue="mail")(collect(handled))
        answer = through({"Records": [message("a", envelope)]}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}
        assert handled == []


class TestStream:
    """DynamoDB."""

    @staticmethod
    def record(number: str, table: str = "snapforge-dev-jobs", **image: Any) -> dict[str, Any]:
        """A stream's record."""
        return {
            "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:000000000000:table/{table}/stream/2026-11-21T02:00:00",
            "dynamodb": {"SequenceNumber": number, "NewImage": image},
        }

    @pytest.fixture(autouse=True)
    def _prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TABLE_PREFIX", "snapforge-dev-")

    def test_each_record_names_its_table(self) -> None:
        taken: list[StreamRecord] = []
        handler = stream("jobs", "billing")(collect(taken))
        records = [self.record("1", pk={"S": "a"}), self.record("2", "snapforge-dev-billing", pk={"S": "b"})]
        assert handler({"Records": records}, LambdaContext()) == {"batchItemFailures": []}
        assert taken == [StreamRecord("jobs", {"pk": {"S": "a"}}), StreamRecord("billing", {"pk": {"S": "b"}})]

    def test_the_first_failure_stops_the_batch(self, logged: list[Any]) -> None:
        """The stream goes on from there: what came after it has not been handled."""
        taken: list[str] = []

        def handle(record: StreamRecord) -> None:
            if record.image["pk"]["S"] == "b":
                raise RuntimeError("no")
            taken.append(record.image["pk"]["S"])

        records = [self.record(str(n), pk={"S": name}) for n, name in enumerate("abc")]
        answer = stream("jobs")(handle)({"Records": records}, LambdaContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        assert taken == ["a"]

    def test_a_malformed_record_stops_the_batch(self, logged: list[Any]) -> None:
        taken: list[StreamRecord] = []
        handler = stream("jobs")(collect(taken))
        strange = self.record("1", "snapforge-dev-assets", pk={"S": "a"})
        assert handler({"Records": [strange]}, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        empty = {**self.record("2"), "dynamodb": {"SequenceNumber": "2"}}
        assert handler({"Records": [empty]}, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
        assert taken == []


class TestSchedule:
    """The clock."""

    def test_it_runs_and_its_outcome_is_the_answer(self) -> None:
        assert schedule("rate(1 minute)")(lambda: {"looked": 3})({}, LambdaContext()) == {"looked": 3}

    def test_what_it_is_sent_is_nothing_to_it(self) -> None:
        """A schedule's payload is the operator's template: any event starts it."""
        assert schedule("rate(1 minute)")(lambda: 1)({"nonsense": [None]}, LambdaContext()) == 1

    def test_an_error_is_logged_counted_and_raised(self, logged: list[Any]) -> None:
        def fail() -> None:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            schedule("rate(1 minute)")(fail)({}, LambdaContext())
        assert [text for text, _ in logged] == ["failed"]


@pytest.mark.parametrize("kind", [step, command])
class TestInvoked:
    """States of the workflow, and an operator's commands."""

    def test_payload_and_answer_are_values(self, kind: Callable[..., Any]) -> None:
        handler = kind(Parcel, Receipt)(lambda parcel: Receipt(paid=parcel.weight * 2))
        assert handler({"weight": 2, "more": "the state machine passes all it has"}, LambdaContext()) == {"paid": 4}

    @pytest.mark.parametrize("payload", [{}, {"weight": "heavy"}, [], None])
    def test_a_malformed_payload_is_raised(self, kind: Callable[..., Any], payload: Any, logged: list[Any]) -> None:
        handled: list[Parcel] = []
        with pytest.raises(ValidationError):
            kind(Parcel, Receipt)(collect(handled))(payload, LambdaContext())
        assert handled == []
        assert len(logged) == 1

    def test_another_answer_is_a_programming_error(self, kind: Callable[..., Any], logged: list[Any]) -> None:
        with pytest.raises(TypeError, match="Receipt"):
            kind(Parcel, Receipt)(lambda parcel: parcel)({"weight": 1}, LambdaContext())


class TestStepWithoutAnswer:
    """Dispatch is answered by its task token."""

    def test_it_answers_nothing(self) -> None:
        taken: list[Parcel] = []
        assert step(Parcel)(collect(taken))({"weight": 1}, LambdaContext()) is None
        assert taken == [Parcel(weight=1)]
