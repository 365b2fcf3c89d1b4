"""What each source puts around a payload when it calls a function. Moments and ids are fixed: samples are committed."""

import json
from typing import Any
from urllib.parse import urlencode

from infrastructure.local.paths import ACCOUNT, REGION, STAGE

AT = "2026-11-21T02:20:00Z"
EPOCH = 1795227600
PREFIX = f"snapforge-{STAGE}-"
Json = dict[str, Any]


def http(
    method: str,
    route: str,
    *,
    path: dict[str, str],
    query: Json | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    body: str | None = None,
) -> Json:
    """API Gateway, payload 2.0. `route` has `{name}` parts, `path` their values."""
    raw_path = route.format(**path)
    event: Json = {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": raw_path,
        "rawQueryString": urlencode(query or {}),
        "headers": {"accept": "application/json", "user-agent": "sample/1.0", **(headers or {})},
    }
    optional = {"cookies": cookies, "queryStringParameters": query, "pathParameters": path}
    event |= {name: value for name, value in optional.items() if value}
    event["requestContext"] = {
        "http": {"method": method, "path": raw_path, "sourceIp": "203.0.113.7"},
        "requestId": "sample",
        "stage": "$default",
    }
    if body is not None:
        event["body"] = body
    return event | {"isBase64Encoded": False}


def function_url(body: str) -> Json:
    """A Lambda URL: payload 2.0 as well, with one route for everything."""
    made = http("POST", "/", path={}, headers={"content-type": "application/json"}, body=body)
    return made | {"routeKey": "$default"}


def sqs(queue: str, body: Json) -> Json:
    """A queue's message, alone in its batch."""
    message = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "sample",
        "body": json.dumps(body, ensure_ascii=False),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{EPOCH}000",
            "SenderId": "sample",
            "ApproximateFirstReceiveTimestamp": f"{EPOCH}001",
        },
        "messageAttributes": {},
        "md5OfBody": "sample",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{PREFIX}{queue}",
        "awsRegion": REGION,
    }
    return {"Records": [message]}


def eventbridge(source: str, detail_type: str, detail: Any, *, resources: list[str] | None = None) -> Json:
    """An event of a bus."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": AT,
        "region": REGION,
        "resources": resources or [],
        "detail": detail,
    }


def scheduler(name: str) -> Json:
    """EventBridge Scheduler, for a schedule that says no input of its own."""
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{PREFIX}{name}"
    return eventbridge("aws.scheduler", "Scheduled Event", "{}", resources=[arn])


def dynamodb(images: dict[str, Json]) -> Json:
    """New rows of tables (by the name after `snapforge-<stage>-`), each in DynamoDB's typed form."""
    return {"Records": [_record(number, table, image) for number, (table, image) in enumerate(images.items(), 1)]}


def _record(number: int, table: str, image: Json) -> Json:
    return {
        "eventID": f"c4ca4238a0b923820dcc509a6f7584{number:02}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{PREFIX}{table}/stream/2026-11-21T02:20:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": EPOCH,
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
            "SequenceNumber": f"{110 + number}",
            "StreamViewType": "NEW_IMAGE",
        },
    }
