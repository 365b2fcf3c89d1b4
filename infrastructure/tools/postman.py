"""A Postman collection (v2.1) from the OpenAPI document."""

import json
from typing import Any

from infrastructure.tools.examples import example

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection(document: dict[str, Any]) -> dict[str, Any]:
    """One folder per tag; `{{base_url}}` and `{{token}}` are the collection's variables."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            folders.setdefault(operation["tags"][0], []).append(_item(path, method, operation, document))
    return {
        "info": {"name": document["info"]["title"], "schema": SCHEMA},
        "variable": [{"key": "base_url", "value": "http://127.0.0.1:8080"}, {"key": "token", "value": ""}],
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
        "item": [{"name": tag, "item": items} for tag, items in sorted(folders.items())],
    }


def _item(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    headers = [
        {"key": parameter["name"], "value": "{{$guid}}"}
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    ]
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": headers,
        "url": {
            "raw": "{{base_url}}" + path,
            "host": ["{{base_url}}"],
            "path": [part.replace("{", ":").replace("}", "") for part in path.strip("/").split("/")],
        },
    }
    if not operation["security"]:
        request["auth"] = {"type": "noauth"}
    body = operation.get("requestBody")
    if body:
        request["body"] = {
            "mode": "raw",
            "raw": example_text(body["content"]["application/json"]["schema"], document),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": operation["summary"], "request": request}


def example_text(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """An example of a body, as indented JSON."""
    return json.dumps(example(schema, document["components"]["schemas"]), indent=2, ensure_ascii=False)
