"""A library's signal handlers must not take SIGTERM from the worker."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, threading
seen = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: seen.set())
import worker.engines.scene.poses
os.kill(os.getpid(), signal.SIGTERM)
print("kept" if seen.wait(5) else "lost")
"""


@pytest.mark.part("JOB-4")
def test_sigterm_still_reaches_python_after_pycolmap_is_loaded() -> None:
    """pycolmap brings glog's failure handler, which would die at a Spot reclaim."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "kept", done.stderr[-500:]
