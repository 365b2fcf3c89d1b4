"""Draco compression of a model's geometry, for KHR_draco_mesh_compression.

https://github.com/KhronosGroup/glTF/tree/main/extensions/2.0/Khronos/KHR_draco_mesh_compression
"""

from dataclasses import dataclass
from typing import Any

import DracoPy
import numpy as np

from worker.engines.scene.delivered import Delivered
from worker.engines.scene.rays import Floats

_POSITION_BITS, _NORMAL_BITS, _UV_BITS = 14, 10, 14
"""Of the longest side 1/16384, of a direction 0.1°, and a quarter of a texel of a 4096 texture."""
_LEVEL = 7
# GeometryAttribute::Type in Draco's geometry_attribute.h.
_POSITION, _NORMAL, _UV = 0, 1, 3


@dataclass(frozen=True)
class Compressed:
    """The bytes, what a decoder will find in them, and the number of each attribute (glTF name → unique id)."""

    data: bytes
    vertices: int
    indices: int
    low: Floats
    high: Floats
    attributes: dict[str, int]


def compress(model: Delivered, uv: Floats) -> Compressed:
    """Compress positions, normals, `uv` (V, 2; v downwards, as glTF has it) and faces.

    Counts and bounds come from decoding the result: the encoder orders vertices anew and drops those without a face.
    """
    data = DracoPy.encode(
        np.ascontiguousarray(model.points),
        np.ascontiguousarray(model.faces, np.uint32),
        quantization_bits=_POSITION_BITS,
        compression_level=_LEVEL,
        tex_coord=np.ascontiguousarray(uv, np.float64),
        normals=np.ascontiguousarray(model.normals, np.float64),
        tex_coord_quantization_bits=_UV_BITS,
        normal_quantization_bits=_NORMAL_BITS,
    )
    mesh: Any = DracoPy.decode(data)
    numbers = {entry["attribute_type"]: int(entry["unique_id"]) for entry in mesh.attributes}
    points = np.asarray(mesh.points, np.float32)
    return Compressed(
        data,
        len(points),
        int(np.asarray(mesh.faces).size),
        points.min(0),
        points.max(0),
        {"POSITION": numbers[_POSITION], "NORMAL": numbers[_NORMAL], "TEXCOORD_0": numbers[_UV]},
    )
