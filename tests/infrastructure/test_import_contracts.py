"""The import contracts catch what they say: each is broken once, on a copy, by a seeded import."""

import ast
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
SEEDS = {
    "layers": ("snapforge/billing/service/ledger.py", "import snapforge.jobs.service.queries"),
    "domain": ("snapforge/jobs/domain/lifecycle.py", "import snapforge.aws.s3"),
    "delivery": ("snapforge/jobs/views.py", "import snapforge.aws.delivery"),
    "worker": ("worker/progress.py", "import snapforge.billing.domain"),
    "torch": ("worker/workspace.py", "import torch"),
    "engines": ("worker/engines/base.py", "import worker.progress"),
}
"""Contract id to a file and an import that breaks it."""


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in `folder`, without its cache."""
    return subprocess.run(
        [str(ROOT / ".venv" / "bin" / "lint-imports"), "--no-cache", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two packages and the settings, to be broken."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(
        ROOT / "layers" / "core" / "snapforge", folder / "snapforge", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "gpu_batch" / "worker", folder / "worker", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_every_contract_has_a_seed() -> None:
    """A new contract needs a violation that shows it works."""
    assert {contract["id"] for contract in CONTRACTS} == set(SEEDS)


def test_the_house_keeps_all_contracts(copy: Path) -> None:
    """Nothing is broken before anything is seeded."""
    done = lint(copy)
    assert done.returncode == 0, done.stdout


def test_every_package_has_its_place_among_the_layers() -> None:
    """A context that no layer names could import anything, and be imported by anybody."""
    (layers,) = [contract["layers"] for contract in CONTRACTS if contract["id"] == "layers"]
    named = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    here = {
        f"snapforge.{path.stem}" for path in (ROOT / "layers/core/snapforge").iterdir() if path.stem[0] not in "_p."
    }
    assert here - named == set()


@pytest.mark.parametrize("contract", SEEDS)
def test_a_seeded_violation_breaks_it(copy: Path, contract: str) -> None:
    """One forbidden import, one broken contract."""
    name, line = SEEDS[contract]
    file = copy / name
    before = file.read_text()
    try:
        file.write_text(before + f"\n{line}\n")
        done = lint(copy, "--contract", contract)
    finally:
        file.write_text(before)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def test_the_product_knows_no_emulator_and_no_test_switch() -> None:
    """Layers, functions and workers speak plain AWS; what is local lives in infrastructure/local."""
    words = ("ministack", "localstack", "moto", "if local", "is_local", "pytest", "if testing", "test_mode_switch")
    for folder in ("layers/core", "functions", "gpu_batch/worker"):
        files = list((ROOT / folder).rglob("*.py"))
        assert len(files) > 20, folder
        for path in files:
            text = path.read_text().lower()
            assert not [word for word in words if word in text], path


def test_torch_is_in_no_conftest_and_no_support() -> None:
    """Collecting tests must not cost ten seconds, nor need a worker's environment."""
    files = [*(ROOT / "tests").rglob("conftest.py"), *(ROOT / "tests" / "support").glob("*.py")]
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not [name for name in [*names, module] if name.partition(".")[0] in {"torch", "diffusers"}], path
