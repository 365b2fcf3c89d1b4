"""Model weights for the image worker. Where none are given, the worker builds a tiny stand-in once."""

import os
import subprocess
import time
from pathlib import Path

from infrastructure.local.paths import REPO, Missing, venv_python

_MARK = "complete"


def weights_uri(folder: Path, log: Path) -> tuple[str | None, str]:
    """Where the weights are, and a sentence about them. None if the stand-in could not be built: the sentence says
    why, and image jobs will fail with the worker's own message.
    """
    given = os.environ.get("WEIGHTS_URI")
    if given:
        return given, f"weights from WEIGHTS_URI: {given}"
    if (folder / _MARK).exists():
        return str(folder), "stand-in model (its pictures are noise)"
    try:
        python = venv_python("image")
    except Missing as error:
        return None, f"no weights: {error}"
    began = time.monotonic()
    path = f"{REPO / 'gpu_batch'}:{REPO / 'layers' / 'core'}"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "LANG": "C.UTF-8", "PYTHONPATH": path}
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "worker.engines.standin", str(folder)]
    with log.open("ab") as output:
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        return None, f"no weights: the stand-in model could not be built (exit {done.returncode}), see {log}"
    (folder / _MARK).touch()
    return str(folder), f"stand-in model built in {time.monotonic() - began:.0f} s (its pictures are noise)"
