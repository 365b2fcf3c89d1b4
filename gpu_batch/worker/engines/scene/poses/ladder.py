"""The ladder: each rung costs more than the one before, and is climbed only while photos are left out.

docs/decisions/0009-poses.md says which photos need which rung.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from snapforge.contracts.results import PoseRung
from worker.engines.scene import pairs
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses import features, mapping, matching, refusals
from worker.engines.scene.poses.calibration import calibrate
from worker.engines.scene.poses.features import Recipe
from worker.engines.scene.poses.judgement import judge
from worker.engines.scene.poses.matching import STRONG, Graph
from worker.engines.scene.poses.progress_store import ProgressStore
from worker.engines.scene.poses.task import Model, Solution, Task, Tick

_GOOD_SHARE = 0.85
"""Share of photos under which rungs are climbed that change what all photos rest on."""
_WEAK_PARTNERS = 2
"""A photo with fewer strong partners than this is matched with many more."""
_MAX_PAIRS = 60
_LINKS = 8
"""Pairs of a left-out photo that are matched again, guided by their geometry."""
_BORDER = 3
_ROUNDS = 2


@dataclass(frozen=True)
class Climb:
    """The ladder's state at a rung."""

    task: Task
    store: ProgressStore
    tick: Callable[[float, str], None]
    """Progress within the rung, 0 to 1; keeps what is done, and may raise."""

    def numbers(self, model: Model | None) -> set[int]:
        """Photo numbers of the registered photos."""
        names = model.names if model else set()
        return {number for number, name in enumerate(self.task.names) if name in names}


@dataclass(frozen=True)
class Rung:
    """One step: when it may help, and what it does. Its models are judged by the ladder."""

    name: str
    helps: Callable[[Climb, Model | None, set[int], Graph], bool]
    """(climb, largest model, numbers of photos left out, graph)."""
    climb: Callable[[Climb, Model | None, set[int], Graph], list[Model]]


def solve(task: Task, tick: Tick, keep: Callable[[], None]) -> Solution:
    """Find the poses. `keep` is called between steps and may save the folder `task.work`; a later run goes on from it.

    Raises:
        InputError: `photos_do_not_connect`, `photos_without_parallax`, `photos_of_two_scenes`.
    """
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    pycolmap.set_random_seed(task.seed)
    task.work.mkdir(parents=True, exist_ok=True)
    store = ProgressStore(task.work)
    for number, rung in enumerate(RUNGS):
        if store.climbed(rung.name):
            continue
        climb = Climb(task, store, _rung_progress(number, tick, keep))
        best = _best(store)
        left = set(range(len(task.paths))) - climb.numbers(best)
        if number and not left:
            break
        begun = time.monotonic()
        if not number:
            _match_all(climb)
        seen = matching.graph(task)
        if not number:
            refusals.refuse_turned(seen)
        if rung.helps(climb, best, left, seen):
            _take(climb, rung, best, left, seen, begun)
            keep()
    models = store.models()
    refusals.refuse_parts(task, models, matching.graph(task))
    return Solution(models[0], store.rungs, ())


def _rung_progress(number: int, tick: Tick, keep: Callable[[], None]) -> Callable[[float, str], None]:
    """The first rung has most of the progress, each other one halves what is left."""
    low, high = (0.0, 0.8) if number == 0 else (1 - 0.2 * 0.5 ** (number - 1), 1 - 0.2 * 0.5**number)

    def report_progress(share: float, words: str) -> None:
        tick(low + (high - low) * share, words)
        keep()

    return report_progress


def _best(store: ProgressStore) -> Model | None:
    return next(iter(store.models()), None)


def _take(climb: Climb, rung: Rung, best: Model | None, left: set[int], seen: Graph, begun: float) -> None:
    verdicts = [judge(climb.task, model) for model in rung.climb(climb, best, left, seen)]
    sound = sorted((one.model for one in verdicts if one.model), key=lambda model: (-len(model.names), model.error_px))
    first = sound[0] if sound else None
    climb.store.add(
        PoseRung(
            name=rung.name,
            registered=len(first.names) if first else 0,
            reprojection_error_px=round(first.error_px, 3) if first else None,
            seconds=round(time.monotonic() - begun, 1),
        ),
        sound,
    )


def _match_all(climb: Climb) -> None:
    """Features of all photos; pairs in rounds: look-alikes, partners of partners, more for the weak."""
    task, store = climb.task, climb.store
    everything = range(len(task.paths))
    features.extract(task, everything, Recipe.usual(task), lambda share: climb.tick(0.5 * share, "finding features"))
    rounds: list[Callable[[], list[pairs.Pair]]] = [
        lambda: pairs.first_pairs(matching.descriptors(task), task.seed),
        *[lambda: _more(matching.graph(task))] * _ROUNDS,
        lambda: _for_weak(matching.graph(task)),
    ]
    ends = (0.0, 0.6, 0.75, 0.85, 1.0)
    for number, (choose, low, high) in enumerate(zip(rounds, ends[:-1], ends[1:], strict=True)):
        chosen = [tuple(pair) for pair in store.plan(f"pairs-{number}", choose)]
        report_progress = _part(climb, 0.5 + 0.45 * low, 0.5 + 0.45 * high, "matching photos")
        matching.match(task, chosen, task.settings.sift_affine, report_progress)
    climb.tick(0.95, "finding focal lengths")
    store.plan("calibrated", lambda: calibrate(task))


