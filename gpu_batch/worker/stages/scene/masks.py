"""Stage `masks`: which pixels show the object. Writes `masks/<index>.png` unless there is nothing to go by."""

from typing import TYPE_CHECKING

from worker.stages.base import Context
from worker.stages.scene import poses
from worker.stages.scene.work import photo_paths, teller

if TYPE_CHECKING:
    from pathlib import Path

    from worker.engines.scene.masks import Kind, Mask

_MOST_FAILED = 0.2


def done(context: Context) -> bool:
    """True where the masks are back, or the stage after this one is through."""
    return "masks" in context.state and (
        poses.done(context) or context.state["masks"] == "none" or context.restore("masks", context.folder / "masks")
    )


def run(context: Context) -> None:
    """Choose the kind of masks for the whole set and make them."""
    from worker.engines.scene import masks, photos

    tell = teller(context)
    paths = photo_paths(context)
    kind = masks.choose([photos.shrink(photos.read(path), 512) for path in paths])
    if kind != "none":
        made = []
        for index, path in enumerate(paths):
            image = photos.read(path)
            made.append(image[..., 3] if kind == "alpha" else masks.cut(image))
            tell((index + 1) / len(paths), f"Outline {index + 1} of {len(paths)}")
        kind = _keep(context, kind, made)
    if kind == "none":
        context.note("The background is not plain, so the model holds whatever lies in the box round the object.")
    context.state["masks"] = kind


def _keep(context: Context, kind: "Kind", made: list["Mask | None"]) -> "Kind":
    from worker.engines.scene import photos

    failed = sum(mask is None for mask in made)
    if failed > _MOST_FAILED * len(made):
        return "none"
    folder = context.folder / "masks"
    folder.mkdir(exist_ok=True)
    for index, mask in enumerate(made):
        if mask is not None:
            photos.write(folder / f"{index:03d}.png", mask)
    if failed:
        context.note(f"The object could not be told from the background in {failed} photo(s); they were left out.")
    context.state["masks"] = kind
    context.checkpoint("masks", folder)
    return kind


def load(context: Context, paths: list["Path"]) -> list["Mask | None"]:
    """The masks by photo number; None where there is none."""
    from worker.engines.scene import photos

    files = [context.folder / "masks" / f"{index:03d}.png" for index in range(len(paths))]
    return [photos.read(file)[..., 0] if file.exists() else None for file in files]
