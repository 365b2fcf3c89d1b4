"""Solid colours of the object: every point of its surface has one, so no texture map is needed to render it."""

import numpy as np

from infrastructure.local.demo.render.noise import Floats, fractal, noise
from infrastructure.local.demo.render.shape import PARTS, part_distances


def _rgb(code: str) -> Floats:
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def _mix(a: Floats, b: Floats, share: Floats) -> Floats:
    return np.asarray(a + (b - a) * share[:, None], dtype=np.float32)


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _stone(points: Floats) -> Floats:
    colour = _mix(_rgb("6d6a68"), _rgb("b9b2a6"), fractal(points, 9.0, 4, seed=20))
    colour = _mix(colour, _rgb("3b3a3c"), _step(0.6, 0.72, fractal(points, 22.0, 3, seed=24)))
    moss = _step(0.48, 0.62, fractal(points, 4.5, 3, seed=28) + 0.25 * (points[:, 2] - 0.2))
    green = _mix(_rgb("3f5f26"), _rgb("96a94a"), fractal(points, 38.0, 2, seed=31))
    colour = _mix(colour, green, moss)
    return _mix(colour, _rgb("e0a63c"), _step(0.74, 0.79, fractal(points, 8.0, 2, seed=35)))


def _back(points: Floats) -> Floats:
    colour = _mix(_rgb("0b4f7d"), _rgb("1d9ab8"), fractal(points, 8.0, 3, seed=40))
    colour = _mix(colour, _rgb("07283f"), _step(0.55, 0.66, fractal(points, 26.0, 2, seed=44)))
    return _mix(colour, _rgb("8fe3e4"), _step(0.68, 0.75, noise(points, 34.0, seed=47)))


def _breast(points: Floats) -> Floats:
    colour = _mix(_rgb("c4571b"), _rgb("f3a648"), fractal(points, 10.0, 4, seed=50))
    return _mix(colour, _rgb("7c2f12"), _step(0.62, 0.72, noise(points, 30.0, seed=54)))


def _bars(points: Floats) -> Floats:
    wave = 0.5 + 0.5 * np.sin(points[:, 2] * 70 + points[:, 0] * 25 + 9 * fractal(points, 7.0, 2, seed=60))
    colour = _mix(_rgb("0d3d68"), _rgb("1f7fb0"), _step(0.3, 0.7, np.asarray(wave, np.float32)))
    return _mix(colour, _rgb("d8efe9"), _step(0.7, 0.76, noise(points, 30.0, seed=64)))


def _face(points: Floats, colour: Floats) -> Floats:
    for side in (1.0, -1.0):
        eye = np.array([0.25, 0.03 + side * 0.142, 1.02], np.float32)
        away = np.linalg.norm(points - eye, axis=1)
        patch = np.linalg.norm((points - eye - np.array([-0.1, 0.0, -0.09], np.float32)) / (1.5, 1, 0.8), axis=1)
        colour = _mix(colour, _rgb("f6efe2"), 1 - _step(0.07, 0.085, patch))
        colour = _mix(colour, _rgb("c98a2b"), 1 - _step(0.05, 0.055, away))
        colour = _mix(colour, _rgb("101014"), 1 - _step(0.036, 0.04, away))
        glint = np.linalg.norm(points - eye - np.array([0.012, side * 0.02, 0.022], np.float32), axis=1)
        colour = _mix(colour, _rgb("ffffff"), 1 - _step(0.012, 0.016, glint))
    return colour


def _belly(points: Floats, width: float) -> Floats:
    edge = points[:, 0] * 0.75 - (points[:, 2] - 0.62) * 0.1 + 0.06 * (fractal(points, 12.0, 2, seed=68) - 0.5)
    return _step(width, width + 0.04, np.asarray(edge, np.float32))


def colours(points: Floats) -> Floats:
    """Display colours (N, 3) in 0..1 of points (N, 3) on the surface."""
    points = np.asarray(points, np.float32)
    ragged = points + 0.03 * (noise(points, 18.0, seed=70)[:, None] - 0.5)
    part = np.argmin(part_distances(ragged), axis=0)
    result = np.empty((len(points), 3), np.float32)
    for index, name in enumerate(PARTS):
        chosen = part == index
        if not chosen.any():
            continue
        here = points[chosen]
        match name:
            case "stone" | "pebble":
                colour = _stone(here)
            case "beak":
                colour = _mix(_rgb("26272b"), _rgb("c2502b"), _step(-0.004, 0.004, _under_beak(here)))
                colour = _mix(colour, _rgb("7d7568"), 0.6 * _step(0.6, 0.72, fractal(here, 30.0, 2, seed=74)))
            case "legs":
                colour = _mix(_rgb("b5361e"), _rgb("e8743b"), fractal(here, 34.0, 2, seed=76))
            case "tail" | "wing_left" | "wing_right":
                colour = _bars(here)
            case "head":
                colour = _face(here, _back(here))
            case "crest":
                colour = _bars(here)
            case _:
                colour = _mix(_back(here), _breast(here), _belly(here, 0.02))
        result[chosen] = colour
    grain = 1 + 0.22 * (noise(points, 75.0, seed=80) - 0.5)
    return np.asarray(np.clip(result * grain[:, None], 0, 1), dtype=np.float32)


def _under_beak(points: Floats) -> Floats:
    middle = 0.97 + (points[:, 0] - 0.27) * (0.93 - 0.97) / (0.6 - 0.27)
    return np.asarray(middle - 0.012 - points[:, 2], dtype=np.float32)
