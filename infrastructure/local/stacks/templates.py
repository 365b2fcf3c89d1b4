"""Reads the templates of the repository and makes of each what the emulator is given."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infrastructure.local.paths import REGION
from infrastructure.local.stacks import adapt
from infrastructure.local.stacks.left_out import take_out
from infrastructure.tools import loops

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
    """One template, ready for the emulator as a stack of its own."""

    path: Path
    template: dict[str, Any]
    functions: dict[str, Source]
    """By logical id."""
    left_out: dict[str, dict[str, Any]]
    children: dict[str, "Child"]
    """Nested stacks by logical id, in the order in which they can be deployed."""

    @property
    def key(self) -> str:
        """S3 key of the body."""
        return f"{self.path.stem}-{hashlib.sha256(self.body.encode()).hexdigest()[:16]}.json"

    @property
    def body(self) -> str:
        return json.dumps(self.template, sort_keys=True)


@dataclass
class Child:
    """A nested stack. It is deployed as a stack beside its parent: MiniStack's update of a nested stack touches every
    resource in it and loses the attributes of those that did not change.
    """

    prepared: Prepared
    parameters: dict[str, Any]
    """As the parent writes them, with references to itself and to other children's outputs."""


@dataclass(frozen=True)
class Setting:
    """What every template is prepared with."""

    parameters: Mapping[str, str]
    """The roots' values. Nested templates use the same names for the same things."""
    invoke_url: str
    lookup: adapt.Lookup


def prepare(path: Path, setting: Setting) -> Prepared:
    """Transform one template and its nested ones, and take out what is not for the emulator."""
    template = loops.expand(yaml_parse(path.read_text()))
    nested, functions = _localise(path, template, setting)
    template = adapt.without_aliases(template, set(functions))
    if _SAM in _transforms(template):
        template = _transform(template, setting.parameters)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            adapt.to_proxy(resource["Properties"], setting.invoke_url)
        adapt.plain_policies(resource)
    left_out = take_out(template)
    template = adapt.resolve_dynamic(template, dict(setting.parameters), setting.lookup)
    resources = template["Resources"]
    children = {
        name: Child(nested[name], resources[name]["Properties"].get("Parameters", {}))
        for name in _in_order(resources, set(nested))
    }
    for name in nested:
        del resources[name]
    return Prepared(path, template, functions, left_out, children)


def _localise(path: Path, template: dict[str, Any], setting: Setting) -> tuple[dict[str, Prepared], dict[str, Source]]:
    """Note and replace what names a local path. Returns nested stacks and functions by logical id."""
    nested: dict[str, Prepared] = {}
    functions: dict[str, Source] = {}
    defaults = template.get("Globals", {}).get("Function", {})
    for name in _ONE_VERSION:
        defaults.pop(name, None)
    for name, resource in template["Resources"].items():
        properties = resource.setdefault("Properties", {})
        match resource["Type"]:
            case "AWS::CloudFormation::Stack":
                nested[name] = prepare(path.parent / properties["TemplateURL"], setting)
            case "AWS::Serverless::Application":
                nested[name] = prepare(path.parent / properties["Location"], setting)
            case "AWS::Serverless::Function":
                functions[name] = _function(path, properties, defaults)
            case "AWS::Serverless::LayerVersion":
                properties["ContentUri"] = "s3://local/layer"
            case "AWS::Serverless::StateMachine":
                _inline_definition(path, properties)
    return nested, functions


def _in_order(resources: dict[str, Any], nested: set[str]) -> list[str]:
    """Nested stacks, each after those that it names."""
    graph = {}
    for name in sorted(nested):
        text = json.dumps(resources[name])
        graph[name] = {other for other in nested - {name} if f'"{other}"' in text or f'"{other}.Outputs' in text}
    return list(TopologicalSorter(graph).static_order())


def _transforms(template: dict[str, Any]) -> list[str]:
    declared = template.get("Transform", [])
    return [declared] if isinstance(declared, str) else declared


def _function(path: Path, properties: dict[str, Any], defaults: dict[str, Any]) -> Source:
    for name in _ONE_VERSION:
        properties.pop(name, None)
    routes = tuple(
        f"{event['Properties'].get('Method', 'ANY').upper()} {event['Properties']['Path']}"
        for event in properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    )
    if properties.get("PackageType") == "Image":
        adapt.unpack_image(path.parent, properties)
    folder = (path.parent / (properties.get("CodeUri") or defaults.get("CodeUri", "."))).resolve()
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
    if "Definition" in properties:
        properties["Definition"] = adapt.retry_lost_host(properties["Definition"])


def _transform(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    session = boto3.Session("local", "local", region_name=REGION)
    translator = Translator({}, Parser(), boto_session=session)
    result: dict[str, Any] = translator.translate(deepcopy(template), dict(parameters))
    return result
