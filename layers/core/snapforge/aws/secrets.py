"""Secrets Manager, cached per process."""

import json
import time
from typing import Any

from snapforge.aws import settings
from snapforge.aws.clients import client

KEPT_SECONDS = 300.0
_cache: dict[str, tuple[float, dict[str, Any]]] = {}


def read(name: str, *, at_most: float = KEPT_SECONDS) -> dict[str, Any]:
    """The JSON object in `<SECRET_PREFIX><name>`, at most so many seconds old: a rotation arrives by itself."""
    full = settings.get("SECRET_PREFIX") + name
    found = _cache.get(full)
    if found is None or time.monotonic() - found[0] > at_most:
        text = client("secretsmanager").get_secret_value(SecretId=full)["SecretString"]
        found = (time.monotonic(), json.loads(text))
        _cache[full] = found
    return found[1]
