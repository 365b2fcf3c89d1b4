"""Stage `report`: the quality report, and the promise held against it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from snapforge.contracts.results import SceneQuality
from worker.errors import QualityError
from worker.stages.base import Context
from worker.stages.scene.work import scene_work, settings

if TYPE_CHECKING:
    from worker.engines.scene.presets import Promise
    from worker.engines.scene.views import Capture


def run(context: Context) -> None:
    """Set the quality, write `report.json`, and raise QualityError `insufficient_quality` under the promise."""
    from worker.engines.scene import views

    capture, promise, work = views.load(context.folder), settings(context).promise, scene_work(context)
    quality = _quality(context, capture)
    context.quality = quality
    failings = list(_failings(quality, promise))
    path = context.folder / "report.json"
    path.write_text(
        json.dumps(
            {
                "preset": work.preset,
                "quality": quality.model_dump(mode="json"),
                "promise": asdict(promise),
                "kept": not failings,
                "failings": failings,
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
            f"{' '.join(quality.advice)} Nothing was charged.",
        )


def _quality(context: Context, capture: "Capture") -> SceneQuality:
    state, sizes, work = context.state, settings(context), scene_work(context)
    measured_on = "held-out views" if capture.held_out else "the training views (too few photos to hold any out)"
    quality = SceneQuality(
        photos_given=len(work.photos),
        photos_registered=int(state["registered"]),
        reprojection_error_px=round(capture.reprojection_px, 3),
        psnr_object_db=float(state["psnr"]),
        held_out_views=len(capture.held_out),
        faces=int(state["faces"]),
        texture_px=sizes.texture_px,
        masks=capture.masks,
        photos_used=state.get("photos_used"),
        rungs=state.get("rungs", ()),
        view_degrees=state.get("view_degrees"),
        coverage=float(state["seen"]),
        watertight=state.get("watertight"),
        floor=state.get("floor"),
        metric=work.longest_side_m is not None,
        size_m=state.get("size_m"),
        glb_bytes=state.get("glb_bytes"),
        usdz_bytes=state.get("usdz_bytes"),
        notes=(
            f"PSNR is that of the delivered mesh textured without the held-out photos, drawn from {measured_on}.",
            "A photo's brightness and tint as a whole do not count in it.",
            f"Poses by {capture.method}.",
            f"{state['seen']:.0%} of the texture was seen by a photo; the rest repeats its surroundings.",
            "The surface is closed."
            if state.get("watertight")
            else "The surface has open edges: it cannot be printed.",
            f"At most {sizes.faces} triangles and, uncompressed, {sizes.glb_bytes / 1e6:g} MB.",
        ),
    )
    return quality.model_copy(update={"advice": tuple(_advice(quality, sizes.promise))})


def _failings(quality: SceneQuality, promise: "Promise") -> Iterator[str]:
    """What is worse than promised, in words."""
    if quality.psnr_object_db < promise.min_psnr_db:
        yield f"likeness {quality.psnr_object_db:.1f} dB instead of {promise.min_psnr_db:.1f}"
    if quality.reprojection_error_px > promise.max_reprojection_px:
        yield f"camera error {quality.reprojection_error_px:.2f} px instead of {promise.max_reprojection_px:.2f}"
    if quality.faces < promise.min_faces:
        yield f"{quality.faces} triangles instead of {promise.min_faces}"
    if quality.coverage is not None and quality.coverage < promise.min_coverage:
        yield f"{quality.coverage:.0%} of the surface seen instead of {promise.min_coverage:.0%}"
    if _registered(quality) < promise.min_registered:
        min_photos = round(promise.min_registered * _used(quality))
        yield f"cameras of {quality.photos_registered} of {_used(quality)} photos found instead of {min_photos}"


def _advice(quality: SceneQuality, promise: "Promise") -> Iterator[str]:
    """What to do better, the most effective first; for a good model too."""
    if _registered(quality) < max(0.9, promise.min_registered):
        yield "Take photos closer to each other, at most 15° apart: some did not connect to the rest."
    if quality.coverage is not None and quality.coverage < max(0.7, promise.min_coverage):
        yield "Photograph every side, also from low and from above: parts of the surface are in no photo."
    if quality.reprojection_error_px > 0.75 * promise.max_reprojection_px:
        yield "Hold the camera still and focus on the object: blurred photos make the cameras inexact."
    if quality.masks == "none":
        yield "Use a plain background, or photos with the background removed."
    if quality.psnr_object_db < promise.min_psnr_db:
        yield "Use even light, without flash; shiny, transparent and single-coloured objects cannot be rebuilt well."
    if quality.faces < promise.min_faces:
        yield "Let the object fill more of each photo."


def _used(quality: SceneQuality) -> int:
    """Frames of a video that were thinned out are no loss."""
    return quality.photos_used or quality.photos_given


def _registered(quality: SceneQuality) -> float:
    return quality.photos_registered / max(1, _used(quality))
