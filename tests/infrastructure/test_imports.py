"""Who may import what, held against the syntax tree: stores, outside libraries, and the face of a context."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "core"
ADAPTERS = {"aws", "contracts", "http", "kit", "observe", "providers", "triggers"}
"""Packages below and above the contexts."""

OUTSIDE = {
    "boto3": (),
    "botocore": ("snapforge.aws",),
    "logging": (),
    "httpx": ("snapforge.providers",),
    "pycolmap": ("snapforge.preflight.eye",),
    "aws_lambda_powertools": ("snapforge.observe",),
    "jinja2": ("snapforge.notifications", "snapforge.messages"),
    "stripe": ("snapforge.payments.providers",),
    "argon2": ("snapforge.identity.service.passwords",),
    "jwt": ("snapforge.identity.service.access_tokens", "snapforge.jobs.domain.quotes"),
}
"""A library → the only modules that import it (and those below them)."""

FACE = {"domain": 0, "errors": 1, "schemas": 2, "store": 3, "events": 4, "views": 4, "service": 5}
"""The face of a context, from the bottom: each imports what stands lower, and itself."""


def imports(source: str) -> Iterator[str]:
    """Every module that a source names, by either form, late imports and those for types included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of(name: str, folders: tuple[str, ...]) -> bool:
    """Whether a module is one of `folders`, or below one."""
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


def fault(module: str, imported: str) -> str | None:
    """Why `module` may not import `imported`; None where it may."""
    library = imported.partition(".")[0]
    if library in OUTSIDE and not of(module, OUTSIDE[library]):
        return f"{library} is imported by {', '.join(OUTSIDE[library]) or 'nobody'} only"
    if module.startswith("functions.") and (library in {"pynamodb", "functions"}):
        return "a function calls a service"
    parts, own = imported.split("."), module.split(".")
    if parts[0] != "snapforge" or len(parts) < 3 or parts[1] in ADAPTERS:
        return None
    same = own[:2] == parts[:2]
    if parts[2] == "store" and not same:
        return f"the store of {parts[1]} is private to it"
    if same and len(own) > 2 and FACE.get(own[2], 9) < FACE.get(parts[2], 0):
        return f"{own[2]} stands below {parts[2]}"
    return None


def modules() -> list[tuple[str, Path]]:
    """All of the layer and all functions, by dotted name."""
    found = [(LAYER, path) for path in (LAYER / "snapforge").rglob("*.py")]
    found += [(ROOT, path) for path in (ROOT / "functions").rglob("*.py")]
    return sorted((".".join(path.relative_to(base).with_suffix("").parts), path) for base, path in found)


def test_nothing_is_imported_that_must_not_be() -> None:
    seen = [(name, imported) for name, path in modules() for imported in imports(path.read_text())]
    assert len(seen) > 2000
    assert [f"{name}: {imported}: {why}" for name, imported in seen if (why := fault(name, imported))] == []


@pytest.mark.parametrize(
    ("module", "line", "why"),
    [
        ("snapforge.notifications.service", "import boto3", "nobody only"),
        ("snapforge.jobs.service.queries", "from botocore.config import Config", "botocore is imported by"),
        ("snapforge.jobs.service.submission.moderation", "import logging", "logging is imported by"),
        ("snapforge.jobs.service.submission.offers", "import httpx", "httpx is imported by"),
        ("snapforge.preflight.looking", "import pycolmap", "pycolmap is imported by"),
        ("snapforge.aws.outbox", "def late():\n    from aws_lambda_powertools import Logger", "is imported by"),
        ("snapforge.jobs.service.queries", "from snapforge.billing import store", "store of billing"),
        ("snapforge.http.serialize", "import snapforge.identity.store", "store of identity"),
        ("functions.jobs.get_job", "from snapforge.jobs.store import JobRow", "store of jobs"),
        ("functions.jobs.get_job", "import functions.jobs.list_jobs", "calls a service"),
        ("functions.jobs.get_job", "from pynamodb.models import Model", "calls a service"),
        ("snapforge.billing.store", "from snapforge.billing.service import ledger", "store stands below service"),
        ("snapforge.jobs.domain.pricing", "from snapforge.jobs import schemas", "domain stands below schemas"),
        ("snapforge.jobs.views", "import snapforge.jobs.service", "views stands below service"),
    ],
)
def test_a_seeded_violation_is_seen(module: str, line: str, why: str) -> None:
    """One forbidden import each."""
    assert any(why in (fault(module, imported) or "") for imported in imports(line))


TO_COME = {"stripe"}
"""Libraries whose one module an issue names that is still open."""


@pytest.mark.parametrize("library", sorted(OUTSIDE.keys() - TO_COME))
def test_a_library_that_is_kept_to_modules_is_used_by_one_of_them(library: str) -> None:
    """A row of the table that matches nothing guards nothing."""
    users = [name for name, path in modules() if any(of(found, (library,)) for found in imports(path.read_text()))]
    assert bool(users) == bool(OUTSIDE[library])


def test_what_tests_share_imports_no_tests() -> None:
    """tests/support stands below the folders of tests: what several of them use is moved there."""
    files = sorted((ROOT / "tests" / "support").glob("*.py"))
    assert len(files) > 10
    seen = {(path.name, found) for path in files for found in imports(path.read_text()) if of(found, ("tests",))}
    assert {found for _, found in seen} != set()
    assert [pair for pair in sorted(seen) if not of(pair[1], ("tests.support",))] == []
