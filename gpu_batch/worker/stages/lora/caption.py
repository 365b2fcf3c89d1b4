"""Stage `caption`: words for each photo, by the customer, by a captioning model where one is installed, or the name."""

from typing import TYPE_CHECKING

from worker.errors import BugError
from worker.stages.base import Context
from worker.stages.lora.work import lora_work, used_photos
from worker.weights import model_folder

if TYPE_CHECKING:
    from worker.engines.lora.captions import Describe

CAPTIONER = "captioner"
"""The folder of the captioning model, beside those of the image models."""


def done(context: Context) -> bool:
    """True where the captions are known."""
    return "captions" in context.state


def run(context: Context) -> None:
    """Set `state["captions"]`, one for each usable photo."""
    from worker.engines.lora import captions

    work = lora_work(context)
    written = [work.captions[index] for index in context.state["used"]] if work.captions else []
    missing = not written or not all(text.strip() for text in written)
    describe = _captioner(context) if missing else None
    if missing and describe is None:
        context.note("Photos without a caption of yours were captioned by their name alone.")
    context.state["captions"] = captions.for_all(used_photos(context), written, work.trigger, work.subject, describe)


def _captioner(context: Context) -> "Describe | None":
    from worker.engines.lora import captions

    try:
        folder = model_folder(CAPTIONER, lambda share: context.progress(share, "Fetching the captioning model"))
    except BugError as error:
        if error.code == "model_missing":
            return None
        raise
    return captions.captioner(folder, context.device)
