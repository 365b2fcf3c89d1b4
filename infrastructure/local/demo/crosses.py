"""python -m infrastructure.local.demo.crosses OUT: eight pictures of a solid that the demo model never saw, in words.

Runs in `.venvs/image` with gpu_batch on the path: they are the pictures on which the demo model's LoRA is measured.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

CAPTIONS = "captions.json"
"""Beside the pictures: what each shows, by its file's name. Written last."""
_SEED = 1


def render(folder: Path) -> None:
    """Write crux-00.png … crux-07.png (128 x 128, sRGB) and their captions."""
    lesson: Any = import_module("training.demo.new_object").lesson
    folder.mkdir(parents=True, exist_ok=True)
    captions = {}
    for index, (pixels, caption) in enumerate(zip(*lesson(_SEED), strict=True)):
        name = f"crux-{index:02d}.png"
        Image.fromarray(pixels).save(folder / name)
        captions[name] = caption
    (folder / CAPTIONS).write_text(json.dumps(captions, indent=1))


if __name__ == "__main__":
    render(Path(sys.argv[1]))
