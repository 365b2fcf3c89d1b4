"""The AWS calls of the whole run, held against the policy of each function and of the workers in the templates."""

import json
import re
from typing import Any

import pytest

from infrastructure.local.paths import REPO
from infrastructure.local.region import Region
from tests.e2e import tour
from tests.e2e.orders import TOLD, Done
from tests.infrastructure import policies
from tests.infrastructure.templates import functions
from tests.support.checked_api import CheckedApi

pytestmark = pytest.mark.timeout(1500)
POLLING = re.compile(
    r"dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)"
    r"|sqs:(ChangeMessageVisibility|DeleteMessage|GetQueueAttributes|ReceiveMessage)"
)
"""What Lambda itself does with a function's role, and MiniStack without it."""
SCHEDULED = (
    "identity/sweep_identity_outbox",
    "assets/sweep_uploads",
    "billing/expire_grants",
    "jobs/sweep_jobs",
    "jobs/keep_workers",
    "loras/purge_loras",
)
Call = dict[str, Any]


@pytest.fixture(scope="module")
def calls(region: Region, api: CheckedApi, pictures: Done, model: Done, photos: list[Any]) -> list[Call]:
    """Both kinds of job, all other operations, and the schedules' functions now rather than in a minute."""
    tour.walk(region, api, pictures, photos)
    for place in SCHEDULED:
        event = json.loads((REPO / "events" / f"{place}.json").read_text())
        region.invoke(place.rpartition("/")[2].replace("_", "-"), event)
    return region.calls()


@pytest.mark.part("API-1")
def test_the_run_asked_every_operation_of_the_document(calls: list[Call], api: CheckedApi) -> None:
    """So that no function's calls are missing below."""
    assert set(api.operations) - api.asked == set()


@pytest.mark.part("ADM-7")
def test_every_call_is_allowed_by_its_callers_policy(calls: list[Call], request: pytest.FixtureRequest) -> None:
    """Action and resource, as IAM would judge them. What was granted and not used is told, and no failure."""
    request.config.stash[TOLD]["Granted, not used in this run"] = _unused(calls)
    callers = {call["who"] for call in calls}
    assert "JOB_worker" in callers
    assert sum(who.startswith("FN_") for who in callers) > 30
    assert sorted(policies.denied(calls)) == []


def _unused(calls: list[Call]) -> list[str]:
    """Per function, the granted actions that the run did not need. Rights for what goes wrong are needed too."""
    used = {(call["who"], f"{call['service']}:{call['action']}") for call in calls}
    lines = []
    for function in functions():
        who = "FN_" + policies.name(function).replace("-", "_")
        granted = {action for statement in policies.of_function(function) for action in statement.actions}
        unused = sorted(action for action in granted if (who, action) not in used and not POLLING.fullmatch(action))
        if unused:
            lines.append(f"{function.place}: {', '.join(unused)}")
    return lines
