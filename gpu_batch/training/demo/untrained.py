"""`python -m training.demo.untrained <folder>`: the demo model before its training, whose pictures are noise.

It stands in for the shipped model where there is none: same classes, size and speed, so that every step of an image
job runs. Its note says to the customer what it is.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from training.demo.model import Size, new_pipeline, save
from training.demo.vae import new_vae

NOTE = "These pictures are noise: the demo model of this installation is not trained yet (make demo-model trains it)."
_SEED = 1


def build(folder: Path) -> None:
    """Write the model to `folder` unless it is there; safe to race."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "model"
        vae = new_vae(_SEED)
        vae.register_to_config(shift_factor=0.0, scaling_factor=1.0)
        save(new_pipeline(vae, Size(), Path(scratch) / "tokens", _SEED), {}, fresh)
        (fresh / "note.txt").write_text(NOTE + "\n")
        try:
            fresh.rename(folder)
        except OSError:
            # Another process was faster; an unfinished folder it cannot be, as each arrives whole.
            shutil.rmtree(fresh)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m training.demo.untrained <folder>")
    build(Path(sys.argv[1]))
