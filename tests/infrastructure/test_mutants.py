"""`make mutants`: the sample, mutants of a toy package, what is kept of a run, and the judgements of equal.toml."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants import equal, report, trial
from tests.mutants.reach import Reach, Red, reach
from tests.mutants.report import Sample
from tests.mutants.sample import ordered
from tests.mutants.settings import ROOT, Environment, Package, Settings, Unusable, load
from tests.mutants.source import Mutant, change, mutants
from tests.mutants.trial import Result, Results
from tests.mutants.workspaces import Workspace, copy

RULES = """\
LIMIT = 3


def allowed(count: int) -> bool:
    return count < LIMIT


def large(count: int) -> bool:
    return count > 10


def down(count: int) -> int:
    while count > 0:
        count = count - 1
    return count
"""
GUARDS = """\
from toy.rules import allowed, down, large


def test_the_limit_itself_is_too_much():
    assert allowed(2)
    assert not allowed(3)


def test_fifty_is_large():
    assert large(50)
    assert not large(1)


def test_it_ends_at_zero():
    assert down(2) == 0
"""
PYPROJECT = """\
[tool.coverage.run]
source = ["toy"]
[tool.pytest.ini_options]
markers = ["full"]
addopts = ["--import-mode=importlib"]
"""
FAMILIES = {
    "comparison": ("ReplaceComparisonOperator_Lt_LtE", "ReplaceComparisonOperator_Gt_GtE"),
    "number": ("NumberReplacer",),
    "arithmetic": ("ReplaceBinaryOperator_Sub_Add",),
}
TOY = Settings(
    {
        "toy": Package(
            "toy",
            ("toy/rules.py",),
            ("guards",),
            Environment(sys.executable, f".{os.pathsep}{ROOT}", coverage=True, preload=()),
        )
    },
    FAMILIES,
    re.compile(r"(?!)"),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The toy, and no emulator."""
    for name, text in {"toy/rules.py": RULES, "guards/test_rules.py": GUARDS, "pyproject.toml": PYPROJECT}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    made = Workspace(tmp_path, "")
    yield made
    for forks in made.forks.values():
        forks.close()


def all_of(workspace: Workspace) -> list[Mutant]:
    return list(mutants(TOY.packages["toy"], TOY, workspace.tree))


def the(workspace: Workspace, becomes: str) -> Mutant:
    """The only mutant that makes such a line."""
    found = [
        mutant for mutant in all_of(workspace) if (made := change(mutant, workspace.tree)) and made.becomes == becomes
    ]
    assert len(found) == 1, found
    return found[0]


def tried(workspace: Workspace, seen: Reach, becomes: str) -> Result:
    mutant = the(workspace, becomes)
    made = change(mutant, workspace.tree)
    assert made is not None
    return trial.trial(mutant, made, TOY.packages["toy"], seen, workspace, "digest")


def seen_by(workspace: Workspace) -> Reach:
    return reach(TOY.packages["toy"], workspace, workspace.tree / "reach")


def places(**strata: int) -> list[Mutant]:
    """So many mutants of each stratum `package_family`."""
    return [
        Mutant(package, family, f"{package}.py", f"{family}-operator", number, 0, number, number, f"line {number}")
        for (package, family), size in ((name.split("_"), size) for name, size in strata.items())
        for number in range(size)
    ]


