"""The image models whose LoRAs are trained here: settings of a training, its price and its time."""

from collections.abc import Sequence
from dataclasses import dataclass

from snapforge.jobs.domain.catalogue.images import Range


@dataclass(frozen=True, slots=True)
class LoraBase:
    """A base model of trainings. Milliseconds are of one L4-class GPU."""

    steps: Range
    rank: int
    learning_rate: float
    size: int
    """Pixels: photos are brought to about size x size."""
    steps_per_credit: int
    milliseconds_per_step: int
    seconds: int
    """Around the steps: loading, captions, the sample grid."""


LORA_BASES: dict[str, LoraBase] = {
    "flux-schnell": LoraBase(
        steps=Range(1000, 200, 3000),
        rank=16,
        learning_rate=2e-4,
        size=512,
        steps_per_credit=20,
        milliseconds_per_step=900,
        seconds=180,
    ),
    "flux2-klein": LoraBase(
        steps=Range(1000, 200, 3000),
        rank=16,
        learning_rate=2e-4,
        size=512,
        steps_per_credit=25,
        milliseconds_per_step=700,
        seconds=180,
    ),
    "snapforge-demo": LoraBase(
        steps=Range(300, 20, 2000),
        rank=16,
        learning_rate=2e-3,
        size=128,
        steps_per_credit=20,
        milliseconds_per_step=200,
        seconds=30,
    ),
}
"""Models that are not here take no LoRA."""


def trainable(offered: Sequence[str]) -> tuple[str, ...]:
    """Those of the models on offer whose LoRAs can be trained, in their order."""
    return tuple(name for name in offered if name in LORA_BASES)
