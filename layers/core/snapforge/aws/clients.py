"""One client per service and process, all of one botocore session: making a client costs tens of milliseconds, most of
it for what a session reads once. boto3 would add its own and read all of it again.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["events"]) -> "EventBridgeClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...
@overload
def client(service: Literal["batch"]) -> "BatchClient": ...
@overload
def client(service: Literal["sesv2"]) -> "SESV2Client": ...
@overload
def client(service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
def client(service: Any) -> Any:
    """The process's client of an AWS service."""
    return make(service)


@cache
def session() -> "Session":
    """The process's botocore session."""
    from botocore.session import get_session

    return get_session()


def _agent() -> str:
    """Ours: the SDK puts its own together anew for each request, at a twelfth of the cost. The application's id, from
    the SDK's standard variable, stays in it.
    """
    application = os.environ.get("AWS_SDK_UA_APP_ID")
    return f"snapforge app/{application}" if application else "snapforge"


@cache
def make(service: str) -> Any:
    """The client by a name that is no literal; DynamoDB's is for `aws.tables`, which checks what it sends itself."""
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=3,
        read_timeout=20,
        signature_version="s3v4" if service == "s3" else None,
        # Browsers and workers send presigned requests without the SDK's own checksums.
        request_checksum_calculation="when_required",
        parameter_validation=service != "dynamodb",
        user_agent=_agent(),
        response_checksum_validation="when_required",
    )
    return session().create_client(service, config=config)
