"""Load every function of the repository, to look at its endpoint or trigger."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from snapforge.http.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[2]


def files() -> list[Path]:
    """Every function's file: functions/<context>/<name>.py."""
    return sorted(path for path in (ROOT / "functions").glob("*/*.py") if path.name != "__init__.py")


def load(path: Path) -> ModuleType:
    """Import a function's file under `functions.<context>.<name>`."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def handlers() -> dict[str, Any]:
    """`<context>/<name>` to the decorated handler, for every function."""
    return {f"{path.parent.name}/{path.stem}": load(path).handler for path in files()}


def endpoints() -> dict[str, Endpoint]:
    """The same of those that have a route."""
    return {place: made for place, made in handlers().items() if isinstance(made, Endpoint)}
