"""Bus consumer: takes its time, fails where it is told to."""

import json
import os
import time
from typing import Any

import boto3


def handler(event: Any, context: Any) -> Any:
    detail = event["detail"]
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps({"news": detail["what"]}))
    if detail["what"] == "bad":
        raise ValueError("bad news")
    time.sleep(detail.get("seconds", 0))
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps({"done": detail["what"]}))
