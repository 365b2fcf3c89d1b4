"""The one list of what the emulator does not get, and why. All else in the templates is deployed as it stands."""

from collections.abc import Callable
from typing import Any

Resource = dict[str, Any]

LEFT_OUT: dict[str, str] = {
    "AWS::Batch::": "local Batch gets the job definitions and queues; MiniStack's Batch runs nothing",
    "AWS::ApiGatewayV2::": "the functions host serves the routes; MiniStack would hold one address per context",
    "AWS::CloudFront::": "the functions host stands for the edge, down to the signed URLs",
    "AWS::WAFv2::": "there is no edge to guard on loopback",
    "AWS::Lambda::LayerVersion": "functions run from the control plane's own environment, no wheels are built",
    "AWS::EC2::": "nothing runs in a network of its own here",
    "AWS::IAM::InstanceProfile": "belongs to the GPU instances",
    "AWS::CloudWatch::": "MiniStack evaluates no alarms on its own queues and functions",
    "AWS::Logs::": "function and worker logs are files under logs/",
    "AWS::SNS::Subscription": "alarms have nobody to mail to",
    "AWS::CodeDeploy::": "there is one version of each function: the working tree",
    "AWS::Events::Archive": "MiniStack's CloudFormation does not know it",
    "AWS::SES::": "the region verifies its sender itself; messages land in the mailbox page",
    "AWS::ApplicationAutoScaling::": "tables are on demand and functions unprovisioned here",
    "AWS::Budgets::": "nothing costs here",
    "AWS::XRay::": "no traces are collected",
}
"""Type, or prefix of types ending in '::', and the reason."""


def _for_api_gateway(resource: Resource) -> bool:
    return bool(resource.get("Properties", {}).get("Principal") == "apigateway.amazonaws.com")


LEFT_OUT_WHEN: dict[str, tuple[Callable[[Resource], bool], str]] = {
    "AWS::Lambda::Permission": (_for_api_gateway, "belongs to the HttpApis, which are left out"),
}
"""Types of which only some are left out."""


def reason(resource: Resource) -> str | None:
    """Why this resource is left out; None if it is deployed."""
    kind = resource["Type"]
    for name, why in LEFT_OUT.items():
        if kind == name or (name.endswith("::") and kind.startswith(name)):
            return why
    if kind in LEFT_OUT_WHEN:
        test, why = LEFT_OUT_WHEN[kind]
        return why if test(resource) else None
    return None


def take_out(template: dict[str, Any]) -> dict[str, Resource]:
    """Remove them from `template` in place, with every reference to them, and return what was removed.

    A reference becomes a stand-in text (`left-out.<logical id>[.<attribute>]`): it can only end up in places that
    nobody reads here, such as an output.
    """
    resources = template["Resources"]
    gone = {name: resource for name, resource in resources.items() if reason(resource) is not None}
    for name in gone:
        del resources[name]
    for resource in resources.values():
        depends = resource.pop("DependsOn", [])
        kept = [name for name in ([depends] if isinstance(depends, str) else depends) if name not in gone]
        if kept:
            resource["DependsOn"] = kept
    for section in ("Resources", "Outputs"):
        if section in template:
            template[section] = _without(template[section], set(gone))
    return gone


def _without(value: Any, gone: set[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, gone) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == "Ref" and inner in gone:
            return f"left-out.{inner}"
        if key == "Fn::GetAtt":
            name, *attribute = inner.split(".", 1) if isinstance(inner, str) else inner
            if name in gone:
                return f"left-out.{name}." + ".".join(map(str, attribute))
        if key == "Fn::Sub":
            return {key: _without_sub(inner, gone)}
    return {key: _without(inner, gone) for key, inner in value.items()}


def _without_sub(inner: Any, gone: set[str]) -> Any:
    text, variables = (inner, {}) if isinstance(inner, str) else (inner[0], _without(inner[1], gone))
    for name in gone:
        text = text.replace("${" + name + "}", f"left-out.{name}")
        while (start := text.find("${" + name + ".")) >= 0:
            end = text.index("}", start)
            text = text[:start] + "left-out." + text[start + 2 : end] + text[end + 1 :]
    return [text, variables] if variables else text