class TestSample:
    ALL = places(a_number=400, a_logic=100, b_number=25, b_logic=1)

    def test_a_seed_draws_the_same_again_and_another_draws_others(self) -> None:
        first = ordered(self.ALL, 1)
        assert ordered(reversed(self.ALL), 1) == first
        assert sorted(first, key=id) == sorted(self.ALL, key=id)
        assert {one.id for one in ordered(self.ALL, 2)[:50]} != {one.id for one in first[:50]}

    def test_each_stratum_comes_first_once_then_by_the_root_of_its_size(self) -> None:
        drawn = ordered(self.ALL, 1)
        assert len({(one.package, one.family) for one in drawn[:4]}) == 4
        counts = Counter((one.package, one.family) for one in drawn[:71])
        assert counts["b", "logic"] == 1
        assert abs(counts["a", "number"] - 40) <= 1
        assert abs(counts["a", "logic"] - 20) <= 1
        assert abs(counts["b", "number"] - 10) <= 1

    def test_an_edit_of_other_lines_keeps_the_mutants_ids(self, workspace: Workspace) -> None:
        before = {mutant.line: mutant.id for mutant in all_of(workspace)}
        rules = workspace.tree / "toy" / "rules.py"
        rules.write_text("OTHER = 5\n\n\n" + RULES.replace("count > 10", "count > 11"))
        after = {mutant.line: mutant.id for mutant in all_of(workspace)}
        assert after.keys() - before.keys() == {"OTHER = 5", "return count > 11"}
        assert all(after[line] == before[line] for line in after.keys() & before.keys())


class TestOperators:
    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("ReplaceComparisonOperator_In_NotIn", "x = a in b\n", "x = a not in b\n"),
            ("ReplaceComparisonOperator_NotIn_In", "x = a not in b\n", "x = a in b\n"),
            ("DropCall", "if a:\n    b.c(\n        d\n    )\n", "if a:\n    pass\n"),
            ("NumberReplacer", "x = f(a, 12)\n", "x = f(a, 13)\n"),
            ("NumberReplacer", "x = f(12)\n", "x = f(11)\n"),
        ],
    )
    def test_changes_one_place(self, tmp_path: Path, name: str, before: str, after: str) -> None:
        made = self._made(tmp_path, name, before)
        assert after in made

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("ReplaceComparisonOperator_In_NotIn", "for a in b:\n    c = [d for d in a]\n"),
            ("DropCall", "x = f()\n'words'\nx[0]\n"),
            ("ReplaceBinaryOperator_Mul_Div", "def f(a, *, b):\n    return lambda c, *, d: a\n"),
        ],
    )
    def test_leaves_what_is_no_comparison_no_call_of_its_own_and_no_arithmetic(
        self, tmp_path: Path, name: str, source: str
    ) -> None:
        assert self._found(tmp_path, name, source) == []

    def test_what_does_not_compile_is_no_mutant(self, tmp_path: Path) -> None:
        source = "for a in b:\n    c = 0x\n"
        assert self._found(tmp_path, "ZeroIterationForLoop", source)
        assert self._made(tmp_path, "ZeroIterationForLoop", source) == []

    def test_a_marker_among_parameters_moves_no_other_mutant(self, tmp_path: Path) -> None:
        """It is counted by cosmic-ray, which finds the place by its number."""
        made = self._made(tmp_path, "ReplaceBinaryOperator_Mul_Div", "def f(a, *, b):\n    return a * b\n")
        assert made == ["def f(a, *, b):\n    return a / b\n"]

    def test_an_exception_of_another_module_in_a_tuple_is_left(self, tmp_path: Path) -> None:
        source = "try:\n    a()\nexcept (b.C, D):\n    raise\n"
        made = self._made(tmp_path, "ExceptionReplacer", source)
        assert [one.splitlines()[2] for one in made] == ["except (b.C, CosmicRayTestingException):"]

    def _found(self, folder: Path, name: str, source: str) -> list[Mutant]:
        (folder / "module.py").write_text(source)
        package = replace(TOY.packages["toy"], sources=("module.py",))
        return list(mutants(package, replace(TOY, families={"one": (name,)}), folder))

    def _made(self, folder: Path, name: str, source: str) -> list[str]:
        found = self._found(folder, name, source)
        return [made.source for mutant in found if (made := change(mutant, folder))]

    def test_every_operator_of_the_settings_exists(self) -> None:
        settings = load()
        here = [mutant for package in settings.packages.values() for mutant in mutants(package, settings, ROOT)]
        assert {mutant.package for mutant in here} == set(settings.packages)
        assert len({mutant.id for mutant in here}) == len(here)


