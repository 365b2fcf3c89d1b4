"""What is true of a route: the data that the steps, the OpenAPI document and the conformance tests read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from snapforge.http import signature
from snapforge.http.signature import Signature
from snapforge.kit.errors import Problem
from snapforge.kit.permissions import Permission


@dataclass(eq=False)
class Route:
    """`function` serves `method` on `path`; who may ask (None: anybody), and how it answers."""

    method: str
    path: str
    function: Callable[..., Any]
    permission: Permission | None = None
    idempotent: bool = False
    raises: tuple[type[Problem], ...] = ()
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.function.__module__.rpartition(".")[2]

    @cached_property
    def signature(self) -> Signature:
        """The handler's parameters, by where they come from."""
        return signature.read(self.function, re.findall(r"{(\w+)}", self.path))

    @cached_property
    def returns(self) -> Any:
        """The annotated answer."""
        return get_type_hints(self.function, include_extras=True).get("return")
