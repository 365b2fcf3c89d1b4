"""Stage `export`: `model.glb`, and `model.usdz` unless it was switched off."""

from worker.stages.base import Context
from worker.stages.scene.work import progress_reporter, scene_work, settings


def run(context: Context) -> None:
    """Write the models and name them as results."""
    from worker.engines.scene import delivered, gltf, texture, usd, views

    report_progress, work, sizes = progress_reporter(context), scene_work(context), settings(context)
    model = delivered.prepare(
        texture.load(context.folder),
        sizes.texture_quality,
        sizes.glb_bytes,
        bool(context.state.get("watertight")),
        work.longest_side_m,
        views.front(views.load(context.folder)),
    )
    report_progress(0.3, "Writing GLB")
    glb = context.folder / "model.glb"
    gltf.write(glb, model, work.compression)
    context.add_result(glb, "model_glb", "model/gltf-binary")
    context.state.update(size_m=list(model.size_m), glb_bytes=glb.stat().st_size)
    if work.usdz:
        report_progress(0.6, "Writing USDZ")
        usdz = context.folder / "model.usdz"
        usd.write(usdz, model)
        context.state["usdz_bytes"] = usdz.stat().st_size
        context.add_result(usdz, "model_usdz", "model/vnd.usdz+zip")
    if work.longest_side_m is None:
        context.note(delivered.SCALE_NOTE)
