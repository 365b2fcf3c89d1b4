"""What cannot become one model, said with the names of photos and what to do."""

from collections.abc import Sequence

from worker.engines.scene.photo_checks import listed
from worker.engines.scene.photos import MIN_PHOTOS
from worker.engines.scene.poses.matching import STRONG, Graph
from worker.engines.scene.poses.task import Model, Task
from worker.errors import InputError

_TURNED = 0.6
"""Share of well-matched pairs without parallax from which the camera is held to have turned only."""
_SECOND_SCENE_SHARE = 1 / 3
"""Share of the largest group of photos from which another one is a scene of its own."""


def refuse_turned(seen: Graph) -> None:
    """Before mapping: a turned camera can be fitted by a model, but there is no depth in it.

    Raises:
        InputError: `photos_without_parallax`.
    """
    strong = seen.inliers >= STRONG
    pairs, still = int(strong.sum()) // 2, int((strong & seen.still).sum()) // 2
    if pairs >= len(seen.inliers) - 1 and still > _TURNED * pairs:
        raise InputError(
            "photos_without_parallax",
            "The photos overlap, but all seem to be taken from one spot.",
            "Walk round the object: move the camera sideways between photos instead of turning it.",
        )


def refuse_parts(task: Task, models: Sequence[Model], seen: Graph) -> None:
    """After the ladder: the photos fall apart, or too few are left. `models` has the largest first.

    Raises:
        InputError: `photos_of_two_scenes`, `photos_do_not_connect`.
    """
    first = models[0].names if models else set()
    second = max((model.names - first for model in models[1:]), key=len, default=set())
    if len(second) >= max(MIN_PHOTOS, _SECOND_SCENE_SHARE * len(first)):
        raise InputError(
            "photos_of_two_scenes",
            f"The photos fall into groups of {len(first)} and {len(second)} that do not connect: "
            "two things, or one from sides that share nothing.",
            f"One group: {_names(task, first)}. The other: {_names(task, second)}. Send two things as two scenes; "
            "of one thing, add photos that lead from one group to the other in steps of 10 to 15 degrees.",
        )
    if len(first) < max(MIN_PHOTOS, len(task.photos) / 2):
        parts = [part for part in seen.components if len(part) > 1]
        raise InputError(
            "photos_do_not_connect",
            f"{len(first)} of {len(task.photos)} photos could be joined into one scene"
            + (f"; they fall into {len(parts)} parts." if len(parts) > 1 else "."),
            f"Not connected: {_names(task, set(task.names) - first)}. Leave out photos of other things, and add photos "
            "between those that are far apart (steps of 10 to 15 degrees, sharp, even light).",
        )


def _names(task: Task, files: set[str]) -> str:
    return listed([photo.name for photo, name in zip(task.photos, task.names, strict=True) if name in files])
