"""Kind `image`: a prompt drawn `count` times, picture i with seed `seed + i`."""

from worker.stages.base import Context, Stage
from worker.stages.image import draw, load, preview
from worker.stages.image.work import image_work

STAGES = (
    Stage("load", 20, load.run, done=draw.all_drawn),
    Stage("draw", 75, draw.run),
    Stage("preview", 5, preview.run),
)


def describe(context: Context) -> tuple[str, str]:
    """(engine, model) for the result."""
    return str(context.state.get("engine", "diffusers:flux")), image_work(context).model
