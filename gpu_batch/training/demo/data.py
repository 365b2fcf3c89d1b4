"""The training set: rendered pictures and their scenes, made once from a seed, in three formats of about equal area."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.demo.pictures import Picture, Scene, random_scene, render, views
from training.demo.solids import SOLIDS, Solid

FORMATS = ((128, 128), (160, 96), (96, 160))
"""Width and height. Half of the pictures are square."""
_SHARES = (0.5, 0.25, 0.25)
_TURNS = 4


@dataclass(frozen=True)
class Part:
    """Pictures of one format, (n, height, width, 3), and what they show."""

    pictures: npt.NDArray[np.uint8]
    scenes: list[Scene]


def parts(count: int, pairs: list[tuple[str, str]], seed: int, *, turns: int = _TURNS,
          solids: Mapping[str, Solid] = SOLIDS) -> list[Part]:  # fmt: skip
    """`count` pictures of these pairs of shape and colour, by format; each solid from `turns` sides."""
    rng = np.random.default_rng(seed)
    sides = views(turns, solids)
    made: list[Part] = []
    for (width, height), share in zip(FORMATS, _SHARES, strict=True):
        scenes = [random_scene(rng, pairs) for _ in range(round(count * share))]
        pictures: list[Picture] = [render(scene, sides[scene.shape], width, height, rng) for scene in scenes]
        made.append(Part(np.stack(pictures), scenes))
    return made
