"""Stage `draw`: the pictures, each kept as soon as it is done.

`run` draws one job's pictures one after the other. The warm worker draws those of many jobs side by side, with the
same steps: `requested_drawing` what to draw, `keep` what was drawn, `name_results` at the end.
"""

from typing import Any

from worker.engines.base import Drawing, ImageEngine
from worker.errors import BugError
from worker.stages.base import Context
from worker.stages.image import finish
from worker.stages.image.load import engine_of
from worker.stages.image.work import adapters, image_work, pictures


def all_drawn(context: Context) -> bool:
    """Restore every picture that an earlier entry kept; True where none is left to draw."""
    for path in pictures(context):
        context.restore(path.name, path)
    return not missing(context)


def missing(context: Context) -> list[int]:
    """The pictures that are not here yet, by index."""
    return [index for index, path in enumerate(pictures(context)) if not path.exists()]


def requested_drawing(context: Context) -> Drawing:
    """What all pictures of the job shall be; picture i is drawn with seed `seed + i`."""
    work = image_work(context)
    return Drawing(
        work.prompt, work.negative_prompt, work.width, work.height, work.steps, work.guidance, adapters(context)
    )


def note_engine(context: Context, engine: ImageEngine) -> None:
    """Note for the result who draws, and which of the requested settings it ignores."""
    context.state["engine"] = engine.name
    for text in (*engine.notes, *engine.ignored(requested_drawing(context))):
        context.note(text)


def keep(context: Context, index: int, picture: Any) -> None:
    """Write picture `index` to its place. Raises BugError where it has another size than was ordered."""
    work = image_work(context)
    if picture.size != (work.width, work.height):
        raise BugError("wrong_size", f"{work.width}x{work.height} was ordered, the engine drew {picture.size}.")
    finish.write(picture, pictures(context)[index])


def name_results(context: Context) -> None:
    """Name all pictures as results, in their order."""
    work = image_work(context)
    for index, path in enumerate(pictures(context)):
        context.add_result(path, "picture", "image/png", work.width, work.height, work.seed + index)


def run(context: Context) -> None:
    """Draw what is not there yet and name the pictures as results."""
    if left := missing(context):
        engine = engine_of(context)
        note_engine(context, engine)
        for index in left:
            _draw(context, engine, index)
    name_results(context)


def _draw(context: Context, engine: ImageEngine, index: int) -> None:
    work = image_work(context)

    def on_step(done: int, steps: int) -> tuple[()]:
        context.check_interrupted()
        context.progress((index + done / steps) / work.count, f"Picture {index + 1} of {work.count}")
        return ()

    (picture,) = engine.draw([requested_drawing(context)], [work.seed + index], on_step)
    keep(context, index, picture)
    path = pictures(context)[index]
    context.checkpoint(path.name, path)
