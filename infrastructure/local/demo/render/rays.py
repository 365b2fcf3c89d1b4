"""Rays against a mesh with Embree."""

import numpy as np
import numpy.typing as npt
import trimesh
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from infrastructure.local.demo.render.noise import Floats


class Tracer:
    """A mesh, ready for rays."""

    def __init__(self, mesh: trimesh.Trimesh) -> None:
        self._scene = rtcore_scene.EmbreeScene()
        self._triangles = TriangleMesh(self._scene, np.asarray(mesh.triangles, np.float32))

    def hit(self, origins: Floats, directions: Floats) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
        """Face (N,) or -1, barycentric weights (N, 3) and distance (N,) in units of the direction's length."""
        found = self._scene.run(_flat(origins), _flat(directions), output=True)
        u, v = found["u"], found["v"]
        return found["primID"], np.stack([1 - u - v, u, v], 1).astype(np.float32), found["tfar"]

    def blocked(self, origins: Floats, directions: Floats) -> npt.NDArray[np.bool_]:
        """Whether anything (N,) lies on each ray."""
        return np.asarray(self._scene.run(_flat(origins), _flat(directions), query="OCCLUDED") != -1)


def _flat(values: Floats) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float32)
