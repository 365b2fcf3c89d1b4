"""Prices, predicted times and what is charged in the end: arithmetic on integers over the catalogue."""

from dataclasses import dataclass

from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.loras import LORA_BASES
from snapforge.jobs.domain.catalogue.priorities import PRICE_FACTORS
from snapforge.jobs.domain.catalogue.scenes import SCENE_PRESETS
from snapforge.jobs.domain.requests import ImageParameters, LoraParameters, Parameters
from snapforge.kit.money import Money

MEGAPIXEL = 1024 * 1024
CREDIT = Money(1, "EUR")
"""The list price of a credit, for the `money` of a quote; what was paid for it depends on the pack that was bought."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a job costs: `credits` for all of it, in equal `parts` (pictures, or one model, or one LoRA)."""

    credits: int
    parts: int

    @property
    def money(self) -> Money:
        """The list price in money."""
        return Money(self.credits * CREDIT.amount, CREDIT.currency)

    def charge(self, delivered: int) -> int:
        """The credits captured when `delivered` of the parts were delivered; the rest of the hold is released."""
        return self.credits * min(max(delivered, 0), self.parts) // self.parts


def price(parameters: Parameters) -> Price:
    """What a job costs: the list price times the factor of its priority.

    By the list an image costs by megapixels times steps, at least a credit a picture; a scene by its photos; a LoRA by
    its steps.
    """
    listed = _list_price(parameters)
    return Price(listed.credits * PRICE_FACTORS[parameters.priority], listed.parts)


def _list_price(parameters: Parameters) -> Price:
    if isinstance(parameters, ImageParameters):
        unit = IMAGE_MODELS[parameters.model].megapixel_steps_per_credit * MEGAPIXEL
        each = max(1, _ceil(parameters.width * parameters.height * parameters.steps, unit))
        return Price(each * parameters.count, parameters.count)
    if isinstance(parameters, LoraParameters):
        return Price(_ceil(parameters.steps, LORA_BASES[parameters.model].steps_per_credit), 1)
    preset = SCENE_PRESETS[parameters.preset]
    further = max(0, parameters.photos - preset.photos_included)
    return Price(preset.credits + _ceil(further, preset.photos_per_further_credit), 1)


def predicted_seconds(parameters: Parameters) -> int:
    """How long the work takes on a free GPU, without waiting in the queue."""
    if isinstance(parameters, ImageParameters):
        return _ceil(IMAGE_MODELS[parameters.model].milliseconds_to_load + drawing_milliseconds(parameters), 1000)
    if isinstance(parameters, LoraParameters):
        base = LORA_BASES[parameters.model]
        return base.seconds + _ceil(base.milliseconds_per_step * parameters.steps, 1000)
    preset = SCENE_PRESETS[parameters.preset]
    return preset.seconds + preset.seconds_per_photo * parameters.photos


def drawing_milliseconds(parameters: ImageParameters) -> int:
    """How long a worker that has its model loaded draws."""
    work = parameters.width * parameters.height * parameters.steps * parameters.count
    return work * IMAGE_MODELS[parameters.model].milliseconds_per_megapixel_step // MEGAPIXEL


def _ceil(amount: int, unit: int) -> int:
    return -(-amount // unit)
