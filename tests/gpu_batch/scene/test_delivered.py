"""The delivered frame: real size, turned to the front, texture within its budget; Draco and USDZ of the same model."""

from dataclasses import replace
from pathlib import Path

import cv2
import DracoPy
import numpy as np
import pytest
import trimesh
from pxr import Usd, UsdValidation
from scipy.spatial import cKDTree

from tests.gpu_batch.scene.test_glb import BUDGET_BYTES, parts
from worker.engines.scene import delivered, gltf, usd
from worker.engines.scene.texture import Textured

pytestmark = pytest.mark.part("JOB-10")


def plank(lean: float = 0.0, texture_px: int = 8) -> Textured:
    """A box 2 x 1 x 0.5 with its long side along x, then turned by `lean` degrees round z."""
    mesh = trimesh.creation.box((2.0, 1.0, 0.5)).subdivide()
    mesh.apply_transform(trimesh.transformations.rotation_matrix(np.radians(lean), [0, 0, 1]))
    random = np.random.default_rng(0)
    uv = random.random((len(mesh.vertices), 2)).astype(np.float32)
    noise = random.integers(0, 256, (texture_px, texture_px, 3)).astype(np.uint8)
    return Textured(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), uv, noise)


@pytest.fixture
def ball() -> delivered.Delivered:
    sphere = trimesh.creation.icosphere(4)
    points = np.asarray(sphere.vertices, np.float32)
    uv = np.column_stack([np.arctan2(points[:, 1], points[:, 0]) / 7 + 0.5, points[:, 2] / 2 + 0.5]).astype(np.float32)
    model = Textured(points, np.asarray(sphere.faces, np.int32), uv, np.full((16, 16, 3), 90, np.uint8))
    return delivered.prepare(model, 90, BUDGET_BYTES, True, longest_side_m=2.0)


class TestSize:
    def test_the_longest_side_is_the_one_that_was_ordered_however_the_object_lay(self) -> None:
        for lean in (0.0, 30.0, -50.0):
            model = delivered.prepare(plank(lean), 90, BUDGET_BYTES, True, longest_side_m=1.6)
            assert sorted(model.size_m) == pytest.approx([0.4, 0.8, 1.6], abs=1e-4)
            assert model.size_m[1] == pytest.approx(0.4, abs=1e-4)
            assert model.points[:, 1].min() == pytest.approx(0, abs=1e-6)

    def test_without_a_size_it_is_thirty_centimetres(self) -> None:
        assert max(delivered.prepare(plank(), 90, BUDGET_BYTES, True).size_m) == pytest.approx(0.3)

    def test_a_millimetre_and_a_hundred_metres_keep_their_normals(self) -> None:
        small = delivered.prepare(plank(), 90, BUDGET_BYTES, True, longest_side_m=0.001)
        large = delivered.prepare(plank(), 90, BUDGET_BYTES, True, longest_side_m=100)
        assert np.allclose(small.normals, large.normals, atol=1e-4)
        assert np.allclose(np.linalg.norm(small.normals, axis=1), 1, atol=1e-5)

    @pytest.mark.parametrize("facing", [0, 88, -95, 179])
    def test_the_side_of_the_first_photo_is_the_front(self, facing: float) -> None:
        """The corner of the plank that lies towards the first photo ends at positive z, as glTF's front does."""
        model = plank(lean=12)
        towards = np.array([np.cos(np.radians(facing)), np.sin(np.radians(facing)), 0.0])
        turned = delivered.prepare(model, 90, BUDGET_BYTES, True, facing=facing)
        nearest = int(np.argmax(model.vertices @ towards))
        assert turned.points[nearest, 2] > 0.9 * turned.points[:, 2].max()


