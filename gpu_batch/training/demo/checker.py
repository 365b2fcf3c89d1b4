"""Reads shape, colour and background back from a picture, by what is seen in it and not by how it was made.

A small convolutional network looks at the picture for the shape; two classifiers look at the colours of the cut-out
solid and at the border. They learn from renders that are worn as drawn pictures are; how often they are right on fresh
renders is measured with every score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import nn

from training.demo import cutout, shape_net
from training.demo.pictures import BACKGROUNDS, COLOURS, SHAPES, Picture, Scene

ANSWERS: dict[str, tuple[str, ...]] = {"shape": SHAPES, "colour": tuple(COLOURS), "background": tuple(BACKGROUNDS)}

_EPOCHS = 40


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
        self.nets: dict[str, nn.Sequential] = {
            "shape": shape_net.shape_net(len(shapes)),
            "colour": _tabular(cutout.COLOUR, len(COLOURS)),
            "background": _tabular(cutout.BACKGROUND, len(BACKGROUNDS)),
        }

    def fit(self, pictures: Sequence[Picture], scenes: Sequence[Scene], seed: int) -> None:
        """Learn from renders."""
        rng, dice = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        for net in self.nets.values():
            for part in net:
                if isinstance(part, nn.Linear | nn.Conv2d):
                    part.reset_parameters()
        shape_net.fit(self.nets["shape"], shape_net.squares(pictures), self._wanted("shape", scenes), dice)
        found = [(cutout.features(worn(picture, rng)), scene) for picture, scene in zip(pictures, scenes, strict=True)]
        kept = [(seen, scene) for seen, scene in found if seen is not None]
        for name in ("colour", "background"):
            inputs = torch.from_numpy(np.stack([seen[name] for seen, _ in kept]))
            _learn(self.nets[name], inputs, self._wanted(name, [scene for _, scene in kept]))

    def _wanted(self, name: str, scenes: Sequence[Scene]) -> torch.Tensor:
        return torch.tensor([self.answers[name].index(getattr(scene, name)) for scene in scenes])

    @torch.inference_mode()
    def read(self, picture: Picture) -> Reading:
        """What the picture shows."""
        seen = cutout.features(picture)
        if seen is None:
            return Reading("nothing", "nothing", "nothing")
        inputs = {name: torch.from_numpy(values)[None] for name, values in seen.items()}
        inputs["shape"] = shape_net.squares([picture])
        best = {name: int(net(inputs[name]).argmax()) for name, net in self.nets.items()}
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


def _tabular(width: int, answers: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, answers))


def _learn(net: nn.Sequential, inputs: torch.Tensor, wanted: torch.Tensor) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    for _ in range(_EPOCHS):
        shuffled: Any = torch.randperm(len(inputs))
        for few in shuffled.split(64):
            loss: Any = nn.functional.cross_entropy(net(inputs[few]), wanted[few], label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
