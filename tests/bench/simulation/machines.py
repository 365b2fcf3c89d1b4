"""What is assumed of AWS and of the GPU, the same for both houses. Seconds."""

from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.receipts import HOUR, INSTANCE_PRICES

MODEL = IMAGE_MODELS["flux-schnell"]
BOOT = 120.0
"""From Batch's decision to an instance with its container image: EC2 start, ECS agent, cached layers."""
CONTAINER = 12.0
"""A container on an instance that is up: ECS placement, Python, CUDA context."""
LOAD = MODEL.milliseconds_to_load / 1000
LINGER = 120.0
"""How long Batch keeps an instance without a job."""
PICTURE = MODEL.steps.default * MODEL.milliseconds_per_megapixel_step / 1000
"""One picture of one megapixel, alone."""
EACH_MORE = 0.75
"""What each further picture of a micro-batch adds, in terms of the first."""
OVERHEAD = 0.3
"""Claim, upload and report that drawing does not hide, a micro-batch."""
DOLLARS_AN_HOUR = INSTANCE_PRICES["g6.2xlarge"] / 1e6
PROVIDER_SECONDS = 6.0
PROVIDER_DOLLARS = 0.0027
"""A picture of one megapixel of the same model at a provider."""


def drawing(pictures: int) -> float:
    """Seconds that a micro-batch takes."""
    return OVERHEAD + PICTURE * (1 + EACH_MORE * (pictures - 1))


def dollars(seconds: float) -> float:
    """What so many instance seconds cost."""
    return seconds * DOLLARS_AN_HOUR / HOUR
