"""Step Functions: executions and task tokens."""

import json
from typing import Any

from botocore.exceptions import ClientError

from snapforge.aws import settings
from snapforge.aws.clients import client

_GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


def start(name: str, work: dict[str, Any]) -> None:
    """Start the execution `name`. That it exists already is success: names are unique per run."""
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=settings.get("STATE_MACHINE_ARN"), name=name, input=json.dumps(work)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def status(name: str) -> str | None:
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None when there is no such execution."""
    arn = settings.get("STATE_MACHINE_ARN").replace(":stateMachine:", ":execution:") + f":{name}"
    try:
        return client("stepfunctions").describe_execution(executionArn=arn)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return None
        raise


def answer(task_token: str, output: dict[str, Any]) -> bool:
    """Answer a waiting task; False when nobody waits for it any more."""
    try:
        client("stepfunctions").send_task_success(taskToken=task_token, output=json.dumps(output))
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return False
        raise
    return True