class TestTrial:
    def test_a_mutant_that_a_test_notices_is_killed_and_another_survives(self, workspace: Workspace) -> None:
        """Only the tests that reach the line are run; a line that runs at import is everybody's."""
        seen = seen_by(workspace)
        killed = tried(workspace, seen, "return count <= LIMIT")
        assert (killed.verdict, killed.by) == ("killed", "guards/test_rules.py::test_the_limit_itself_is_too_much")
        assert killed.tests == 1
        survived = tried(workspace, seen, "return count >= 10")
        assert (survived.verdict, survived.by, survived.tests) == ("survived", "", 1)
        assert "-    return count > 10\n+    return count >= 10" in survived.diff
        constant = tried(workspace, seen, "LIMIT = 4")
        assert (constant.verdict, constant.tests) == ("killed", 3)
        assert (workspace.tree / "toy" / "rules.py").read_text() == RULES

    def test_an_answer_that_is_kept_is_everybodys(self, workspace: Workspace) -> None:
        """One test runs the line, and the others live with what it gave; those that run the module come first."""
        rules = workspace.tree / "toy" / "rules.py"
        rules.write_text("from functools import cache\n\n\n@cache\n" + RULES[RULES.index("def large") :])
        guards = workspace.tree / "guards" / "test_rules.py"
        guards.write_text(
            "from toy.rules import down, large\n\n\n"
            "def test_first():\n    large(50)\n\n\ndef test_then():\n    assert large(50)\n\n\n"
            "def test_other():\n    pass\n\n\ndef test_down():\n    assert down(2) == 0\n"
        )
        seen = seen_by(workspace)
        assert seen.tests(the(workspace, "return count >= 10"))[0] == "guards/test_rules.py::test_down"
        assert tried(workspace, seen, "return count > 11").tests == 4

    def test_one_that_never_ends_is_stopped(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = seen_by(workspace)
        monkeypatch.setattr(trial, "_SLACK", 5.0)
        assert tried(workspace, seen, "count = count + 1").verdict == "timeout"

    def test_tests_that_fail_without_a_mutant_stop_all(self, workspace: Workspace) -> None:
        (workspace.tree / "toy" / "rules.py").write_text(RULES.replace("LIMIT = 3", "LIMIT = 4"))
        with pytest.raises(Red, match=r"fails without a mutant: .*test_the_limit_itself"):
            seen_by(workspace)

    def test_the_copy_is_the_tree_as_git_sees_it(self, tmp_path: Path) -> None:
        """What was copied and is gone goes; times are kept, since bytecode is read by them."""
        source, tree = tmp_path / "source", tmp_path / "tree"
        source.mkdir()
        for name, text in {".gitignore": "*.log\n", "a.py": "1", "b.py": "2", "c.log": "3"}.items():
            (source / name).write_text(text)
        os.utime(source / "a.py", (1, 1))
        os.spawnlp(os.P_WAIT, "git", "git", "-C", str(source), "init", "-q")
        copy(source, tree)
        (source / "b.py").unlink()
        (source / "a.py").write_text("4")
        os.utime(source / "a.py", (2, 2))
        copy(source, tree)
        assert sorted(path.name for path in tree.iterdir() if path.is_file()) == [".gitignore", "a.py"]
        assert ((tree / "a.py").read_text(), (tree / "a.py").stat().st_mtime) == ("4", 2)


ONE = Result(
    "i", "a", "number", "m.py", "NumberReplacer", 3, "x = 1", "x = 2", "diff", "survived", "", 4, 1.0, "m", "t"
)


class TestResults:
    def test_are_kept_until_the_module_changes_and_for_survivors_the_tests(self, tmp_path: Path) -> None:
        mutant = places(a_number=1)[0]
        Results(tmp_path / "results").add(replace(ONE, id=mutant.id))
        kept = Results(tmp_path / "results")
        assert kept.of(mutant, "m", "t") == replace(ONE, id=mutant.id)
        assert kept.of(mutant, "other", "t") is None
        assert kept.of(mutant, "m", "other") is None
        kept.add(replace(ONE, id=mutant.id, verdict="killed"))
        assert kept.of(mutant, "m", "other") is not None


class TestEqual:
    ENTRY = equal.Equal("m.py", "NumberReplacer", "x = 1", "x = 2", "nobody reads x")

    def test_is_not_counted(self, tmp_path: Path) -> None:
        results = [ONE, replace(ONE, line="y = 1"), replace(ONE, verdict="killed"), replace(ONE, verdict="timeout")]
        sample = Sample(1, 4, {"a": 9}, results, frozenset({self.ENTRY.key}))
        report.write(sample, tmp_path / "page.md", tmp_path / "document.json")
        told = json.loads((tmp_path / "document.json").read_text())
        expected = {"tried": 4, "killed": 1, "timeout": 1, "equal": 1, "survived": 1, "share": 0.6667}
        assert told["packages"] == {"a": {"mutants": 9, **expected}}
        assert told["families"] == {"number": expected}
        assert [one["line"] for one in told["survivors"]] == ["y = 1"]
        assert "| a | 9 | 4 | 1 | 1 | 1 | 1 | 66.7 % |" in (tmp_path / "page.md").read_text()

    def test_an_entry_of_no_mutant_is_told(self) -> None:
        changes = {self.ENTRY.key[:3]: ["x = 0", "x = 2"]}
        gone = [replace(self.ENTRY, line="x = 7"), replace(self.ENTRY, becomes="x = 3")]
        assert equal.unmatched([self.ENTRY, *gone], changes) == gone

    def test_an_entry_whose_mutant_is_killed_is_told(self) -> None:
        killed = replace(ONE, verdict="killed")
        assert report.judged_wrongly([self.ENTRY], [ONE, killed]) == [killed]

    def test_an_entry_needs_a_reason(self, tmp_path: Path) -> None:
        file = tmp_path / "equal.toml"
        file.write_text(report.entry(ONE).removeprefix("```toml").removesuffix("```"))
        with pytest.raises(ValueError, match="has no reason"):
            equal.load(file)
        file.write_text(file.read_text().replace('reason = ""', 'reason = "nobody reads x"'))
        assert equal.load(file) == [self.ENTRY]

    def test_the_project_s_own_have_theirs(self) -> None:
        assert all(entry.reason for entry in equal.load())


class TestSettings:
    FILE = """
skip = []
[families]
number = ["NumberReplacer"]
[environments.control]
python = "python"
path = "."
coverage = true
preload = []
[packages.toy]
sources = ["toy/*.py"]
tests = ["guards"]
environment = "control"
"""

    def test_fit_the_tree(self, workspace: Workspace) -> None:
        (workspace.tree / "settings.toml").write_text(self.FILE)
        package = load(workspace.tree / "settings.toml", workspace.tree).packages["toy"]
        assert (package.sources, package.tests) == (("toy/rules.py",), ("guards",))

    @pytest.mark.parametrize(
        ("right", "wrong", "why"),
        [
            ('"toy/*.py"', '"moved/*.py"', "toy: no source at moved"),
            ('"guards"', '"gone"', "toy: no test at gone"),
            ('["guards"]', "[]", "toy: no test at all"),
            ('["guards"]', '["toy"]', "toy: no test_"),
            ('= "control"', '= "other"', "toy: no environment 'other'"),
        ],
    )
    def test_a_package_without_sources_or_tests_is_refused(
        self, workspace: Workspace, right: str, wrong: str, why: str
    ) -> None:
        (workspace.tree / "settings.toml").write_text(self.FILE.replace(right, wrong))
        with pytest.raises(Unusable, match=re.escape(why)):
            load(workspace.tree / "settings.toml", workspace.tree)
