"""The wire of jobs."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from snapforge.contracts.reports import FailureCategory
from snapforge.contracts.results import LoraQuality, Role, SceneQuality
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.preflight import Finding
from snapforge.jobs.domain.receipts import Receipt
from snapforge.jobs.domain.requests import (
    Aspect,
    ImageRequest,
    KeptParameters,
    Kind,
    LoraRequest,
    Preset,
    Priority,
    SceneRequest,
)
from snapforge.kit import ids
from snapforge.kit.page import PageQuery
from snapforge.kit.schema import Schema, Timestamp

_IMAGE: JsonDict = {
    "kind": "image",
    "prompt": "a kingfisher on river stones, morning light",
    "aspect": "3:2",
    "count": 2,
}
_SCENE: JsonDict = {"kind": "scene", "capture_id": ids.example("capture"), "preset": "draft"}
_LORA: JsonDict = {
    "kind": "lora",
    "capture_id": ids.example("capture"),
    "rights": True,
    "name": "Grandmother's blue vase",
    "trigger": "grvase",
    "subject": "vase",
}

QuoteToken = Annotated[
    str | None,
    Field(
        max_length=2000,
        description="The quote of a preview: its price holds. Absent, expired or for another order: priced now.",
    ),
]


class ImagePreview(ImageRequest):
    """What pictures would cost."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IMAGE]})


class ScenePreview(SceneRequest):
    """What a model would cost, and whether the photos will do."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SCENE]})


class LoraPreview(LoraRequest):
    """What a LoRA would cost, and whether the photos will do."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LORA]})


class ImageCreate(ImageRequest):
    """Order pictures."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IMAGE]})
    quote: QuoteToken = None


class SceneCreate(SceneRequest):
    """Order a model."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SCENE]})
    quote: QuoteToken = None


class LoraCreate(LoraRequest):
    """Order a LoRA."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LORA]})
    quote: QuoteToken = None


PreviewCreate = Annotated[ImagePreview | ScenePreview | LoraPreview, Field(discriminator="kind")]
JobCreate = Annotated[ImageCreate | SceneCreate | LoraCreate, Field(discriminator="kind")]


class Money(Schema):
    """Minor units of an ISO 4217 currency."""

    amount: int
    currency: str


class Preview(Schema):
    """What a job would cost and take. `checking`: the photos are still being measured or examined, ask again."""

    id: str | None = Field(default=None, description="Present while checking: poll `GET /v1/jobs/previews/{id}`.")
    status: Literal["ready", "checking"]
    kind: Kind
    can_start: bool
    credits: int | None = None
    money: Money | None = Field(default=None, description="At the list price of a credit.")
    predicted_seconds: int | None = Field(default=None, description="On a free machine.")
    quote: str | None = Field(default=None, description="Send it with `POST /v1/jobs` to hold this price.")
    quote_expires_at: Timestamp | None = None
    photos_usable: int | None = None
    photos_refused: int | None = None
    predicted_registered: int | None = Field(
        default=None, description="How many photos will find their place in the model; absent if not examined."
    )
    coverage_degrees: int | None = Field(
        default=None, ge=0, le=360, description="How much of a turn round the object the photos look from, roughly."
    )
    components: list[int] | None = Field(
        default=None, description="Sizes of the groups of photos that connect with each other, the largest first."
    )
    findings: list[Finding] = Field(default_factory=list)


class Progress(Schema):
    """Where the work is."""

    stage: str = Field(examples=["training"])
    percent: int = Field(ge=0, le=100)
    eta_seconds: int | None = Field(default=None, description="As of `at`; without `at`, of the work itself.")
    message: str = ""
    at: Timestamp | None = None
    queue_position: int | None = Field(
        default=None,
        ge=1,
        description="Of one job of pictures that waits for a worker: 1 is the one that has waited longest at its "
        "priority. Orgs share fairly, so one with few jobs may pass others. Not in lists, and not beyond 500.",
    )


class Price(Schema):
    """Credits, never more than `held`: what is not charged was or will be released."""

    credits: int
    quoted: bool
    held: int = Field(description="Reserved now; 0 once the run has ended.")
    charged: int | None = Field(default=None, description="Present once the run has ended; 0 for a failure.")
    released: int | None = None


class JobFailure(Schema):
    """Why, what to do, and what it cost."""

    category: FailureCategory
    code: str
    message: str
    fix: str
    retryable: bool
    charged: int


class ResultFile(Schema):
    """One file, with a signed link."""

    asset_id: str
    name: str
    role: Role
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    url: str
    expires_at: Timestamp


class JobResults(Schema):
    """What was delivered; after `insufficient_quality` a partial result, free."""

    files: list[ResultFile]
    engine: str
    model: str
    quality: SceneQuality | None = None
    lora: LoraQuality | None = None
    notes: list[str] = Field(default_factory=list)


class JobSummary(Schema):
    """A render job in a list. `run` counts your tries, `attempt` the engine's within a run."""

    id: str = Field(pattern=ids.pattern("job"))
    kind: Kind
    state: JobState
    run: int
    attempt: int
    progress: Progress
    price: Price
    predicted_seconds: int
    created_at: Timestamp
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    deadline: Timestamp | None = Field(
        default=None, description="By then it has ended, one way or the other; moves when work begins or begins again."
    )
    parameters: KeptParameters
    failure: JobFailure | None = None
    preview_url: str | None = Field(default=None, description="A signed link of the picture to show for it.")


