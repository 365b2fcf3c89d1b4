"""Each context says what it owns, and owns what it says: packages, row classes, tables, prefixes, deep health."""

import ast
from pathlib import Path

import pytest

from snapforge.admin import contexts
from snapforge.admin import service as health
from snapforge.kit.ownership import Erase, Rows
from tests.infrastructure import probes
from tests.support.stacks import of_type
from tests.support.templates import REPO

CONTEXTS = REPO / "layers/core/snapforge"
WITHOUT = {"admin", "messages", "preflight"}
"""Contexts that keep nothing: they read, declare and measure."""
ALL_ROWS = [
    (context, table.name, rows)
    for context, owned in contexts.CONTEXTS.items()
    for table in owned.tables
    for rows in table.rows
]


def row_classes(context: Path) -> set[str]:
    """The discriminators of all classes of rows in a context, by the syntax tree."""
    return {
        str(keyword.value.value)
        for path in context.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for keyword in node.keywords
        if keyword.arg == "discriminator" and isinstance(keyword.value, ast.Constant)
    }


def keeping() -> list[Path]:
    """The packages that have rows."""
    return sorted(path for path in CONTEXTS.iterdir() if path.is_dir() and row_classes(path))


@pytest.mark.part("ID-10")
class TestDeclarations:
    def test_every_context_that_keeps_something_is_in_the_list(self) -> None:
        """A row that nobody declares could not be exported, and would outlive its owner."""
        assert {path.name for path in keeping()} == set(contexts.CONTEXTS)
        assert not WITHOUT & set(contexts.CONTEXTS)

    @pytest.mark.parametrize("context", contexts.CONTEXTS)
    def test_it_declares_every_class_of_its_rows_once(self, context: str) -> None:
        declared = [rows.name for where, _, rows in ALL_ROWS if where == context]
        assert sorted(declared) == sorted(row_classes(CONTEXTS / context))

    @pytest.mark.parametrize(
        "rows", [rows for _, _, rows in ALL_ROWS] + [o for c in contexts.CONTEXTS.values() for o in c.objects], ids=str
    )
    def test_what_stays_says_why(self, rows: Rows) -> None:
        """Whoever is told that something of theirs is kept is told the reason, and nothing is exported of nobody's."""
        assert bool(rows.why) == (rows.erase in (Erase.pseudonymise, Erase.expires))
        assert not (rows.export and rows.erase is Erase.nobodys)

    def test_what_expires_has_a_time_to_live(self) -> None:
        """The table's TTL is on, or nothing would ever expire."""
        expiring = {table for _, table, rows in ALL_ROWS if rows.erase is Erase.expires}
        for table in of_type("AWS::DynamoDB::Table").values():
            if table["TableName"].removeprefix("snapforge-dev-") in expiring:
                assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


class TestTables:
    def test_every_table_of_the_templates_is_somebodys(self) -> None:
        """And each but once."""
        made = [table["TableName"].removeprefix("snapforge-dev-") for table in of_type("AWS::DynamoDB::Table").values()]
        assert sorted(contexts.tables()) == sorted(made)

    def test_a_stream_is_where_an_outbox_is(self) -> None:
        """Of the common function's, and of jobs."""
        streaming = {
            table["TableName"].removeprefix("snapforge-dev-")
            for table in of_type("AWS::DynamoDB::Table").values()
            if "StreamSpecification" in table
        }
        assert streaming == {*contexts.outboxes(), "jobs"}
        assert streaming == {table for _, table, rows in ALL_ROWS if rows.name == "Outbox"}


class TestObjects:
    def test_every_prefix_of_the_customers_buckets_is_somebodys(self) -> None:
        """The prefixes that the rights' tests ask about are those that the code writes."""
        declared = [rows.name for owned in contexts.CONTEXTS.values() for rows in owned.objects]
        written = {f"{bucket}/{prefix}/" for bucket in ("assets", "uploads") for prefix in probes.PREFIXES[bucket]}
        assert sorted(declared) == sorted(written - {"assets/other/", "uploads/other/"})


@pytest.mark.part("ADM-4")
def test_deep_health_asks_what_the_contexts_say() -> None:
    """No two contexts share a name, which would hide one of them."""
    names = [name for owned in contexts.CONTEXTS.values() for name in owned.probes]
    assert len(set(names)) == len(names)
    assert set(health.dependencies()) == {"tables", *names}
    assert set(names) == {"buckets", "queues", "workflow", "engine", "mail"}
