"""The API's docs page: one static file made from the OpenAPI document."""

from typing import Any

import jinja2

from infrastructure.tools.functions import ROOT
from infrastructure.tools.postman import example_text

TEMPLATE = ROOT / "infrastructure" / "tools" / "docs_page.html"


def render(document: dict[str, Any]) -> str:
    """The page: every route with its parameters, example, answers and errors, and all schemas."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    operations = [
        {"path": path, "method": method.upper(), **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for operation in operations:
        body = operation.get("requestBody")
        operation["example"] = example_text(body["content"]["application/json"]["schema"], document) if body else ""
    codes = _codes(operations)
    template = environment.from_string(TEMPLATE.read_text())
    return template.render(document=document, operations=operations, codes=codes, type_of=type_of) + "\n"


def _codes(operations: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    """Every error code once, with its status and title."""
    found = {}
    for operation in operations:
        for status, answer in operation["responses"].items():
            for part in answer["description"].split("; `") if status >= "400" else ():
                code, _, title = part.strip("`").partition("`: ")
                found[code] = (int(status), title)
    return [(code, *rest) for code, rest in sorted(found.items())]


def type_of(schema: dict[str, Any]) -> str:
    """A short name of a schema's type, for tables."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " | ".join(type_of(part) for part in schema[union] if part.get("type") != "null")
    if schema.get("type") == "array":
        return f"[{type_of(schema.get('items', {}))}]"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    return str(schema.get("format") or schema.get("type", "any"))