class Job(JobSummary):
    """A render job, with its results and what it cost."""

    results: JobResults | None = None
    receipt: Receipt | None = None


class JobsQuery(PageQuery):
    """Filters of a list, newest first."""

    kind: Kind | None = None
    state: JobState | None = None


class Choice(Schema):
    """A number that may be chosen."""

    default: float
    min: float
    max: float


class Size(Schema):
    """Pixels."""

    width: int
    height: int


class LoraOffer(Schema):
    """How LoRAs of a model are trained here."""

    min_photos: int
    max_photos: int
    steps: Choice
    credits: int = Field(description="List price of a training with the default steps.")
    predicted_seconds: int = Field(description="For that training, on a free machine.")


class ModelOffer(Schema):
    """An image model on offer here."""

    id: str
    title: str
    licence: str
    default: bool = Field(description="Draws orders that name no model.")
    sizes: dict[Aspect, Size] = Field(description="By aspect ratio; own sizes are possible within `sides`.")
    sides: Choice = Field(description="Of width and height, in steps of 16 pixels.")
    max_pixels: int
    steps: Choice
    guidance: Choice
    negative_prompt: bool = Field(description="Whether it knows one; else it is left out, with a note.")
    lora: LoraOffer | None = Field(default=None, description="Absent: it takes no LoRA.")
    credits: int = Field(description="List price of one picture of the default size and steps.")
    predicted_seconds: int = Field(description="For that picture, on a free machine.")
    examples: list[str]


class StyleOffer(Schema):
    """A style preset: words that are worked into the prompt."""

    id: str
    title: str
    template: str
    examples: list[str]


class PresetOffer(Schema):
    """A preset of a 3D model."""

    id: Preset
    credits: int = Field(description="Up to `photos_included` photos.")
    photos_included: int
    photos_per_further_credit: int


class PriorityOffer(Schema):
    """How urgent an order can be."""

    id: Priority
    price_factor: int


class Catalogue(Schema):
    """All that can be ordered here, and its list prices."""

    models: list[ModelOffer]
    styles: list[StyleOffer]
    presets: list[PresetOffer]
    priorities: list[PriorityOffer]
    max_prompt_characters: int
    max_pictures: int
    max_loras: int = Field(description="Blended in one order of pictures.")
    credit: Money = Field(description="The list price of a credit.")
