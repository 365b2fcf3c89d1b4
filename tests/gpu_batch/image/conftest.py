"""The untrained model, built once, and the emulator of the frame's tests."""

import os
from pathlib import Path

import pytest

from tests.gpu_batch.frame.conftest import region
from worker.engines.base import ImageEngine, choose, load_image_engine, model_family
from worker.engines.image.untrained import build

__all__ = ["region"]

# Before the engine loads torch: its threads wait by spinning, which on a busy machine takes longer than the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the untrained model in it."""
    folder = tmp_path_factory.mktemp("weights")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def engine(weights: Path) -> ImageEngine:
    """The engine with the untrained model loaded."""
    folder = weights / "flux-schnell"
    return load_image_engine(choose("text-to-image", model_family(folder)), folder, "cpu", reduced=False)
