"""The room's door: from photos to a survey."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from snapforge.contracts.preflight import Survey
from snapforge.preflight import graph
from snapforge.preflight.graph import Link


class LookFailedError(RuntimeError):
    """The photos could not be looked at: out of time, or the looking process died."""


def copy_path(folder: Path, number: int) -> Path:
    """Where the copy of photo `number` is expected."""
    return folder / f"{number:03d}.pgm"


def look(folder: Path, focals: Sequence[float | None], *, limit_s: float) -> list[Link]:
    """The links between the copies in `folder`. `focals`: focal length of each copy in its pixels, None where unknown.

    Raises LookFailedError.
    """
    (folder / "task.json").write_text(json.dumps({"focals": list(focals)}))
    # Waiting OpenMP threads must sleep, and the child finds this package where the parent found it.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - our own module and a folder that we made
            [sys.executable, "-m", "snapforge.preflight.eye", str(folder)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LookFailedError(f"not done after {limit_s:.0f} s") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise LookFailedError(f"exit {done.returncode}: {last[-1] if last else 'no words'}")
    return [Link(**link) for link in json.loads((folder / "links.json").read_text())]


def survey(photos: int, links: Sequence[Link], seconds: float) -> Survey:
    """What the links say of `photos` photos."""
    believed = graph.believed(links)
    groups = graph.groups(photos, believed)
    turned = graph.turned_only(photos, links)
    held = groups[0] if groups else []
    return Survey(
        photos=photos,
        groups=tuple(tuple(group) for group in groups),
        registered=() if turned else tuple(held),
        turned=turned,
        alike=tuple(graph.alike(links)),
        coverage_degrees=None if turned else graph.coverage(held, believed),
        seconds=round(seconds, 1),
    )
