"""UV map and texturing on a sphere whose colours are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from tests.gpu_batch.scene.sphere import RADIUS, capture_of_sphere, colour_of
from worker.engines.scene import photos, quality, texture
from worker.engines.scene.rays import Tracer, read_texture
from worker.engines.scene.views import View

pytestmark = pytest.mark.part("JOB-10")


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, texture.Textured, float]:
    folder = tmp_path_factory.mktemp("sphere")
    capture = capture_of_sphere(folder)
    ball = trimesh.creation.icosphere(4, RADIUS)
    vertices, faces, uv = texture.unwrap(np.asarray(ball.vertices, np.float32), np.asarray(ball.faces, np.int32), 256)
    texels = texture.lay_out(vertices, faces, uv, 256)
    texture.add_photos(folder, texels, Tracer(vertices, faces), capture.views, masked=True, tick=lambda share: None)
    picture, seen = texture.paint(texels)
    return folder, texture.Textured(vertices, faces, uv, picture), seen


def _object_pixels(folder: Path, view: View) -> np.ndarray:
    """Colours (N, 3) of the photo where its mask shows the object."""
    rgba = photos.read(folder / "views" / f"{view.index:03d}.png")
    return rgba[rgba[..., 3] > 250][:, :3]


class TestUnwrap:
    def test_every_face_keeps_its_corners_and_has_room(self, painted: tuple[Path, texture.Textured, float]) -> None:
        _, model, _ = painted
        assert len(model.faces) == len(trimesh.creation.icosphere(4).faces)
        assert np.linalg.norm(model.vertices, axis=1) == pytest.approx(RADIUS, abs=1e-4)
        assert model.uv.min() >= 0
        assert model.uv.max() <= 1
        corners = model.uv[model.faces]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
        assert area.sum() > 0.4
        assert (area > 0).all()


class TestTexture:
    def test_the_right_colour_lies_everywhere(self, painted: tuple[Path, texture.Textured, float]) -> None:
        _, model, seen = painted
        assert seen > 0.97
        middles = model.vertices[model.faces].mean(1)
        uv = model.uv[model.faces].mean(1)
        away = np.abs(read_texture(model.texture, uv) - colour_of(middles))
        assert away.mean() < 2.5
        assert np.percentile(away, 99) < 12

    def test_redrawn_views_match_the_photos(self, painted: tuple[Path, texture.Textured, float]) -> None:
        folder, model, _ = painted
        capture = capture_of_sphere(folder)
        assert quality.psnr(folder, capture, model, capture.views) > 32

    def test_the_light_of_a_photo_costs_nothing_and_other_colours_do(
        self, painted: tuple[Path, texture.Textured, float]
    ) -> None:
        """All of it darker and warmer: as like as before. Its colours exchanged: not."""
        folder, model, _ = painted
        capture = capture_of_sphere(folder)
        light = np.array([0.8, 0.7, 0.6])
        lit = replace(model, texture=(model.texture * light).astype(np.uint8))
        swapped = replace(model, texture=np.ascontiguousarray(model.texture[..., ::-1]))
        assert quality.psnr(folder, capture, lit, capture.views) > 31
        assert quality.psnr(folder, capture, swapped, capture.views) < 20

    def test_a_missing_part_costs(self, painted: tuple[Path, texture.Textured, float]) -> None:
        folder, model, _ = painted
        capture = capture_of_sphere(folder)
        half = texture.Textured(model.vertices, model.faces[: len(model.faces) // 2], model.uv, model.texture)
        assert quality.psnr(folder, capture, half, capture.views) < 20

    def test_where_nothing_is_drawn_mid_grey_is_compared(self, painted: tuple[Path, texture.Textured, float]) -> None:
        """The model lies far off: each pixel of the object costs its distance from mid-grey."""
        folder, model, _ = painted
        capture = capture_of_sphere(folder)
        photo = np.concatenate([_object_pixels(folder, view) for view in capture.views]).astype(float)
        grey = -10 * np.log10((((photo - 127.5) / 255) ** 2).mean())
        gone = replace(model, vertices=model.vertices + np.float32([0, 0, 1e4]))
        assert quality.psnr(folder, capture, gone, capture.views) == pytest.approx(grey, abs=0.05)

    def test_the_soft_edge_of_a_mask_is_not_measured(
        self, painted: tuple[Path, texture.Textured, float], tmp_path: Path
    ) -> None:
        """Half transparent pixels hold some of the background's colour: those of the left half cost nothing."""
        _, model, _ = painted
        capture = capture_of_sphere(tmp_path)
        for view in capture.views:
            path = tmp_path / "views" / f"{view.index:03d}.png"
            rgba = photos.read(path)
            soft = (rgba[..., 3] > 0) & (np.arange(view.width) < view.width / 2)
            rgba[soft] = (255, 255, 255, 120)
            photos.write(path, rgba)
        assert quality.psnr(tmp_path, capture, model, capture.views) > 31

    def test_without_masks_the_mesh_says_where_to_measure_unless_it_is_next_to_nothing(
        self, painted: tuple[Path, texture.Textured, float]
    ) -> None:
        """The black background costs nothing beside a model that is there; a speck is held against all of it."""
        folder, model, _ = painted
        capture = replace(capture_of_sphere(folder), masks="none")
        assert quality.psnr(folder, capture, model, capture.views) > 30
        speck = replace(model, vertices=model.vertices / 20)
        assert quality.psnr(folder, capture, speck, capture.views) < 10

    def test_it_is_measured_at_eight_hundred_pixels(
        self, painted: tuple[Path, texture.Textured, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Larger photos are made smaller: more would cost time and tell of noise."""
        _, model, _ = painted
        capture = capture_of_sphere(tmp_path, count=1, size=1000)
        sizes: list[tuple[int, int]] = []
        draw = quality.draw
        monkeypatch.setattr(
            quality, "draw", lambda model, view, tracer: (sizes.append((view.width, view.height)), draw(model, view))[1]
        )
        quality.psnr(tmp_path, capture, model, capture.views)
        assert sizes == [(800, 800)]

    def test_hidden_texels_take_no_colour_of_what_hides_them(self, tmp_path: Path) -> None:
        """A small ball inside the sphere is seen by nobody."""
        capture = capture_of_sphere(tmp_path, count=6)
        ball, core = trimesh.creation.icosphere(3, RADIUS), trimesh.creation.icosphere(2, RADIUS / 3)
        both = trimesh.util.concatenate([ball, core])
        vertices, faces = np.asarray(both.vertices, np.float32), np.asarray(both.faces, np.int32)
        vertices, faces, uv = texture.unwrap(vertices, faces, 128)
        texels = texture.lay_out(vertices, faces, uv, 128)
        texture.add_photos(
            tmp_path, texels, Tracer(vertices, faces), capture.views, masked=True, tick=lambda share: None
        )
        inner = np.linalg.norm(texels.points, axis=1) < RADIUS / 2
        assert inner.any()
        assert (texels.weight[inner] == 0).all()
        assert (texels.weight[~inner] > 0).mean() > 0.8

    def test_unseen_texels_take_the_colour_of_what_is_near(self) -> None:
        points = np.array([[0, 0, 0], [1, 0, 0], [0.02, 0, 0]], np.float32)
        colour = np.array([[200, 0, 0], [0, 0, 200], [0, 0, 0]], np.float32)
        rows = np.array([0, 3, 1], np.int32)
        texels = texture.Texels(4, rows, rows, points, points, colour, np.array([1, 1, 0], np.float32))
        picture, seen = texture.paint(texels)
        assert seen == pytest.approx(2 / 3)
        assert picture[1, 1, 0] > 190
        assert picture[0, 1, 0] > 190
        assert picture[3, 2, 2] > 150
