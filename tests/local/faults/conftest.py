"""One region for all faults, a customer for each file."""

from collections.abc import Iterator

import httpx
import pytest

from infrastructure.local.demo.customer import Customer
from infrastructure.local.paths import ACCOUNT
from infrastructure.local.region import Region
from tests.local.faults.scenario import Scenario, new_customer


@pytest.fixture(scope="module")
def web() -> Iterator[httpx.Client]:
    """The customers' connections."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def customer(region: Region, web: httpx.Client) -> Customer:
    """With credits enough for a file of tests: from one address, twenty may sign up in an hour."""
    return new_customer(region, web, credits=5000)


@pytest.fixture
def scenario(region: Region, customer: Customer, web: httpx.Client) -> Iterator[Scenario]:
    """The file's customer; what a failed test leaves at work is canceled."""
    found = Scenario(region, customer, web)
    yield found
    found.close()


@pytest.fixture
def prompt_batch_news(region: Region) -> Iterator[None]:
    """Batch's state changes arrive at once, not a minute behind: the queue's own delay, set from outside."""
    sqs = region.client("sqs")
    url = f"{region.emulator_url}/{ACCOUNT}/snapforge-dev-batch-states"
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
