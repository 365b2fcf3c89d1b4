"""No module of the worker imports itself by way of others: late imports and those for type checkers count too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.aws import ROOT

Graph = dict[str, set[str]]


def import_graph(source: Path) -> Graph:
    """What each module under `source/worker` imports, and the packages whose `__init__` runs because of that.

    A module's own packages are left out: Python has always begun them before.
    """
    files = {".".join(path.relative_to(source).with_suffix("").parts): path for path in source.glob("worker/**/*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    return {
        name: {needed for found in _imported(path, set(modules)) for needed in _with_packages(found, name)} - {name}
        for name, path in modules.items()
    }


def _imported(path: Path, modules: set[str]) -> set[str]:
    """The modules that a file names in any import, wherever that stands."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            # `from package import name`: the name may be a module of the package, or one of its contents.
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                named.add(inner if inner in modules else str(node.module))
    return named & modules


def _with_packages(found: str, importer: str) -> set[str]:
    parts = found.split(".")
    packages = {".".join(parts[:length]) for length in range(1, len(parts))}
    return {found} | {package for package in packages if not f"{importer}.".startswith(f"{package}.")}


def assert_no_cycle(graph: Graph) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("These modules import each other: " + " ← ".join(error.args[1]))


def test_no_modules_of_the_worker_import_each_other() -> None:
    graph = import_graph(ROOT / "gpu_batch")
    assert "worker.warm.worker" in graph["worker.warm.__main__"]
    assert_no_cycle(graph)


@pytest.mark.parametrize(
    "late", ["import worker.a", "from worker import a", "from worker.a import x", "import worker.a as renamed"]
)
@pytest.mark.parametrize("within", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}", "class A:\n    {}"])
def test_every_way_to_import_is_seen(tmp_path: Path, late: str, within: str) -> None:
    """a imports b; b imports a, somewhere."""
    write(tmp_path, {"__init__": "", "a": "from worker.b import y\nx = 1", "b": within.format(late)})
    with pytest.raises(pytest.fail.Exception, match="import each other"):
        assert_no_cycle(import_graph(tmp_path))


def test_a_package_that_is_begun_on_the_way_counts(tmp_path: Path) -> None:
    """a needs p.b, so that p's `__init__` runs, which needs a; p.b alone needs nothing."""
    write(tmp_path, {"__init__": "", "a": "import worker.p.b", "p/__init__": "import worker.a", "p/b": ""})
    with pytest.raises(pytest.fail.Exception, match="import each other"):
        assert_no_cycle(import_graph(tmp_path))


def test_a_package_may_import_its_own_modules_and_they_each_other(tmp_path: Path) -> None:
    write(tmp_path, {"__init__": "", "p/__init__": "from worker.p.b import y", "p/b": "import worker.p.c", "p/c": ""})
    assert_no_cycle(import_graph(tmp_path))


def write(folder: Path, modules: dict[str, str]) -> None:
    """Write modules of a package `worker`, by name."""
    for name, text in modules.items():
        path = folder / "worker" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
