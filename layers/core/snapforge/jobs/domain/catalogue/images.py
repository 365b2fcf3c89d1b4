"""The image models that the house knows. Which of them an installation offers is its operator's setting ImageModels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from snapforge.jobs.domain.requests.image import Aspect

Family = Literal["flux1", "flux2", "z-image"]
"""Models of a family share an engine and, where they have any, adapters."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number that may be chosen, and what it is when nobody chooses."""

    default: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class ImageModel:
    """An image model: what can be asked of it, its price and its speed. Milliseconds are of one L4-class GPU."""

    title: str
    family: Family
    licence: str
    sizes: Mapping[Aspect, tuple[int, int]]
    """Width and height in pixels by aspect ratio: the sizes it was trained on."""
    min_side: int
    max_side: int
    max_pixels: int
    steps: Range
    guidance: Range
    negative_prompt: bool
    """Whether it knows one on our own GPUs; else it is left out, with a note."""
    megapixel_steps_per_credit: int
    milliseconds_per_megapixel_step: int
    milliseconds_to_load: int
    examples: tuple[str, ...]
    """Prompts that show what it is good at."""


_ONE_MEGAPIXEL: dict[Aspect, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "4:3": (1152, 896),
    "3:4": (896, 1152),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "21:9": (1536, 640),
}
_Z_IMAGE: dict[Aspect, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
    "16:9": (1280, 720),
    "9:16": (720, 1280),
    "21:9": (1344, 576),
}
_DEMO: dict[Aspect, tuple[int, int]] = {
    "1:1": (128, 128),
    "4:3": (144, 112),
    "3:4": (112, 144),
    "3:2": (160, 112),
    "2:3": (112, 160),
    "16:9": (160, 96),
    "9:16": (96, 160),
    "21:9": (192, 80),
}

IMAGE_MODELS: dict[str, ImageModel] = {
    "flux-schnell": ImageModel(
        title="FLUX.1 [schnell]",
        family="flux1",
        licence="Apache-2.0",
        sizes=_ONE_MEGAPIXEL,
        min_side=64,
        max_side=2048,
        max_pixels=4 * 1024 * 1024,
        steps=Range(4, 1, 50),
        guidance=Range(0.0, 0.0, 20.0),
        negative_prompt=True,
        megapixel_steps_per_credit=4,
        milliseconds_per_megapixel_step=350,
        milliseconds_to_load=20_000,
        examples=(
            "a kingfisher on river stones, morning light",
            "a reading corner under a skylight, rain on the glass, warm lamp",
            "a stone bridge in autumn fog, seen from the water",
        ),
    ),
    "flux2-klein": ImageModel(
        title="FLUX.2 [klein] 4B",
        family="flux2",
        licence="Apache-2.0",
        sizes=_ONE_MEGAPIXEL,
        min_side=64,
        max_side=2048,
        max_pixels=4 * 1024 * 1024,
        steps=Range(4, 1, 50),
        guidance=Range(1.0, 0.0, 20.0),
        negative_prompt=False,
        megapixel_steps_per_credit=4,
        milliseconds_per_megapixel_step=260,
        milliseconds_to_load=25_000,
        examples=(
            'a hand-painted shop sign that says "Bread & Salt" above a green door',
            "three ceramic cups on linen, one of them cracked and mended with gold",
            "a tram in snow at night, windows glowing, a single passenger",
        ),
    ),
    "z-image-turbo": ImageModel(
        title="Z-Image-Turbo",
        family="z-image",
        licence="Apache-2.0",
        sizes=_Z_IMAGE,
        min_side=256,
        max_side=2048,
        max_pixels=4 * 1024 * 1024,
        # The sampler's last step is empty: nine steps are eight passes of the transformer.
        steps=Range(9, 1, 50),
        guidance=Range(0.0, 0.0, 20.0),
        negative_prompt=False,
        megapixel_steps_per_credit=8,
        milliseconds_per_megapixel_step=380,
        milliseconds_to_load=30_000,
        examples=(
            "portrait of an old boat builder in his workshop, window light, shavings in the air",
            'a poster for a jazz evening with the words "BLUE HOUR" in large letters',
            "a market stall of citrus fruit after rain, photographed from above",
        ),
    ),
    "snapforge-demo": ImageModel(
        title="Snapforge demo",
        family="flux1",
        licence="Apache-2.0",
        sizes=_DEMO,
        min_side=64,
        max_side=256,
        max_pixels=192 * 192,
        steps=Range(12, 1, 50),
        guidance=Range(0.0, 0.0, 20.0),
        negative_prompt=False,
        megapixel_steps_per_credit=4,
        milliseconds_per_megapixel_step=2_000,
        milliseconds_to_load=2_000,
        examples=(
            "a red metal sphere on a white studio floor",
            "a shiny blue cube in a meadow",
            "a small green glass star at sunset",
        ),
    ),
}
