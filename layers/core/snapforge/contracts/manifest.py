"""The work order that Dispatch writes to S3 and a worker reads: `s3://<assets>/runs/<job>/<run>/<attempt>/manifest.json`."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from snapforge.contracts.adapters import MAX_RANK, AdapterRef
from snapforge.contracts.base import CONTRACT, Contract


def work_folder(job_id: str) -> str:
    """The keys of what a job's attempts keep while they work, in the assets bucket: `<run>/<attempt>/…` below it."""
    return f"runs/{job_id}/"


class ImageWork(Contract):
    """A prompt to be drawn `count` times. Picture i is made with seed `seed + i`."""

    kind: Literal["image"] = "image"
    model: str
    prompt: str
    negative_prompt: str = ""
    width: int
    """Pixels, a multiple of 16."""
    height: int
    steps: int
    guidance: float
    seed: int
    count: int
    adapters: tuple[AdapterRef, ...] = ()


class Photo(Contract):
    """One checked photo of a capture."""

    uri: str
    """s3:// address of the upright sRGB JPEG or PNG (alpha kept) made on arrival."""
    name: str
    """The customer's file name, for messages."""
    width: int
    height: int
    focal_px: float | None = None
    """Focal length in pixels of this file, from EXIF, where it was known."""


class SceneWork(Contract):
    """Photos to become a textured model."""

    kind: Literal["scene"] = "scene"
    photos: tuple[Photo, ...]
    preset: Literal["draft", "standard", "high"]
    usdz: bool = True
    longest_side_m: float | None = None
    """The object's real longest side in metres, where the customer knows it."""
    floor: Literal["crop", "keep"] = "crop"
    """Whether the plane that the object stands on is cut off."""
    compression: Literal["none", "draco"] = "none"
    """Of the GLB's geometry."""
    seed: int = 0


class LoraWork(Contract):
    """Photos of one thing to become an adapter of `model`."""

    kind: Literal["lora"] = "lora"
    model: str
    photos: tuple[Photo, ...]
    captions: tuple[str, ...] = ()
    """One for each photo, `""` where the customer wrote none; empty: none at all."""
    trigger: str
    """The word that calls the thing in a prompt."""
    subject: str
    """What kind of thing it is: `vase`, `dog`, `person`."""
    rank: int = Field(ge=1, le=MAX_RANK)
    steps: int
    learning_rate: float
    size: int
    """Pixels: photos are brought to about size x size, in their own aspect ratio."""
    sample_prompts: tuple[str, ...] = ()
    """For the grid; the trigger is in them."""
    sample_steps: int
    guidance: float
    """Of the samples: the model's own values."""
    seed: int = 0


Work = ImageWork | SceneWork | LoraWork


class Manifest(Contract):
    """One attempt's work order."""

    contract: int = CONTRACT
    job_id: str
    run: int
    """The customer's try, from 1."""
    attempt: int
    """The engine's try within the run, from 1."""
    deadline: AwareDatetime
    reports_queue_url: str
    output_uri: str
    """s3:// prefix, ends with '/': the attempt's own. It is claimed by `claim.json` with If-None-Match: *."""
    resume_uri: str | None = None
    """The prefix of an earlier attempt of this run whose checkpoints may be used."""
    reduced: bool = False
    """Set after out-of-memory: use the next smaller settings."""
    work: Annotated[Work, Field(discriminator="kind")]
