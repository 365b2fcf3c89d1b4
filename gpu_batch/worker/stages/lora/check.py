"""Stage `check`: which photos can be used. One that cannot be read is left out and named."""

from snapforge.contracts.adapters import MIN_PHOTOS
from worker.errors import InputError
from worker.stages.base import Context
from worker.stages.lora.work import lora_work, photo_path


def run(context: Context) -> None:
    """Set `state["used"]`, the numbers of the usable photos. Raises InputError `too_few_photos`."""
    from worker.engines.lora import photos

    work = lora_work(context)
    used, refused = [], []
    for index, photo in enumerate(work.photos):
        context.check_interrupted()
        try:
            photos.decode(photo_path(context, index))
        except (OSError, ValueError) as error:
            refused.append(f"{photo.name} ({error})")
        else:
            used.append(index)
        context.progress((index + 1) / len(work.photos))
    if len(used) < MIN_PHOTOS:
        raise InputError(
            "too_few_photos",
            f"{len(used)} of {len(work.photos)} photos can be used; a LoRA needs {MIN_PHOTOS}."
            + (f" Not usable: {', '.join(refused)}." if refused else ""),
            "Upload more photos of the same thing: sharp, from several sides, with different backgrounds.",
        )
    if refused:
        context.note(f"Left out, because they cannot be used: {', '.join(refused)}.")
    context.state["used"] = used
