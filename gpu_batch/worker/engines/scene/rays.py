"""Rays against a mesh with Embree, and reading a texture where they hit."""

import numpy as np
import numpy.typing as npt
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


class Tracer:
    """A triangle soup, ready for rays. Directions need no unit length: distances count in their length."""

    def __init__(self, vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]) -> None:
        self._scene = rtcore_scene.EmbreeScene()
        self._mesh = TriangleMesh(self._scene, np.ascontiguousarray(vertices[faces], dtype=np.float32))

    def hit(
        self, origins: npt.NDArray[np.floating], directions: npt.NDArray[np.floating]
    ) -> tuple[Ints, Floats, Floats]:
        """First face (N,) or -1, barycentric weights (N, 3) of its corners, distance (N,)."""
        found = self._scene.run(*_pair(origins, directions), output=True)
        u, v = found["u"], found["v"]
        return found["primID"], np.stack([1 - u - v, u, v], 1).astype(np.float32), found["tfar"]

    def blocked(self, origins: npt.NDArray[np.floating], directions: npt.NDArray[np.floating]) -> Bools:
        """Whether anything lies on each ray (N,), however far."""
        return np.asarray(self._scene.run(*_pair(origins, directions), query="OCCLUDED") != -1)


def _pair(origins: npt.NDArray[np.floating], directions: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    flat = np.ascontiguousarray(directions, dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(origins, flat.shape), dtype=np.float32), flat


def read_texture(texture: npt.NDArray[np.uint8], uv: npt.NDArray[np.floating]) -> Floats:
    """Bilinear colours (N, channels), 0..255, at uv (N, 2); v counts upwards as in glTF's mirror, OpenGL."""
    height, width = texture.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    return bilinear(texture, x, y)


def bilinear(
    picture: npt.NDArray[np.uint8] | Floats, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]
) -> Floats:
    """Values (N, channels) at columns x and rows y, pixel middles at whole numbers, held at the border."""
    height, width = picture.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.minimum(x.astype(np.int32), width - 2), np.minimum(y.astype(np.int32), height - 2)
    fx, fy = (x - x0).astype(np.float32)[:, None], (y - y0).astype(np.float32)[:, None]
    flat = picture.reshape(height * width, -1)
    at = y0 * width + x0
    top = flat[at] * (1 - fx) + flat[at + 1] * fx
    low = flat[at + width] * (1 - fx) + flat[at + width + 1] * fx
    return np.asarray(top * (1 - fy) + low * fy, np.float32)
