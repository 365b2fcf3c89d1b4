"""The recorder: who called what, in the words of IAM."""

import json
from typing import Any

import httpx
import pytest

from infrastructure.local.recorder import read_call
from infrastructure.local.region import Region
from tests.support.region import until


def headers(who: str, service: str, target: str = "") -> dict[str, str]:
    credential = f"AWS4-HMAC-SHA256 Credential={who}/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host"
    return {"authorization": credential, **({"x-amz-target": target} if target else {})}


def read(service: str, target: str, body: dict[str, Any]) -> list[tuple[str, str, str]]:
    calls = read_call("POST", "/", headers("FN_x", service, target), json.dumps(body).encode())
    return [(call["service"], call["action"], call["resource"]) for call in calls]


class TestReading:
    """One request in, the IAM actions that it needs out."""

    def test_a_transaction_is_one_action_an_item(self) -> None:
        items = [{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}, {"Delete": {"TableName": "a"}}]

        assert read("dynamodb", "DynamoDB_20120810.TransactWriteItems", {"TransactItems": items}) == [
            ("dynamodb", "PutItem", "a"),
            ("dynamodb", "ConditionCheckItem", "b"),
            ("dynamodb", "DeleteItem", "a"),
        ]

    @pytest.mark.parametrize(
        ("service", "target", "body", "expected"),
        [
            ("dynamodb", "X.Query", {"TableName": "t", "IndexName": "i"}, ("dynamodb", "Query", "t/index/i")),
            ("dynamodb", "X.BatchGetItem", {"RequestItems": {"t": {}}}, ("dynamodb", "BatchGetItem", "t")),
            ("sqs", "AmazonSQS.SendMessage", {"QueueUrl": "http://h/0/q"}, ("sqs", "SendMessage", "q")),
            ("events", "X.PutEvents", {"Entries": [{"EventBusName": "bus"}]}, ("events", "PutEvents", "bus")),
            ("secretsmanager", "X.GetSecretValue", {"SecretId": "s"}, ("secretsmanager", "GetSecretValue", "s")),
            ("states", "X.StartExecution", {"stateMachineArn": "arn"}, ("states", "StartExecution", "arn")),
            ("states", "X.SendTaskSuccess", {"taskToken": "secret"}, ("states", "SendTaskSuccess", "*")),
        ],
    )
    def test_json_protocols(
        self, service: str, target: str, body: dict[str, Any], expected: tuple[str, str, str]
    ) -> None:
        assert read(service, target, body) == [expected]

    @pytest.mark.parametrize(
        ("method", "path", "action", "resource"),
        [
            ("GET", "/bucket/a%20b?x-id=GetObject", "GetObject", "bucket/a b"),
            ("HEAD", "/bucket/k", "GetObject", "bucket/k"),
            ("PUT", "/bucket/k", "PutObject", "bucket/k"),
            ("POST", "/bucket/k?uploads", "PutObject", "bucket/k"),
            ("DELETE", "/bucket/k?uploadId=1", "AbortMultipartUpload", "bucket/k"),
            ("PUT", "/bucket/k?tagging", "PutObjectTagging", "bucket/k"),
            ("GET", "/bucket?list-type=2", "ListBucket", "bucket"),
            ("GET", "/bucket?versions&prefix=a", "ListBucketVersions", "bucket"),
            ("DELETE", "/bucket/k?versionId=1", "DeleteObjectVersion", "bucket/k"),
        ],
    )
    def test_s3(self, method: str, path: str, action: str, resource: str) -> None:
        (call,) = read_call(method, path, headers("JOB_worker", "s3"), b"")

        assert call == {"who": "JOB_worker", "service": "s3", "action": action, "resource": resource}

    def test_a_presigned_address_names_who_signed_it(self) -> None:
        path = "/bucket/k?X-Amz-Credential=FN_presign%2F20260101%2Feu-central-1%2Fs3%2Faws4_request"

        assert read_call("PUT", path, {}, b"")[0]["who"] == "FN_presign"

    def test_a_function_is_known_by_its_application_id(self) -> None:
        """All functions sign with the same key, since the emulator checks presigned addresses by it."""
        agent = {"user-agent": "Boto3/1.4 md/Botocore#1.4 app/FN_dev_x"}

        (call,) = read_call("GET", "/bucket/k", headers("test", "s3") | agent, b"")

        assert call["who"] == "FN_dev_x"

    def test_mail_and_batch(self) -> None:
        (mail,) = read_call("POST", "/v2/email/outbound-emails", headers("FN_x", "ses"), b"{}")
        job = b'{"jobQueue": "q", "jobDefinition": "d"}'
        (batch,) = read_call("POST", "/v1/submitjob", headers("FN_x", "batch"), job)

        assert (mail["service"], mail["action"]) == ("ses", "SendEmail")
        assert (batch["service"], batch["action"], batch["resource"]) == ("batch", "SubmitJob", "q d")


class TestInFrontOfTheRegion:
    """Calls of functions and jobs go through it and are answered all the same."""

    def test_a_functions_calls_are_seen_with_its_name(self, small: Region, web: httpx.Client) -> None:
        before = len(small.calls())
        url = small.client("sqs").get_queue_url(QueueName="dev-work")["QueueUrl"]
        small.client("sqs").send_message(QueueUrl=url, MessageBody="once-recorded")

        def calls() -> list[tuple[str, str, str, int]]:
            return [(c["who"], c["action"], c["resource"], c["status"]) for c in small.calls()[before:]]

        assert until(lambda: ("FN_dev_on_work", "SendMessage", "dev-seen", 200) in calls())
