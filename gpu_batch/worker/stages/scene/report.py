"""Stage `report`: the quality report, and the promise held against it."""

import json

from snapforge.contracts.results import SceneQuality
from worker.errors import QualityError
from worker.stages.base import Context
from worker.stages.scene.work import scene_work, settings


def run(context: Context) -> None:
    """Set the quality, write `report.json`, and raise QualityError `insufficient_quality` under the promise."""
    from worker.engines.scene import views

    capture, sizes, work = views.load(context.folder), settings(context), scene_work(context)
    registered = int(context.state["registered"])
    measured_on = "held-out views" if capture.held_out else "the training views (too few photos to hold any out)"
    notes = [
        f"PSNR is that of the delivered mesh textured without the held-out photos, drawn from {measured_on}.",
        f"Poses by {capture.method}.",
        f"{context.state['seen']:.0%} of the texture was seen by a photo; the rest repeats its surroundings.",
    ]
    quality = SceneQuality(
        photos_given=len(work.photos),
        photos_registered=registered,
        reprojection_error_px=round(capture.reprojection_px, 3),
        psnr_object_db=float(context.state["psnr"]),
        held_out_views=len(capture.held_out),
        faces=int(context.state["faces"]),
        texture_px=sizes.texture_px,
        masks=capture.masks,
        notes=tuple(notes),
    )
    context.quality = quality
    failings = _failings(quality, sizes.min_psnr_db, sizes.max_reprojection_px, sizes.min_faces)
    promise = {
        "psnr_object_db": sizes.min_psnr_db,
        "reprojection_error_px": sizes.max_reprojection_px,
        "faces": sizes.min_faces,
    }
    path = context.folder / "report.json"
    path.write_text(
        json.dumps(
            {
                "preset": work.preset,
                "quality": quality.model_dump(mode="json"),
                "promise": promise,
                "kept": not failings,
                "photos_used": [view.name for view in capture.views],
                "photos_held_out": [view.name for view in capture.held_out],
            },
            indent=1,
        )
    )
    context.add_result(path, "report", "application/json")
    if failings:
        raise QualityError(
            "insufficient_quality",
            f"The model stays under what the preset {work.preset} promises: {'; '.join(failings)}.",
            "More photos from all sides, sharp and evenly lit, in front of a plain background. Nothing was charged.",
        )


def _failings(quality: SceneQuality, psnr: float, reprojection: float, faces: int) -> list[str]:
    """What is worse than promised, in words."""
    found = []
    if quality.psnr_object_db < psnr:
        found.append(f"likeness {quality.psnr_object_db:.1f} dB instead of {psnr:.1f}")
    if quality.reprojection_error_px > reprojection:
        found.append(f"camera error {quality.reprojection_error_px:.2f} px instead of {reprojection:.2f}")
    if quality.faces < faces:
        found.append(f"{quality.faces} triangles instead of {faces}")
    return found
