"""Queues and streams: what fails is tried again, kept, and heard."""

import json
from fnmatch import fnmatchcase

import pytest

from tests.infrastructure.templates import (
    REPO,
    Function,
    everything,
    functions,
    templates,
    text,
)


class TestQueues:
    def test_what_fails_is_kept_and_somebody_hears(self) -> None:
        """Each queue has a DLQ or is one, and each of those has an alarm."""
        queues = {text(q["Properties"]["QueueName"]): q["Properties"] for q in everything("AWS::SQS::Queue").values()}
        last = {name for name, properties in queues.items() if "RedrivePolicy" not in properties}
        assert {
            name for name in last if not fnmatchcase(name, "*-dlq") and not fnmatchcase(name, "*-failures")
        } == set()
        watched = {
            text(dimension["Value"])
            for alarm in everything("AWS::CloudWatch::Alarm").values()
            if alarm["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
            for dimension in alarm["Properties"]["Dimensions"]
        }
        assert last == watched

    def test_every_alarm_calls_somebody(self) -> None:
        """An alarm without an action is a light in an empty room."""
        assert [
            n for n, a in everything("AWS::CloudWatch::Alarm").items() if not a["Properties"].get("AlarmActions")
        ] == []

    def test_every_api_has_a_5xx_alarm(self) -> None:
        """A 5xx always pages."""
        for each in templates():
            if each.of_type("AWS::Serverless::HttpApi"):
                metrics = [a["Properties"]["MetricName"] for a in each.of_type("AWS::CloudWatch::Alarm").values()]
                assert "5xx" in metrics, each.name

    def test_consumers_finish_before_the_queue_tries_again(self) -> None:
        """Visibility is at least six times the consumer's time-out, as Lambda advises."""
        queues = {text(q["Properties"]["QueueName"]): q["Properties"] for q in everything("AWS::SQS::Queue").values()}
        seen = 0
        for name, mapping in everything("AWS::Lambda::EventSourceMapping").items():
            source = text(mapping["Properties"]["EventSourceArn"])
            if ":sqs:" in source:
                seen += 1
                function = consumer(name, mapping["Properties"]["FunctionName"]["Ref"])
                queue = queues[source.rpartition(":")[2]]
                assert queue["VisibilityTimeout"] >= 6 * function.properties["Timeout"], name
                assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert seen == 8


def consumer(mapping: str, reference: str) -> Function:
    """The function behind `<name>.Alias`."""
    assert reference.endswith(".Alias"), f"{mapping}: events must reach the published version"
    where, wanted = mapping.split(".", maxsplit=1)[0], reference.removesuffix(".Alias")
    return next(f for f in functions() if (f.template.name, f.logical_id) == (where, wanted))


class TestStreams:
    @pytest.mark.parametrize(
        "name",
        [
            n
            for n, m in everything("AWS::Lambda::EventSourceMapping").items()
            if m["Properties"]["EventSourceArn"] == {"Ref": "Stream"}
        ],
    )
    def test_a_bad_record_holds_nothing_up_and_is_not_lost(self, name: str) -> None:
        """Outbox rows only, halved on failure, tried a bounded number of times, then to the failure queue."""
        mapping = everything("AWS::Lambda::EventSourceMapping")[name]["Properties"]
        [rule] = mapping["FilterCriteria"]["Filters"]
        assert json.loads(rule["Pattern"]) == {
            "eventName": ["INSERT"],
            "dynamodb": {"NewImage": {"cls": {"S": ["Outbox"]}}},
        }
        assert mapping["BisectBatchOnFunctionError"] is True
        assert 0 < mapping["MaximumRetryAttempts"] <= 100
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert text(mapping["DestinationConfig"]["OnFailure"]["Destination"]).endswith("-failures")
        assert mapping["StartingPosition"] == "TRIM_HORIZON"

    def test_every_table_with_a_stream_has_its_one_consumer(self) -> None:
        """Every outbox is published, and by one function."""
        published = [f.file.stem for f in functions() if f.file.stem.startswith("publish_")]
        outboxes = {
            path.parent.name
            for path in (REPO / "layers/core/snapforge").glob("*/store.py")
            if 'discriminator="Outbox"' in path.read_text()
        }
        assert sorted(published) == sorted(f"publish_{context}_outbox" for context in outboxes)
