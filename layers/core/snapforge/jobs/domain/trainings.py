"""Trainings of LoRAs: what the photos are good for, the exact parameters of an order, and its work order."""

from collections.abc import Sequence

from snapforge.contracts.adapters import MAX_PHOTOS, MIN_PHOTOS
from snapforge.contracts.manifest import LoraWork, Photo
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.loras import LORA_BASES, trainable
from snapforge.jobs.domain.pictures import NotDrawableError, NotOfferedError
from snapforge.jobs.domain.preflight import Finding, PhotoFacts, of_photos
from snapforge.jobs.domain.requests import LoraParameters, LoraRequest

GOOD_PHOTOS = 8
_ANY_CAPTURE = "cap_" + 26 * "0"
_TROUBLE = frozenset({"blurred", "dark", "overexposed"})
"""Warnings that a training would learn along with the thing."""
_MOST_TROUBLED = 0.5
SAMPLE_PROMPTS = ("a {thing}", "a {thing} in a studio", "a {thing} in a meadow", "a {thing} on a wooden table")
"""What the sample grid shows; other places than in most photos, to see whether it draws more than it was shown."""


def examine(photos: Sequence[PhotoFacts], refused: Sequence[tuple[str, str]]) -> list[Finding]:
    """Findings on a capture as training photos: count, blur, light, size, near duplicates. The blocker comes first."""
    found = of_photos(photos, refused)
    troubled = [photo.name for photo in photos if _TROUBLE & set(photo.warnings)]
    if photos and len(troubled) > _MOST_TROUBLED * len(photos):
        found.insert(0, _mostly_bad(troubled, len(photos)))
    return [*_count(len(photos)), *found]


def _count(photos: int) -> list[Finding]:
    if photos < MIN_PHOTOS:
        return [
            Finding(
                severity="blocker",
                code="too_few_photos",
                message=f"{photos} photos can be used; a LoRA needs {MIN_PHOTOS} to {MAX_PHOTOS}.",
                fix="Add photos of the same thing: sharp, from several sides, on different backgrounds.",
            )
        ]
    if photos > MAX_PHOTOS:
        return [
            Finding(
                severity="blocker",
                code="too_many_photos",
                message=f"{photos} photos can be used; a LoRA takes {MIN_PHOTOS} to {MAX_PHOTOS}.",
                fix=f"Make a capture of the {MAX_PHOTOS} best: few good photos teach more than many.",
            )
        ]
    if photos < GOOD_PHOTOS:
        return [
            Finding(
                severity="warning",
                code="few_photos",
                message=f"{photos} photos are few; {GOOD_PHOTOS} and more give a truer likeness.",
                fix="Add photos from other sides, on other backgrounds.",
            )
        ]
    return []


def _mostly_bad(troubled: Sequence[str], photos: int) -> Finding:
    return Finding(
        severity="blocker",
        code="photos_too_poor",
        message=f"{len(troubled)} of {photos} photos are blurred, too dark or burnt out: a LoRA would learn that.",
        fix="Retake them in even light, and hold still.",
    )


def base_model(request: LoraRequest, offered: Sequence[str]) -> str:
    """The base model of a new LoRA. NotOfferedError where the one that was named cannot be trained here."""
    able = trainable(offered)
    if request.model is None and able:
        return able[0]
    if request.model is None or request.model not in able:
        named = (
            f"No LoRA of {request.model!r} can be trained here." if request.model else "No LoRA can be trained here."
        )
        raise NotOfferedError(named + (f" Trainable are: {', '.join(able)}." if able else ""))
    return request.model


def resolve(
    request: LoraRequest,
    *,
    lora_id: str,
    number: int,
    identity: tuple[str, str, str, str],
    capture_version: int,
    names: Sequence[str],
) -> LoraParameters:
    """The exact parameters. identity: name, trigger, subject and model; names: the capture's usable photos.

    Raises NotDrawableError for steps beyond the model's, and for captions of photos that are not there.
    """
    name, trigger, subject, model = identity
    base = LORA_BASES[model]
    steps = int(base.steps.default) if request.steps is None else request.steps
    if not base.steps.min <= steps <= base.steps.max:
        raise NotDrawableError("steps", f"{model} trains {base.steps.min:g} to {base.steps.max:g} steps.")
    strange = sorted(set(request.captions) - set(names))
    if strange:
        raise NotDrawableError("captions", f"The capture has no usable photo {', '.join(strange)}.")
    return LoraParameters(
        lora_id=lora_id,
        lora_version=number,
        name=name,
        trigger=trigger,
        subject=subject,
        model=model,
        capture_id=request.capture_id,
        capture_version=capture_version,
        photos=len(names),
        captions=request.captions,
        steps=steps,
        rank=base.rank,
        learning_rate=base.learning_rate,
        size=base.size,
        rights=request.rights,
        seed=request.seed,
        priority=request.priority,
    )


def usual(model: str) -> LoraParameters:
    """A training of this model with its own numbers, for the list price."""
    request = LoraRequest(
        kind="lora", capture_id=_ANY_CAPTURE, rights=True, name="A vase", trigger="grvase", subject="vase", model=model
    )
    identity = ("A vase", "grvase", "vase", model)
    return resolve(request, lora_id="", number=1, identity=identity, capture_version=1, names=["photo"] * GOOD_PHOTOS)


def work(parameters: LoraParameters, photos: Sequence[Photo]) -> LoraWork:
    """The work order for these photos; the samples are drawn with the model's own steps and guidance."""
    model = IMAGE_MODELS[parameters.model]
    thing = f"{parameters.trigger} {parameters.subject}"
    return LoraWork(
        model=parameters.model,
        photos=tuple(photos),
        captions=tuple(parameters.captions.get(photo.name, "") for photo in photos) if parameters.captions else (),
        trigger=parameters.trigger,
        subject=parameters.subject,
        rank=parameters.rank,
        steps=parameters.steps,
        learning_rate=parameters.learning_rate,
        size=parameters.size,
        sample_prompts=tuple(prompt.format(thing=thing) for prompt in SAMPLE_PROMPTS),
        sample_steps=int(model.steps.default),
        guidance=model.guidance.default,
        seed=parameters.seed,
    )
