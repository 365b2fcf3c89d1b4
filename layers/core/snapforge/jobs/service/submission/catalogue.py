"""GET /v1/catalogue: the catalogue, as far as this installation offers it."""

from snapforge.contracts.adapters import MAX_BLENDED, MAX_PHOTOS, MIN_PHOTOS
from snapforge.jobs import schemas
from snapforge.jobs.domain import pictures, pricing, trainings
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS, Range
from snapforge.jobs.domain.catalogue.loras import LORA_BASES
from snapforge.jobs.domain.catalogue.priorities import PRICE_FACTORS
from snapforge.jobs.domain.catalogue.scenes import SCENE_PRESETS
from snapforge.jobs.domain.catalogue.styles import STYLES
from snapforge.jobs.domain.requests import MAX_PROMPT, ImageRequest
from snapforge.jobs.domain.requests.image import MAX_COUNT
from snapforge.jobs.service.submission import offers


def catalogue() -> schemas.Catalogue:
    """No call: it is data and a setting."""
    offered = offers.image_models()
    return schemas.Catalogue(
        models=[_model(name, offered) for name in offered],
        styles=[
            schemas.StyleOffer(id=name, title=style.title, template=style.template, examples=list(style.examples))
            for name, style in STYLES.items()
        ],
        presets=[
            schemas.PresetOffer(
                id=name,
                credits=preset.credits,
                photos_included=preset.photos_included,
                photos_per_further_credit=preset.photos_per_further_credit,
            )
            for name, preset in SCENE_PRESETS.items()
        ],
        priorities=[schemas.PriorityOffer(id=name, price_factor=factor) for name, factor in PRICE_FACTORS.items()],
        max_prompt_characters=MAX_PROMPT,
        max_pictures=MAX_COUNT,
        max_loras=MAX_BLENDED,
        credit=schemas.Money(amount=pricing.CREDIT.amount, currency=pricing.CREDIT.currency),
    )


def _model(name: str, offered: tuple[str, ...]) -> schemas.ModelOffer:
    model = IMAGE_MODELS[name]
    usual = pictures.resolve(ImageRequest(kind="image", prompt=model.examples[0], model=name), 0, offered)
    return schemas.ModelOffer(
        id=name,
        title=model.title,
        licence=model.licence,
        default=name == offered[0],
        sizes={aspect: schemas.Size(width=width, height=height) for aspect, (width, height) in model.sizes.items()},
        sides=schemas.Choice(default=usual.width, min=model.min_side, max=model.max_side),
        max_pixels=model.max_pixels,
        steps=_choice(model.steps),
        guidance=_choice(model.guidance),
        negative_prompt=model.negative_prompt,
        lora=_lora(name) if name in LORA_BASES else None,
        credits=pricing.price(usual).credits,
        predicted_seconds=pricing.predicted_seconds(usual),
        examples=list(model.examples),
    )


def _lora(name: str) -> schemas.LoraOffer:
    usual = trainings.usual(name)
    return schemas.LoraOffer(
        min_photos=MIN_PHOTOS,
        max_photos=MAX_PHOTOS,
        steps=_choice(LORA_BASES[name].steps),
        credits=pricing.price(usual).credits,
        predicted_seconds=pricing.predicted_seconds(usual),
    )


def _choice(bounds: Range) -> schemas.Choice:
    return schemas.Choice(default=bounds.default, min=bounds.min, max=bounds.max)
