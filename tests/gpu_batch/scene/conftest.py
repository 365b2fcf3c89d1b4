"""One set of rendered photos and one full run of the pipeline at small sizes, shared by all tests of this folder."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from infrastructure.local.demo.render import render_photos
from tests.gpu_batch.scene.attempt import Entry, work_of
from worker.engines.scene import presets

SIZE = (360, 270)
FOCAL = 1.4 * SIZE[0]
SMALL = replace(
    presets.settings("draft", "cpu"),
    steps=140,
    train_px=96,
    samples=16,
    proposal_samples=32,
    depth_px=48,
    depth_views=12,
    grid=64,
    faces=5000,
    texture_px=512,
    preview_px=160,
    preview_frames=6,
)


@dataclass(frozen=True)
class Shoot:
    """Rendered photos with the truth beside them."""

    photos: list[Path]
    truth: Path


@pytest.fixture(scope="session")
def shoot(tmp_path_factory: pytest.TempPathFactory) -> Shoot:
    folder = tmp_path_factory.mktemp("shoot")
    return Shoot(render_photos(folder / "photos", 24, SIZE, seed=1), folder / "photos-truth")


@pytest.fixture(scope="session", autouse=True)
def small() -> Iterator[None]:
    """Small sizes for `draft` on the CPU."""
    patch = pytest.MonkeyPatch()
    patch.setitem(presets._TABLE, ("draft", "cpu"), SMALL)
    yield
    patch.undo()


@dataclass(frozen=True)
class Run:
    """The attempt that was stopped once in training, and finished by a second entry."""

    first: Entry
    second: Entry


@pytest.fixture(scope="session")
def run(shoot: Shoot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    work = work_of(shoot.photos, SIZE, FOCAL)
    first = Entry(folder / "one", folder / "kept", work, shoot.photos)
    first.go(until="outline")
    first.interrupted.set()
    with pytest.raises(Exception, match="interrupted"):
        first.go()
    second = Entry(folder / "two", folder / "kept", work, shoot.photos)
    second.go()
    return Run(first, second)
