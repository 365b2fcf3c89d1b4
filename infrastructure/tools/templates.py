"""Write into the templates what derives from elsewhere, between markers; `--check` tells of drift.

edge.yaml: parameters, origins and behaviours, from the routes. notifications.yaml: the events that its rule passes,
from the messages.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from infrastructure.tools import edge
from snapforge.messages import catalogue
from snapforge.messages.domain import Channel

ROOT = Path(__file__).resolve().parents[2]
NESTED = "AWS::CloudFormation::Stack"


def blocks() -> dict[str, dict[str, str]]:
    """What stands between the markers, by template and marker."""
    app = yaml_parse((ROOT / "template.yaml").read_text())
    urls = [one["Properties"]["TemplateURL"] for one in app["Resources"].values() if one["Type"] == NESTED]
    nested = {url: yaml_parse((ROOT / url).read_text()) for url in urls}
    mails = ", ".join(catalogue.events(Channel.mail))
    return {
        "infrastructure/edge.yaml": edge.blocks(edge.behaviours(app, nested)),
        "infrastructure/notifications.yaml": {"mails": f"        detail-type: [{mails}]\n"},
    }


def filled(text: str, made: Mapping[str, str]) -> str:
    """A template with what stands between `# <name: …>` and `# </name>` replaced. ValueError without such markers."""
    for name, block in made.items():
        marked = re.compile(rf"(^ *# <{name}: [^\n]*>\n).*?(^ *# </{name}>\n)", re.MULTILINE | re.DOTALL)
        parts = marked.split(text)
        if len(parts) != 4:
            raise ValueError(f"{(len(parts) - 1) // 3} places for {name}")
        text = f"{parts[0]}{parts[1]}{block}{parts[2]}{parts[3]}"
    return text


def main() -> None:
    """Write the templates, or with `--check` exit 1 naming those that differ."""
    for name, made in blocks().items():
        before = (ROOT / name).read_text()
        after = filled(before, made)
        if before == after:
            continue
        if "--check" in sys.argv:
            sys.exit(f"{name}: differs from what it derives from; run `make generate` and read the diff")
        (ROOT / name).write_text(after)
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
