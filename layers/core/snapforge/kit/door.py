"""A context's door that loads a room when somebody first asks for what is in it.

A function uses one or two rooms of a context; loading all of them was a tenth of its cold start. The door's module
lists the same names for type checkers and import contracts under `if TYPE_CHECKING`.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def door(module: str, rooms: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The `__getattr__` of `module` (its `__name__`). `rooms`: name of a sibling module → what is found in it."""
    package = module.rpartition(".")[0]
    where = {name: room for room, names in rooms.items() for name in names}

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{where[name]}"), name)
        setattr(sys.modules[module], name, value)
        return value

    return find
