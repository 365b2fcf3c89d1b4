"""Kind `scene`: photos to GLB, USDZ, a turntable preview and a quality report.

The engine's modules are imported inside the stages' functions: reading this list must not cost seconds of torch.
"""

from worker.stages.base import Context, Stage
from worker.stages.scene import check, export, masks, mesh, outline, poses, preview, report, texture, train
from worker.stages.scene.work import scene_work

STAGES = (
    Stage("check", 1, check.run, done=check.done),
    Stage("masks", 5, masks.run, done=masks.done),
    Stage("poses", 14, poses.run, done=poses.done),
    Stage("outline", 5, outline.run, done=outline.done),
    Stage("train", 44, train.run, done=train.done),
    Stage("mesh", 14, mesh.run, done=mesh.done),
    Stage("texture", 12, texture.run, done=texture.done),
    Stage("export", 2, export.run),
    Stage("preview", 7, preview.run),
    Stage("report", 1, report.run),
)


def describe(context: Context) -> tuple[str, str]:
    """(engine, model) for the result."""
    kernels = context.state.get("kernels", "torch")
    return f"nerfstudio:small-nerfacto-{kernels}", f"{scene_work(context).preset}-{context.device}"
