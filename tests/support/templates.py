"""The repository's templates as values. No AWS, no imports of functions; the workers' environments can load it, too."""

import ast
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from infrastructure.tools import loops

REPO = Path(__file__).parents[2]
ROOTS = {
    "foundation": REPO / "infrastructure" / "foundation.yaml",
    "app": REPO / "template.yaml",
    "edge": REPO / "infrastructure" / "edge.yaml",
}
Resource = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """One template file: `name` is its file's stem, `root` the root stack it belongs to."""

    path: Path
    root: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """E.g. `identity`; the app's root is `template`."""
        return self.path.stem

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return dict(self.body.get("Parameters", {}))

    @property
    def resources(self) -> dict[str, Resource]:
        """By logical id."""
        return dict(self.body["Resources"])

    def of_type(self, kind: str) -> dict[str, Resource]:
        """The resources of one type."""
        return {name: found for name, found in self.resources.items() if found["Type"] == kind}


@dataclass(frozen=True)
class Function:
    """A function of a template. `properties` hold its own and the Globals'."""

    template: Template
    logical_id: str
    properties: dict[str, Any]

    @property
    def image(self) -> bool:
        """Whether it is a container image, which holds `functions/` at its root."""
        return self.properties.get("PackageType") == "Image"

    @property
    def file(self) -> Path:
        """The handler's file."""
        if self.image:
            context, _, handler = self.properties["ImageConfig"]["Command"][0].partition(".")
            return REPO / "functions" / str(context) / f"{handler.removesuffix('.handler')}.py"
        folder = (self.template.path.parent / self.properties["CodeUri"]).resolve()
        return Path(folder / self.properties["Handler"].removesuffix(".handler")).with_suffix(".py")

    @property
    def place(self) -> str:
        """`<context>/<file>`, e.g. `jobs/create_job`."""
        return f"{self.file.parent.name}/{self.file.stem}"

    @property
    def routes(self) -> list[str]:
        """`METHOD /path` of its HttpApi events."""
        return [
            f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}"
            for event in self.properties.get("Events", {}).values()
            if event["Type"] == "HttpApi"
        ]


@cache
def templates() -> tuple[Template, ...]:
    """Every template, found from the three roots."""
    return tuple(found for root, path in ROOTS.items() for found in _from(path, root))


def _from(path: Path, root: str) -> Iterator[Template]:
    template = Template(path, root, loops.expand(yaml.load(path.read_text(), _Loader)))
    yield template
    for nested in template.of_type("AWS::CloudFormation::Stack").values():
        yield from _from((path.parent / nested["Properties"]["TemplateURL"]).resolve(), root)


class _Loader(yaml.CSafeLoader):
    """libyaml's, ten times as fast as the translator's own reading."""


def _intrinsic(loader: yaml.Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    """`!Sub x` as CloudFormation spells it out: `{"Fn::Sub": "x"}`."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if tag == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def template(name: str) -> Template:
    """One by its file's stem."""
    return next(found for found in templates() if found.name == name)


def everything(kind: str) -> dict[str, Resource]:
    """All resources of one type, by `<template>.<logical id>`."""
    return {f"{t.name}.{name}": found for t in templates() for name, found in t.of_type(kind).items()}


@cache
def functions() -> tuple[Function, ...]:
    """Every function of every template."""
    found = []
    for each in templates():
        shared = each.body.get("Globals", {}).get("Function", {})
        for logical_id, resource in each.of_type("AWS::Serverless::Function").items():
            found.append(Function(each, logical_id, _merge(shared, resource["Properties"])))
    return tuple(found)


def _merge(shared: Any, own: Any) -> Any:
    """As SAM does: maps are merged, lists joined, the rest is the function's own."""
    if isinstance(shared, dict) and isinstance(own, dict):
        return {**shared, **{key: _merge(shared[key], value) if key in shared else value for key, value in own.items()}}
    return [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own


def transform(each: Template) -> dict[str, Any]:
    """What CloudFormation gets of a SAM template."""
    # Here, because it takes a second to load, and most sessions transform nothing.
    from samtranslator.metrics.metrics import DummyMetricsPublisher, Metrics
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    body = json.loads(json.dumps(each.body))
    for resource in body["Resources"].values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Serverless::LayerVersion":
                properties["ContentUri"] = "s3://built/layer"
            case "AWS::Serverless::StateMachine":
                properties["DefinitionUri"] = "s3://built/definition"
    for place in (body.get("Globals", {}).get("Function"), *(_code(r) for r in body["Resources"].values())):
        if place and "CodeUri" in place:
            place["CodeUri"] = "s3://built/code"
    # The translator asks boto3 for a region, and its metrics are nobody's.
    with patch.dict(os.environ, AWS_DEFAULT_REGION="eu-central-1"):
        translator = Translator({}, Parser(), metrics=Metrics("none", DummyMetricsPublisher()))
        result: dict[str, Any] = translator.translate(
            body, {"ReleaseSha": "0123456789abcdef", "DeploymentPreference": "AllAtOnce"}
        )
    translator.metrics.publish()
    return result


def _code(resource: Resource) -> dict[str, Any] | None:
    return resource["Properties"] if resource["Type"] == "AWS::Serverless::Function" else None


def text(value: Any) -> str:
    """A string, or the text inside !Sub."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        value = value["Fn::Sub"]
    return value if isinstance(value, str) else json.dumps(value)


def walk(value: Any) -> Iterator[Any]:
    """Every value inside a value, itself first."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def as_list(value: Any) -> list[Any]:
    """IAM's habit: one or many."""
    return value if isinstance(value, list) else [value]


def function_files() -> list[Path]:
    """functions/<context>/<file>.py"""
    return sorted(path for path in (REPO / "functions").glob("*/*.py") if path.name != "__init__.py")


def place(path: Path) -> str:
    """`<context>/<file>` of a function's file."""
    return f"{path.parent.name}/{path.stem}"


def pascal(stem: str) -> str:
    """`create_job` → `CreateJob`."""
    return "".join(part.capitalize() for part in stem.split("_"))


def decorated_route(path: Path) -> str | None:
    """The route in `@endpoint("POST /v1/jobs", …)` over `handler`, read without importing; None for consumers."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name == "handler":
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "endpoint":
                    route = decorator.args[0]
                    assert isinstance(route, ast.Constant), f"{path}: the route must be a literal"
                    return str(route.value)
    return None


def dashes(stem: str) -> str:
    """`create_job` → `create-job`."""
    return re.sub("_", "-", stem)
