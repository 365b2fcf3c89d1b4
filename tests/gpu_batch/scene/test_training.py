"""The field: it learns, its checkpoint holds everything, and it fetches nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.gpu_batch.scene.conftest import SMALL
from tests.gpu_batch.scene.sphere import RADIUS, capture_of_sphere
from worker.engines.scene import field, surface, training, views
from worker.engines.scene.views import Capture

pytestmark = pytest.mark.part("JOB-10")
TINY = replace(SMALL, steps=120, rays=256, train_px=48, levels=4, log2_hashmap=12, max_res=32, hidden=16)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """With several threads the order of additions, and so the last bit, changes from run to run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(folder: Path, capture: Capture, stop_at: int | None = None, steps: int = TINY.steps) -> list[float]:
    """Train to the end, or until `stop_at`; the PSNRs told."""
    reported: list[tuple[int, float]] = []
    training.train(
        folder,
        capture,
        replace(TINY, steps=steps),
        "cpu",
        seed=5,
        tick=lambda step, psnr: reported.append((step, psnr)),
        keep=lambda path: None,
        stopping=lambda: stop_at is not None and bool(reported) and reported[-1][0] >= stop_at,
    )
    return [psnr for _, psnr in reported]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "field.pt", weights_only=True)["model"]
    return state


class TestTraining:
    def test_a_run_that_was_stopped_ends_with_the_same_weights(self, tmp_path: Path) -> None:
        for name in ("whole", "parts"):
            (tmp_path / name).mkdir()
            capture = capture_of_sphere(tmp_path / name)
        sizes = replace(TINY, steps=60)
        train(tmp_path / "whole", capture, steps=60)
        train(tmp_path / "parts", capture, stop_at=30, steps=60)
        assert not training.finished(tmp_path / "parts" / "field.pt", sizes)
        train(tmp_path / "parts", capture, steps=60)
        assert training.finished(tmp_path / "parts" / "field.pt", sizes)
        whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
        assert whole.keys() == parts.keys()
        for name, value in whole.items():
            assert torch.equal(value, parts[name]), name

    def test_a_killed_run_goes_on_elsewhere_from_its_last_checkpoint_to_the_same_weights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No farewell: the process is gone between two steps, and only what was kept reaches the other machine."""
        kept: list[bytes] = []
        clock = iter(range(10_000))
        # A step takes a second on this clock, so that a checkpoint falls due every 21 steps.
        monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
        for name in ("whole", "killed", "elsewhere"):
            (tmp_path / name).mkdir()
            capture = capture_of_sphere(tmp_path / name)

        def die_at(step: int, psnr: float) -> None:
            if step == 30:
                raise SystemExit

        def go(name: str, tick: Callable[[int, float], None], steps: int = 40) -> None:
            training.train(
                tmp_path / name, capture, replace(TINY, steps=steps), "cpu", 5, tick,
                lambda path: kept.append(path.read_bytes()), lambda: False,
            )  # fmt: skip

        go("whole", lambda step, psnr: None)
        kept.clear()
        with pytest.raises(SystemExit):
            go("killed", die_at)
        (tmp_path / "elsewhere" / "field.pt").write_bytes(kept[-1])
        step = torch.load(tmp_path / "elsewhere" / "field.pt", weights_only=True)["step"]
        assert 30 - training.CHECKPOINT_SECONDS - 1 <= step < 30
        go("elsewhere", lambda step, psnr: None)
        whole, elsewhere = weights(tmp_path / "whole"), weights(tmp_path / "elsewhere")
        assert all(torch.equal(value, elsewhere[name]) for name, value in whole.items())

    def test_at_most_thirty_seconds_can_be_lost(self) -> None:
        assert training.CHECKPOINT_SECONDS <= 30 - 5

    def test_it_learns_the_sphere(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        reported = train(tmp_path, capture)
        assert reported[-1] > reported[0] + 3
        model = training.trained(tmp_path / "field.pt", capture, TINY, "cpu")
        shot = surface.see(model, capture.views[0].scaled(24), capture, "cpu", lambda: None)
        assert shot.depth[12, 12].item() == pytest.approx(4 - RADIUS, abs=0.5)
        assert torch.isinf(shot.depth[0, 0])

    def test_without_masks_the_surroundings_are_contracted(self, tmp_path: Path) -> None:
        capture = replace(capture_of_sphere(tmp_path), masks="none")
        model = field.build(capture, TINY, "cpu")
        assert model.field.spatial_distortion is not None
        assert len(training.pixels(tmp_path, capture, TINY, "cpu").colours) == 14 * 48 * 48

    def test_with_masks_most_pixels_taught_are_the_objects(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        data = training.pixels(tmp_path, capture, TINY, "cpu")
        assert (data.colours[: data.objects, 3] > 0).all()
        assert (data.colours[data.objects :, 3] < 0.1).all()
        chosen = data.batch(200, bounded=True)
        assert (chosen < data.objects).sum() == 150


class TestViews:
    def test_the_record_comes_back_as_it_was(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        back = views.load(tmp_path)
        assert [view.name for view in back.views] == [view.name for view in capture.views]
        assert (back.views[3].pose == capture.views[3].pose).all()

    def test_a_projected_ray_comes_back_to_its_pixel(self, tmp_path: Path) -> None:
        view = capture_of_sphere(tmp_path, count=3).views[1]
        origin, directions = view.rays()
        u, v, depth = view.project(origin + 2.5 * directions[1234:1235])
        assert (u[0], v[0], depth[0]) == pytest.approx((1234 % 96 + 0.5, 1234 // 96 + 0.5, 2.5))

    def test_depth_views_are_spread_and_within_the_budget(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        chosen = surface.choose_views(capture, 5)
        assert len({view.index for view in chosen}) == 5
        assert len(surface.choose_views(capture, 99)) == 14
