"""Many large photos: memory holds one of them at a time. Each measurement is a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.part("JOB-10")

REPO = Path(__file__).resolve().parents[3]


def measured(folder: Path, *words: object) -> dict[str, Any]:
    """What `memory.py` found."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu_batch.scene.memory", str(folder), *map(str, words)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": f"{REPO / 'gpu_batch'}:{REPO / 'layers/core'}:{REPO}"},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_three_times_the_photos_need_no_more_memory(tmp_path: Path) -> None:
    few = measured(tmp_path / "few", 8, 2400, 1600, "masks")
    many = measured(tmp_path / "many", 24, 2400, 1600, "masks")
    assert (few["used"], many["used"], many["masked"], many["kind"]) == (8, 24, 24, "grabcut")
    # One photo decoded whole is 15 MiB.
    assert many["after"] < few["after"] + 12


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_300_photos_of_24_megapixels_stay_below_6_gib(tmp_path: Path) -> None:
    found = measured(tmp_path / "large", 300, 6000, 4000, "views")
    assert found["used"] == 300
    assert found["after"] < 6 * 1024
