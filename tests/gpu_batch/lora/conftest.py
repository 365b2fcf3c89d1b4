"""Tiny models, one training that the tests of adapters share, and the emulator of the frame's tests."""

from pathlib import Path

import pytest

from tests.gpu_batch.frame.conftest import region
from tests.gpu_batch.image.conftest import weights
from tests.gpu_batch.lora.trained import Trained, train_one

__all__ = ["region", "weights"]


@pytest.fixture(scope="session")
def trained(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An adapter of the tiny FLUX.1, 60 steps on six photos."""
    return train_one(weights / "flux-schnell", tmp_path_factory.mktemp("trained"), seed=1)


@pytest.fixture(scope="session")
def other(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Another one: other seed, other rank."""
    return train_one(weights / "flux-schnell", tmp_path_factory.mktemp("other"), seed=2, rank=4, steps=20)
