"""Secrets Manager, cached per process."""

import json
import time
from typing import Any

from snapforge.aws import settings
from snapforge.aws.clients import client

KEPT_SECONDS = 300.0
_cache: dict[str, tuple[float, dict[str, Any]]] = {}


def read(name: str) -> dict[str, Any]:
    """The JSON object in `<SECRET_PREFIX><name>`, at most five minutes old, so that a rotation arrives by itself."""
    full = settings.get("SECRET_PREFIX") + name
    found = _cache.get(full)
    if found is None or time.monotonic() - found[0] > KEPT_SECONDS:
        text = client("secretsmanager").get_secret_value(SecretId=full)["SecretString"]
        found = (time.monotonic(), json.loads(text))
        _cache[full] = found
    return found[1]
