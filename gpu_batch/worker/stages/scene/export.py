"""Stage `export`: `model.glb`, and `model.usdz` unless it was switched off."""

from worker.stages.base import Context
from worker.stages.scene.work import scene_work, settings, teller


def run(context: Context) -> None:
    """Write the models and name them as results."""
    from worker.engines.scene import delivered, gltf, texture, usd

    tell = teller(context)
    model = delivered.prepare(texture.load(context.folder), settings(context).texture_quality)
    tell(0.3, "Writing GLB")
    glb = context.folder / "model.glb"
    gltf.write(glb, model)
    context.add_result(glb, "model_glb", "model/gltf-binary")
    if scene_work(context).usdz:
        tell(0.6, "Writing USDZ")
        usdz = context.folder / "model.usdz"
        usd.write(usdz, model)
        context.add_result(usdz, "model_usdz", "model/vnd.usdz+zip")
    context.note(delivered.SCALE_NOTE)
