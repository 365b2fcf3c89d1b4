"""Photos of one surface in different light are brought to one light by the points that they share."""

from pathlib import Path

import numpy as np
import pytest

from worker.engines.scene import exposure, photos, views
from worker.engines.scene.views import View

pytestmark = pytest.mark.part("JOB-10")

POINTS = 400


def seen(
    gains: np.ndarray, *, highlights: float = 0.0, each: int = 150
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """What photos with these gains (n, 3) see of points with colours of their own; some as a highlight."""
    rng = np.random.default_rng(3)
    surface = rng.uniform(60, 110, (POINTS, 3))
    rows = [np.sort(rng.choice(POINTS, each, replace=False)) for _ in gains]
    colours = [surface[some] / gain for some, gain in zip(rows, gains, strict=True)]
    for some in colours:
        some[rng.random(len(some)) < highlights] = 240.0
    return rows, colours, surface


class TestGains:
    def test_they_bring_all_photos_to_one_light(self) -> None:
        """Darker and warmer photos, a tenth of whose points shine: within two percent of what made them so."""
        wanted = np.array([[1.0, 1.0, 1.0], [1.4, 1.3, 1.2], [0.8, 0.9, 1.0], [1.0, 1.1, 1.3], [0.9, 0.8, 0.7]])
        wanted /= np.exp(np.log(wanted).mean(axis=0))
        rows, colours, _ = seen(wanted, highlights=0.1)
        assert exposure.gains(rows, colours, POINTS) == pytest.approx(wanted, rel=0.02)

    def test_photos_in_one_light_keep_it(self) -> None:
        rows, colours, _ = seen(np.ones((6, 3)))
        assert exposure.gains(rows, colours, POINTS) == pytest.approx(np.ones((6, 3)), abs=1e-6)

    def test_none_is_trusted_beyond_a_factor_of_two(self) -> None:
        """A photo of something else altogether is not torn about."""
        rows, colours, _ = seen(np.array([[1.0] * 3] * 6 + [[5.0] * 3]))
        found = exposure.gains(rows, colours, POINTS)
        assert found.max() <= 2.0
        assert found.min() >= 0.5

    def test_a_photo_with_few_points_keeps_its_light(self) -> None:
        rows, colours, _ = seen(np.array([[1.0] * 3] * 4 + [[1.5] * 3]))
        rows[4], colours[4] = rows[4][:10], colours[4][:10]
        assert exposure.gains(rows, colours, POINTS)[4] == pytest.approx(np.ones(3), abs=0.01)

    def test_nothing_seen_is_no_gain(self) -> None:
        none = np.zeros(0, np.int64)
        assert exposure.gains([none] * 3, [np.zeros((0, 3))] * 3, 0) == pytest.approx(np.ones((3, 3)))


def test_a_view_s_picture_comes_in_the_light_of_all(tmp_path: Path) -> None:
    """Red and blue by their own factors, cut off at white; alpha stays."""
    (tmp_path / "views").mkdir()
    picture = np.full((8, 10, 4), (100, 50, 200, 90), np.uint8)
    photos.write(tmp_path / "views" / "003.png", picture)
    view = View(3, "a.jpg", np.eye(4), (10.0, 10.0), (5.0, 4.0), 10, 8, False, (1.2, 1.0, 1.5))
    assert views.image(tmp_path, view)[0, 0].tolist() == [120, 50, 255, 90]
    assert views.image(tmp_path, view.scaled(5)).shape == (4, 5, 4)
    assert view.scaled(5).gain == (1.2, 1.0, 1.5)
