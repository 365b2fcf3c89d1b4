"""`Fn::ForEach` (the transform AWS::LanguageExtensions), for those who read templates without CloudFormation.

Only what the templates use: `Fn::ForEach::Name: [Identifier, [values…], {key: body}]` over lists that are written out.
In the body's keys and inside of `!Sub`, `${Identifier}` becomes the value, and `!Ref Identifier` is the value; nowhere
else, as on AWS. The transform also lets `Ref` and `Fn::GetAtt` name a resource by `!Sub`: so one names a neighbour.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

TRANSFORM = "AWS::LanguageExtensions"
_LOOP = re.compile(r"Fn::ForEach::[A-Za-z0-9]+")


def expand(template: dict[str, Any]) -> dict[str, Any]:
    """The template with its loops written out, and without the transform. ValueError for a loop that is none."""
    if TRANSFORM not in _transforms(template):
        return template
    found: dict[str, Any] = _expanded(template, {})
    rest = [one for one in _transforms(template) if one != TRANSFORM]
    del found["Transform"]
    return {**found, "Transform": rest} if rest else found


def _transforms(template: dict[str, Any]) -> list[str]:
    declared = template.get("Transform", [])
    return [declared] if isinstance(declared, str) else list(declared)


def _expanded(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _plain(value, values)
    if isinstance(value, list):
        return [_expanded(one, values) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (made := _function(value, values)) is not None:
        return made
    parts = [_loop(k, v, values) if _LOOP.fullmatch(k) else {k: _expanded(v, values)} for k, v in value.items()]
    return _joined(parts)


def _plain(text: str, values: Mapping[str, str]) -> str:
    if any(f"${{{name}}}" in text for name in values):
        raise ValueError(f"{text!r}: CloudFormation fills this in inside of !Sub only")
    return text


def _function(value: dict[str, Any], values: Mapping[str, str]) -> Any:
    """The intrinsic functions in which a loop's value may stand; None for all else."""
    match value:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case {"Ref": {"Fn::Sub": str(name)}}:
            return {"Ref": _filled(name, values)}
        case {"Fn::GetAtt": [{"Fn::Sub": str(name)}, attribute]}:
            return {"Fn::GetAtt": [_filled(name, values), attribute]}
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _filled(text, values)}
        case {"Fn::Sub": [str(text), more]}:
            return {"Fn::Sub": [_filled(text, values), _expanded(more, values)]}
    return None


def _loop(key: str, inner: Any, values: Mapping[str, str]) -> dict[str, Any]:
    match inner:
        case [str(identifier), list(collection), dict(body)] if all(isinstance(one, str) for one in collection):
            rounds = [{**values, identifier: one} for one in collection]
            return _joined(
                _loop(name, part, each) if _LOOP.fullmatch(name) else {_filled(name, each): _expanded(part, each)}
                for each in rounds
                for name, part in body.items()
            )
    raise ValueError(f"{key}: an identifier, a list of texts and a map are wanted")


def _joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in parts:
        if twice := made.keys() & part.keys():
            raise ValueError(f"{', '.join(sorted(twice))} is made twice")
        made |= part
    return made


def _filled(text: str, values: Mapping[str, str]) -> str:
    for identifier, value in values.items():
        text = text.replace(f"${{{identifier}}}", value)
    return text
