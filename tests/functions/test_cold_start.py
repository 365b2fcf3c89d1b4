"""Cold start is a feature: what is heavy is loaded by the few functions that work with it, and by them when they do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.relative_to(ROOT / "functions") for path in (ROOT / "functions").glob("*/*.py"))
LAYER = ROOT / "layers" / "core"
DRAWS = "snapforge.jobs.service.fleet.provider_jobs"
"""Makes contact sheets of what providers draw, and calls them."""
SERVICES = sorted(
    name
    for path in LAYER.glob("snapforge/*/service*/**/*.py")
    if not (name := ".".join(path.relative_to(LAYER).with_suffix("").parts)).startswith(DRAWS)
)
HEAVY = ("PIL", "boto3", "httpx", "numpy", "pillow_heif", "pycolmap", "rich")
"""Decoders, an HTTP client, the whole of boto3 where its clients do. An HTTP client was a quarter of a cold start."""


def told(program: str) -> list[str]:
    """What a fresh process prints that runs it."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers" / "core")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_importing_a_function_loads_nothing_heavy() -> None:
    program = f"""
import runpy, sys
for name in {[str(path) for path in FUNCTIONS]!r}:
    runpy.run_path("functions/" + name)
    print(name, *sorted({set(HEAVY)!r} & sys.modules.keys()))
"""
    assert told(program) == [str(path) for path in FUNCTIONS]


def test_nor_does_any_service_but_the_one_that_draws_with_providers() -> None:
    """A function loads the modules of services that it names; all of them in one process, and what is heavy is told."""
    program = f"""
import importlib, sys
for name in {SERVICES!r}:
    importlib.import_module(name)
    print(name, *sorted({set(HEAVY)!r} & sys.modules.keys()))
"""
    lines = told(program)
    assert len(lines) > 30
    assert [line for line in lines if " " in line] == []
