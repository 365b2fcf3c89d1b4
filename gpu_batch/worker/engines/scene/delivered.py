"""What both delivered files hold: the model with y up, in metres, with smooth normals and one JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene.rays import Floats, Ints
from worker.engines.scene.texture import Textured, normals_by_position

LONGEST_SIDE_M = 0.3
"""Photos have no scale: a model whose size was not given is this long at its longest side."""
SCALE_NOTE = (
    "No real size is known, because photos carry no scale: the model is delivered "
    f"{LONGEST_SIDE_M} m long at its longest side. Order it with `longest_side_m` for its real size in AR."
)
_WORST_QUALITY = 60
_QUALITY_STEP = 5
_VERTEX_BYTES, _FACE_BYTES = 32, 12
_OVERHEAD_BYTES = 4096


@dataclass(frozen=True)
class Delivered:
    """Metres, y up, feet at y = 0. Positions, normals (V, 3), uv (V, 2) with v upwards, faces (F, 3), JPEG bytes."""

    points: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    jpeg: bytes
    texture_px: int
    watertight: bool

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Width, height and depth."""
        x, y, z = (round(float(side), 6) for side in np.ptp(self.points, axis=0))
        return x, y, z


def prepare(
    model: Textured,
    quality: int,
    budget: int,
    watertight: bool,
    longest_side_m: float | None = None,
    facing: float = 0.0,
) -> Delivered:
    """Turn the normalised frame (z up) into the delivered one and encode the texture.

    Upright, with its sides along the axes and the side at azimuth `facing` (degrees round z, from x) to the front,
    which in glTF is +z. The JPEG has at most `quality`, and less where the GLB would grow past `budget` bytes.
    """
    level = _turned(np.asarray(model.vertices, np.float64), facing)
    placed = np.column_stack([level[:, 1], level[:, 2], level[:, 0]])
    low, high = placed.min(0), placed.max(0)
    foot = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    scale = (longest_side_m or LONGEST_SIDE_M) / float((high - low).max())
    points = np.asarray((placed - foot) * scale, np.float32)
    max_bytes = budget - _OVERHEAD_BYTES - _VERTEX_BYTES * len(points) - _FACE_BYTES * len(model.faces)
    # Unit vectors do not depend on the size, but tiny triangles' areas would vanish in single precision.
    normals = normals_by_position(np.asarray(placed, np.float32), model.faces)
    # Vertices of degenerate faces alone have no normal; glTF wants a unit vector all the same.
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0.0, 1.0, 0.0)
    jpeg = encoded(model.texture, quality, max_bytes)
    return Delivered(points, normals, model.uv, model.faces, jpeg, model.texture.shape[0], watertight)


def _turned(points: npt.NDArray[np.float64], facing: float) -> npt.NDArray[np.float64]:
    """Turned about z: the least rectangle round the plan lies along the axes, `facing` comes nearest to +x."""
    _, _, lean = cv2.minAreaRect(np.asarray(points[:, :2], np.float32))
    # The rectangle allows four turns; the one that moves `facing` least from the front is taken.
    turn = np.radians(-(lean + 90 * round((facing - lean) / 90)))
    flat = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([points[:, :2] @ flat.T, points[:, 2]])


def encoded(texture: npt.NDArray[np.uint8], quality: int, max_bytes: int) -> bytes:
    """The texture (T, T, 3) as JPEG, at the best quality up to `quality` that fits into `max_bytes` bytes."""
    while True:
        ok, jpeg = cv2.imencode(".jpg", texture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not ok:
            raise OSError("the texture could not be encoded")
        if len(jpeg) <= max_bytes or quality <= _WORST_QUALITY:
            return jpeg.tobytes()
        quality = max(_WORST_QUALITY, quality - _QUALITY_STEP)
