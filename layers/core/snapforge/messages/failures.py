"""What a failed job is told in: our English as the worker wrote it, or the same in short in another language.

A failure's English text is written where it is found, and may name photos and numbers. Its code is stable, so another
language has a text for each code that a customer can act on, and for each category of the others; the English text
follows where it says more.
"""

from typing import Any, NamedTuple

from snapforge.contracts.reports import FailureCategory
from snapforge.messages.domain import Translator
from snapforge.messages.languages import Language, msgid


class Text(NamedTuple):
    """What happened, and what the customer can do about it."""

    message: str
    fix: str = ""


class Told(NamedTuple):
    """A failure in the words of a language."""

    message: str
    fix: str
    details: str = ""
    """More, in English."""


_LORA_GONE = Text(
    msgid("A LoRA of this job cannot be used any more."),
    msgid("Restore it, train it again, or order without it."),
)

BY_CODE = {
    "capture_gone": Text(
        msgid("The capture of this job does not exist any more."),
        msgid("Upload the photos again and create a new job."),
    ),
    "input_refused": Text(
        msgid("The worker could not work with this input."),
        msgid("Check the photos or the prompt, and send the job again."),
    ),
    "insufficient_quality": Text(msgid("The model stays under what its preset promises.")),
    "lora_deleted": _LORA_GONE,
    "lora_does_not_fit": Text(
        msgid("A LoRA does not fit the model that was ordered."),
        msgid("Order the model that the LoRA was trained on, or train it on this one."),
    ),
    "lora_gone": _LORA_GONE,
    "lora_not_found": _LORA_GONE,
    "lora_not_ready": _LORA_GONE,
    "lora_not_supported": Text(
        msgid("This model cannot use the LoRA."),
        msgid("Order the model that the LoRA was trained on, or leave it out."),
    ),
    "lora_rank": Text(msgid("The rank of the LoRA is too high."), msgid("Train it with a lower rank.")),
    "lora_twice": Text(msgid("One LoRA was asked for twice."), msgid("Give it once, with one weight.")),
    "lora_unreadable": Text(
        msgid("The file of the LoRA cannot be read."),
        msgid("Train the LoRA again, or leave it out of the order."),
    ),
    "model_not_trainable": Text(
        msgid("No LoRA can be trained for this model."),
        msgid("Choose a model of the FLUX.1 or FLUX.2 klein family."),
    ),
    "no_surface": Text(
        msgid("No solid surface could be recovered from these photos."),
        msgid(
            "Use sharper photos with more overlap; shiny, transparent and single-coloured objects cannot be rebuilt."
        ),
    ),
    "nothing_learnt": Text(
        msgid("The training learnt nothing."), msgid("Use photos that show one thing clearly, or more steps.")
    ),
    "object_not_found": Text(
        msgid("The outlines of the object in the photos do not agree with each other."),
        msgid("Keep the object whole in every photo, in front of one plain background, and do not move it."),
    ),
    "photo_missing": Text(msgid("A photo is no longer stored."), msgid("Upload this photo again.")),
    "photo_unreadable": Text(msgid("A photo cannot be read as a picture."), msgid("Upload this photo again.")),
    "photos_all_equal": Text(
        msgid("Too few photos differ from each other."),
        msgid("Take photos from different sides: move the camera between photos."),
    ),
    "photos_do_not_connect": Text(
        msgid("Too few photos could be joined into one scene."),
        msgid(
            "Leave out photos of other things, and add photos between those that are far apart: in steps of 10 to 15"
            " degrees, sharp, in even light."
        ),
    ),
    "photos_of_two_scenes": Text(
        msgid("The photos fall into two groups that do not connect."),
        msgid(
            "Send two things as two scenes; of one thing, add photos that lead from one group to the other in steps of"
            " 10 to 15 degrees."
        ),
    ),
    "photos_unusable": Text(
        msgid("Too few of the photos can be used."),
        msgid("Upload them again, or take others: sharp, well lit, at least 1000 pixels wide."),
    ),
    "photos_without_parallax": Text(
        msgid("The photos overlap, but all seem to be taken from one spot."),
        msgid("Walk round the object: move the camera sideways between photos instead of turning it."),
    ),
    "prompt_refused_by_provider": Text(
        msgid("The content policy of the provider that draws this model forbids this prompt."),
        msgid("Change the prompt and order again."),
    ),
    "too_few_photos": Text(
        msgid("There are too few photos."), msgid("Upload more photos: sharp, and from several sides.")
    ),
    "too_many_loras": Text(msgid("Too many LoRAs were asked for."), msgid("Blend fewer of them.")),
}
"""For codes of material that cannot work. `tests/core/notifications/test_failures.py` finds one that is missing."""

BY_CATEGORY: dict[str, Text] = {
    FailureCategory.input: Text(
        msgid("The job cannot be done with this material."),
        msgid("Check the photos or the prompt, and send the job again."),
    ),
    FailureCategory.insufficient_quality: Text(msgid("The result stays under what was promised.")),
    FailureCategory.transient: Text(
        msgid("The work was interrupted on our side more than once."), msgid("Retry the job in a few minutes.")
    ),
    FailureCategory.out_of_memory: Text(
        msgid("The memory of the machine did not suffice."),
        msgid("Try again with fewer steps, pictures or photos."),
    ),
    FailureCategory.deadline: Text(
        msgid("The job did not finish within its time."), msgid("Try again with fewer steps, pictures or photos.")
    ),
    FailureCategory.canceled: Text(msgid("The job was canceled.")),
    FailureCategory.bug: Text(msgid("The render broke on our side. We have been told."), msgid("Retry the job.")),
}

MATERIAL = frozenset({FailureCategory.input, FailureCategory.insufficient_quality})
"""Failures whose English text names what the customer has to change; of the others it says where our side broke."""


def tell(failure: dict[str, Any], language: Language, translate: Translator) -> Told:
    """A failure (of an event) for a person; what has neither a known code nor a known category stays English."""
    message, fix = failure["message"], failure.get("fix", "")
    if language is Language.en:
        return Told(message, fix)
    category = failure.get("category", "")
    text = BY_CODE.get(failure.get("code", "")) or BY_CATEGORY.get(category)
    if text is None:
        return Told("", "", details=f"{message} {fix}".strip())
    says_more = category in MATERIAL and (message, fix) != text
    return Told(
        translate(text.message),
        translate(text.fix) if text.fix else "",
        details=f"{message} {fix}".strip() if says_more else "",
    )
