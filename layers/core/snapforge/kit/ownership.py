"""What a context owns: its tables with the rows in them, its objects, and how to see that all of it is there.

Each context has one `ownership.py`; `admin.contexts` lists them. The export and the erasure of a person or an org, the
data map, the outbox's publishers and deep health read nothing else, so a row that is not declared fails a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Probe = Callable[[], None]
"""One cheap call that raises (an AwsError) when what it asks for is not there."""


class Erase(StrEnum):
    """What becomes of rows or objects when the person or org whose they are is erased."""

    delete = "delete"
    pseudonymise = "pseudonymise"
    """They stay, without whatever names or describes a person: `why` says which law or which sum wants them."""
    expires = "expires"
    """Nothing: they end by themselves, within days (`why` says when)."""
    nobodys = "nobodys"
    """Nothing: they hold nothing about anybody."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One class of rows (its discriminator), or the objects below one key prefix."""

    name: str
    erase: Erase
    export: bool = False
    """Whether an export shows them to the person or the org."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, by its name after `snapforge-<stage>-`."""

    name: str
    rows: tuple[Rows, ...]
    outbox: bool = False
    """Whether the common function publishes its outbox; a context whose events start something has one of its own."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """All of one context's."""

    tables: tuple[Table, ...] = ()
    objects: tuple[Rows, ...] = ()
    """`<bucket>/<prefix>/`, e.g. `assets/runs/`."""
    probes: Mapping[str, Probe] = field(default_factory=lambda: MappingProxyType({}))
    """By the name under which deep health reports; tables are asked for anyhow."""


OUTBOX = Rows("Outbox", Erase.expires, why="seven days after the event")
IDEMPOTENCY = Rows("Idempotency", Erase.expires, why="a day after the request")
