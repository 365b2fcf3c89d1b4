"""The stacks as CloudFormation makes them: each with its parameters, its intrinsic functions worked out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.templates import ROOTS, Resource, Template, template, templates

ACCOUNT = "000000000000"
REGION = "eu-central-1"
GIVEN = {"Stage": "dev", "MailDomain": "snapforge.example"}
"""What the operator gives the roots. Any other parameter without a default is `given.<name>`: no policy names it."""
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "snapforge-dev",
}
_HERE = f"{REGION}:{ACCOUNT}"
_SHAPES = {
    "AWS::Batch::JobDefinition": ("JobDefinitionName", f"arn:aws:batch:{_HERE}:job-definition/{{}}:1"),
    "AWS::Batch::JobQueue": ("JobQueueName", f"arn:aws:batch:{_HERE}:job-queue/{{}}"),
    "AWS::DynamoDB::Table": ("TableName", f"arn:aws:dynamodb:{_HERE}:table/{{}}"),
    "AWS::ECR::Repository": ("RepositoryName", f"arn:aws:ecr:{_HERE}:repository/{{}}"),
    "AWS::Events::EventBus": ("Name", f"arn:aws:events:{_HERE}:event-bus/{{}}"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", f"arn:aws:iam::{ACCOUNT}:policy/{{}}"),
    "AWS::IAM::Role": ("RoleName", f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
    "AWS::KMS::Key": ("", f"arn:aws:kms:{_HERE}:key/{{}}"),
    "AWS::Logs::LogGroup": ("LogGroupName", f"arn:aws:logs:{_HERE}:log-group:{{}}:*"),
    "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{}"),
    "AWS::SNS::Topic": ("TopicName", f"arn:aws:sns:{_HERE}:{{}}"),
    "AWS::SQS::Queue": ("QueueName", f"arn:aws:sqs:{_HERE}:{{}}"),
    "AWS::SecretsManager::Secret": ("Name", f"arn:aws:secretsmanager:{_HERE}:secret:{{}}-AbCdEf"),
    "AWS::Serverless::Function": ("FunctionName", f"arn:aws:lambda:{_HERE}:function:{{}}"),
    "AWS::Serverless::StateMachine": ("Name", f"arn:aws:states:{_HERE}:stateMachine:{{}}"),
}
"""Where a type keeps its name, and its ARN."""
_BY_ARN = (
    "AWS::IAM::ManagedPolicy",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::StateMachine",
)
"""Types whose `Ref` is the ARN, not the name."""
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_PARAMETER = re.compile(r"\{\{resolve:ssm:([^}:]+)\}\}")
_NO_VALUE = object()


class Unresolved(ValueError):
    """An intrinsic function or a reference that nobody has taught this module."""


@dataclass(frozen=True)
class Stack:
    """A template with the parameters that its parent, or the operator, gives it."""

    template: Template
    parameters: Mapping[str, Any]

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties, resolved."""
        found: dict[str, Any] = self.resolve(self.template.resources[logical_id].get("Properties", {}))
        return found

    def arn(self, logical_id: str) -> str:
        """A resource's ARN."""
        resource = self.template.resources[logical_id]
        if resource["Type"] not in _SHAPES:
            raise Unresolved(f"{self.template.name}: the ARN of {logical_id}, a {resource['Type']}")
        return _SHAPES[resource["Type"]][1].format(self._name(logical_id, resource))

    def _name(self, logical_id: str, resource: Resource) -> str:
        place = _SHAPES.get(resource["Type"], ("", ""))[0]
        given = resource.get("Properties", {}).get(place)
        return f"{self.template.name}.{logical_id}" if given is None else str(self.resolve(given))

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced. Unresolved for one that is not known here."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not _NO_VALUE]
        if isinstance(value, str):
            return _PARAMETER.sub(lambda found: _noted()[found[1]], value)
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, inner),) = value.items()
            if key == "Ref":
                return self._reference(inner)
            if key.startswith("Fn::"):
                return self._call(key.removeprefix("Fn::"), inner)
        resolved = {key: self.resolve(inner) for key, inner in value.items()}
        return {key: inner for key, inner in resolved.items() if inner is not _NO_VALUE}

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        logical_id, _, suffix = name.partition(".")
        if logical_id not in self.template.resources:
            raise Unresolved(f"{self.template.name}: {name}")
        if suffix == "Alias":
            return f"{self.arn(logical_id)}:live"
        resource = self.template.resources[logical_id]
        return self.arn(logical_id) if resource["Type"] in _BY_ARN else self._name(logical_id, resource)

    def _call(self, function: str, inner: Any) -> Any:
        match function:
            case "Sub":
                return self._sub(inner)
            case "GetAtt":
                return self._attribute(*(inner.split(".", 1) if isinstance(inner, str) else inner))
            case "Join":
                return str(inner[0]).join(map(str, self.resolve(inner[1])))
            case "Select":
                return self.resolve(inner[1])[int(inner[0])]
            case "If":
                return self.resolve(inner[1] if self.holds({"Condition": inner[0]}) else inner[2])
            case "FindInMap":
                name, first, second = map(self.resolve, inner)
                return self.template.body["Mappings"][name][first][second]
            case "GetAZs":
                return [f"{REGION}{zone}" for zone in "abc"]
            case "Base64":
                return self.resolve(inner)
        raise Unresolved(f"{self.template.name}: Fn::{function}")

    def _sub(self, inner: Any) -> str:
        text, own = (inner, {}) if isinstance(inner, str) else (inner[0], self.resolve(inner[1]))

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(own[name])
            logical_id, _, attribute = name.partition(".")
            return str(self._attribute(logical_id, attribute) if attribute else self._reference(name))

        return str(self.resolve(_VARIABLE.sub(filled, text).replace("${!", "${")))

    def _attribute(self, logical_id: str, attribute: str) -> Any:
        resource = self.template.resources[logical_id]
        if attribute.startswith("Outputs."):
            child = stack(resource["Properties"]["TemplateURL"].rpartition("/")[2].removesuffix(".yaml"))
            return child.resolve(child.template.body["Outputs"][attribute.removeprefix("Outputs.")]["Value"])
        match resource["Type"], attribute:
            case _, "Arn" if resource["Type"] in _SHAPES:
                return self.arn(logical_id)
            case "AWS::SQS::Queue", "QueueName":
                return self._name(logical_id, resource)
            case "AWS::DynamoDB::Table", "StreamArn":
                return f"{self.arn(logical_id)}/stream/2026-01-01T00:00:00.000"
        return f"{self.template.name}.{logical_id}.{attribute}"

    def holds(self, expression: Any) -> bool:
        """A condition's value."""
        ((key, inner),) = expression.items()
        match key:
            case "Condition":
                return self.holds(self.template.body["Conditions"][inner])
            case "Fn::Equals":
                return bool(self.resolve(inner[0]) == self.resolve(inner[1]))
            case "Fn::Not":
                return not self.holds(inner[0])
            case "Fn::And":
                return all(map(self.holds, inner))
            case "Fn::Or":
                return any(map(self.holds, inner))
        raise Unresolved(f"{self.template.name}: condition {key}")


