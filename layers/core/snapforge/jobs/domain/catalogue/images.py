"""The image models on offer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageModel:
    """An image model's defaults, price and speed. Milliseconds are of one L4-class GPU."""

    steps: int
    guidance: float
    megapixel_steps_per_credit: int
    milliseconds_per_megapixel_step: int
    milliseconds_to_load: int


IMAGE_MODELS = {
    "flux-schnell": ImageModel(
        steps=4,
        guidance=0.0,
        megapixel_steps_per_credit=4,
        milliseconds_per_megapixel_step=350,
        milliseconds_to_load=20_000,
    )
}
