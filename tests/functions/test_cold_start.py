"""Cold start is a feature: what is heavy is loaded by the few functions that work with it, and by them when they do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.relative_to(ROOT / "functions") for path in (ROOT / "functions").glob("*/*.py"))
CONTEXTS = sorted(path.parent.name for path in (ROOT / "layers" / "core" / "snapforge").glob("*/service.py"))
HEAVY = ("PIL", "boto3", "httpx", "numpy", "pillow_heif", "pycolmap", "rich")
"""Decoders, an HTTP client, the whole of boto3 where its clients do. An HTTP client was a quarter of a cold start."""
DRAWS = "snapforge.jobs.service.draw_ticket"
"""Makes contact sheets of what providers draw."""


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


def test_nor_does_its_first_call_where_it_does_not_work_with_pictures() -> None:
    """The rooms behind the contexts' doors, all but one in one process: after the first that is heavy, all are told."""
    program = f"""
import importlib, sys
doors = [importlib.import_module(f"snapforge.{{context}}.service") for context in {CONTEXTS!r}]
names = {{f"{{door.__name__}}.{{name}}": (door, name) for door in doors for name in getattr(door, "__all__", ())}}
for full, place in sorted(names.items()):
    if full != {DRAWS!r}:
        getattr(*place)
        print(full, *sorted({set(HEAVY)!r} & sys.modules.keys()))
"""
    lines = told(program)
    assert len(lines) > 50
    assert [line for line in lines if " " in line] == []
