"""List each part of docs/parts.md with the tests that show it, and the parts that no test shows yet."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def listed(text: str) -> dict[str, str]:
    """Part id to its line, in the list's order. ValueError for an id that stands there twice."""
    found = re.findall(r"^- ([A-Z]{2,3}-\d+(?:\.\d+)?): (.+)$", text, re.MULTILINE)
    twice = sorted({part for part, _ in found if [other for other, _ in found].count(part) > 1})
    if twice:
        raise ValueError(f"listed twice: {', '.join(twice)}")
    return dict(found)


def place(part: str) -> tuple[int, int]:
    """Where an id stands within its section: BIL-2, BIL-2.1, BIL-3, BIL-10."""
    number, _, line = part.partition("-")[2].partition(".")
    return int(number), int(line or 0)


def marked() -> dict[str, list[str]]:
    """Part id to test names, read from `pytest.mark.part(...)` on functions, classes and `pytestmark`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        place = str(path.relative_to(ROOT))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for part in _parts(node.decorator_list):
                    found[part].append(f"{place}::{node.name}")
            elif isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
            ):
                for part in _parts([node.value]):
                    found[part].append(place)
    return found


def _parts(nodes: list[ast.expr]) -> list[str]:
    return [
        argument.value
        for outer in nodes
        for call in ast.walk(outer)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "part"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def main() -> None:
    """Print the list; exit 1 when a marker names no part."""
    parts = listed((ROOT / "docs" / "parts.md").read_text())
    tests = marked()
    for part, line in parts.items():
        if part in tests:
            print(f"{part}  {line}")
            for name in tests[part]:
                print(f"        {name}")
    without = [part for part in parts if part not in tests]
    print(f"\n{len(parts) - len(without)} of {len(parts)} parts have tests. Without: {', '.join(without)}")
    unknown = sorted(set(tests) - set(parts))
    if unknown:
        raise SystemExit(f"markers name parts that docs/parts.md lacks: {', '.join(unknown)}")


if __name__ == "__main__":
    main()
