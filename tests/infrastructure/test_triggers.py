"""What calls a function stands over its handler (`@queue`, `@event`, …) and in a template: both say the same."""

from typing import Any

import pytest

from infrastructure.tools import functions as code
from snapforge.http.endpoint import Endpoint
from snapforge.triggers.base import Trigger
from snapforge.triggers.command import Command
from snapforge.triggers.event import BusEvent
from snapforge.triggers.function_url import FunctionUrl
from snapforge.triggers.queue import Queue
from snapforge.triggers.schedule import Schedule
from snapforge.triggers.step import Step
from snapforge.triggers.stream import Stream
from tests.support.stacks import stack
from tests.support.templates import Function, everything, functions, template, text

OUTBOX_ROWS = '{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"cls": {"S": ["Outbox"]}}}}'


def handler(function: Function) -> Any:
    """The decorated handler."""
    return code.load(function.file).handler


def of_kind(kind: type) -> list[Function]:
    """Functions whose handler is of one kind."""
    return [function for function in functions() if isinstance(handler(function), kind)]


def mappings(function: Function) -> list[dict[str, Any]]:
    """The event source mappings of a function: queues and streams."""
    return [
        found["Properties"]
        for found in function.template.of_type("AWS::Lambda::EventSourceMapping").values()
        if found["Properties"]["FunctionName"] == {"Ref": f"{function.logical_id}.Alias"}
    ]


def events(function: Function, kind: str) -> list[dict[str, Any]]:
    """The SAM events of one type."""
    found = function.properties.get("Events", {}).values()
    return [event["Properties"] for event in found if event["Type"] == kind]


def fed_by(function: Function) -> list[str]:
    """The ARNs of the queues and streams that feed a function, with every parameter filled in."""
    resolve = stack(function.template.name).resolve
    return [str(resolve(mapping["EventSourceArn"])) for mapping in mappings(function)]


def queues(function: Function) -> list[str]:
    """The queues that feed a function, by the name after `snapforge-<stage>-`."""
    return [arn.rpartition("snapforge-dev-")[2] for arn in fed_by(function) if ":sqs:" in arn]


def sources(function: Function) -> set[str]:
    """The kinds of things that call a function, by its template."""
    kinds = {event["Type"] for event in function.properties.get("Events", {}).values()}
    kinds |= {"SQS" if ":sqs:" in arn else "Stream" for arn in fed_by(function)}
    if "FunctionUrlConfig" in function.properties:
        kinds.add("FunctionUrl")
    if function.logical_id in _states():
        kinds.add("StateMachine")
    return kinds


def wanted_sources(declared: Any) -> set[str]:
    """The same, by its decorator."""
    if isinstance(declared, BusEvent):
        return {"SQS"} if declared.queue else {"EventBridgeRule"}
    kinds: dict[type, set[str]] = {
        Endpoint: {"HttpApi"},
        Queue: {"SQS"},
        Stream: {"Stream"},
        Schedule: {"ScheduleV2"},
        Step: {"StateMachine"},
        Command: set(),
        FunctionUrl: {"FunctionUrl"},
    }
    return kinds[type(declared)]


def _states() -> set[str]:
    machines = everything("AWS::Serverless::StateMachine").values()
    return {name for machine in machines for name in machine["Properties"]["DefinitionSubstitutions"]}


def patterns_into(queue: str) -> list[dict[str, Any]]:
    """The patterns of all rules that put events on a queue."""
    return [
        rule["Properties"]["EventPattern"]
        for name, rule in everything("AWS::Events::Rule").items()
        for target in stack(name.partition(".")[0]).resolve(rule["Properties"]["Targets"])
        if str(target["Arn"]).endswith(f":snapforge-dev-{queue}")
    ]


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.logical_id)
class TestEveryFunction:
    """No source but the declared one, and that one."""

    def test_its_handler_declares_what_calls_it(self, function: Function) -> None:
        assert isinstance(handler(function), Endpoint | Trigger | FunctionUrl)

    def test_its_template_and_its_decorator_name_the_same_kind_of_source(self, function: Function) -> None:
        assert sources(function) == wanted_sources(handler(function))

    def test_failed_messages_come_back_alone(self, function: Function) -> None:
        """Without ReportBatchItemFailures, Lambda takes a partial answer for success, and the message is lost."""
        for mapping in mappings(function):
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


class TestQueues:
    @pytest.mark.parametrize("function", of_kind(Queue), ids=lambda function: function.logical_id)
    def test_the_queue_is_the_declared_one(self, function: Function) -> None:
        assert queues(function) == [handler(function).queue]
        assert patterns_into(handler(function).queue) == []


class TestEvents:
    @pytest.mark.parametrize("function", of_kind(BusEvent), ids=lambda function: function.logical_id)
    def test_its_rule_passes_exactly_what_it_handles(self, function: Function) -> None:
        declared = handler(function)
        if declared.queue:
            assert queues(function) == [declared.queue]
            patterns = patterns_into(declared.queue)
        else:
            patterns = [event["Pattern"] for event in events(function, "EventBridgeRule")]
        assert {source for pattern in patterns for source in pattern["source"]} == {declared.source}
        assert {kind for pattern in patterns for kind in pattern["detail-type"]} == set(declared.types)

    def test_events_of_the_house_are_looked_for_on_its_own_bus(self) -> None:
        """AWS's own go to the default one."""
        rules = [rule["Properties"] for rule in everything("AWS::Events::Rule").values()]
        straight = [event for function in functions() for event in events(function, "EventBridgeRule")]
        ours = [rule for rule in rules if rule["EventPattern"]["source"] == ["snapforge"]]
        ours += [rule for rule in straight if rule["Pattern"]["source"] == ["snapforge"]]
        assert len(ours) >= 4
        assert {text(rule["EventBusName"]) for rule in ours} == {"snapforge-${Stage}"}


class TestStreams:
    @pytest.mark.parametrize("function", of_kind(Stream), ids=lambda function: function.logical_id)
    def test_it_is_fed_by_the_declared_tables(self, function: Function) -> None:
        """Each stream is a parameter that the app's root fills with what the foundation has written down."""
        stacks = template("template").of_type("AWS::CloudFormation::Stack").values()
        file = f"infrastructure/{function.template.path.name}"
        (stack,) = [found for found in stacks if found["Properties"]["TemplateURL"] == file]
        given = {mapping["EventSourceArn"]["Ref"] for mapping in mappings(function)}
        streams = {text(stack["Properties"]["Parameters"][name]) for name in given}
        declared = handler(function).tables
        assert streams == {f"{{{{resolve:ssm:/snapforge/${{Stage}}/streams/{table}}}}}" for table in declared}

    @pytest.mark.parametrize("function", of_kind(Stream), ids=lambda function: function.logical_id)
    def test_only_new_outbox_rows_wake_it(self, function: Function) -> None:
        for mapping in mappings(function):
            assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": OUTBOX_ROWS}]}


class TestSchedules:
    @pytest.mark.parametrize("function", of_kind(Schedule), ids=lambda function: function.logical_id)
    def test_it_runs_as_often_as_declared(self, function: Function) -> None:
        assert [event["ScheduleExpression"] for event in events(function, "ScheduleV2")] == [
            handler(function).expression
        ]


class TestTheTable:
    """The comparisons above must not be empty."""

    def test_there_is_a_function_of_each_kind_that_is_in_use(self) -> None:
        kinds = {type(handler(function)) for function in functions()}
        assert kinds >= {Endpoint, Queue, BusEvent, Stream, Schedule, Step, Command}
