"""The tests' environment is the templates': nothing is merged in silence, nothing that tests choose is left over."""

import json

import boto3
import pytest

from snapforge.aws import settings
from tests.support import environment
from tests.support.aws import Aws
from tests.support.environment import CHOSEN, SECRET, merged, secret_value
from tests.support.stacks import of_type
from tests.support.templates import functions


class TestVariables:
    def test_two_functions_that_disagree_are_noticed(self) -> None:
        with pytest.raises(ValueError, match="MAX_SIZE is '1' for one function and 2 for another"):
            merged([{"MAX_SIZE": 1}, {"MAX_SIZE": 1}, {"MAX_SIZE": 2}])

    def test_so_is_what_only_an_operator_knows(self) -> None:
        with pytest.raises(ValueError, match="STRIPE_ACCOUNT comes from the operator"):
            merged([{"STRIPE_ACCOUNT": "given.StripeAccount"}])

    def test_what_tests_choose_wins(self) -> None:
        assert merged([{"PUBLIC_URL": "given.PublicUrl", "A": 1}, {"PUBLIC_URL": "x", "B": "2"}]) == {
            "A": "1",
            "B": "2",
            **CHOSEN,
        }

    def test_nothing_is_chosen_that_no_function_has(self) -> None:
        given = {name for function in functions() for name in function.properties["Environment"]["Variables"]}
        assert given - environment.of_functions("http://127.0.0.1:9").keys() == set()
        assert CHOSEN.keys() - given == set()

    def test_addresses_of_queues_are_the_emulators(self, aws: Aws) -> None:
        assert settings.get("REPORTS_QUEUE_URL") == f"{aws.endpoint}/000000000000/snapforge-dev-reports"
        assert settings.get("QUEUE_PREFIX") + "images-rush" == aws.queue_url("images-rush")


class TestResources:
    def test_the_emulator_has_those_of_the_templates(self, aws: Aws) -> None:
        tables = {table["TableName"] for table in of_type("AWS::DynamoDB::Table").values()}
        queues = {queue["QueueName"] for queue in of_type("AWS::SQS::Queue").values()}
        assert len(tables) > 5
        assert len(queues) > 10
        assert tables <= set(boto3.client("dynamodb").list_tables()["TableNames"])
        there = boto3.client("sqs").list_queues(QueueNamePrefix="snapforge-dev-")["QueueUrls"]
        assert queues <= {url.rpartition("/")[2] for url in there}

    @pytest.mark.parametrize(
        ("properties", "value"),
        [
            ({"SecretString": '{"key": "{{resolve:secretsmanager:other}}"}'}, json.dumps({"key": SECRET})),
            ({"GenerateSecretString": {"PasswordLength": 64}}, SECRET),
            (
                {
                    "GenerateSecretString": {
                        "SecretStringTemplate": '{"previous": null}',
                        "GenerateStringKey": "current",
                    }
                },
                json.dumps({"previous": None, "current": SECRET}),
            ),
        ],
    )
    def test_a_secrets_value_is_what_cloudformation_would_make(self, properties: dict[str, str], value: str) -> None:
        assert secret_value(properties) == value
