"""`make test-changed`, on a small throw-away tree."""

import re
import subprocess
from pathlib import Path

import pytest

from infrastructure.tools import changed
from infrastructure.tools.changed import choose

TREE = {
    "layers/core/snapforge/__init__.py": "",
    "layers/core/snapforge/kit/__init__.py": "",
    "layers/core/snapforge/kit/ids.py": "",
    "layers/core/snapforge/toys/__init__.py": "",
    "layers/core/snapforge/toys/service.py": "def make():\n    from snapforge.kit import ids\n    return ids\n",
    "layers/core/snapforge/toys/other.py": "",
    "functions/toys/make_toy.py": "from snapforge.toys import service\n",
    "functions/toys/drop_toy.py": "from snapforge.toys.other import drop\n",
    "gpu_batch/worker/run.py": "import worker.mesh\n",
    "gpu_batch/worker/mesh.py": "",
    "infrastructure/tools/functions.py": "",
    "tests/support/emulator.py": "import snapforge.toys.other\n\n@pytest.fixture\ndef cloud(): ...\n",
    "tests/core/kit/test_ids.py": "from snapforge.kit import ids\n",
    "tests/core/toys/conftest.py": "from snapforge.toys import service\n",
    "tests/core/toys/test_rows.py": "",
    "tests/core/toys/test_cloud.py": "def test_it(cloud): ...\n",
    "tests/core/own/test_own.py": "import pytest\n\n@pytest.fixture\ndef cloud(): ...\n\ndef test_it(cloud): ...\n",
    "tests/functions/toys/test_make.py": "CALLED = call('toys/make_toy')\n",
    "tests/functions/test_all.py": "from infrastructure.tools.functions import endpoints\n",
    "tests/gpu_batch/scene/test_run.py": "PROGRAM = ['-m', 'worker.run']\n",
    "tests/infrastructure/test_imports.py": "",
    "tests/infrastructure/test_parts.py": "",
    "tests/e2e/test_tour.py": "",
}
"""Everything but what READERS says of sources: those tests come with any of them."""
OF_SOURCES = {"tests/infrastructure/test_imports.py", "tests/e2e/test_tour.py"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        (
            "layers/core/snapforge/kit/ids.py",
            {
                *OF_SOURCES,
                "tests/core/kit/test_ids.py",
                "tests/core/toys/test_rows.py",
                "tests/core/toys/test_cloud.py",
                "tests/functions/toys/test_make.py",
                "tests/functions/test_all.py",
            },
        ),
        (
            "layers/core/snapforge/toys/other.py",
            {*OF_SOURCES, "tests/core/toys/test_cloud.py", "tests/functions/test_all.py"},
        ),
        (
            "functions/toys/make_toy.py",
            {*OF_SOURCES, "tests/functions/toys/test_make.py", "tests/functions/test_all.py"},
        ),
        ("functions/toys/drop_toy.py", {*OF_SOURCES, "tests/functions/test_all.py"}),
        ("gpu_batch/worker/mesh.py", {"tests/gpu_batch/scene/test_run.py"}),
        ("tests/support/emulator.py", {"tests/core/toys/test_cloud.py"}),
        ("tests/core/own/test_own.py", {"tests/core/own/test_own.py"}),
        ("infrastructure/tables.yaml", {*OF_SOURCES, "tests/infrastructure/test_parts.py"}),
        ("docs/parts.md", {"tests/infrastructure/test_parts.py"}),
        ("README.md", set()),
    ],
)
def test_what_a_change_touches(tree: Path, name: str, touched: set[str]) -> None:
    """By import (late, or by a conftest.py), by name, by a fixture that no nearer one hides, by the table."""
    assert choose(tree, [name]).keys() == touched


@pytest.mark.parametrize("name", ["pyproject.toml", "tests/conftest.py", "infrastructure/strange.bin"])
def test_what_all_read_and_what_nobody_knows_touches_all(tree: Path, name: str) -> None:
    assert choose(tree, ["README.md", name]).keys() == {test for test in TREE if "/test_" in test}


def test_it_says_how_the_change_reaches_a_test(tree: Path) -> None:
    chosen = choose(tree, ["layers/core/snapforge/kit/ids.py"])
    way = ["layers/core/snapforge/kit/ids.py", "layers/core/snapforge/toys/service.py", "functions/toys/make_toy.py"]
    assert chosen["tests/functions/toys/test_make.py"] == " → ".join(way)
    assert choose(tree, ["tests/core/kit/test_ids.py"]) == {"tests/core/kit/test_ids.py": "itself"}


def test_who_imports_a_removed_module_is_touched(tree: Path) -> None:
    (tree / "layers/core/snapforge/kit/ids.py").unlink()
    assert "tests/core/kit/test_ids.py" in choose(tree, ["layers/core/snapforge/kit/ids.py"])


def test_a_change_is_what_git_tells_new_and_removed_files_included(tree: Path) -> None:
    def git(*command: str) -> None:
        settings = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(("git", *settings, *command), cwd=tree, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    (tree / "layers/core/snapforge/toys/other.py").write_text("changed = True\n")
    git("commit", "-qam", "second")
    (tree / "layers/core/snapforge/kit/ids.py").unlink()
    (tree / "tests/core/toys/test_new.py").write_text("")
    (tree / ".venv").symlink_to(tree / "elsewhere")
    since_last = ["layers/core/snapforge/kit/ids.py", "tests/core/toys/test_new.py"]
    assert sorted(changed.changes(tree, "HEAD")) == since_last
    assert sorted(changed.changes(tree, "HEAD~1")) == sorted([*since_last, "layers/core/snapforge/toys/other.py"])


def test_the_groups_are_the_makefiles() -> None:
    """Folders and options of `make test-core`, `test-local`, `test-workers` and `test-e2e`."""
    makefile = (changed.ROOT / "Makefile").read_text()
    recipes = re.findall(r"^test-(?:core|local|workers|e2e):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    commands = [line for recipe in recipes for line in recipe.strip().split("\n")]
    python = {"$(PYTEST)": ".venv", "$(IMAGE)": ".venvs/image", "$(SCENE)": ".venvs/scene"}
    option = re.compile(r"-n \d|--dist \w+")
    said = {
        (*re.findall(r"tests/[\w/]+", line), *option.findall(line), f"{python[line.split()[0]]}/bin/python")
        for line in commands
    }
    assert len(said) == 5
    assert said == {(*g.folders, *option.findall(" ".join(g.options)), g.python) for g in changed.GROUPS}


def test_every_pattern_of_the_tables_matches_something() -> None:
    """One that matches nothing guards nothing."""
    folders = ("layers", "functions", "gpu_batch", "infrastructure", "tests", "docs", "events")
    found = [*changed.ROOT.glob("*.*"), changed.ROOT / "Makefile"]
    found += [path for folder in folders for path in (changed.ROOT / folder).rglob("*")]
    names = [path.relative_to(changed.ROOT).as_posix() for path in found]
    patterns = [*changed.EVERYTHING, *(one for row in changed.READERS for column in row for one in column)]
    assert [one for one in patterns if not any(changed._any(name, (one,)) for name in names)] == []
