"""Write docs/openapi.json, docs/postman.json and the docs page from the endpoints; `--check` tells of drift."""

import json
import sys
import tomllib
from typing import Any

from infrastructure.tools import docs_page, postman
from infrastructure.tools.functions import ROOT, endpoints
from snapforge.http import openapi


def build() -> dict[str, Any]:
    """The document of all endpoints, at the project's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return openapi.document(endpoints().values(), version=version)


def main() -> None:
    """Write the files, or with `--check` exit 1 naming those that differ."""
    document = build()
    made = {
        "docs/openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        "docs/postman.json": json.dumps(postman.collection(document), indent=1, ensure_ascii=False) + "\n",
        "docs/site/index.html": docs_page.render(document),
    }
    drifted = [name for name, text in made.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    if "--check" in sys.argv:
        if drifted:
            sys.exit(f"{', '.join(drifted)}: differ from the endpoints; run `make generate` and read the diff")
        return
    for name in drifted:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(made[name])
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
