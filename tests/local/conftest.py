"""A region on a small stack of its own: what is tested here is the region, not the product."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infrastructure.local.region import Options, Region

STACK = Path(__file__).parent / "stack" / "template.yaml"


def options(**more: object) -> Options:
    """The small stack; its Batch jobs run in the interpreter of the tests."""
    settings: dict[str, object] = {
        "roots": (STACK,),
        "demo_weights": False,
        "workers": {"plain": sys.executable},
        "stop_grace": 1.0,
        "shortest_timeout": 1,
    }
    return Options(**{**settings, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """The small region, up for the whole session."""
    with Region(tmp_path_factory.mktemp("small"), options(record_calls=True)) as region:
        yield region


@pytest.fixture(scope="session")
def web(small: Region) -> Iterator[httpx.Client]:
    """A viewer of the small region."""
    with httpx.Client(base_url=small.api_url, trust_env=False, timeout=40) as client:
        yield client
