"""Whether a resource policy (of a bucket, queue or key) lets a request through, worked out as IAM does.

Only what our templates use is known: an operator, a principal or an intrinsic function that is not, is an error, so
that nothing passes because it was not understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tests.infrastructure.policies import fill
from tests.infrastructure.templates import Template, as_list

DOCUMENTS = {
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
}
NAMES = {"AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueName"}
PARTITIONS = {"AWS::S3::Bucket": "s3:::", "AWS::SQS::Queue": "sqs:eu-central-1:000000000000:"}


@dataclass(frozen=True)
class Asked:
    """A request: who (`*` stands for anybody with an identity, a service by its name), what, on what, and how."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def statements_of(each: Template, logical_id: str) -> list[dict[str, Any]]:
    """The policy's statements."""
    resource = each.resources[logical_id]
    document = resource["Properties"][DOCUMENTS[resource["Type"]]]
    found: list[dict[str, Any]] = document["Statement"]
    return found


def verdict(each: Template, logical_id: str, asked: Asked) -> str:
    """`denied`, `allowed`, or `silent` (then the caller's own rights decide)."""
    hits = {one["Effect"] for one in statements_of(each, logical_id) if _applies(each, one, asked)}
    return "denied" if "Deny" in hits else "allowed" if "Allow" in hits else "silent"


def _applies(each: Template, statement: dict[str, Any], asked: Asked) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise ValueError(f"{each.name}: {unknown} in a policy is not understood here")
    return (
        _principal(each, statement["Principal"], asked.principal)
        and any(fnmatchcase(asked.action.lower(), one.lower()) for one in as_list(statement["Action"]))
        and any(fnmatchcase(asked.resource, arn(each, one)) for one in as_list(statement["Resource"]))
        and all(
            _holds(operator, _context(asked, key), [resolve(each, one) for one in as_list(wanted)])
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _principal(each: Template, named: Any, asked: str) -> bool:
    match named:
        case "*":
            return True
        case {"Service": service}:
            return asked in as_list(service)
        case {"AWS": "*"}:
            return not asked.endswith(".amazonaws.com")
        case {"AWS": value}:
            return asked in [resolve(each, one) for one in as_list(value)]
    raise ValueError(f"the principal {named} is not understood here")


def _context(asked: Asked, key: str) -> str | None:
    lowered = {name.lower(): value for name, value in asked.context.items()}
    return lowered.get(key.lower())


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    """A key that the request does not have fails every operator used here."""
    if value is None:
        return False
    match operator:
        case "StringEquals" | "ArnEquals":
            return value in wanted
        case "StringLike" | "ArnLike":
            return any(fnmatchcase(value, one) for one in wanted)
        case "Bool":
            return value in [str(one).lower() for one in wanted]
    raise ValueError(f"the operator {operator} is not understood here")


def arn(each: Template, value: Any) -> str:
    """A resource's ARN, `GetAtt` and `${X.Arn}` worked out."""
    return resolve(each, value)


def resolve(each: Template, value: Any) -> str:
    """A value of the stage dev in account 000000000000."""
    match value:
        case str():
            return fill(value)
        case {"Fn::Sub": str(text)}:
            for name in each.resources:
                if f"${{{name}.Arn}}" in text:
                    text = text.replace(f"${{{name}.Arn}}", _own_arn(each, name))
            return _filled(text)
        case {"Fn::GetAtt": [str(name), "Arn"]} | {"Fn::GetAtt": str(name)}:
            return _own_arn(each, name.removesuffix(".Arn"))
        case {"Ref": str(name)} if name.startswith("AWS::"):
            return fill(f"${{{name}}}")
    raise ValueError(f"{value} is not understood here")


def _own_arn(each: Template, name: str) -> str:
    resource = each.resources[name]
    kind = resource["Type"]
    return f"arn:aws:{PARTITIONS[kind]}{_filled(resource['Properties'][NAMES[kind]]['Fn::Sub'])}"


def _filled(text: str) -> str:
    filled = fill(text)
    if "${" in filled:
        raise ValueError(f"{text}: a variable is not understood here")
    return filled
