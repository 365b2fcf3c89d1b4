"""One region for all faults; a customer of one's own per test."""

from collections.abc import Iterator

import pytest

from infrastructure.local.paths import ACCOUNT
from infrastructure.local.region import Region
from tests.local.faults.house import House


@pytest.fixture
def house(region: Region) -> House:
    """A new customer with credits enough for a test."""
    return House.of(region, credits=1000)


@pytest.fixture
def prompt_batch_news(region: Region) -> Iterator[None]:
    """Batch's state changes arrive at once, not a minute behind: the queue's own delay, set from outside."""
    sqs = region.client("sqs")
    url = f"{region.emulator_url}/{ACCOUNT}/snapforge-dev-batch-states"
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)
