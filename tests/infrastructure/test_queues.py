"""Queues and streams: what fails is tried again, kept, and heard."""

import json

import pytest

from snapforge.admin import contexts
from tests.infrastructure import policies
from tests.support.stacks import of_type, stack
from tests.support.templates import (
    REPO,
    Function,
    everything,
    functions,
    templates,
)

QUEUES = {queue["QueueName"].removeprefix("snapforge-dev-"): queue for queue in of_type("AWS::SQS::Queue").values()}
"""By name, resolved as in the stage dev."""
ALARMS = {
    alarm["AlarmName"].removeprefix("snapforge-dev-"): alarm for alarm in of_type("AWS::CloudWatch::Alarm").values()
}
TRIES = {
    "batch-states": (5, "batch-states-dlq"),
    # Five times given to a worker (docs/decisions/0015), then on_dead_ticket fails the attempt, which itself may fail.
    "images-bulk": (5, "images-dead"),
    "images-rush": (5, "images-dead"),
    "images-standard": (5, "images-dead"),
    "images-dead": (5, "jobs-failures"),
    "mail": (5, "mail-dlq"),
    # A preview waits a minute: a third try would come too late for it.
    "preflights": (2, "preflights-dlq"),
    "providers": (5, "providers-dlq"),
    # As jobs/reports.py says: then the sweeper settles by the engine's truth.
    "reports": (5, "reports-dlq"),
    "uploaded": (5, "uploaded-dlq"),
    "variants": (5, "variants-dlq"),
}
"""How often each queue gives out a message, and where it goes then."""
FAILURES = {f"{context}-failures" for context in ("outbox", "billing", "jobs")}
"""What a stream consumer or an asynchronous call could not do. Nothing takes from these: somebody looks."""


def queue_of(arn: str) -> str:
    """The short name behind an ARN. KeyError where no such queue is made."""
    name = arn.removeprefix("arn:aws:sqs:eu-central-1:000000000000:snapforge-dev-")
    assert name in QUEUES, arn
    return name


def watched() -> dict[str, str]:
    """Queue → the alarm that hears of the first message in it."""
    found = {}
    for name, alarm in ALARMS.items():
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible":
            assert (alarm["Namespace"], alarm["Statistic"]) == ("AWS/SQS", "Maximum"), name
            assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold"), name
            [dimension] = alarm["Dimensions"]
            assert dimension["Name"] == "QueueName", name
            found[dimension["Value"].removeprefix("snapforge-dev-")] = name
    return found


class TestDeadLetters:
    def test_every_queue_with_tries_is_in_the_list(self) -> None:
        """And whatever has none is where messages end."""
        assert {name for name, queue in QUEUES.items() if "RedrivePolicy" in queue} == set(TRIES)
        ends = {name for name in QUEUES if name not in TRIES}
        assert ends == {end for _, end in TRIES.values() if end not in TRIES} | FAILURES

    @pytest.mark.parametrize("name", TRIES)
    def test_a_message_is_tried_and_then_kept_where_it_belongs(self, name: str) -> None:
        """As often as the code assumes, never once only; then in the queue's own dead-letter queue, which keeps it for
        longer: SQS counts from when a message was first sent."""
        policy = QUEUES[name]["RedrivePolicy"]
        end = queue_of(policy["deadLetterTargetArn"])
        assert (int(policy["maxReceiveCount"]), end) == TRIES[name]
        assert int(policy["maxReceiveCount"]) >= 2
        assert QUEUES[end]["MessageRetentionPeriod"] > QUEUES[name]["MessageRetentionPeriod"]

    @pytest.mark.parametrize("name", sorted({end for _, end in TRIES.values()} | FAILURES))
    def test_somebody_hears_of_a_dead_letter(self, name: str) -> None:
        """By an alarm on the first one; or a function takes it, and hears of its own failures by an alarm."""
        if name in TRIES:
            assert places_taken_from() >= {name}
            name = TRIES[name][1]
        assert name in watched()

    def test_no_alarm_watches_a_queue_that_is_not_there(self) -> None:
        """A name with a typing error is an alarm that never rings."""
        named = {
            dimension["Value"].removeprefix("snapforge-dev-")
            for alarm in ALARMS.values()
            for dimension in alarm.get("Dimensions", [])
            if dimension["Name"] == "QueueName"
        }
        assert len(named) > len(watched())
        assert named <= set(QUEUES)

    def test_a_dead_letter_queue_keeps_two_weeks(self) -> None:
        """As long as SQS can: a failure on the first day of a holiday is still there after it."""
        ends = [name for name in QUEUES if name not in TRIES]
        assert len(ends) >= 10
        assert {QUEUES[name]["MessageRetentionPeriod"] for name in ends} == {1209600}


def places_taken_from() -> set[str]:
    """The queues that a function takes from by an event source mapping."""
    sources = [mapping["EventSourceArn"] for mapping in of_type("AWS::Lambda::EventSourceMapping").values()]
    return {queue_of(source) for source in sources if ":sqs:" in source}


