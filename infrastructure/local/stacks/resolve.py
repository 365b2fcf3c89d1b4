"""Works out the intrinsic functions in what MiniStack does not get: Batch resources, parameters of nested stacks."""

import re
from collections.abc import Mapping
from typing import Any

from infrastructure.local.paths import ACCOUNT, REGION

_PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "local",
}
_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class Resolver:
    """One template's values: parameters, and the names of its resources."""

    def __init__(self, template: dict[str, Any], parameters: Mapping[str, str], physical: Mapping[str, str]) -> None:
        self._template = template
        self._values = {**_PSEUDO, **parameters}
        self._physical = physical
        self._outputs: dict[str, str] = {}

    def know(self, child: str, outputs: Mapping[str, str]) -> None:
        """Take in what a nested stack gave: `<child>.Outputs.<name>`."""
        self._outputs |= {f"{child}.Outputs.{name}": value for name, value in outputs.items()}

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced; a reference that only AWS could give is a stand-in text."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
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
        if name in self._values:
            return self._values[name]  # an empty parameter is a value, too
        return self._physical.get(name) or f"left-out.{name}"

    def _call(self, function: str, inner: Any) -> Any:
        """One `Fn::` function. ValueError for one that is not known here."""
        method = getattr(self, f"_fn_{function.lower()}", None)
        if method is None:
            raise ValueError(f"Fn::{function} in a Batch resource: teach infrastructure/local/stacks/resolve.py")
        return method(inner)

    def _fn_join(self, inner: Any) -> str:
        return str(inner[0]).join(map(str, self.resolve(inner[1])))

    def _fn_if(self, inner: Any) -> Any:
        return self.resolve(inner[1] if self._condition({"Condition": inner[0]}) else inner[2])

    def _fn_getatt(self, inner: Any) -> str:
        name, attribute = inner.split(".", 1) if isinstance(inner, str) else inner
        return self._attribute(name, attribute)

    def _fn_select(self, inner: Any) -> Any:
        return self.resolve(inner[1])[int(inner[0])]

    def _fn_split(self, inner: Any) -> list[str]:
        return str(self.resolve(inner[1])).split(inner[0])

    def _fn_findinmap(self, inner: Any) -> Any:
        outer, first, second = map(self.resolve, inner)
        return self._template["Mappings"][outer][first][second]

    def _attribute(self, name: str, attribute: str) -> str:
        if (output := self._outputs.get(f"{name}.{attribute}")) is not None:
            return output
        physical = self._physical.get(name, name)
        if attribute == "RepositoryUri":
            return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{physical}"
        return f"left-out.{physical}.{attribute}"

    def _fn_sub(self, inner: Any) -> str:
        text, own = (inner, {}) if isinstance(inner, str) else (inner[0], self.resolve(inner[1]))

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in own:
                return str(own[name])
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return str(self._reference(name))

        return _VARIABLE.sub(value, text).replace("${!", "${")

    def _condition(self, expression: dict[str, Any]) -> bool:
        ((key, inner),) = expression.items()
        match key:
            case "Condition":
                return self._condition(self._template["Conditions"][inner])
            case "Fn::Equals":
                first, second = map(self.resolve, inner)
                return bool(first == second)
            case "Fn::Not":
                return not self._condition(inner[0])
            case "Fn::And":
                return all(map(self._condition, inner))
            case "Fn::Or":
                return any(map(self._condition, inner))
            case _:
                raise ValueError(f"unknown condition function {key}")

    def holds(self, resource: dict[str, Any]) -> bool:
        """Whether the resource's Condition, if it has one, is true."""
        return "Condition" not in resource or self._condition({"Condition": resource["Condition"]})
