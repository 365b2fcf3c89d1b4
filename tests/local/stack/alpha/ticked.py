"""Counts the ticks of both kinds of schedule."""

import os
from typing import Any

import boto3


def handler(event: Any, context: Any) -> Any:
    source = event.get("source", "scheduler") if isinstance(event, dict) else "scheduler"
    boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE"],
        Key={"pk": {"S": "ticks"}},
        UpdateExpression="ADD #s :one",
        ExpressionAttributeNames={"#s": source.replace(".", "_")},
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
