"""GLB against the rules of the glTF validator that our writer could break."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worker.engines.scene import delivered, gltf
from worker.engines.scene.texture import Textured

pytestmark = pytest.mark.part("JOB-10")
BUDGET_BYTES = 1_000_000


@pytest.fixture
def model() -> delivered.Delivered:
    """A tetrahedron with a chart a face; its last vertex belongs to no face."""
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]], np.float32)
    return delivered.prepare(
        Textured(corners, faces, uv, np.full((8, 8, 3), (200, 90, 20), np.uint8)), 90, BUDGET_BYTES, True
    )


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk, with every length checked."""
    raw = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", raw)
    assert (magic, version, length) == (b"glTF", 2, len(raw))
    size, kind = struct.unpack_from("<I4s", raw, 12)
    assert kind == b"JSON"
    assert size % 4 == 0
    text = raw[20 : 20 + size]
    size_bin, kind_bin = struct.unpack_from("<I4s", raw, 20 + size)
    assert kind_bin == b"BIN\0"
    assert size_bin % 4 == 0
    body = raw[28 + size :]
    assert len(body) == size_bin
    return json.loads(text), body


class TestGlb:
    def test_chunks_buffers_and_accessors_fit(self, model: delivered.Delivered, tmp_path: Path) -> None:
        gltf.write(tmp_path / "m.glb", model)
        head, body = parts(tmp_path / "m.glb")
        assert head["asset"]["version"] == "2.0"
        assert head["buffers"] == [{"byteLength": len(body)}]
        widths = {"VEC3": 12, "VEC2": 8, "SCALAR": 4}
        for accessor in head["accessors"]:
            view = head["bufferViews"][accessor["bufferView"]]
            assert view["byteOffset"] % 4 == 0
            assert view["byteLength"] == accessor["count"] * widths[accessor["type"]]
            assert view["byteOffset"] + view["byteLength"] <= len(body)

    def test_bounds_are_those_of_the_stored_floats(self, model: delivered.Delivered, tmp_path: Path) -> None:
        gltf.write(tmp_path / "m.glb", model)
        head, body = parts(tmp_path / "m.glb")
        view = head["bufferViews"][0]
        points = np.frombuffer(body, "<f4", view["byteLength"] // 4, view["byteOffset"]).reshape(-1, 3)
        assert head["accessors"][0]["min"] == [float(x) for x in points.min(0)]
        assert head["accessors"][0]["max"] == [float(x) for x in points.max(0)]

    def test_normals_have_unit_length_even_without_a_face(self, model: delivered.Delivered) -> None:
        assert np.allclose(np.linalg.norm(model.normals, axis=1), 1, atol=1e-5)

    def test_indices_stay_inside_and_no_triangle_is_degenerate(self, model: delivered.Delivered) -> None:
        assert model.faces.max() < len(model.points)
        assert (np.sort(model.faces, 1)[:, :-1] != np.sort(model.faces, 1)[:, 1:]).all()

    def test_image_is_the_encoded_jpeg_itself(self, model: delivered.Delivered, tmp_path: Path) -> None:
        gltf.write(tmp_path / "m.glb", model)
        head, body = parts(tmp_path / "m.glb")
        view = head["bufferViews"][head["images"][0]["bufferView"]]
        assert body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] == model.jpeg
        assert model.jpeg.startswith(b"\xff\xd8\xff")
