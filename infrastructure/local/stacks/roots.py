"""The root stacks that the region deploys. The third, edge.yaml, is CloudFront: the functions host stands for it."""

from pathlib import Path

from infrastructure.local.paths import REPO

ROOTS = (REPO / "infrastructure" / "foundation.yaml", REPO / "template.yaml")


def present() -> list[Path]:
    """Those that are there, in order."""
    return [root for root in ROOTS if root.exists()]
