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
from tests.support.checked_api import CheckedApi
from tests.support.templates import as_list, functions

pytestmark = pytest.mark.timeout(1500)
POLLING = re.compile(
    r"dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)"
    r"|sqs:(ChangeMessageVisibility|DeleteMessage|GetQueueAttributes|ReceiveMessage)"
)
"""What Lambda itself does with a function's role, and MiniStack without it."""
SCHEDULED = (
    "outbox/sweep_outbox",
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


@pytest.mark.part("ADM-7")
def test_what_is_judged_is_what_was_deployed(region: Region) -> None:
    """The judge works parameters and references out by itself: each role of the region holds just what it reads."""
    deployed = {function.place: _deployed(region, policies.name(function)) for function in functions()}
    assert deployed == {
        function.place: {
            _grant(action, arn) for s in policies.of_function(function) for action in s.actions for arn in s.resources
        }
        for function in functions()
    }


def _deployed(region: Region, name: str) -> set[tuple[str, str]]:
    """(action, resource) of a function's role, by its own policy and by the managed ones that are ours."""
    iam = region.client("iam")
    role = region.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    found = [
        iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        if ":aws:policy/" not in policy["PolicyArn"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            kept = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
            found.append(kept["PolicyVersion"]["Document"])
    return {
        _grant(action, arn)
        for document in found
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
        for arn in as_list(statement["Resource"])
    }


def _grant(action: str, arn: str) -> tuple[str, str]:
    """A stream's label is the moment in which its table was made."""
    return action, re.sub(r"/stream/.*", "/stream", arn)


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
