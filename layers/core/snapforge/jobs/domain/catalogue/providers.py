"""Which provider serves which image model, under which name, with which bounds, at what price.

Prices are in millionths of a US dollar; where an answer tells its own cost, that counts. FLUX.1 schnell is as Together
and Replicate listed it in 2026; Hugging Face passes on what the provider behind it takes; Z-Image is what fal lists for
a megapixel, because Replicate tells its price only on the bill. Correct them when a bill says otherwise.
"""

from dataclasses import dataclass
from typing import Literal

from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS

ProviderName = Literal["together", "replicate", "huggingface"]


@dataclass(frozen=True, slots=True)
class Served:
    """A model at a provider."""

    name: str
    """The provider's name of the model."""
    micro_usd: int
    """Of a picture, or of a megapixel where `by_megapixel`."""
    by_megapixel: bool
    most_steps: int
    any_size: bool
    """Whether width and height are taken; else only the native sizes of the model's aspect ratios are."""
    min_side: int = 64
    max_side: int = 2048
    negative_prompt: bool = False

    def cost_micro_usd(self, width: int, height: int) -> int:
        """The list price of one picture, rounded up."""
        return -(-self.micro_usd * width * height // 1_000_000) if self.by_megapixel else self.micro_usd


SERVED: dict[str, dict[ProviderName, Served]] = {
    "flux-schnell": {
        "together": Served(
            "black-forest-labs/FLUX.1-schnell", 2_700, True, most_steps=12, any_size=True, max_side=1792
        ),
        "replicate": Served("black-forest-labs/flux-schnell", 3_000, False, most_steps=4, any_size=False),
        "huggingface": Served("black-forest-labs/FLUX.1-schnell", 3_000, True, most_steps=12, any_size=True),
    },
    "flux2-klein": {},
    "z-image-turbo": {
        "replicate": Served("prunaai/z-image-turbo", 5_000, True, most_steps=50, any_size=True),
    },
    "snapforge-demo": {},
}
"""Only what takes our sizes, steps and seeds by a documented request. `snapforge-demo` is ours alone."""


def served(provider: str, *, model: str, width: int, height: int, steps: int) -> Served | None:
    """How `provider` can draw exactly this; None where it cannot."""
    found = {str(name): offer for name, offer in SERVED.get(model, {}).items()}.get(provider)
    if found is None or steps > found.most_steps:
        return None
    if (width, height) in IMAGE_MODELS[model].sizes.values():
        return found
    fits = found.any_size and found.min_side <= min(width, height) and max(width, height) <= found.max_side
    return found if fits else None