def _part(climb: Climb, low: float, high: float, words: str) -> Callable[[float], None]:
    return lambda share: climb.tick(low + (high - low) * share, words)


def _more(seen: Graph) -> list[pairs.Pair]:
    return pairs.more_pairs(seen.inliers, seen.tried)


def _for_weak(seen: Graph) -> list[pairs.Pair]:
    weak = {number for number, row in enumerate(seen.inliers) if (row >= STRONG).sum() < _WEAK_PARTNERS}
    return pairs.pairs_of(weak, seen.inliers, seen.tried, _MAX_PAIRS)


def _globally(climb: Climb, best: Model | None, left: set[int], seen: Graph) -> list[Model]:
    climb.tick(1.0, "computing poses")
    return mapping.global_models(climb.task)


def _linked(climb: Climb, best: Model | None, left: set[int], seen: Graph) -> bool:
    return best is not None and bool(seen.linked(left, climb.numbers(best)))


def _one_by_one(climb: Climb, best: Model | None, left: set[int], seen: Graph) -> list[Model]:
    if best is None:
        return []
    if not climb.task.settings.sift_affine:  # with it all matches are guided already
        listed = pairs.strongest(left, climb.numbers(best), seen.inliers, _LINKS)
        matching.match_again(climb.task, listed, lambda share: climb.tick(share, "matching the photos left out again"))
    climb.tick(1.0, "registering the photos left out")
    return [mapping.extended(climb.task, best)]


def _few(climb: Climb, best: Model | None, left: set[int], seen: Graph) -> bool:
    """Whether more photos are left out than strays: to look at photos anew costs a minute and more."""
    return len(left) > (1 - _GOOD_SHARE) * len(climb.task.paths)


def _finer(climb: Climb, best: Model | None, left: set[int], seen: Graph) -> list[Model]:
    usual = Recipe.usual(climb.task)
    # Masks may have cost the weak photos their features; of a turning object the background would contradict.
    masked = climb.task.masks is None or climb.task.turns
    recipe = Recipe(usual.px * 3 // 2, 2 * usual.features, 0.7 * usual.peak, affine=True, masked=masked)
    border = _border(left, seen) if masked else set()
    return _anew(climb, best, left | border, seen, recipe)


def _border(left: set[int], seen: Graph) -> set[int]:
    """The photos that those left out would connect to: their best partners, and their neighbours in the order given."""
    found: set[int] = set()
    for one in left:
        partners = sorted(
            (other for other in range(len(seen.inliers)) if other not in left),
            key=lambda other, one=one: (-int(seen.inliers[one, other]), abs(other - one)),  # type: ignore[misc]
        )
        found |= set(partners[:_BORDER])
    return found


def _anew(climb: Climb, best: Model | None, chosen: set[int], seen: Graph, recipe: Recipe) -> list[Model]:
    """Other features for the chosen photos; matched with all that they were matched with, and more; mapped."""
    task, store = climb.task, climb.store
    if len(chosen) > 0.5 * len(task.paths):
        chosen = set(range(len(task.paths)))
    store.branch()
    key = f"{recipe.affine}-{recipe.masked}"
    numbers = store.plan(f"photos-{key}", lambda: _forgotten(task, chosen))
    listed = store.plan(f"pairs-{key}", lambda: _pairs_anew(set(numbers), seen))
    features.extract(task, numbers, recipe, lambda share: climb.tick(0.5 * share, "looking closer at some photos"))
    matching.match(
        task,
        [tuple(pair) for pair in listed],
        recipe.affine,
        lambda share: climb.tick(0.5 + 0.4 * share, "matching them"),
    )
    found = mapping.global_models(task)
    largest = max(found, key=lambda model: len(model.names), default=None)
    if largest is not None and len(largest.names) < len(task.paths):
        found.append(mapping.extended(task, largest))
    return found


def _forgotten(task: Task, chosen: set[int]) -> list[int]:
    features.forget(task, chosen)
    return sorted(chosen)


def _pairs_anew(chosen: set[int], seen: Graph) -> list[pairs.Pair]:
    rematched = {
        (min(one, other), max(one, other))
        for one in chosen
        for other in range(len(seen.inliers))
        if seen.inliers[one, other]
    }
    tried = seen.inliers.astype(bool)
    return sorted(rematched | set(pairs.pairs_of(chosen, seen.inliers, tried, _MAX_PAIRS)))


RUNGS = (
    Rung("chosen pairs, global mapping", lambda *_: True, _globally),
    Rung("left-out photos registered one by one", _linked, _one_by_one),
    Rung("affine features and guided matching for weak photos", _few, _finer),
)
