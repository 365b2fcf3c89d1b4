"""What both delivered files hold: the model with y up, at a fixed size, with smooth normals and one JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.engines.scene.rays import Floats, Ints
from worker.engines.scene.texture import Textured, normals_by_place

LONGEST_SIDE_M = 0.3
"""Photos tell no scale: the delivered model is this long at its longest side, standing on the origin."""
SCALE_NOTE = (
    f"Photos carry no absolute scale: the model is delivered {LONGEST_SIDE_M} m long at its longest side. "
    "Scale it to the real size for AR."
)


@dataclass(frozen=True)
class Delivered:
    """Metres, y up, feet at y = 0. Positions, normals (V, 3), uv (V, 2) with v upwards, faces (F, 3), JPEG bytes."""

    points: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    jpeg: bytes
    texture_px: int


def prepare(model: Textured, quality: int) -> Delivered:
    """Turn the normalised frame (z up) into the delivered one and encode the texture."""
    points = np.column_stack([model.vertices[:, 0], model.vertices[:, 2], -model.vertices[:, 1]])
    low, high = points.min(0), points.max(0)
    foot = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    points = np.asarray((points - foot) * (LONGEST_SIDE_M / float((high - low).max())), np.float32)
    ok, jpeg = cv2.imencode(".jpg", model.texture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise OSError("the texture could not be encoded")
    normals = normals_by_place(points, model.faces)
    # Vertices of degenerate faces alone have no normal; glTF wants a unit vector all the same.
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0.0, 1.0, 0.0)
    return Delivered(points, normals, model.uv, model.faces, jpeg.tobytes(), model.texture.shape[0])
