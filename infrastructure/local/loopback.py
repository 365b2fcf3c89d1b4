"""HTTP on loopback for our own processes: no proxy of the person's environment in between."""

import json
import urllib.request
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_url(request: str | urllib.request.Request, timeout: float = 10.0) -> Any:
    """As urlopen: an HTTP response to be closed; URLError or HTTPError."""
    return _OPENER.open(request, timeout=timeout)


def get_json(url: str, timeout: float = 10.0) -> Any:
    """The JSON at `url`."""
    with open_url(url, timeout) as answer:
        return json.load(answer)
