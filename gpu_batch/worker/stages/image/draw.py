"""Stage `draw`: the pictures, one after the other, each kept as soon as it is done."""

from worker.engines.base import Drawing
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
    for index, path in enumerate(pictures(context)):
        if not path.exists():
            _draw(context, index)
            context.checkpoint(path.name, path)
        context.add_result(path, "picture", "image/png", work.width, work.height, work.seed + index)
        context.progress((index + 1) / work.count)


def _draw(context: Context, index: int) -> None:
    work = image_work(context)
    drawing = Drawing(work.prompt, work.negative_prompt, work.width, work.height, work.steps, work.guidance)
    engine = engine_of(context)

    def on_step(done: int, steps: int) -> None:
        context.check_interrupted()
        context.progress((index + done / steps) / work.count, f"Picture {index + 1} of {work.count}")

    for text in engine.ignored(drawing):
        context.note(text)
    path = pictures(context)[index]
    unfinished = path.with_suffix(".part")
    picture = engine.draw(drawing, work.seed + index, on_step)
    # The pixels alone: the parameters are in result.json, and a shared picture must not tell the prompt.
    picture.save(unfinished, format="PNG")
    unfinished.replace(path)
