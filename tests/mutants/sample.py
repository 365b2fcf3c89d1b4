"""A seeded order of all mutants in which every beginning is a stratified sample, so that `--sample 100` lies within
`--sample 400`, and a run that time ended goes on where it ended. A stratum's part grows with the root of its size: by
its size alone, half of the sample would be numbers of two packages."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from math import sqrt

from tests.mutants.source import Mutant


def ordered(mutants: Iterable[Mutant], seed: int) -> list[Mutant]:
    """First one of each stratum, then of each as many as its share. A mutant's place in its stratum comes from its id
    alone, so that an edit elsewhere leaves it where it is."""
    strata: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        strata[mutant.package, mutant.family].append(mutant)
    ranked: list[tuple[float, float, Mutant]] = []
    for name, members in strata.items():
        start = _dice(seed, *name)
        members.sort(key=lambda mutant: _dice(seed, mutant.id))
        for place, mutant in enumerate(members):
            ranked.append(((place + start) / sqrt(len(members)) if place else -1.0, start, mutant))
    ranked.sort(key=lambda one: (one[0], one[1], one[2].id))
    return [mutant for _, _, mutant in ranked]


def _dice(seed: int, *words: str) -> float:
    """A number in [0, 1) that is the same on every machine."""
    digest = sha256("\n".join((str(seed), *words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
