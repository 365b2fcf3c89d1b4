"""Make the project's virtual environments. Runs on a bare Python 3.11, so it imports the standard library only.

Each environment is keyed by the hash of its lock files: an unchanged one costs nothing, a changed one is made anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "infrastructure" / "requirements"
WORKERS = ROOT / "gpu_batch" / "requirements"
TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what goes into it, in this order."""

    folder: str
    locks: tuple[Path, ...]
    torch: bool = False
    """pip installs torch first: it finds the CPU wheel, uv does not."""


ENVIRONMENTS = (
    Environment(".venv", (LOCKS / "control.txt", LOCKS / "mutants.txt")),
    Environment(".venvs/ministack", (LOCKS / "ministack.txt",)),
    Environment(".venvs/sam", (LOCKS / "sam.txt",)),
    Environment(".venvs/image", (WORKERS / "image.txt", WORKERS / "dev.txt"), torch=True),
    Environment(".venvs/scene", (WORKERS / "scene.txt", WORKERS / "scene-nodeps.txt", WORKERS / "dev.txt"), torch=True),
)


def main() -> None:
    """Bring every environment up to date, saying what is done and how long it took."""
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"Snapforge's set-up needs Python 3.11, this is {sys.version.split()[0]}.")
    for environment in ENVIRONMENTS:
        stamp = ROOT / environment.folder / "made-from"
        key = _key(environment)
        if stamp.exists() and stamp.read_text() == key:
            continue
        started = time.monotonic()
        print(f"setup: {environment.folder} …", flush=True)
        _make(environment)
        stamp.write_text(key)
        print(f"setup: {environment.folder} made in {time.monotonic() - started:.0f} s", flush=True)


def _key(environment: Environment) -> str:
    digest = hashlib.sha256(f"{sys.version} {TORCH if environment.torch else ''}".encode())
    for lock in environment.locks:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def _make(environment: Environment) -> None:
    folder = ROOT / environment.folder
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    if environment.torch:
        _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", TORCH)
    for lock in environment.locks:
        # Everything is pinned, with all it needs: nothing is resolved, so nothing can bring a CUDA build along.
        _run(_uv(), "pip", "install", "-q", "--python", python, "--no-deps", "-r", str(lock))


def _uv() -> str:
    """uv, in an environment of its own, since it makes the others."""
    folder = ROOT / ".venvs" / "uv"
    program = folder / "bin" / "uv"
    if not program.exists():
        venv.create(folder, with_pip=True)
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv==0.13.8")
    return str(program)


def _run(*command: str) -> None:
    result = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    if result.returncode:
        sys.exit(f"setup: failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
