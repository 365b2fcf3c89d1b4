"""`python -m tests.mutants`: draw a sample of mutants, hold each against the tests, write docs/mutants.md and .json.

A run ends when its minutes are over, and the next with the same sample and seed goes on where it ended. Survivors are
printed with their diffs and lie in .local/mutants/survivors.md; what a person judges to be equal goes to equal.toml.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants import equal, report, settings
from tests.mutants.reach import Reach, Red, digest_of, reach
from tests.mutants.report import Sample
from tests.mutants.sample import ordered
from tests.mutants.settings import Settings
from tests.mutants.source import Change, Mutant, change, mutants
from tests.mutants.trial import Result, Results, trial
from tests.mutants.workspaces import HOME, Workspace, workspace

T = TypeVar("T")
R = TypeVar("R")


def main() -> int:
    """0 where the share is met and equal.toml is true, 1 where not, 2 where tests fail without a mutant."""
    chosen = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no emulator outlives a run that is stopped
    chosen_settings = _only(settings.load(), chosen.packages)
    _say(f"copying the tree for {chosen.workspaces} workspaces …")
    with ExitStack() as stack:
        workspaces = [stack.enter_context(workspace(number)) for number in range(chosen.workspaces)]
        work = Work(chosen_settings, workspaces, time.monotonic() + 60 * chosen.minutes)
        try:
            sample = work.run(chosen.sample, chosen.seed, again=chosen.again)
        except Red as red:
            _say(str(red))
            return 2
        entries = equal.load()
        lost = [] if chosen.packages else work.lost(entries)
    return _told(sample, lost, entries, write=not chosen.packages)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=400, help="how many mutants (400)")
    parser.add_argument("--seed", type=int, default=1, help="which (1)")
    parser.add_argument("--minutes", type=float, default=30, help="after these no further mutant is begun (30)")
    parser.add_argument("--workspaces", type=int, default=2, help="how many are run side by side (2)")
    parser.add_argument("--packages", default="", help="by comma: only these; writes no docs")
    parser.add_argument("--again", action="store_true", help="run survivors again (they are when tests change)")
    return parser.parse_args()


def _only(all_settings: Settings, names: str) -> Settings:
    chosen = [name for name in names.split(",") if name] or list(all_settings.packages)
    packages = {name: all_settings.packages[name] for name in chosen}
    return Settings(packages, all_settings.families, all_settings.skip)


@dataclass
class Work:
    """One run: workspaces, and until when."""

    settings: Settings
    workspaces: Sequence[Workspace]
    until: float
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        self._tree = self.workspaces[0].tree
        self._all = [mutant for package in self.settings.packages.values() for mutant in self._of(package.name)]
        self._digests = {mutant.module: digest_of(self._tree, mutant.module) for mutant in self._all}

    def _of(self, name: str) -> list[Mutant]:
        return list(mutants(self.settings.packages[name], self.settings, self._tree))

    def run(self, size: int, seed: int, *, again: bool = False) -> Sample:
        """Draw, try what has no result yet, and return what is known."""
        drawn = self._drawn(size, seed)
        named = {mutant.package for mutant, _ in drawn}
        reached = dict(self._shared(lambda name, at: (name, self._reach(name, at)), sorted(named)))
        left = [
            (mutant, change_)
            for mutant, change_ in drawn
            if (found := self._known(mutant, reached)) is None or (again and found.verdict == "survived")
        ]
        _say(f"{len(self._all)} mutants, {len(drawn)} drawn, {len(left)} to be tried")
        self._shared(lambda one, at: self._try(*one, reached[one[0].package], at), left)
        places = {name: sum(mutant.package == name for mutant in self._all) for name in self.settings.packages}
        known = [found for mutant, _ in drawn if (found := self._known(mutant, reached))]
        return Sample(seed, len(drawn), places, known, frozenset(entry.key for entry in equal.load()))

    def _drawn(self, size: int, seed: int) -> list[tuple[Mutant, Change]]:
        drawn: list[tuple[Mutant, Change]] = []
        for mutant in ordered(self._all, seed):
            if len(drawn) == size:
                break
            if (changed := change(mutant, self._tree)) is not None:
                drawn.append((mutant, changed))
        return drawn

    def _known(self, mutant: Mutant, reached: dict[str, Reach]) -> Result | None:
        return self.results.of(mutant, self._digests[mutant.module], reached[mutant.package].digest)

    def _reach(self, name: str, at: Workspace) -> Reach:
        began = time.monotonic()
        seen = reach(self.settings.packages[name], at)
        unsteady = f", {len(seen.unsteady)} failed once and are left out: {seen.unsteady}" if seen.unsteady else ""
        _say(f"{name}: {len(seen.seconds)} tests, {time.monotonic() - began:.0f} s{unsteady}")
        return seen

    def _try(self, mutant: Mutant, changed: Change, seen: Reach, at: Workspace) -> None:
        if time.monotonic() > self.until:
            return
        package = self.settings.packages[mutant.package]
        result = trial(mutant, changed, package, seen, at, self._digests[mutant.module])
        self.results.add(result)
        where = f"{mutant.module}:{mutant.first}"
        _say(f"{result.verdict:9} {result.seconds:5.0f} s  {where}  {mutant.line}  →  {result.becomes}")

    def _shared(self, work: Callable[[T, Workspace], R], things: Iterable[T]) -> list[R]:
        """Each thing at a workspace that is free."""
        free: SimpleQueue[Workspace] = SimpleQueue()
        for one in self.workspaces:
            free.put(one)

        def in_a_workspace(thing: T) -> R:
            taken = free.get()
            try:
                return work(thing, taken)
            finally:
                free.put(taken)

        with ThreadPoolExecutor(len(self.workspaces)) as pool:
            futures = [pool.submit(in_a_workspace, thing) for thing in things]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def lost(self, entries: Iterable[equal.Equal]) -> list[equal.Equal]:
        """Entries of equal.toml that match no mutant of the tree."""
        named = {entry.key[:3] for entry in entries}
        changes: dict[tuple[str, str, str], list[str]] = {}
        for mutant in self._all:
            key = (mutant.module, mutant.operator, mutant.line)
            if key in named and (changed := change(mutant, self._tree)) is not None:
                changes.setdefault(key, []).append(changed.becomes)
        return equal.unmatched(entries, changes)


def _told(sample: Sample, lost: list[equal.Equal], entries: list[equal.Equal], *, write: bool) -> int:
    file = HOME / "survivors.md"
    file.write_text(report.survivors(sample.survivors) + "\n")
    _say("\n" + file.read_text())
    wrong = report.judged_wrongly(entries, sample.results)
    for entry in lost:
        _say(f"equal.toml: no mutant any more: {entry.module}: {entry.line}")
    for one in wrong:
        _say(f"equal.toml: not equal, killed by {one.by}: {one.module}: {one.line}")
    share = sample.counts("", "")["share"]
    _say(f"{report.percent(share)} killed, {len(sample.results)} of {sample.size} tried")
    if write:
        report.write(sample)
    return 0 if share is not None and share >= report.AIM and not lost and not wrong else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
