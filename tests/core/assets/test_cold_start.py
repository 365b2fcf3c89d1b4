"""Cold start is a feature: pictures are heavy, and only those who look at one load what decodes it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions" / "assets").glob("*.py"))


@pytest.mark.parametrize("function", ["presign_upload", "get_capture", "get_asset", "on_upload_arrived"])
def test_importing_a_function_loads_no_decoder(function: str) -> None:
    program = (
        f"import runpy, sys; runpy.run_path('functions/assets/{function}.py')\n"
        "print(sorted({'PIL', 'numpy', 'pillow_heif', 'boto3'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers" / "core")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_there_is_a_sample_event_for_every_function() -> None:
    assert {path.stem for path in (ROOT / "events" / "assets").glob("*.json")} == set(FUNCTIONS)
