"""Model weights for the image worker. Where none are given, the repository's own demo model draws."""

import os
from pathlib import Path

from infrastructure.local.paths import REPO

DEMO = "snapforge-demo"
_SHIPPED = REPO / "gpu_batch" / "models" / "demo"


def weights_uri(folder: Path) -> tuple[str | None, str]:
    """Where the weights are, and a sentence about them. None if there are none: the sentence says why, and image jobs
    will fail with the worker's own message.
    """
    given = os.environ.get("WEIGHTS_URI")
    if given:
        return given, f"weights from WEIGHTS_URI: {given}"
    if not (_SHIPPED / "model_index.json").exists():
        return None, f"no weights: {_SHIPPED} holds no model (make demo-model trains one, set WEIGHTS_URI names others)"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DEMO
    if not link.is_symlink() or link.readlink() != _SHIPPED:
        link.unlink(missing_ok=True)
        link.symlink_to(_SHIPPED, target_is_directory=True)
    return str(folder), "the demo model (eight shapes in ten colours)"


def image_models() -> str:
    """The setting ImageModels that fits these weights."""
    return "flux-schnell" if os.environ.get("WEIGHTS_URI") else DEMO
