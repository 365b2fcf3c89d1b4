"""settings.toml, read and held against the tree: a package that has moved away or lost its tests is an error."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("settings.toml")


class Unusable(ValueError):
    """Settings that do not fit the tree. The message names the package."""


@dataclass(frozen=True)
class Environment:
    """How a package's tests are run."""

    python: str
    path: str
    coverage: bool
    preload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """A stratum's code and its tests, as paths below the root."""

    name: str
    sources: tuple[str, ...]
    tests: tuple[str, ...]
    environment: Environment


@dataclass(frozen=True)
class Settings:
    """All of the file."""

    packages: Mapping[str, Package]
    families: Mapping[str, tuple[str, ...]]
    skip: re.Pattern[str]


def load(file: Path = FILE, root: Path = ROOT) -> Settings:
    """The settings; Unusable where a package has no source, no test, or an environment that is not there."""
    told = tomllib.loads(file.read_text())
    environments = {
        name: Environment(**fields | {"preload": tuple(fields.get("preload", ()))})
        for name, fields in told["environments"].items()
    }
    packages = {name: _package(name, fields, environments, root) for name, fields in told["packages"].items()}
    families = {name: tuple(operators) for name, operators in told["families"].items()}
    # A pattern that matches nothing where none is given.
    return Settings(packages, families, re.compile("|".join(told["skip"]) or r"(?!)"))


def _package(name: str, fields: Mapping[str, Any], environments: Mapping[str, Environment], root: Path) -> Package:
    if fields["environment"] not in environments:
        raise Unusable(f"{name}: no environment {fields['environment']!r}")
    sources = _found(root, fields["sources"], f"{name}: no source at")
    tests = _found(root, fields["tests"], f"{name}: no test at")
    if not any(_test_files(root, tests)):
        raise Unusable(f"{name}: no test_*.py in {', '.join(tests)}")
    return Package(name, sources, tests, environments[fields["environment"]])


def _found(root: Path, patterns: list[str], why: str) -> tuple[str, ...]:
    """What the patterns match; every one of them must match something."""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = sorted(str(path.relative_to(root)) for path in root.glob(pattern))
        if not matches:
            raise Unusable(f"{why} {pattern}")
        found.update(dict.fromkeys(matches))
    if not found:
        raise Unusable(f"{why} all")
    return tuple(found)


def _test_files(root: Path, tests: tuple[str, ...]) -> list[Path]:
    folders = [root / test for test in tests if (root / test).is_dir()]
    files = [root / test for test in tests if not (root / test).is_dir()]
    return [*files, *(found for folder in folders for found in folder.rglob("test_*.py"))]
