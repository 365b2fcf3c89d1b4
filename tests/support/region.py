"""The local region for tests: `region` is the whole system of this repository, one per session.

region.api_url · region.client("dynamodb") · region.mail() · region.invoke("grant-credits", {...}) · region.batch_url
region.functions_host.pid · region.restart_functions_host() · region.restart_emulator() · region.restart_batch()
"""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from infrastructure.local.paths import REPO
from infrastructure.local.region import Options, Region

T = TypeVar("T")


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """The repository's own stacks on a fresh state. AWS calls are recorded; our own workers draw with the demo
    model, and a provider may serve FLUX.1.
    """
    # A provider draws first where a test has given it a key; without keys our own workers do.
    routes = {"ImageRoutes": "together,own", "ImageModels": "snapforge-demo,flux-schnell"}
    options = Options(record_calls=True, weights=REPO / ".local" / "weights", parameters=routes)
    with Region(tmp_path_factory.mktemp("region"), options) as running:
        yield running


def until(look: Callable[[], T], seconds: float = 20.0, every: float = 0.05) -> T:
    """The first truthy value of `look`; AssertionError with the last one after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s; last seen: {value!r}"
        time.sleep(every)
    return value
