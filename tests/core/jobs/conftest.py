"""The engine for this folder's tests."""

from collections.abc import Iterator

import pytest

from tests.core.jobs.engine import Engine, Made, running
from tests.support.aws import Aws


@pytest.fixture(scope="session")
def engine(aws: Aws) -> Iterator[Engine]:
    """Batch and Step Functions as jobs see them."""
    with running(aws) as engine:
        yield engine


@pytest.fixture
def scene(engine: Engine) -> Made:
    """A customer with 100 credits and a job for a model, of 20."""
    who = engine.customer()
    return who, engine.order_scene(who)


@pytest.fixture
def made(engine: Engine) -> Made:
    """A customer with 100 credits and a job of 2."""
    who = engine.customer()
    return who, engine.order(who)
