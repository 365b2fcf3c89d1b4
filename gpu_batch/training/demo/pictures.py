"""Pictures of one solid: colour, material, background and size by name, shaded from what the camera sees of the solid.

Shading is done in linear light and written as sRGB. The light stands at the upper left, always: less to learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.demo.solids import ELEVATION, FORWARD, NEW_SOLIDS, SOLIDS, Array, Solid, View, scaled, view

Picture = npt.NDArray[np.uint8]

SHAPES = tuple(SOLIDS)
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 25, 30),
    "orange": (242, 118, 16),
    "yellow": (248, 208, 24),
    "green": (36, 148, 52),
    "turquoise": (28, 186, 182),
    "blue": (32, 74, 208),
    "purple": (118, 40, 168),
    "pink": (250, 96, 172),
    "white": (240, 240, 240),
    "black": (24, 24, 26),
}
"""sRGB of the surface in plain light."""
MATERIALS = ("matte", "shiny", "metal", "glass")
SIZES: dict[str, tuple[float, float]] = {"small": (0.235, 0.245), "large": (0.345, 0.355)}
"""Pixels for one unit of the solid, as a share of the picture's shorter side. Narrow: what may vary without a word for
it, the model has to settle between all tokens, and it draws lumps while it cannot."""
BACKGROUNDS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "studio": ((178, 180, 184), (206, 207, 210), (150, 151, 154), (186, 187, 190)),
    "night": ((16, 22, 44), (40, 50, 84), (44, 48, 62), (62, 66, 82)),
    "sky": ((112, 168, 222), (198, 222, 240), (196, 186, 160), (222, 212, 186)),
    "sunset": ((104, 72, 116), (238, 170, 120), (110, 82, 78), (142, 104, 92)),
    "meadow": ((170, 200, 222), (222, 232, 232), (104, 138, 70), (130, 164, 88)),
    "wood": ((222, 208, 186), (206, 190, 166), (142, 102, 68), (172, 128, 88)),
}
"""sRGB at the top of the wall or sky, just above the horizon, just below it, and at the front of the floor."""

_LIGHT = np.array([-0.5, 0.72, 0.48], np.float32) / np.float32(np.linalg.norm([-0.5, 0.72, 0.48]))
_VIEWER = -FORWARD
_GLOSS = {"matte": (0.04, 6.0), "shiny": (0.75, 42.0), "metal": (0.55, 24.0), "glass": (0.95, 70.0)}
"""Strength and sharpness of the highlight."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows, all by name."""

    shape: str
    colour: str
    material: str
    background: str
    size: str


def random_scene(rng: np.random.Generator, pairs: list[tuple[str, str]]) -> Scene:
    """A scene with one of these pairs of shape and colour; the rest is drawn evenly."""
    shape, colour = pairs[int(rng.integers(len(pairs)))]
    return Scene(
        shape, colour, str(rng.choice(MATERIALS)), str(rng.choice(list(BACKGROUNDS))), str(rng.choice(list(SIZES)))
    )


def views(turns: int, solids: Mapping[str, Solid] = SOLIDS) -> dict[str, list[View]]:
    """Each shape from so many sides, evenly spread; solids of revolution from one."""
    seen: dict[str, list[View]] = {}
    for shape, solid in solids.items():
        first, last = solid.turns
        count = 1 if first == last else turns
        seen[shape] = [view(shape, first + (last - first) * (index + 0.5) / count) for index in range(count)]
    return seen


def render(scene: Scene, sides: list[View], width: int, height: int, rng: np.random.Generator) -> Picture:
    """The picture, (height, width, 3) sRGB. `rng` picks a side of the solid, its exact size and place."""
    shorter = min(width, height)
    side = sides[int(rng.integers(len(sides)))]
    seen = scaled(side, float(rng.uniform(*SIZES[scene.size])) * shorter)
    size = seen.cover.shape[0]
    horizon = height * rng.uniform(0.46, 0.52)
    solid = SOLIDS.get(scene.shape) or NEW_SOLIDS[scene.shape]
    foot_row = height / 2 + shorter * (0.17 if scene.size == "small" else 0.3) + rng.uniform(-0.01, 0.01) * shorter
    centre = foot_row - solid.floor * np.cos(ELEVATION) * seen.radius
    middle = width / 2 + rng.uniform(-0.02, 0.02) * shorter
    picture = _background(scene.background, width, height, horizon)
    _shadow(picture, middle, foot_row, solid.foot * seen.radius)
    top, left = round(centre - size / 2), round(middle - size / 2)
    rows, columns = slice(max(top, 0), min(top + size, height)), slice(max(left, 0), min(left + size, width))
    inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    behind = picture[rows, columns]
    lit = _shaded(scene, seen.normal[inner], behind)
    cover = seen.cover[inner][..., None]
    picture[rows, columns] = behind * (1 - cover) + lit * cover
    return _to_srgb(picture)


