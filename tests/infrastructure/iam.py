"""IAM's own judgement: may this principal do this action on this resource, in this context?

After "Policy evaluation logic" of the IAM user guide, for what the templates use. What they do not use is an error
(UnknownPolicy), never a pass: an operator, an element of a statement, a variable in an ARN.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.support.stacks import ACCOUNT
from tests.support.templates import as_list

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
Context = Mapping[str, str]


class UnknownPolicy(ValueError):
    """A policy says something that this module cannot judge."""


@dataclass(frozen=True)
class Request:
    """`principal` is a role's ARN, a service's name (`events.amazonaws.com`), or `anonymous`."""

    principal: str
    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement. `where` names its template and resource; `principals` is None in an identity policy."""

    where: str
    effect: str
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[tuple[str, str], ...] | None = None
    """(`AWS` or `Service`, who)."""
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(operator, context key, values): all must hold, one value of each suffices."""

    def allows(self, action: str, resource: str, context: Context | None = None) -> bool:
        """Whether it is an Allow that covers the call, whoever makes it."""
        return self.effect == "Allow" and self._covers(action, resource) and self.holds(context or {})

    def applies(self, request: Request) -> bool:
        """Whether it speaks about the request."""
        return (
            self._covers(request.action, request.resource)
            and (self.principals is None or any(_is(request.principal, *one) for one in self.principals))
            and self.holds(request.context)
        )

    def _covers(self, action: str, resource: str) -> bool:
        by_action = any(matches(one.lower(), action.lower()) for one in self.actions or self.not_actions)
        by_resource = any(matches(one, resource) for one in self.resources or self.not_resources)
        return by_action != bool(self.not_actions) and by_resource != bool(self.not_resources)

    def holds(self, context: Context) -> bool:
        """Whether its conditions do."""
        lower = {key.lower(): value for key, value in context.items()}
        return all(_holds(operator, lower.get(key.lower()), values) for operator, key, values in self.conditions)


def read(where: str, raw: Mapping[str, Any], resource: str | None = None) -> Statement:
    """A resolved statement as it stands in a policy. `resource`: what a policy without Resource is attached to."""
    if unknown := raw.keys() - _ELEMENTS:
        raise UnknownPolicy(f"{where}: {sorted(unknown)}")
    if raw["Effect"] not in ("Allow", "Deny"):
        raise UnknownPolicy(f"{where}: Effect {raw['Effect']}")
    resources = as_list(raw.get("Resource", [] if "NotResource" in raw else resource or []))
    not_resources, actions, not_actions = (as_list(raw.get(n, [])) for n in ("NotResource", "Action", "NotAction"))
    if bool(actions) == bool(not_actions) or bool(resources) == bool(not_resources):
        raise UnknownPolicy(f"{where}: one of Action and NotAction, one of Resource and NotResource")
    for one in [*resources, *not_resources]:
        if "${" in one or not (one == "*" or one.startswith("arn:")):
            raise UnknownPolicy(f"{where}: {one} is no ARN")
    return Statement(
        where=where,
        effect=raw["Effect"],
        actions=tuple(actions),
        resources=tuple(resources),
        not_actions=tuple(not_actions),
        not_resources=tuple(not_resources),
        principals=_principals(where, raw["Principal"]) if "Principal" in raw else None,
        conditions=_conditions(where, raw.get("Condition", {})),
    )


def _principals(where: str, raw: Any) -> tuple[tuple[str, str], ...]:
    if raw == "*":
        return (("AWS", "*"),)
    if unknown := raw.keys() - {"AWS", "Service"}:
        raise UnknownPolicy(f"{where}: Principal {sorted(unknown)}")
    found = tuple((kind, who) for kind, several in raw.items() for who in as_list(several))
    if unknown := [who for _, who in found if who != "*" and ("*" in who or "?" in who or "${" in who)]:
        raise UnknownPolicy(f"{where}: Principal {unknown}")
    return found


def _conditions(where: str, raw: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found = []
    for operator, keys in raw.items():
        if operator.removesuffix("IfExists") not in _OPERATORS or operator == "NullIfExists":
            raise UnknownPolicy(f"{where}: operator {operator}")
        found += [(operator, key, tuple(map(str, as_list(values)))) for key, values in keys.items()]
    if unknown := [value for _, _, values in found for value in values if "${" in value]:
        raise UnknownPolicy(f"{where}: {unknown}")
    return tuple(found)


def decide(statements: Iterable[Statement], request: Request) -> str:
    """`Deny`, `Allow`, or `nothing said`: a Deny that applies wins."""
    effects = {one.effect for one in statements if one.applies(request)}
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else "nothing said"


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """`*` is any text and `?` one character; nothing else is special."""
    return _pattern(pattern).fullmatch(value) is not None


def _arn_matches(pattern: str, value: str) -> bool:
    """Each of an ARN's six parts by itself, so that a `*` does not reach into the next."""
    asked, given = pattern.split(":", 5), value.split(":", 5)
    return len(asked) == len(given) == 6 and all(map(matches, asked, given))


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "Bool": (lambda asked, given: asked.lower() == given.lower(), True),
    "StringEquals": (lambda asked, given: asked == given, True),
    "StringNotEquals": (lambda asked, given: asked == given, False),
    "StringEqualsIgnoreCase": (lambda asked, given: asked.lower() == given.lower(), True),
    "StringLike": (matches, True),
    "StringNotLike": (matches, False),
    "ForAllValues:StringLike": (matches, True),
    "ArnEquals": (_arn_matches, True),
    "ArnLike": (_arn_matches, True),
    "ArnNotEquals": (_arn_matches, False),
    "ArnNotLike": (_arn_matches, False),
    "Null": (lambda asked, given: asked.lower() == given, True),
}
"""How a value is compared, and whether one that fits is asked for or ruled out."""


def _holds(operator: str, given: str | None, values: tuple[str, ...]) -> bool:
    compare, wanted = _OPERATORS[operator.removesuffix("IfExists")]
    if operator == "Null":
        given = str(given is None).lower()
    elif given is None:
        # ForAllValues holds of no values at all.
        return operator.endswith("IfExists") or operator.startswith("ForAllValues:") or not wanted
    return any(compare(one, given) for one in values) is wanted


def _is(principal: str, kind: str, who: str) -> bool:
    """Naming another account opens the door to whom that account lets. Naming our own says nothing by itself: its
    roles need policies of their own (policies.verdict looks there)."""
    if kind == "AWS" and who == "*":
        return True
    account = who.removesuffix(":root").removeprefix("arn:aws:iam::")
    if kind == "AWS" and account.isdecimal() and account != ACCOUNT:
        return principal.startswith(f"arn:aws:iam::{account}:")
    return principal == who
