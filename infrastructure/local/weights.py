"""Model weights for the image worker. Where none are given, the repository's own demo model draws."""

import os
import shutil
from pathlib import Path

from infrastructure.local.paths import REPO

DEMO = "snapforge-demo"
_SHIPPED = REPO / "gpu_batch" / "models" / "demo"


def weights_uri(folder: Path) -> tuple[str, str]:
    """Where the weights are, and a sentence about them."""
    given = os.environ.get("WEIGHTS_URI")
    if given:
        return given, f"weights from WEIGHTS_URI: {given}"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DEMO
    if not link.is_symlink() or link.readlink() != _SHIPPED:
        _remove(link)
        link.symlink_to(_SHIPPED, target_is_directory=True)
    return str(folder), "the demo model (eight shapes in ten colours)"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def image_models() -> str:
    """The setting ImageModels that fits these weights."""
    return "flux-schnell" if os.environ.get("WEIGHTS_URI") else DEMO