def _background(name: str, width: int, height: int, horizon: float) -> Array:
    """Two gradients that meet softly at the horizon, (height, width, 3) in linear light."""
    top, above, below, front = (_to_linear(np.array(colour, np.float32)) for colour in BACKGROUNDS[name])
    row = np.arange(height, dtype=np.float32) + 0.5
    up = np.clip(row / horizon, 0, 1)[:, None]
    down = np.clip((row - horizon) / (height - horizon), 0, 1)[:, None]
    floor = np.clip(row - horizon + 0.5, 0, 1)[:, None]
    lines = (top + (above - top) * up) * (1 - floor) + (below + (front - below) * down) * floor
    return np.repeat(lines[:, None].astype(np.float32), width, axis=1)


def _shadow(picture: Array, middle: float, foot_row: float, radius: float) -> None:
    """Darken the floor where the solid stands and a little to the right, in place."""
    height, width = picture.shape[:2]
    across = (np.arange(width) + 0.5 - middle - 0.3 * radius) / (1.25 * radius)
    down = (np.arange(height) + 0.5 - foot_row) / (0.5 * radius)
    dark = 0.6 * np.exp(-1.6 * (across[None] ** 2 + down[:, None] ** 2))
    picture *= (1 - dark[..., None]).astype(np.float32)


def _shaded(scene: Scene, normal: Array, behind: Array) -> Array:
    """The solid's surface in linear light: Lambert, Blinn's highlight, a mirrored room for metal, tint for glass."""
    colour = _to_linear(np.array(COLOURS[scene.colour], np.float32))
    facing = np.clip(normal @ _VIEWER, 0, 1)[..., None]
    lambert = np.clip(normal @ _LIGHT, 0, 1)[..., None]
    sky = (0.5 + 0.5 * normal[..., 1])[..., None]
    half = (_LIGHT + _VIEWER) / np.linalg.norm(_LIGHT + _VIEWER)
    strength, sharpness = _GLOSS[scene.material]
    highlight = strength * np.clip(normal @ half, 0, 1)[..., None] ** sharpness
    diffuse = colour * (0.28 + 0.2 * sky + 0.78 * lambert)
    rim = (1 - facing) ** 3
    if scene.material == "metal":
        mirrored = 2 * facing * normal - _VIEWER
        return np.asarray((colour * 0.95 + 0.03) * _room(mirrored[..., 1:2]) + highlight * (0.3 + 0.7 * colour))
    if scene.material == "glass":
        through = behind * (0.2 + 0.8 * colour) * (0.35 + 0.55 * facing)
        return np.asarray(through * 0.55 + diffuse * (0.4 + 0.3 * rim) + highlight + 0.25 * rim)
    if scene.material == "shiny":
        return np.asarray(diffuse + highlight + 0.12 * rim)
    return np.asarray(diffuse * 0.95 + highlight * colour)


def _room(up: Array) -> Array:
    """The light that metal mirrors, by how steeply it comes from above: bright sky, dark horizon, dim floor."""
    sky = 0.55 + 0.9 * np.clip(up, 0, 1)
    floor = 0.5 + 0.35 * np.clip(-up, 0, 1)
    band = np.exp(-((up / 0.16) ** 2))
    return np.asarray(np.where(up > 0, sky, floor) * (1 - 0.72 * band))


def _to_linear(srgb: Array) -> Array:
    return np.asarray((srgb / 255) ** 2.2, np.float32)


def _to_srgb(linear: Array) -> Picture:
    return np.asarray(np.round(np.clip(linear, 0, 1) ** (1 / 2.2) * 255), np.uint8)
