"""Write what is derived from the functions: docs/openapi.json, docs/postman.json, the docs page and the sample events.

`--check` tells of drift.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from infrastructure.tools import docs_page, postman, samples
from infrastructure.tools.functions import ROOT, endpoints
from snapforge.http import openapi


def build() -> dict[str, Any]:
    """The document of all endpoints, at the project's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return openapi.document(endpoints().values(), version=version)


def derived() -> dict[str, str]:
    """Path to text of every derived file."""
    document = build()
    return {
        "docs/openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        "docs/postman.json": json.dumps(postman.collection(document), indent=1, ensure_ascii=False) + "\n",
        "docs/site/index.html": docs_page.render(document),
        **samples.files(document),
    }


def drift(root: Path, made: dict[str, str]) -> dict[str, str | None]:
    """The files below `root` that differ from what is derived, with their right text: None for one that must go."""
    wrong: dict[str, str | None] = {
        name: text for name, text in made.items() if not (root / name).exists() or (root / name).read_text() != text
    }
    for path in sorted((root / "events").rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in made:
            wrong[name] = None
    return wrong


def main() -> None:
    """Write the files, or with `--check` exit 1 naming those that differ."""
    wrong = drift(ROOT, derived())
    if "--check" in sys.argv:
        if wrong:
            sys.exit(f"{', '.join(wrong)}: differ from the functions; run `make generate` and read the diff")
        return
    for name, text in wrong.items():
        path = ROOT / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'removed' if text is None else 'wrote'} {name}")


if __name__ == "__main__":
    main()
