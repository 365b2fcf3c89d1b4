"""Eight processes, for races."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from tests.support import people
from tests.support.aws import Aws

Race = Callable[..., list[Any]]
PROCESSES = 8


@pytest.fixture(scope="session")
def processes(aws: Aws) -> Iterator[ProcessPoolExecutor]:
    """Eight processes with the functions' environment, each with clients of its own."""
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(PROCESSES, mp_context=fork, initializer=people.forget_clients) as pool:
        yield pool


@pytest.fixture
def race(processes: ProcessPoolExecutor) -> Race:
    """Run a function with the same arguments in all eight processes at once; their results."""

    def run(function: Callable[..., Any], *arguments: Any) -> list[Any]:
        start = time.time() + 0.2
        futures = [processes.submit(function, *arguments, start) for _ in range(PROCESSES)]
        return [future.result() for future in futures]

    return run