class TestQueues:
    def test_every_queue_with_tries_is_taken_from(self) -> None:
        """By a function; tickets by warm workers."""
        assert places_taken_from() | {"images-rush", "images-standard", "images-bulk"} == set(TRIES)

    def test_every_alarm_calls_somebody(self) -> None:
        """At the topic that the foundation makes; an alarm without an action is heard by nobody."""
        assert len(ALARMS) > 20
        topic = stack("platform").arn("Alarms")
        assert {name: alarm.get("AlarmActions") for name, alarm in ALARMS.items()} == {name: [topic] for name in ALARMS}

    def test_every_api_has_a_5xx_alarm(self) -> None:
        """A 5xx always pages."""
        with_api = [each for each in templates() if each.of_type("AWS::Serverless::HttpApi")]
        assert len(with_api) >= 6
        for each in with_api:
            metrics = [a["Properties"]["MetricName"] for a in each.of_type("AWS::CloudWatch::Alarm").values()]
            assert "5xx" in metrics, each.name

    def test_consumers_finish_before_the_queue_tries_again(self) -> None:
        """Visibility is at least six times the consumer's time-out, as Lambda advises; and the consumer may take."""
        seen = 0
        for name, mapping in everything("AWS::Lambda::EventSourceMapping").items():
            source = of_type("AWS::Lambda::EventSourceMapping")[name]["EventSourceArn"]
            if ":sqs:" in source:
                seen += 1
                function = consumer(name, mapping["Properties"]["FunctionName"]["Ref"])
                assert QUEUES[queue_of(source)]["VisibilityTimeout"] >= 6 * function.properties["Timeout"], name
                for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
                    assert policies.may(function.place, f"sqs:{action}", source), name
                assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert seen >= 8


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
            if str(m["Properties"]["EventSourceArn"].get("Ref")).endswith("Stream")
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
        destination = of_type("AWS::Lambda::EventSourceMapping")[name]["DestinationConfig"]["OnFailure"]["Destination"]
        function = consumer(name, mapping["FunctionName"]["Ref"])
        context = {"publish_outbox": "outbox", "publish_jobs_outbox": "jobs"}[function.file.stem]
        assert queue_of(destination) == f"{context}-failures"
        assert policies.may(function.place, "sqs:SendMessage", destination)
        assert mapping["StartingPosition"] == "TRIM_HORIZON"

    def test_every_table_with_a_stream_has_its_one_consumer(self) -> None:
        """Every outbox is published, and by one function."""
        sources = [mapping["EventSourceArn"] for mapping in of_type("AWS::Lambda::EventSourceMapping").values()]
        fed = sorted(source.split("/")[1] for source in sources if "/stream/" in source)
        outboxes = {
            f"snapforge-dev-{path.parent.name}"
            for path in (REPO / "layers/core/snapforge").glob("*/store.py")
            if 'discriminator="Outbox"' in path.read_text()
        }
        assert len(outboxes) >= 4
        assert fed == sorted(outboxes)

    @pytest.mark.parametrize("function", ["outbox/publish_outbox", "outbox/sweep_outbox"])
    @pytest.mark.parametrize("table", contexts.outboxes())
    def test_the_common_functions_change_outbox_rows_and_no_others(self, function: str, table: str) -> None:
        """By the partition's key: what serves all tables must not be able to touch an account or a user."""
        arn = f"arn:aws:dynamodb:eu-central-1:000000000000:table/snapforge-dev-{table}"
        for key, allowed in (("outbox#evt_1", True), ("org#org_1", False), ("user#user_1", False)):
            assert policies.may(function, "dynamodb:UpdateItem", arn, {"dynamodb:LeadingKeys": key}) is allowed


class TestAsynchronousCalls:
    def test_what_a_function_gave_up_is_kept_by_its_context(self) -> None:
        """Lambda sends it with the function's own rights."""
        seen = 0
        for function in functions():
            if "EventInvokeConfig" in function.properties:
                seen += 1
                config = stack(function.template.name).resolve(function.properties["EventInvokeConfig"])
                destination = config["DestinationConfig"]["OnFailure"]["Destination"]
                assert queue_of(destination) == f"{function.template.name}-failures"
                assert policies.may(function.place, "sqs:SendMessage", destination), function.place
        assert seen >= 1

    def test_what_a_rule_could_not_hand_over_is_kept_by_its_context(self) -> None:
        """EventBridge sends it, if the queue takes it from that rule."""
        seen = 0
        for function in functions():
            for event in stack(function.template.name).resolve(function.properties.get("Events", {})).values():
                if "DeadLetterConfig" in (rule := event["Properties"]):
                    seen += 1
                    arn = f"arn:aws:events:eu-central-1:000000000000:rule/{rule['EventBusName']}/{rule['RuleName']}"
                    end = rule["DeadLetterConfig"]["Arn"]
                    assert queue_of(end) == f"{function.template.name}-failures"
                    assert policies.may("events.amazonaws.com", "sqs:SendMessage", end, {"aws:SourceArn": arn})
        assert seen >= 1

    def test_a_rule_feeds_the_queue_that_lets_it(self) -> None:
        """Each target is a queue of ours that takes events from that very rule."""
        rules = of_type("AWS::Events::Rule")
        assert len(rules) >= 5
        for name, rule in rules.items():
            path = "/".join(filter(None, ("rule", rule.get("EventBusName"), rule["Name"])))
            source = {"aws:SourceArn": f"arn:aws:events:eu-central-1:000000000000:{path}"}
            [target] = rule["Targets"]
            assert rule["Name"] == f"snapforge-dev-{queue_of(target['Arn'])}", name
            assert policies.may("events.amazonaws.com", "sqs:SendMessage", target["Arn"], source), name
