"""docs/guides/new-context.md is true: its changes, made on a copy of the repository, pass what every change must."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.tools import guide
from infrastructure.tools.guide import Change, Recipe
from tests.support.templates import REPO

RECIPES = guide.recipes(guide.PAGE.read_text())
LIMITS = (15, 17, 4, 14, 9, 5)
"""POST /v1/batches, a provider's first event, a later one, a gate at download, a list for staff, a mail."""
GENERATORS = ("infrastructure.tools.openapi", "infrastructure.tools.templates", "infrastructure.tools.messages")
FRAME = (
    *("test_conformance", "test_triggers", "test_imports", "test_ownership", "test_rights"),
    *("test_stacks", "test_edge_routes", "test_queues", "test_least_privilege"),
)
"""The tests of tests/infrastructure that look at every function, row and right."""
MORE = ("tests/functions/outbox", "tests/core/notifications", "tests/infrastructure/test_messages.py")
"""Those that look at every outbox and every mail."""


class TestCounts:
    def test_the_recipes_and_their_limits(self) -> None:
        assert tuple(recipe.most for recipe in RECIPES) == LIMITS

    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
    def test_it_touches_no_more_files_than_it_may(self, recipe: Recipe) -> None:
        assert 0 < len(recipe.files) <= recipe.most


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with all recipes applied, in their order, and what is generated."""
    folder = tmp_path_factory.mktemp("guide")
    for name in (".git", "layers", "functions", "infrastructure", "tests", "docs", "events", "gpu_batch"):
        if name != ".git":
            shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "models"))
    for file in ("template.yaml", "pyproject.toml", "samconfig.toml", "README.md", "Makefile"):
        shutil.copy(REPO / file, folder / file)
    for linked in (".venv", ".venvs", "gpu_batch/models"):
        (folder / linked).symlink_to(REPO / linked)
    for recipe in RECIPES:
        guide.apply(recipe, folder)
    for module in GENERATORS:
        run(folder, "-m", module)
    return folder


def run(folder: Path, *arguments: str) -> str:
    """Python in the copy; its output, which a failure shows."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": f"layers/core{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def run_tests(folder: Path, *arguments: str) -> None:
    """pytest in the copy: something must have run, and passed."""
    told = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments)
    assert " passed" in told


class TestTheCopy:
    @pytest.mark.timeout(900)
    def test_its_frame_holds(self, tree: Path) -> None:
        """Templates, decorators, rights, imports, rows and paths agree, with all that the recipes added."""
        run_tests(tree, *(f"tests/infrastructure/{name}.py" for name in FRAME))

    @pytest.mark.timeout(900)
    def test_what_the_recipes_made_works(self, tree: Path) -> None:
        """Their own tests, and those that every route, outbox and mail gets for free."""
        changed = {change.path for recipe in RECIPES for change in recipe.changes}
        own = sorted(path for path in changed if path.startswith(("tests/functions", "tests/core")))
        assert len(own) >= 4
        run_tests(tree, *own, *MORE)
        run_tests(tree, "-k", "create_batch or list_orgs", "tests/functions/test_every_route.py")

    @pytest.mark.full
    @pytest.mark.timeout(900)
    def test_it_is_typed_and_tidy(self, tree: Path) -> None:
        run(tree, "-m", "ruff", "check", ".")
        run(tree, "-m", "ruff", "format", "--check", ".")
        typed = ("layers/core/snapforge", "functions", "infrastructure", "tests")
        exclude = "^(tests/gpu_batch|infrastructure/local/demo/render)/"
        run(tree, "-m", "mypy", "--no-incremental", "--exclude", exclude, *typed)


class TestChange:
    def test_an_edit_replaces_what_it_shows(self) -> None:
        edit = Change("a", edit=True, text=" one\n-two\n+deux\n\n three\n@@\n+four\n end\n")
        assert edit.applied("one\ntwo\n\nthree\nend\n") == "one\ndeux\n\nthree\nfour\nend\n"

    @pytest.mark.parametrize(
        ("text", "before", "why"),
        [
            ("-two\n+deux\n", "one\n", "0 places"),
            (" one\n+two\n", "one\none\n", "2 places"),
            ("one\n", "one\n", "begins with none"),
            (" one\n", None, "is not there"),
        ],
    )
    def test_an_edit_that_does_not_fit_is_refused(self, text: str, before: str | None, why: str) -> None:
        """The page has aged, or the place it names is not the only one."""
        with pytest.raises(ValueError, match=why):
            Change("a", edit=True, text=text).applied(before)

    def test_a_new_file_does_not_replace_one(self) -> None:
        with pytest.raises(ValueError, match="is there already"):
            Change("a", edit=False, text="x").applied("y")

    def test_a_recipe_without_changes_is_refused(self) -> None:
        with pytest.raises(ValueError, match="A mail: no changes"):
            guide.recipes("## A mail (at most 5 files)\n\nText.\n")
