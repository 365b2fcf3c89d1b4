"""What the templates' policies allow: statements as values, and the answer to "may it?"."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from tests.infrastructure.iam import Context, Request, Statement, decide, read
from tests.support.stacks import ACCOUNT, Stack, stack, stacks
from tests.support.templates import Function, functions, walk

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def of_function(function: Function) -> list[Statement]:
    """The function's own statements and those of the managed policies that its template attaches."""
    own = stack(function.template.name)
    found = []
    for policy in own.resolve(function.properties.get("Policies", [])):
        if isinstance(policy, str):
            found += managed()[policy]
        else:
            found += [read(f"{own.template.name}.{function.logical_id}", one) for one in policy["Statement"]]
    return found


@cache
def managed() -> dict[str, list[Statement]]:
    """Every managed policy's statements, by its ARN."""
    found = {}
    for each in stacks():
        for logical_id in each.template.of_type("AWS::IAM::ManagedPolicy"):
            document = each.properties(logical_id)["PolicyDocument"]
            found[each.arn(logical_id)] = [read(f"{each.template.name}.{logical_id}", s) for s in document["Statement"]]
    return found


def everywhere() -> list[Statement]:
    """Every Allow statement without a Principal (those are resource policies) in all templates."""
    return [
        read(f"{each.template.name}.{logical_id}", each.resolve(one))
        for each in stacks()
        for logical_id, resource in each.template.resources.items()
        for one in statements(resource)
        if one["Effect"] == "Allow" and "Principal" not in one
    ]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every IAM statement inside a resource, raw."""
    for inner in walk(value):
        if isinstance(inner, dict) and inner.get("Effect") in ("Allow", "Deny"):
            yield inner


def name(function: Function) -> str:
    """As it is deployed in the stage dev, e.g. `snapforge-dev-create-job`."""
    return str(stack(function.template.name).resolve(function.properties["FunctionName"]))


def named(function_name: str) -> Function:
    """The function of that name. KeyError where there is none."""
    return {name(one): one for one in functions()}[function_name]


@cache
def roles() -> dict[str, list[Statement]]:
    """What each role of ours says: functions by their place, `worker`, and the state machine `render`."""
    workflow = stack("workflow")
    [policy] = workflow.properties("Render")["Policies"]
    render = [read("workflow.Render", one) for one in policy["Statement"]]
    return {**{one.place: of_function(one) for one in functions()}, "worker": worker(), "render": render}


@cache
def attached() -> dict[str, list[Statement]]:
    """The resource policies of buckets, queues, keys and repositories, by the ARN of what they are attached to."""
    found: dict[str, list[Statement]] = {}
    for each in stacks():
        for logical_id, resource in each.template.resources.items():
            for arn, document in _documents(each, logical_id, resource["Type"]):
                where = f"{each.template.name}.{logical_id}"
                found.setdefault(arn, []).extend(read(where, one, resource=arn) for one in document["Statement"])
    return found


def _documents(each: Stack, logical_id: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(ARN of what it is attached to, document) of a resource that is or has a resource policy."""
    match kind:
        case "AWS::S3::BucketPolicy":
            policy = each.properties(logical_id)
            yield f"arn:aws:s3:::{policy['Bucket']}", policy["PolicyDocument"]
        case "AWS::SQS::QueuePolicy":
            policy = each.properties(logical_id)
            for queue in policy["Queues"]:
                yield _queue(queue), policy["PolicyDocument"]
        case "AWS::KMS::Key":
            yield each.arn(logical_id), each.properties(logical_id)["KeyPolicy"]
        case "AWS::ECR::Repository":
            if "RepositoryPolicyText" in (properties := each.properties(logical_id)):
                yield each.arn(logical_id), properties["RepositoryPolicyText"]


def _queue(queue_name: str) -> str:
    return f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{queue_name}"


def verdict(who: str, action: str, resource: str, context: Context | None = None) -> str:
    """`Allow`, `Deny`, or `nothing said`, of identity and resource policies together.

    `who` is a role of ours (see `roles`), a service's name, the ARN of somebody in another account, who is taken to
    have every right that such an account can give, or `anonymous`. TLS unless the context says otherwise.
    """
    ours = f"arn:aws:iam::{ACCOUNT}:role/{who}" if who in roles() else who
    request = Request(ours, action, resource, {"aws:SecureTransport": "true", **(context or {})})
    at = resource.partition("/")[0] if resource.startswith("arn:aws:s3:::") else resource
    said = decide(attached().get(at, []), request)
    own = decide(roles().get(who, []), request)
    if ":kms:" in resource and decide(attached()[at], replace(request, principal=ROOT)) != "Allow":
        own = "Deny" if own == "Deny" else "nothing said"  # A key knows IAM only if its own policy names the account.
    return next((one for one in ("Deny", "Allow") if one in (said, own)), "nothing said")


def may(who: str, action: str, resource: str, context: Context | None = None) -> bool:
    """Whether the call goes through."""
    return verdict(who, action, resource, context) == "Allow"


def worker() -> list[Statement]:
    """What the GPU workers' role allows."""
    role = stack("gpu").properties("JobRole")
    return [read("gpu.JobRole", one) for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]


def denied(calls: Iterable[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Of what the local region's recorder saw, the calls that no policy of the caller allows: (caller, action, ARN).

    A call is {who, service, action, resource, …}; `who` is `FN_<function, dashes as underscores>` or `JOB_worker`.
    """
    found = set()
    for who, service, action, resource in {(c["who"], c["service"], c["action"], c["resource"]) for c in calls}:
        if who.startswith("JOB_"):
            caller = "worker"
        elif who.startswith("FN_"):
            caller = named(who.removeprefix("FN_").replace("_", "-")).place
        else:
            continue  # A customer at a presigned address has the rights of whoever signed it.
        asked = f"{service}:{action}"
        found |= {(who, asked, one) for one in _arns(service, action, resource) if not may(caller, asked, one)}
    return found


def _arns(service: str, action: str, resource: str) -> list[str]:
    """The ARNs that IAM would look at for a recorded call."""
    here = f"arn:aws:{service}:eu-central-1:000000000000"
    match service, action:
        case "dynamodb", _:
            return [f"{here}:table/{resource}"]
        case "s3", _:
            return [f"arn:aws:s3:::{resource}"]
        case "sqs", _:
            return [f"{here}:{resource}"]
        case "secretsmanager", _:
            return [f"{here}:secret:{resource}-AbCdEf"]
        case "events", _:
            return [f"{here}:event-bus/{resource}"]
        case "states", "SendTaskSuccess":
            return [f"{here}:stateMachine:snapforge-dev-render"]
        case "batch", "SubmitJob":
            queue, definition = (part.rpartition("/")[2] for part in resource.split(" "))
            return [f"{here}:job-queue/{queue}", f"{here}:job-definition/{definition}"]
        case "batch", "TerminateJob":
            return [f"{here}:job/any"]
        case "ses", "SendEmail":
            return [f"{here}:identity/snapforge.example"]
    return [resource]


def wildcard(resource: str) -> bool:
    """Whether an ARN leaves open whose resource it is: the part up to its first `*` names no stage of ours."""
    fixed = re.split(r"[*?]", resource, maxsplit=1)[0]
    return ("*" in resource or "?" in resource) and "snapforge" not in fixed
