"""Stage `train`: the radiance field. Writes `field.pt`, kept at least every 20 s."""

from pathlib import Path

from worker.errors import Interrupted
from worker.stages.base import Context
from worker.stages.scene import mesh
from worker.stages.scene.work import scene_work, settings


def done(context: Context) -> bool:
    """True where the field is trained to the end and is back, or the mesh made of it is."""
    if not context.state.get("trained"):
        return False
    return mesh.done(context) or (_readable(context) and context.restore("field", context.folder / "field.pt"))


def _readable(context: Context) -> bool:
    """Whether this machine's kernels are those that trained the field: their weights have a layout of their own."""
    from worker.engines.scene import kernels

    mine = kernels.choose(kernels.probe(context.device))
    return bool(context.state.get("kernels", mine) == mine)


def run(context: Context) -> None:
    """Train, going on from the last checkpoint."""
    from worker.engines.scene import kernels, training, views

    sizes = settings(context)
    capture = views.load(context.folder)
    context.state["kernels"] = kernels.choose(kernels.probe(context.device))
    context.restore("field", context.folder / "field.pt")

    def tick(step: int, psnr: float) -> None:
        context.progress(step / sizes.steps, f"Step {step} of {sizes.steps}, {psnr:.1f} dB")

    def keep(path: Path) -> None:
        context.checkpoint("field", path)

    finished = training.train(
        context.folder, capture, sizes, context.device, scene_work(context).seed, tick, keep, context.interrupted.is_set
    )
    if not finished:
        context.check_interrupted()
        raise Interrupted
    context.state["trained"] = True
