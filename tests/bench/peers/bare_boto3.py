"""The least Lambda function that does something: plain boto3, one DynamoDB call, a JSON answer."""

import json
import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Read one item."""
    answer = dynamodb.get_item(
        TableName=os.environ["TABLE_PREFIX"] + "jobs", Key={"pk": {"S": "org#none"}, "sk": {"S": "job#none"}}
    )
    return {
        "statusCode": 200 if "Item" in answer else 404,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"found": "Item" in answer}),
    }
