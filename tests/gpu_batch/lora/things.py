"""Photos of one thing, made here: a striped ball before changing backgrounds; and tiny models of the real classes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def photo(index: int, width: int = 128, height: int = 128) -> Image.Image:
    """A red and yellow striped ball somewhere on a plain, differently coloured ground."""
    random = np.random.default_rng(index)
    ground = random.integers(60, 200, 3)
    y, x = np.mgrid[0:height, 0:width]
    across, down = width * random.uniform(0.4, 0.6), height * random.uniform(0.4, 0.6)
    inside = np.hypot(x - across, y - down) < 0.3 * min(width, height)
    stripes = ((x + y) // 8) % 2 == 0
    pixels = np.broadcast_to(ground, (height, width, 3)).copy()
    pixels[inside & stripes] = (220, 40, 30)
    pixels[inside & ~stripes] = (240, 210, 40)
    noise = random.normal(0, 3, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def jpeg(index: int, width: int = 128, height: int = 128) -> bytes:
    """The same, as a file."""
    file = io.BytesIO()
    photo(index, width, height).save(file, format="JPEG", quality=92)
    return file.getvalue()


def write(folder: Path, count: int) -> list[Path]:
    """Photos as files; every third one is upright."""
    paths = []
    for index in range(count):
        path = folder / f"{index:03d}.jpg"
        path.write_bytes(jpeg(index, 128, 176 if index % 3 == 2 else 128))
        paths.append(path)
    return paths
