"""Reads the templates of the repository and makes of each what the emulator is given."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infrastructure.local.paths import REGION
from infrastructure.local.stacks.left_out import take_out

TEMPLATE_BUCKET = "snapforge-local-templates"
_SAM = "AWS::Serverless-2016-10-31"
_ONE_VERSION = ("AutoPublishAlias", "AutoPublishCodeSha256", "DeploymentPreference", "ProvisionedConcurrencyConfig")
"""Function properties that make versions and aliases: here the working tree is the one version."""


@dataclass(frozen=True)
class Source:
    """A function as the template names it, before names and variables are resolved."""

    folder: Path
    handler: str
    routes: tuple[str, ...]
    url: bool


@dataclass
class Prepared:
    """One template, ready for the emulator."""

    path: Path
    template: dict[str, Any]
    functions: dict[str, Source]
    """By logical id."""
    left_out: dict[str, dict[str, Any]]
    children: dict[str, "Prepared"] = field(default_factory=dict)
    """Nested stacks by logical id."""

    @property
    def key(self) -> str:
        """S3 key; it changes with the content, so that an update reaches nested stacks."""
        return f"{self.path.stem}-{hashlib.sha256(self.body.encode()).hexdigest()[:16]}.json"

    @property
    def body(self) -> str:
        return json.dumps(self.template, sort_keys=True)

    def everything(self) -> list["Prepared"]:
        """Children first, then itself."""
        return [each for child in self.children.values() for each in child.everything()] + [self]


def prepare(path: Path, parameters: Mapping[str, str], invoke_url: str, s3_url: str) -> Prepared:
    """Transform one template and its nested ones.

    `parameters` are the root's values; SAM only needs them where a property's shape depends on one.
    """
    template = yaml_parse(path.read_text())
    children: dict[str, Prepared] = {}
    functions: dict[str, Source] = {}
    defaults = template.get("Globals", {}).get("Function", {})
    for name in _ONE_VERSION:
        defaults.pop(name, None)
    for name, resource in template["Resources"].items():
        properties = resource.setdefault("Properties", {})
        match resource["Type"]:
            case "AWS::CloudFormation::Stack" | "AWS::Serverless::Application" as kind:
                where = "Location" if kind.endswith("Application") else "TemplateURL"
                child = prepare(path.parent / properties[where], {}, invoke_url, s3_url)
                children[name] = child
                properties[where] = f"{s3_url}/{TEMPLATE_BUCKET}/{child.key}"
            case "AWS::Serverless::Function":
                functions[name] = _function(path, properties, defaults)
            case "AWS::Serverless::LayerVersion":
                properties["ContentUri"] = "s3://local/layer"
            case "AWS::Serverless::StateMachine":
                _inline_definition(path, properties)
    template["Resources"] = _alias_to_function(template["Resources"], functions)
    if _SAM in _transforms(template):
        template = _transform(template, parameters)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            _to_proxy(resource["Properties"], invoke_url)
        _plain_policies(resource)
    left_out = take_out(template)
    return Prepared(path, template, functions, left_out, children)


def _transforms(template: dict[str, Any]) -> list[str]:
    declared = template.get("Transform", [])
    return [declared] if isinstance(declared, str) else declared


def _function(path: Path, properties: dict[str, Any], defaults: dict[str, Any]) -> Source:
    for name in _ONE_VERSION:
        properties.pop(name, None)
    folder = (path.parent / (properties.get("CodeUri") or defaults.get("CodeUri", "."))).resolve()
    routes = tuple(
        f"{event['Properties'].get('Method', 'ANY').upper()} {event['Properties']['Path']}"
        for event in properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    )
    properties["CodeUri"] = "s3://local/code"
    handler = properties.get("Handler") or defaults["Handler"]
    return Source(folder, handler, routes, "FunctionUrlConfig" in properties)


def _alias_to_function(value: Any, functions: Mapping[str, Source]) -> Any:
    """`!Ref SettleJob.Alias` names the published version; here that is the function itself."""
    if isinstance(value, list):
        return [_alias_to_function(item, functions) for item in value]
    if not isinstance(value, dict):
        return value
    name, _, suffix = str(value.get("Ref", "")).partition(".")
    if suffix == "Alias" and name in functions:
        return {"Fn::GetAtt": [name, "Arn"]}
    return {key: _alias_to_function(item, functions) for key, item in value.items()}


def _inline_definition(path: Path, properties: dict[str, Any]) -> None:
    if isinstance(uri := properties.pop("DefinitionUri", None), str):
        properties["Definition"] = yaml_parse((path.parent / uri).read_text())


def _transform(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    session = boto3.Session("local", "local", region_name=REGION)
    translator = Translator({}, Parser(), boto_session=session)
    result: dict[str, Any] = translator.translate(deepcopy(template), dict(parameters))
    return result


def _to_proxy(properties: dict[str, Any], invoke_url: str) -> None:
    """The code stays in the working tree: MiniStack passes each invocation on."""
    properties["Code"] = {"ZipFile": "# served by the functions host"}
    properties["Runtime"] = "python3.13"
    for name in ("Layers", "VpcConfig", "SnapStart", "ReservedConcurrentExecutions"):
        properties.pop(name, None)
    environment = properties.setdefault("Environment", {})
    environment["Variables"] = {**environment.get("Variables", {}), "MINISTACK_LAMBDA_PROXY_URL": invoke_url}


def _plain_policies(resource: dict[str, Any]) -> None:
    """MiniStack knows Retain; RetainExceptOnCreate says the same for a stack that stands."""
    for name in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(name) == "RetainExceptOnCreate":
            resource[name] = "Retain"
