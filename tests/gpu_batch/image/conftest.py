"""The stand-in model, built once, and the emulator of the frame's tests."""

from pathlib import Path

import pytest

from tests.gpu_batch.frame.conftest import region
from worker.engines.base import ImageEngine, choose, load_image_engine, model_family
from worker.engines.image.standin import build

__all__ = ["region"]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the stand-in in it."""
    folder = tmp_path_factory.mktemp("weights")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def engine(weights: Path) -> ImageEngine:
    """The engine with the stand-in loaded."""
    folder = weights / "flux-schnell"
    return load_image_engine(choose("text-to-image", model_family(folder)), folder, "cpu", reduced=False)
