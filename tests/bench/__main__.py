"""`python -m tests.bench`: measure all, write docs/benchmarks.md and .json.

`--put scene,poses` measures these sections alone and writes them in place; `--only cold,warm` writes nothing.
Sections that take minutes or hours are measured where they are asked for, else as they were measured last.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from tests.bench import calls, cold, images, poses, preflight, region, report, scene, warm
from tests.bench.results import Section
from tests.bench.simulation import choice as simulation

_LONG = {"images": images, "scene": scene, "poses": poses, "preflight": preflight}


def main() -> int:
    """The sections asked for; returns 0 whether aims are met or not, the report says so; 1 where nothing came out."""
    chosen = _arguments()
    named = [name for name in (chosen.put or chosen.only).split(",") if name]
    with tempfile.TemporaryDirectory() as base:
        sections = _sections(Path(base), chosen.photos)
        for name, module in _LONG.items():
            if name not in named and not getattr(chosen, name):
                sections[name] = _kept(name, module)
        done = [_timed(name, sections[name]) for name in named or sections]
    return 0 if chosen.only else _write(done, in_place=bool(chosen.put))


def _write(done: list[Section], *, in_place: bool) -> int:
    if not in_place:
        report.write(done)
    else:
        # Words about why nothing could be measured take no one's place.
        done = [section for section in done if any(entry.ours is not None for entry in section.entries)]
        for section in done:
            report.put(section)
    _say(f"wrote {len(done)} sections to {report.PAGE.relative_to(report.ROOT)} and .json")
    return 0 if done else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="for scene, poses, preflight: photos of one object (the skull's)")
    parser.add_argument("--scene", action="store_true", help="run the scene comparison too (a quarter of an hour)")
    parser.add_argument("--preflight", action="store_true", help="hold the pre-flight against the worker (an hour)")
    parser.add_argument("--poses", action="store_true", help="find the cameras of --photos (minutes)")
    parser.add_argument("--images", action="store_true", help="draw beside a stock diffusers loop (minutes)")
    parser.add_argument("--put", default="", help="sections by comma, measured anew and written in place")
    parser.add_argument("--only", default="", help="sections by comma, measured anew, printed and not written")
    return parser.parse_args()


def _sections(folder: Path, photos: Path | None) -> dict[str, Callable[[], Section]]:
    """How each section is measured, in the page's order."""
    return {
        "cold": lambda: cold.measure(folder),
        "warm": lambda: warm.measure(folder),
        "calls": lambda: calls.measure(folder),
        "region": lambda: region.measure(folder),
        "simulation": simulation.measure,
        "images": images.measure,
        "scene": lambda: scene.measure(photos),
        "poses": lambda: poses.measure(photos),
        "preflight": lambda: preflight.measure(photos),
    }


def _kept(name: str, module: ModuleType) -> Callable[[], Section]:
    why = f"not measured yet: `python -m tests.bench --put {name}`"
    return lambda: report.kept(module.TITLE) or module.missing(why)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _timed(name: str, measure: Callable[[], Section]) -> Section:
    began = time.monotonic()
    section = measure()
    _say(f"{name}: {time.monotonic() - began:.0f} s")
    for entry in section.entries:
        told = entry.document()
        _say(
            f"  {entry.name}: {told['ours']} {entry.unit}, ratio {told['ratio']}, aim {entry.aim}, met {entry.met}"
            + (f" ({entry.note})" if entry.ours is None and entry.note else "")
        )
    return section


if __name__ == "__main__":
    sys.exit(main())
