"""Stage `poses`: where the cameras stood. Writes `views/`."""

import time
from collections.abc import Callable
from pathlib import Path

from worker.stages.base import Context
from worker.stages.scene.work import photo_paths, scene_work, settings, teller, used_photos

_KEEP_EVERY_S = 25.0


def done(context: Context) -> bool:
    """True where `views/` is here or back."""
    views = context.folder / "views"
    return bool(context.state.get("registered")) and (views.exists() or context.restore("views", views))


def run(context: Context) -> None:
    """Find the poses, bring the photos into the normalised frame, hold some views out."""
    from worker.engines.scene import normalise, poses
    from worker.stages.scene import masks

    work, tell, paths = scene_work(context), teller(context), photo_paths(context)
    kind = context.state["masks"]
    made = masks.load(context)
    given = used_photos(context)
    sizes = settings(context)
    folder = context.folder / "sparse"
    folder.mkdir(exist_ok=True)
    feature_masks = None
    if kind != "none":
        feature_masks = context.folder / "feature-masks"
        poses.feature_masks(feature_masks, paths, made)
    task = poses.Task(given, paths, feature_masks, folder, sizes, context.device == "cuda", work.seed)
    context.restore("database", task.database)
    model = poses.solve(
        task, lambda share, words: tell(0.85 * share, words.capitalize()), _keeper(context, task.database)
    )
    capture = normalise.build(
        context.folder, model, given, paths, made, kind, sizes.photo_px, lambda share: tell(0.85 + 0.15 * share),
        work.floor == "keep",
    )  # fmt: skip
    context.state["registered"] = len(capture.views)
    lost = [photo.name for photo, path in zip(given, paths, strict=True) if path.name not in model.names]
    if lost:
        context.note(f"Not used, because they do not connect to the others: {', '.join(lost[:12])}.")
    context.checkpoint("views", context.folder / "views")


def _keeper(context: Context, database: Path) -> Callable[[], None]:
    last = time.monotonic()

    def keep() -> None:
        nonlocal last
        if time.monotonic() - last > _KEEP_EVERY_S:
            context.checkpoint("database", database)
            last = time.monotonic()

    return keep
