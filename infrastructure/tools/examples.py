"""An example value of a JSON schema: its own example where it has one, else built from its parts."""

from typing import Any

_BY_TYPE: dict[str, Any] = {"string": "text", "number": 1.0, "boolean": True, "null": None}
_BY_FORMAT = {"email": "ada@example.com", "date-time": "2026-11-21T02:20:00Z"}


def example(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A value that fits `schema`; `definitions` are the targets of its `$ref`s by their last part.

    Required members are always there, optional ones where they have an example or can be only one thing (a union is
    told by it). A string with a pattern and no example cannot be guessed: the tests of bodies and of samples tell which
    lacks one.
    """
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    given = _given(schema)
    if given is not None:
        return given
    for union in ("oneOf", "anyOf", "allOf"):
        if union in schema:
            return example(next(part for part in schema[union] if part.get("type") != "null"), definitions)
    if schema.get("type") == "object":
        return _object(schema, definitions)
    if schema.get("type") == "array":
        return [example(schema.get("items", {}), definitions)] * max(1, schema.get("minItems", 0))
    return _scalar(schema)


def _given(schema: dict[str, Any]) -> Any:
    """What the schema itself names."""
    for listed in ("examples", "enum"):
        if schema.get(listed):
            return schema[listed][0]
    return schema.get("const", schema.get("default"))


def _object(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required", ())
    return {
        name: example(inner, definitions)
        for name, inner in schema.get("properties", {}).items()
        if name in required or "const" in inner or _has_example(inner)
    }


def _has_example(schema: dict[str, Any]) -> bool:
    return bool(schema.get("examples")) or any(_has_example(part) for part in schema.get("anyOf", ()))


def _scalar(schema: dict[str, Any]) -> Any:
    if schema.get("type") == "integer":
        return max(1, schema.get("minimum", 1))
    return _BY_FORMAT.get(schema.get("format", "")) or _BY_TYPE.get(schema.get("type", "string"), "text")
