"""Stream consumer: passes ids on, and fails where an id says so."""

import json
import os
from typing import Any

import boto3


def handler(event: Any, context: Any) -> Any:
    sqs = boto3.client("sqs")
    for record in event["Records"]:
        pk = record["dynamodb"]["NewImage"]["pk"]["S"]
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps({"stream": pk}))
        if pk.startswith("raise"):
            raise ValueError(pk)
        if pk.startswith("fail"):
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
