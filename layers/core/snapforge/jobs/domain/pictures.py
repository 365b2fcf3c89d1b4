"""From an order of pictures to exact parameters: the model's own numbers where none were named, held to its bounds."""

from collections.abc import Sequence

from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.manifest import ImageWork
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS, ImageModel, Range
from snapforge.jobs.domain.catalogue.styles import STYLES, styled
from snapforge.jobs.domain.requests.image import ImageParameters, ImageRequest, LoraUse


class NotDrawableError(ValueError):
    """The order does not fit the model. `member` is the order's member that does not."""

    def __init__(self, member: str, message: str) -> None:
        super().__init__(message)
        self.member = member


class NotOfferedError(ValueError):
    """The model is not one of those that the installation offers."""


def resolve(request: ImageRequest, seed: int, offered: Sequence[str], loras: Sequence[LoraUse] = ()) -> ImageParameters:
    """The exact parameters; `seed` is used where the order names none, the first of `offered` where it names no model.
    `loras` are the exact versions of those that the order names.

    Raises NotOfferedError and NotDrawableError.
    """
    name = request.model or offered[0]
    if name not in offered:
        raise NotOfferedError(f"The model {name!r} is not offered here. Offered are: {', '.join(offered)}.")
    if request.style is not None and request.style not in STYLES:
        raise NotDrawableError("style", f"There is no style {request.style!r}. There are: {', '.join(STYLES)}.")
    model = IMAGE_MODELS[name]
    width, height = _size(request, name, model)
    return ImageParameters(
        model=name,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=width,
        height=height,
        steps=int(_within("steps", request.steps, model.steps, name)),
        guidance=_within("guidance", request.guidance, model.guidance, name),
        seed=seed if request.seed is None else request.seed,
        count=request.count,
        style=request.style,
        loras=tuple(loras),
        priority=request.priority,
    )


def work(parameters: ImageParameters, adapters: Sequence[AdapterRef] = ()) -> ImageWork:
    """The work order: the style is worked into the prompts here, and nowhere else. `adapters` are its LoRAs' files."""
    prompt, negative = styled(parameters.prompt, parameters.negative_prompt, parameters.style)
    return ImageWork(
        model=parameters.model,
        prompt=prompt,
        negative_prompt=negative,
        width=parameters.width,
        height=parameters.height,
        steps=parameters.steps,
        guidance=parameters.guidance,
        seed=parameters.seed,
        count=parameters.count,
        adapters=tuple(adapters),
    )


def offered(setting: str) -> tuple[str, ...]:
    """The models of the setting ImageModels, the default first. ValueError for a name that the catalogue lacks."""
    names = tuple(name.strip() for name in setting.split(",") if name.strip())
    unknown = [name for name in names if name not in IMAGE_MODELS]
    if unknown or not names:
        raise ValueError(f"ImageModels is {setting!r}: name one or more of {', '.join(IMAGE_MODELS)}")
    return names


def _size(request: ImageRequest, name: str, model: ImageModel) -> tuple[int, int]:
    if not request.width or not request.height:
        return model.sizes[request.aspect or "1:1"]
    for member, side in (("width", request.width), ("height", request.height)):
        if not model.min_side <= side <= model.max_side:
            raise NotDrawableError(
                member, f"{name} draws sides of {model.min_side} to {model.max_side} pixels, not {side}."
            )
    if request.width * request.height > model.max_pixels:
        raise NotDrawableError("width", f"{name} draws at most {model.max_pixels} pixels (width times height).")
    return request.width, request.height


def _within(member: str, chosen: float | None, bounds: Range, name: str) -> float:
    if chosen is None:
        return bounds.default
    if not bounds.min <= chosen <= bounds.max:
        raise NotDrawableError(member, f"{name} takes {member} of {bounds.min:g} to {bounds.max:g}.")
    return chosen
