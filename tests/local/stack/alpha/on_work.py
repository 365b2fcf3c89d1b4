"""Queue consumer: the first delivery of a message that says `twice` fails."""

import json
import os
from typing import Any

import boto3


def handler(event: Any, context: Any) -> Any:
    sqs = boto3.client("sqs")
    failed = []
    for record in event["Records"]:
        count = int(record["attributes"]["ApproximateReceiveCount"])
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps({"work": record["body"], "count": count}))
        if record["body"].startswith("twice") and count == 1:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
