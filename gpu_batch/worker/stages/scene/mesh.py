"""Stage `mesh`: depth from the field, fusion, decimation. Writes `surface.npz`."""

from worker.stages.base import Context
from worker.stages.scene import texture
from worker.stages.scene.work import progress_reporter, scene_work, settings


def done(context: Context) -> bool:
    """True where the mesh is back, or the textured one is."""
    if not context.state.get("faces"):
        return False
    return texture.done(context) or context.restore("surface", context.folder / "surface.npz")


def run(context: Context) -> None:
    """Extract the surface and bring it under the triangle budget."""
    from worker.engines.scene import surface, training, views

    sizes, report_progress = settings(context), progress_reporter(context)
    crop = scene_work(context).floor == "crop"
    capture = views.load(context.folder)
    model = training.trained(context.folder / "field.pt", capture, sizes, context.device)
    whole = surface.extract(
        context.folder,
        capture,
        sizes,
        model,
        context.device,
        lambda share, words: report_progress(share, words.capitalize()),
        crop,
    )
    report_progress(0.95, "Simplifying")
    small = surface.decimate(whole, sizes.faces)
    surface.save(context.folder / "surface.npz", small)
    found = "none" if capture.floor is None else "cropped" if crop or capture.masks != "none" else "kept"
    context.state.update(faces=len(small.faces), watertight=bool(small.is_watertight), floor=found)
    context.checkpoint("surface", context.folder / "surface.npz")
