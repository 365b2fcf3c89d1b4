"""What an attempt leaves behind: result.json under its prefix."""

from typing import Literal

from pydantic import AwareDatetime

from snapforge.contracts.adapters import Family
from snapforge.contracts.base import CONTRACT, Contract

Role = Literal["picture", "model_glb", "model_usdz", "preview", "report", "adapter"]
ADAPTER: Role = "adapter"
"""The role of the one file of a training that becomes no asset: it is its LoRA's, and goes with it."""


class ResultFile(Contract):
    """One file under the attempt's prefix."""

    name: str
    """Relative to the prefix, e.g. `picture-00.png`, `model.glb`."""
    role: Role
    media_type: str
    bytes: int
    sha256: str
    """Lower-case hex."""
    width: int | None = None
    height: int | None = None
    seed: int | None = None


class StageTime(Contract):
    """Wall time and peak memory of one stage."""

    stage: str
    seconds: float
    peak_mib: int


class Usage(Contract):
    """What the attempt used, for the cost receipt."""

    started_at: AwareDatetime
    ended_at: AwareDatetime
    compute_seconds: float
    """Seconds the machine was busy for this job, over all entries of the attempt."""
    device: str
    """`cpu`, or the GPU's name."""
    instance_type: str
    """EC2 type from the instance metadata, or `local`."""
    interruptions: int = 0
    stages: tuple[StageTime, ...] = ()
    provider: str | None = None
    """Who drew it instead of a machine of ours, e.g. `together`; then no machine was busy."""
    cost_micro_usd: int | None = None
    """What the provider charges for this attempt, also for pictures that could not be used."""


class PoseRung(Contract):
    """What one way of finding the cameras gave; the next one is tried only while photos are left out."""

    name: str
    registered: int
    """Photos in its largest consistent model; 0 where it had none."""
    reprojection_error_px: float | None
    """Mean over that model, in pixels of the photos."""
    seconds: float
    """Wall time, features and matching included; of a rung that was interrupted, since the restart."""


class SceneQuality(Contract):
    """The quality report of a scene."""

    photos_given: int
    photos_registered: int
    reprojection_error_px: float
    psnr_object_db: float
    """Object pixels only, on views held out of training."""
    held_out_views: int
    faces: int
    texture_px: int
    masks: str
    """`alpha`, `model`, `background`, `grabcut`, `geometry` or `none`: docs/decisions/0010-masks.md."""
    photos_used: int | None = None
    """Photos whose cameras were looked for: fewer than given where some were unusable or frames of a video."""
    rungs: tuple[PoseRung, ...] = ()
    """The ways in which the cameras were looked for, in order."""
    view_degrees: int | None = None
    """How far round the object the cameras stand, 0 to 360."""
    coverage: float | None = None
    """Share of the texture that a photo saw, 0 to 1."""
    watertight: bool | None = None
    """Whether the surface is closed, so that it has an inside and can be printed."""
    floor: str | None = None
    """What became of the plane under the object: `cropped`, `kept`, or `none` where none was found."""
    metric: bool = False
    """Whether the model has its real size (`longest_side_m` was given)."""
    size_m: tuple[float, float, float] | None = None
    """Width, height and depth of the delivered model."""
    glb_bytes: int | None = None
    usdz_bytes: int | None = None
    advice: tuple[str, ...] = ()
    """What would make the next model better."""
    notes: tuple[str, ...] = ()


class LoraQuality(Contract):
    """What a training reached."""

    family: Family
    rank: int
    steps: int
    photos_given: int
    photos_used: int
    captions: tuple[str, ...]
    """As trained, one for each photo used."""
    loss_before: float
    """Mean flow-matching loss on the photos with fixed noise, before the first step."""
    loss_after: float
    notes: tuple[str, ...] = ()


class Result(Contract):
    """The content of result.json."""

    contract: int = CONTRACT
    job_id: str
    run: int
    attempt: int
    engine: str
    """e.g. `diffusers:flux` or `nerfstudio:small-field`."""
    model: str
    files: tuple[ResultFile, ...]
    usage: Usage
    quality: SceneQuality | None = None
    lora: LoraQuality | None = None
    notes: tuple[str, ...] = ()
    """Plain words for the customer, e.g. that a stand-in model drew noise."""
