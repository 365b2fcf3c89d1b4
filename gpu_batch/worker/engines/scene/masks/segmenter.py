"""A segmentation model of the operator's choice, where the weights folder has one.

`segmentation/` holds `model.pt2`, a program saved by `torch.export`, and `segmentation.json`. The program takes (1, 3,
H, W) float32, RGB brought to the size, mean and spread that the json names, and answers one plane of logits for
the object, (1, 1, h, w) or (1, h, w), alone or as the last of a list. Any class can be exported, so the worker needs
neither the class nor its library: docs/decisions/0010-masks.md says how.
"""

import pathlib
import zipfile
from typing import Protocol

import cv2
import numpy as np
import torch
from pydantic import BaseModel, ValidationError

from worker.engines.scene.masks import MAX_SHARE, MIN_SHARE, Mask
from worker.engines.scene.masks.grabcut import without_specks
from worker.engines.scene.photos import Image
from worker.errors import BugError

FOLDER = "segmentation"
_FILES = ("segmentation.json", "model.pt2")


class Segmenter(Protocol):
    """Tells the object from the background in one photo."""

    def cut(self, small: Image) -> Mask | None:
        """The object of (H, W, 4) as (H, W), or None where there is none."""
        ...


class Card(BaseModel):
    """`segmentation.json`: what the program was exported for. Colours in 0..1, before mean and spread."""

    name: str
    width: int
    height: int
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    spread: tuple[float, float, float] = (0.229, 0.224, 0.225)
    threshold: float = 0.5
    """On the sigmoid of the logits."""


class Exported:
    """A `Segmenter` from `torch.export`."""

    def __init__(self, card: Card, program: torch.nn.Module, device: str) -> None:
        self.card = card
        self._program = program
        self._device = device

    def cut(self, small: Image) -> Mask | None:
        card = self.card
        rgb = cv2.resize(np.ascontiguousarray(small[..., :3]), (card.width, card.height), interpolation=cv2.INTER_AREA)
        scaled = (rgb.astype(np.float32) / 255 - card.mean) / card.spread
        batch = torch.from_numpy(scaled.astype(np.float32)).permute(2, 0, 1)[None].contiguous().to(self._device)
        with torch.no_grad():
            answer = self._program(batch)
        while isinstance(answer, tuple | list):
            answer = answer[-1]
        logits = answer.float().reshape(answer.shape[-2:]).cpu().numpy()
        share = cv2.resize(logits, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
        solid = without_specks(np.asarray(1 / (1 + np.exp(-share.clip(-30, 30))) > card.threshold, np.uint8))
        return np.asarray(solid * np.uint8(255)) if MIN_SHARE < solid.mean() < MAX_SHARE else None


def load(folder: pathlib.Path, device: str) -> Exported:
    """The model in `folder`.

    Raises:
        BugError: `segmentation_unreadable` where the files are not what the module's docstring says.
    """
    try:
        card = Card.model_validate_json((folder / _FILES[0]).read_bytes())
        program = torch.export.load(folder / _FILES[1]).module()
    except (OSError, ValidationError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BugError(
            "segmentation_unreadable", f"{folder} must hold {_FILES[0]} and {_FILES[1]} (torch.export): {error}"
        ) from error
    return Exported(card, program.to(device), device)
