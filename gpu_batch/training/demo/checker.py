"""Reads shape, colour and background back from a picture, by what is seen in it and not by how it was made.

The solid is cut out of its background (which is alike along each row), then three small classifiers look: one at the
outline and shading of the cut-out, one at its colours, one at the border. They learn from renders that are blurred and
noisy, as drawn pictures are; how often they are right on fresh renders is measured with every score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import nn

from training.demo.pictures import BACKGROUNDS, COLOURS, SHAPES, Picture, Scene

Array = npt.NDArray[np.float32]

_BORDER = 5
_APART = 9.0
"""How far (CIE Lab) a pixel must be from its row's background to belong to the solid."""
_SHADOW = 0.36
"""The floor is never darkened further than to this share."""
_GRID = 24
_LEAST = 40
"""Pixels; fewer are no solid."""
ANSWERS: dict[str, tuple[str, ...]] = {"shape": SHAPES, "colour": tuple(COLOURS), "background": tuple(BACKGROUNDS)}


@dataclass(frozen=True)
class Reading:
    """What a picture shows; "nothing" where no solid stands out."""

    shape: str
    colour: str
    background: str


class Checker:
    """The three classifiers; `shapes` are those that it tells apart."""

    def __init__(self, shapes: tuple[str, ...] = SHAPES) -> None:
        self.answers = ANSWERS | {"shape": shapes}
        widths = {"shape": 2 * _GRID * _GRID + 2, "colour": 21, "background": 48}
        self.nets = {
            name: nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, len(self.answers[name])))
            for name, width in widths.items()
        }

    def fit(self, pictures: Sequence[Picture], scenes: Sequence[Scene], seed: int, *, epochs: int = 40) -> None:
        """Learn from renders."""
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        found = [(features(worn(picture, rng)), scene) for picture, scene in zip(pictures, scenes, strict=True)]
        kept = [(seen, scene) for seen, scene in found if seen is not None]
        for name, net in self.nets.items():
            for part in net:
                if isinstance(part, nn.Linear):
                    part.reset_parameters()
            inputs = torch.from_numpy(np.stack([seen[name] for seen, _ in kept]))
            wanted = torch.tensor([self.answers[name].index(getattr(scene, name)) for _, scene in kept])
            optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
            for _ in range(epochs):
                shuffled: Any = torch.randperm(len(inputs))
                for few in shuffled.split(64):
                    loss: Any = nn.functional.cross_entropy(net(inputs[few]), wanted[few], label_smoothing=0.02)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()

    @torch.inference_mode()
    def read(self, picture: Picture) -> Reading:
        """What the picture shows."""
        seen = features(picture)
        if seen is None:
            return Reading("nothing", "nothing", "nothing")
        best = {name: int(net(torch.from_numpy(seen[name])).argmax()) for name, net in self.nets.items()}
        return Reading(**{name: self.answers[name][index] for name, index in best.items()})

    def save(self, file: Path) -> None:
        """Keep what was learned."""
        arrays = {f"{name}.{key}": value.numpy().astype(np.float16)
                  for name, net in self.nets.items() for key, value in net.state_dict().items()}  # fmt: skip
        with file.open("wb") as target:
            np.savez_compressed(target, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, file: Path) -> "Checker":
        """As it was kept."""
        checker = cls()
        with np.load(file) as arrays:
            for name, net in checker.nets.items():
                net.load_state_dict(
                    {key: torch.from_numpy(arrays[f"{name}.{key}"].astype(np.float32)) for key in net.state_dict()}
                )
        return checker


def worn(picture: Picture, rng: np.random.Generator) -> Picture:
    """A render as a drawn picture might look: a little blurred, a little noisy."""
    image = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 1.3))))
    noise = rng.normal(0, rng.uniform(0, 4), picture.shape)
    return np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)


def features(picture: Picture) -> dict[str, Array] | None:
    """What each classifier looks at; None where no solid stands out."""
    lab = _lab(picture)
    rows = _rows(lab)
    mask = _solid(picture, lab, rows)
    if mask.sum() < _LEAST:
        return None
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    box = (slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
    inside = lab[mask]
    middle, spread = np.median(inside[:, 0]), max(float(inside[:, 0].std()), 3.0)
    shading = np.where(mask, (lab[..., 0] - middle) / spread, 0)[box]
    height, width = shading.shape
    outline: list[Array] = [
        _resized(mask[box].astype(np.float32)),
        np.asarray(_resized(shading.astype(np.float32)) / 2, np.float32),
    ]
    form = np.array([np.log(width / height) * 2, mask[box].mean() * 2], np.float32)
    border = np.stack([part.mean(axis=0) for part in np.array_split(rows, 16)]) / 50
    share = np.percentile(inside, (15, 35, 50, 70, 85), axis=0).reshape(-1) / 50
    around = np.concatenate([rows[: len(rows) // 3].mean(axis=0), rows[-len(rows) // 3 :].mean(axis=0)]) / 50
    return {
        "shape": np.concatenate([*(part.reshape(-1) for part in outline), form]).astype(np.float32),
        "colour": np.concatenate([share, around]).astype(np.float32),
        "background": border.reshape(-1).astype(np.float32),
    }


def solid(picture: Picture) -> npt.NDArray[np.bool_]:
    """Which pixels (h, w) belong to the solid."""
    lab = _lab(picture)
    return _solid(picture, lab, _rows(lab))


def _rows(lab: Array) -> Array:
    """The background of each row (h, 3), as the picture's borders show it."""
    return np.asarray(np.median(np.concatenate([lab[:, :_BORDER], lab[:, -_BORDER:]], axis=1), axis=1), np.float32)


def _solid(picture: Picture, lab: Array, rows: Array) -> npt.NDArray[np.bool_]:
    """Which pixels differ from their row's background and are not merely its shadow."""
    away = np.linalg.norm(lab - rows[:, None], axis=2)
    linear = (picture / 255.0) ** 2.2
    ground = np.median(np.concatenate([linear[:, :_BORDER], linear[:, -_BORDER:]], axis=1), axis=1)[:, None]
    darkened = (linear * ground).sum(axis=2) / np.maximum((ground**2).sum(axis=2), 1e-6)
    off = np.linalg.norm(linear - darkened[..., None] * ground, axis=2) / np.maximum(
        np.linalg.norm(ground, axis=2), 1e-3
    )
    shadow = (darkened < 1) & (darkened > _SHADOW) & (off < 0.05)
    return np.asarray((away > _APART) & ~shadow)


def _lab(picture: Picture) -> Array:
    """CIE Lab (D65) of sRGB, with a gamma of 2.2."""
    linear = (picture / 255.0) ** 2.2
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    root = np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 1e-4))
    return np.stack(
        [116 * root[..., 1] - 16, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], axis=2
    ).astype(np.float32)


def _resized(values: Array) -> Array:
    return np.asarray(Image.fromarray(values).resize((_GRID, _GRID), Image.Resampling.BILINEAR), np.float32)
