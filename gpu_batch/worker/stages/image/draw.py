"""Stage `draw`: the pictures, one after the other, each kept as soon as it is done."""

from pathlib import Path

from worker.engines.base import Drawing, ImageEngine
from worker.errors import BugError
from worker.stages.base import Context
from worker.stages.image.load import engine_of
from worker.stages.image.work import image_work, pictures


def all_drawn(context: Context) -> bool:
    """Restore every picture that an earlier entry kept; True where none is left to draw."""
    restored = [context.restore(path.name, path) for path in pictures(context)]
    return all(restored)


def run(context: Context) -> None:
    """Draw what is not there yet and name the pictures as results."""
    work = image_work(context)
    paths = pictures(context)
    engine = None if all(path.exists() for path in paths) else engine_of(context)
    for index, path in enumerate(paths):
        if engine and not path.exists():
            _draw(context, engine, index, path)
            context.checkpoint(path.name, path)
        context.add_result(path, "picture", "image/png", work.width, work.height, work.seed + index)
        context.progress((index + 1) / work.count)


def _draw(context: Context, engine: ImageEngine, index: int, path: Path) -> None:
    work = image_work(context)
    drawing = Drawing(work.prompt, work.negative_prompt, work.width, work.height, work.steps, work.guidance)

    def on_step(done: int, steps: int) -> None:
        context.check_interrupted()
        context.progress((index + done / steps) / work.count, f"Picture {index + 1} of {work.count}")

    for text in engine.ignored(drawing):
        context.note(text)
    unfinished = path.with_suffix(".part")
    picture = engine.draw(drawing, work.seed + index, on_step)
    if picture.size != (work.width, work.height):
        raise BugError("wrong_size", f"{work.width}x{work.height} was ordered, the engine drew {picture.size}.")
    # The pixels alone: the parameters are in result.json, and a shared picture must not tell the prompt.
    picture.save(unfinished, format="PNG")
    unfinished.replace(path)
