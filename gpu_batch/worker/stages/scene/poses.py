"""Stage `poses`: where the cameras stood. Writes `views/`."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from worker.stages.base import Context
from worker.stages.scene.work import mask_store, photo_paths, progress_reporter, scene_work, settings, used_photos

_KEEP_EVERY_S = 25.0
_ROUND = 270
"""Degrees round the object under which the customer is told that a side is missing."""


def done(context: Context) -> bool:
    """True where `views/` is here or back."""
    views = context.folder / "views"
    return bool(context.state.get("registered")) and (views.exists() or context.restore("views", views))


def run(context: Context) -> None:
    """Find the poses, bring the photos into the normalised frame, hold some views out."""
    from worker.engines.scene import normalise, poses

    work, report_progress, paths = scene_work(context), progress_reporter(context), photo_paths(context)
    kind, made, given, sizes = context.state["masks"], mask_store(context), used_photos(context), settings(context)
    folder = context.folder / "sparse"
    context.restore("sparse", folder)
    used = _keyframes(context, paths, lambda share: report_progress(0.05 * share, "Looking for frames of a video"))
    feature_masks = None
    if kind != "none":
        feature_masks = context.folder / "feature-masks"
        poses.write_masks(feature_masks, paths, made)
    task = poses.Task(
        given, paths, feature_masks, folder, sizes, context.device == "cuda", work.seed, turns=kind == "background"
    ).only(used)
    solution = poses.solve(
        task, lambda share, words: report_progress(0.05 + 0.8 * share, words.capitalize()), _keeper(context, folder)
    )
    model = solution.model
    capture = normalise.build(
        context.folder, model, given, paths, made, kind, sizes.photo_px,
        lambda share: report_progress(0.85 + 0.15 * share), work.floor == "keep",
    )  # fmt: skip
    degrees = poses.degrees_round(np.array([view.pose[:3, 3] for view in capture.views]))
    context.state.update(
        registered=len(capture.views),
        photos_used=len(used),
        rungs=[rung.model_dump(mode="json") for rung in solution.rungs],
        view_degrees=degrees,
    )
    lost = [photo.name for photo, name in zip(task.photos, task.names, strict=True) if name not in model.names]
    _note_what_is_missing(context, lost, degrees)
    context.checkpoint("views", context.folder / "views")


def _keyframes(context: Context, paths: list[Path], tick: Callable[[float], None]) -> list[int]:
    """Numbers of the photos to use; the same in every entry."""
    from worker.engines.scene.poses import keyframes

    if "keyframes" not in context.state:
        context.state["keyframes"] = keyframes.choose(paths, tick)
    used: list[int] = context.state["keyframes"]
    if len(used) < len(paths):
        context.note(
            f"The photos follow each other like frames of a video: {len(used)} of {len(paths)} were used, "
            "those between them show nearly the same."
        )
    return used


def _note_what_is_missing(context: Context, lost: list[str], degrees: int) -> None:
    from worker.engines.scene.photo_checks import listed

    if lost:
        context.note(f"Not used, because they do not connect to the others: {listed(lost)}.")
    if degrees < _ROUND:
        context.note(
            f"The photos show the object from {degrees}° of 360° round it: what no photo shows is missing or made up. "
            "Walk the whole way round for a complete model."
        )


def _keeper(context: Context, folder: Path) -> Callable[[], None]:
    last = time.monotonic()

    def keep() -> None:
        nonlocal last
        if time.monotonic() - last > _KEEP_EVERY_S:
            context.checkpoint("sparse", folder)
            last = time.monotonic()

    return keep
