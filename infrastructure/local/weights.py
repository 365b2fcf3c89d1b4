"""Model weights for the image worker. Where none are given, the repository's own demo model draws, once it is trained.

Until then (`make demo-model`) the untrained model draws noise in its place, and says so.
"""

import os
import shutil
import subprocess
from pathlib import Path

from infrastructure.local.paths import REPO, Missing, venv_python

DEMO = "snapforge-demo"
_SHIPPED = REPO / "gpu_batch" / "models" / "demo"


def weights_uri(folder: Path, log: Path) -> tuple[str | None, str]:
    """Where the weights are, and a sentence about them. None if there are none: the sentence says why, and image jobs
    will fail with the worker's own message.
    """
    given = os.environ.get("WEIGHTS_URI")
    if given:
        return given, f"weights from WEIGHTS_URI: {given}"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DEMO
    if not (_SHIPPED / "model_index.json").exists():
        return _untrained(link, log)
    if not link.is_symlink() or link.readlink() != _SHIPPED:
        _remove(link)
        link.symlink_to(_SHIPPED, target_is_directory=True)
    return str(folder), "the demo model (eight shapes in ten colours)"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _untrained(folder: Path, log: Path) -> tuple[str | None, str]:
    told = str(folder.parent), "the untrained demo model (its pictures are noise; make demo-model trains it)"
    if folder.is_symlink():
        folder.unlink()
    if folder.exists():
        return told
    try:
        python = venv_python("image")
    except Missing as error:
        return None, f"no weights: {error}"
    path = f"{REPO / 'gpu_batch'}:{REPO / 'layers' / 'core'}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder.parent),
        "LANG": "C.UTF-8",
        "PYTHONPATH": path,
        "HF_HUB_OFFLINE": "1",
    }
    command = [str(python), "-m", "training.demo.untrained", str(folder)]
    with log.open("ab") as output:
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        return None, f"no weights: the untrained demo model could not be written (exit {done.returncode}), see {log}"
    return told


def image_models() -> str:
    """The setting ImageModels that fits these weights."""
    return "flux-schnell" if os.environ.get("WEIGHTS_URI") else DEMO
