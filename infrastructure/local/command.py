"""An operator's command in a running local region: invoke a function by name, as `aws lambda invoke` does on AWS."""

import json
import sys
from pathlib import Path
from typing import Any


def invoke(state: Path, function: str, event: str) -> int:
    """Print the function's answer as JSON; 1 with a clear message when no region runs there or the function fails."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        base = json.loads((state / "host.json").read_text())
        payload = json.dumps(json.loads(event)).encode()
    except FileNotFoundError:
        print(f"No local region has run in {state}: start one with `make up` or `make run`.", file=sys.stderr)
        return 1
    except json.JSONDecodeError as error:
        print(f"The event is not JSON: {error}", file=sys.stderr)
        return 1
    session = boto3.Session("local", "local", region_name=base["base"]["AWS_REGION"])
    make: Any = session.client
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    try:
        with_endpoint = make("lambda", endpoint_url=base["endpoints"]["AWS_ENDPOINT_URL"], config=config)
        answer = with_endpoint.invoke(FunctionName=f"snapforge-dev-{function}", Payload=payload)
    except (BotoCoreError, ClientError) as error:
        print(f"{function} could not be invoked: {error}", file=sys.stderr)
        return 1
    print(json.dumps(json.loads(answer["Payload"].read() or b"null"), indent=2))
    return int("FunctionError" in answer)
