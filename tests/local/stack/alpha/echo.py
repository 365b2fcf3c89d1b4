"""Answers with what it was called with."""

import json
import os
from typing import Any


def handler(event: Any, context: Any) -> Any:
    seen = {
        "event": event,
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "context": {
            "name": context.function_name,
            "request": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis(),
        },
    }
    return {"statusCode": 201, "headers": {"X-Own": "1"}, "cookies": ["a=1; Path=/", "b=2"], "body": json.dumps(seen)}
