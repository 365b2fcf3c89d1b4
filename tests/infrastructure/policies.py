"""What the templates' IAM statements allow, as values."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.infrastructure.templates import Function, Template, as_list, template, templates, text, walk

_FILLED = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}": "eu-central-1",
    "${AWS::AccountId}": "000000000000",
    "${AWS::URLSuffix}": "amazonaws.com",
    "${Stage}": "dev",
    "${MailDomain}": "snapforge.example",
}


@dataclass(frozen=True)
class Statement:
    """One Allow statement of an identity policy; `where` names its template and resource."""

    where: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """ARNs as the stage dev in account 000000000000 has them."""

    def allows(self, action: str, resource: str) -> bool:
        """Whether it covers `action` (`s3:GetObject`) on an ARN."""
        return any(fnmatchcase(action.lower(), one.lower()) for one in self.actions) and any(
            fnmatchcase(resource, one) for one in self.resources
        )


def of_function(function: Function) -> list[Statement]:
    """The function's own statements and those of the managed policies that its template attaches."""
    found = []
    for policy in function.properties.get("Policies", []):
        body = function.template.resources[policy["Ref"]]["Properties"]["PolicyDocument"] if "Ref" in policy else policy
        found += [_statement(function.template, function.logical_id, one) for one in body["Statement"]]
    return found


def everywhere() -> list[Statement]:
    """Every Allow statement without a Principal (those are resource policies) in all templates."""
    return [
        _statement(each, logical_id, one)
        for each in templates()
        for logical_id, resource in each.resources.items()
        for one in statements(resource)
        if one["Effect"] == "Allow" and "Principal" not in one
    ]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every IAM statement inside a resource, raw."""
    for inner in walk(value):
        if isinstance(inner, dict) and inner.get("Effect") in ("Allow", "Deny"):
            yield inner


def _statement(each: Template, logical_id: str, raw: dict[str, Any]) -> Statement:
    return Statement(
        where=f"{each.name}.{logical_id}",
        actions=tuple(as_list(raw["Action"])),
        resources=tuple(arn(each, one) for one in as_list(raw["Resource"])),
    )


def arn(each: Template, value: Any) -> str:
    """An ARN with its variables filled in; `Ref` and `GetAtt` of functions, queues and streams are worked out."""
    match value:
        case {"Ref": "Stream"}:
            table = {"workflow": "jobs"}.get(each.name, each.name)
            return f"arn:aws:dynamodb:eu-central-1:000000000000:table/snapforge-dev-{table}/stream/*"
        case {"Ref": str(name)} if name.endswith(".Alias"):
            own = text(each.resources[name.removesuffix(".Alias")]["Properties"]["FunctionName"])
            return fill(f"arn:aws:lambda:eu-central-1:000000000000:function:{own}:live")
    return fill(text(value))


def fill(value: str) -> str:
    """The variables of the stage dev."""
    for name, filled in _FILLED.items():
        value = value.replace(name, filled)
    return value


def named(function_name: str) -> Function:
    """The function deployed as e.g. `snapforge-dev-create-job`. KeyError where there is none."""
    from tests.infrastructure.templates import functions

    return {fill(text(f.properties["FunctionName"])): f for f in functions()}[function_name]


def worker() -> list[Statement]:
    """What the GPU workers' role allows."""
    gpu = template("gpu")
    return [_statement(gpu, "JobRole", one) for one in statements(gpu.resources["JobRole"]["Properties"]["Policies"])]


def denied(calls: Iterable[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Of what the local region's recorder saw, the calls that no policy of the caller allows: (caller, action, ARN).

    A call is {who, service, action, resource, …}; `who` is `FN_<function, dashes as underscores>` or `JOB_worker`.
    """
    found = set()
    for who, service, action, resource in {(c["who"], c["service"], c["action"], c["resource"]) for c in calls}:
        if who.startswith("JOB_"):
            held = worker()
        elif who.startswith("FN_"):
            held = of_function(named(who.removeprefix("FN_").replace("_", "-")))
        else:
            continue  # A customer at a presigned address has the rights of whoever signed it.
        asked = f"{service}:{action}"
        found |= {(who, asked, one) for one in _arns(service, action, resource) if not _allowed(held, asked, one)}
    return found


def _allowed(held: list[Statement], action: str, resource: str) -> bool:
    return any(statement.allows(action, resource) for statement in held)


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
