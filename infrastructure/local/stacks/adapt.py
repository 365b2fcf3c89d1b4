"""The few places where a template must say it otherwise for MiniStack 1.5.33. Each says why."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Lookup = Callable[[str, str], str | None]
"""Value of (`ssm` | `secretsmanager`, name), or None if it is not there yet."""

_DYNAMIC = re.compile(r"\{\{resolve:(ssm|secretsmanager):([^}]*(?:\$\{[^}]*\}[^}]*)*)\}\}")
_ALIAS = re.compile(r"(\w+)\.(?:Alias|Version)")
_SUB_ALIAS = re.compile(r"\$\{(\w+)\.(?:Alias|Version)\}")
_HOST_LOST = "Runtime.HandlerError"
_SERVICE_FAULT = "Lambda.ServiceException"


def resolve_dynamic(value: Any, parameters: dict[str, str], lookup: Lookup) -> Any:
    """Replace `{{resolve:ssm:…}}` and `{{resolve:secretsmanager:…}}` in every text.

    MiniStack leaves these in place for event sources and secrets. A name that depends on a resource of the same stack
    stays: there is nothing to look up before it stands (see seed).
    """
    if isinstance(value, list):
        return [resolve_dynamic(item, parameters, lookup) for item in value]
    if isinstance(value, dict):
        return {key: resolve_dynamic(inner, parameters, lookup) for key, inner in value.items()}
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(2)
        for parameter, text in parameters.items():
            name = name.replace("${" + parameter + "}", text)
        found = None if "${" in name else lookup(match.group(1), name)
        return match.group(0) if found is None else found

    return _DYNAMIC.sub(replace, value)


def retry_lost_host(value: Any) -> Any:
    """In a state machine, retry a lost functions host where a fault of Lambda itself is retried.

    MiniStack reports every failed call of its Lambda proxy as Runtime.HandlerError, a broken connection too, which on
    AWS would be Lambda.ServiceException.
    """
    if isinstance(value, list):
        return [retry_lost_host(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _SERVICE_FAULT in value.get("ErrorEquals", ()) and "MaxAttempts" in value:
        return {**value, "ErrorEquals": [*value["ErrorEquals"], _HOST_LOST]}
    return {key: retry_lost_host(inner) for key, inner in value.items()}


def plain_policies(resource: dict[str, Any]) -> None:
    """MiniStack knows Retain; RetainExceptOnCreate says the same for a stack that stands."""
    for name in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(name) == "RetainExceptOnCreate":
            resource[name] = "Retain"


def unpack_image(base: Path, properties: dict[str, Any]) -> None:
    """A function in a container image becomes one from the working tree: the image holds `functions/` at its root, so
    its command `jobs.do_it.handler` is the file of that context. `base` is the template's folder.
    """
    context, _, handler = properties.pop("ImageConfig")["Command"][0].partition(".")
    for name in ("PackageType", "ImageUri"):
        properties.pop(name, None)
    folder = next(folder for folder in (base / "functions", base.parent / "functions") if folder.is_dir())
    properties |= {"CodeUri": str(folder / context), "Handler": handler, "Runtime": "python3.13"}


def to_proxy(properties: dict[str, Any], invoke_url: str) -> None:
    """A function's code stays in the working tree: MiniStack passes each invocation on to the functions host."""
    properties["Code"] = {"ZipFile": "# served by the functions host"}
    properties["Runtime"] = "python3.13"
    for name in ("Layers", "VpcConfig", "SnapStart", "ReservedConcurrentExecutions"):
        properties.pop(name, None)
    environment = properties.setdefault("Environment", {})
    environment["Variables"] = {**environment.get("Variables", {}), "MINISTACK_LAMBDA_PROXY_URL": invoke_url}


def without_aliases(value: Any, functions: set[str]) -> Any:
    """Point what names a function's alias or version (SAM's `X.Alias`, `X.Version`) at the function: there is one."""
    if isinstance(value, list):
        return [without_aliases(item, functions) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == "Ref" and isinstance(inner, str) and (found := _ALIAS.fullmatch(inner)) and found[1] in functions:
            return {"Fn::GetAtt": [found[1], "Arn"]}
        if key == "Fn::Sub":
            text, *rest = [inner] if isinstance(inner, str) else inner
            text = _SUB_ALIAS.sub(lambda m: f"${{{m[1]}.Arn}}" if m[1] in functions else m[0], text)
            return {key: [text, *without_aliases(rest, functions)] if rest else text}
    return {key: without_aliases(inner, functions) for key, inner in value.items()}
