"""Answers in each of the forms that an HttpApi understands, by the last part of the path."""

import base64
from typing import Any


def handler(event: Any, context: Any) -> Any:
    match event["pathParameters"]["proxy"]:
        case "plain":
            return {"just": "data"}
        case "text":
            return "words"
        case "binary":
            return {
                "statusCode": 200,
                "headers": {"content-type": "image/png"},
                "isBase64Encoded": True,
                "body": base64.b64encode(bytes(range(256))).decode(),
            }
        case "nothing":
            return {"statusCode": 204}
        case "raise":
            raise LookupError("no such luck")
        case "unserialisable":
            return {"statusCode": 200, "body": {1, 2}}
        case other:
            return {"statusCode": 200, "body": other}
