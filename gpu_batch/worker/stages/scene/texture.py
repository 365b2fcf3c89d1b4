"""Stage `texture`: UV map, texture from the photos, and the measurement on held-out views. Writes `textured/`."""

from worker.stages.base import Context
from worker.stages.scene.work import progress_reporter, settings


def done(context: Context) -> bool:
    """True where `textured/` is here or back."""
    folder = context.folder / "textured"
    return "psnr" in context.state and (folder.exists() or context.restore("textured", folder))


def run(context: Context) -> None:
    """Texture with the training views, measure on the others, then let the others add their part."""
    import numpy as np

    from worker.engines.scene import quality, surface, texture, views
    from worker.engines.scene.rays import Tracer

    sizes, report_progress = settings(context), progress_reporter(context)
    capture = views.load(context.folder)
    mesh = surface.load(context.folder / "surface.npz")
    report_progress(0.0, "Flattening")
    vertices, faces, uv = texture.unwrap(
        np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), sizes.texture_px
    )
    report_progress(0.1, "Texturing")
    texels = texture.lay_out(vertices, faces, uv, sizes.texture_px)
    tracer, masked = Tracer(vertices, faces), capture.masks != "none"
    texture.add_photos(
        context.folder,
        texels,
        tracer,
        capture.training,
        masked,
        lambda share: report_progress(0.15 + 0.6 * share, "Texturing"),
    )
    picture, seen = texture.paint(texels)
    measured = texture.Textured(vertices, faces, uv, picture)
    report_progress(0.8, "Measuring")
    shots = capture.held_out or capture.training
    psnr = quality.psnr(context.folder, capture, measured, shots)
    # The delivered texture may use every photo; what was measured used none of the held-out ones.
    texture.add_photos(
        context.folder,
        texels,
        tracer,
        capture.held_out,
        masked,
        lambda share: report_progress(0.85 + 0.1 * share, "Texturing"),
    )
    picture, seen = texture.paint(texels)
    texture.save(context.folder, texture.Textured(vertices, faces, uv, picture))
    context.state.update(psnr=round(psnr, 2), seen=round(seen, 3), faces=len(faces))
    context.checkpoint("textured", context.folder / "textured")