@cache
def stacks() -> tuple[Stack, ...]:
    """Every stack of the stage dev."""
    return tuple(stack(each.name) for each in templates())


@cache
def stack(name: str) -> Stack:
    """The one of a template."""
    own = template(name)
    given = {key: p.get("Default", f"given.{key}") for key, p in own.parameters.items()}
    if own.path in ROOTS.values():
        return Stack(own, {**given, **{key: value for key, value in GIVEN.items() if key in given}})
    parent, nested = next(
        found for found in _nested() if found[1]["Properties"]["TemplateURL"].endswith(f"{name}.yaml")
    )
    return Stack(own, {**given, **stack(parent).resolve(nested["Properties"].get("Parameters", {}))})


def _nested() -> Iterator[tuple[str, Resource]]:
    for each in templates():
        for resource in each.of_type("AWS::CloudFormation::Stack").values():
            yield each.name, resource


@cache
def _noted() -> dict[str, str]:
    """What the foundation notes in SSM, by name."""
    found = {}
    for each in templates():
        if each.root == "foundation":
            for logical_id in each.of_type("AWS::SSM::Parameter"):
                properties = stack(each.name).properties(logical_id)
                found[properties["Name"]] = properties["Value"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The resolved properties of all resources of one type, by `<template>.<logical id>`."""
    return {
        f"{each.template.name}.{logical_id}": each.properties(logical_id)
        for each in stacks()
        for logical_id in each.template.of_type(kind)
    }
