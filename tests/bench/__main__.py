"""`python -m tests.bench`: measure all, write docs/benchmarks.md and .json; `--only cold,warm` writes nothing."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import calls, cold, images, poses, preflight, region, report, scene, warm
from tests.bench.results import Section
from tests.bench.simulation import choice as simulation


def main() -> int:
    """All sections; returns 0 whether aims are met or not, the report says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", action="store_true", help="run the scene comparison too (a quarter of an hour)")
    parser.add_argument(
        "--photos", type=Path, help="with --scene, --preflight, --poses: a folder of real photos of one object"
    )
    parser.add_argument("--preflight", action="store_true", help="hold the pre-flight against the worker (an hour)")
    parser.add_argument("--poses", action="store_true", help="find the cameras of --photos (minutes)")
    parser.add_argument("--images", action="store_true", help="draw beside a stock diffusers loop (minutes)")
    parser.add_argument("--simulation", action="store_true", help="simulate the image queues, and write only that")
    parser.add_argument("--only", default="", help="sections by comma, printed and not written")
    chosen = parser.parse_args()
    if chosen.simulation:
        report.put(_timed("simulation", simulation.measure))
        return 0
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        sections: dict[str, Callable[[], Section]] = {
            "cold": lambda: cold.measure(folder),
            "warm": lambda: warm.measure(folder),
            "calls": lambda: calls.measure(folder),
            "region": lambda: region.measure(folder),
            "simulation": simulation.measure,
            "images": images.measure if chosen.images else lambda: images.kept(report.DOCUMENT),
            "scene": (lambda: scene.measure(chosen.photos)) if chosen.scene else lambda: scene.kept(report.DOCUMENT),
            "poses": (lambda: poses.measure(chosen.photos)) if chosen.poses else lambda: poses.kept(report.DOCUMENT),
            "preflight": (lambda: preflight.measure(chosen.photos))
            if chosen.preflight
            else lambda: preflight.kept(report.DOCUMENT),
        }
        wanted = chosen.only.split(",") if chosen.only else list(sections)
        done = [_timed(name, sections[name]) for name in wanted]
    if not chosen.only:
        report.write(done)
        _say(f"wrote {report.PAGE.relative_to(report.ROOT)} and {report.DOCUMENT.relative_to(report.ROOT)}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _timed(name: str, measure: Callable[[], Section]) -> Section:
    began = time.monotonic()
    section = measure()
    _say(f"{name}: {time.monotonic() - began:.0f} s")
    for entry in section.entries:
        told = entry.document()
        _say(f"  {entry.name}: {told['ours']} {entry.unit}, ratio {told['ratio']}, aim {entry.aim}, met {entry.met}")
    return section


if __name__ == "__main__":
    sys.exit(main())