class TestBudget:
    def test_a_texture_that_is_too_large_loses_quality_and_not_size(self) -> None:
        model = plank(texture_px=256)
        rich = delivered.prepare(model, 95, BUDGET_BYTES, True)
        tight = delivered.prepare(model, 95, int(len(rich.jpeg) * 0.7), True)
        assert len(tight.jpeg) < 0.7 * len(rich.jpeg)
        assert tight.texture_px == 256

    def test_the_glb_stays_within_its_budget(self, tmp_path: Path) -> None:
        model = plank(texture_px=256)
        budget = int(len(delivered.prepare(model, 95, BUDGET_BYTES, True).jpeg) * 0.7)
        gltf.write(tmp_path / "m.glb", delivered.prepare(model, 95, budget, True))
        assert (tmp_path / "m.glb").stat().st_size <= budget


class TestDraco:
    def test_it_decodes_to_the_same_geometry_and_is_several_times_smaller(
        self, ball: delivered.Delivered, tmp_path: Path
    ) -> None:
        gltf.write(tmp_path / "plain.glb", ball)
        gltf.write(tmp_path / "draco.glb", ball, "draco")
        assert (tmp_path / "draco.glb").stat().st_size < 0.25 * (tmp_path / "plain.glb").stat().st_size
        head, body = parts(tmp_path / "draco.glb")
        assert head["extensionsRequired"] == head["extensionsUsed"] == ["KHR_draco_mesh_compression"]
        extension = head["meshes"][0]["primitives"][0]["extensions"]["KHR_draco_mesh_compression"]
        view = head["bufferViews"][extension["bufferView"]]
        mesh = DracoPy.decode(body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
        values = {entry["unique_id"]: entry["data"] for entry in mesh.attributes}
        points, normals, uv = (values[extension["attributes"][n]] for n in ("POSITION", "NORMAL", "TEXCOORD_0"))
        away, which = cKDTree(ball.points).query(points)
        assert away.max() < 2.0 / 2**13
        assert np.einsum("nd,nd->n", normals, ball.normals[which]).min() > 0.999
        assert np.abs(uv - np.column_stack([ball.uv[:, 0], 1 - ball.uv[:, 1]])[which]).max() < 1e-3
        same = trimesh.Trimesh(points, mesh.faces, process=False)
        true = trimesh.Trimesh(ball.points, ball.faces, process=False)
        assert same.volume == pytest.approx(true.volume, rel=1e-3)

    def test_accessors_tell_what_a_decoder_finds(self, ball: delivered.Delivered, tmp_path: Path) -> None:
        gltf.write(tmp_path / "draco.glb", ball, "draco")
        head, body = parts(tmp_path / "draco.glb")
        view = head["bufferViews"][0]
        mesh = DracoPy.decode(body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
        counts = [accessor["count"] for accessor in head["accessors"]]
        assert counts == [len(mesh.points)] * 3 + [mesh.faces.size]
        assert not any("bufferView" in accessor for accessor in head["accessors"])
        assert np.allclose(head["accessors"][0]["min"], mesh.points.min(0))

    def test_it_needs_no_extension_when_nothing_is_compressed(self, ball: delivered.Delivered, tmp_path: Path) -> None:
        gltf.write(tmp_path / "plain.glb", ball)
        assert "extensionsUsed" not in parts(tmp_path / "plain.glb")[0]


class TestOpenSurfaces:
    def test_an_open_surface_shows_from_behind_and_a_closed_one_need_not(
        self, ball: delivered.Delivered, tmp_path: Path
    ) -> None:
        for watertight in (True, False):
            gltf.write(tmp_path / "m.glb", replace(ball, watertight=watertight))
            assert parts(tmp_path / "m.glb")[0]["materials"][0]["doubleSided"] is not watertight


class TestUsdz:
    def test_a_large_texture_is_made_smaller_for_ar_and_all_validators_pass(self, tmp_path: Path) -> None:
        model = delivered.prepare(plank(texture_px=usd.TEXTURE_PX + 512), 60, 50_000_000, True, longest_side_m=0.4)
        usd.write(tmp_path / "m.usdz", model)
        raw = (tmp_path / "m.usdz").read_bytes()
        start = raw.index(b"\xff\xd8\xff")
        picture = cv2.imdecode(np.frombuffer(raw[start:], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[:2] == (usd.TEXTURE_PX, usd.TEXTURE_PX)
        validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
        found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(tmp_path / "m.usdz")))
        assert [error.GetMessage() for error in found] == []
