"""GLB (glTF 2.0 binary): one mesh, one PBR material, the JPEG inside. https://registry.khronos.org/glTF/specs/2.0

Written here rather than by trimesh, which would encode the texture a second time at a quality of its own.
"""

import json
import pathlib
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from worker.engines.scene import draco
from worker.engines.scene.delivered import Delivered
from worker.engines.scene.rays import Floats

Compression = Literal["none", "draco"]
Json = dict[str, Any]

_FLOAT, _UNSIGNED = 5126, 5125
_ARRAY, _INDEX = 34962, 34963
_LINEAR, _LINEAR_MIPMAP, _CLAMP = 9729, 9987, 33071
_DRACO = "KHR_draco_mesh_compression"


@dataclass
class _Binary:
    """The one buffer while it grows."""

    body: bytearray = field(default_factory=bytearray)
    views: list[Json] = field(default_factory=list)

    def add(self, block: bytes, target: int | None = None) -> int:
        """Append a block at a multiple of four; the number of its view."""
        view = {"buffer": 0, "byteOffset": len(self.body), "byteLength": len(block)}
        self.views.append(view | ({"target": target} if target else {}))
        self.body += block + b"\0" * (-len(block) % 4)
        return len(self.views) - 1


def write(path: pathlib.Path, model: Delivered, compression: Compression = "none") -> None:
    """Write the model as GLB; with `draco` its geometry is in KHR_draco_mesh_compression."""
    uv = np.column_stack([model.uv[:, 0], 1 - model.uv[:, 1]]).astype(np.float32)
    binary = _Binary()
    build = _compressed if compression == "draco" else _plain
    primitive, accessors, extensions = build(binary, model, uv)
    image = binary.add(model.jpeg)
    head = _document(model, primitive, accessors, image) | extensions
    head["bufferViews"], head["buffers"] = binary.views, [{"byteLength": len(binary.body)}]
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with path.open("wb") as out:
        out.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary.body)))
        out.write(struct.pack("<I4s", len(text), b"JSON") + text)
        out.write(struct.pack("<I4s", len(binary.body), b"BIN\0") + binary.body)


def _plain(binary: _Binary, model: Delivered, uv: Floats) -> tuple[Json, list[Json], Json]:
    accessors = [
        {"bufferView": binary.add(values.astype("<f4").tobytes(), _ARRAY)}
        for values in (model.points, model.normals, uv)
    ]
    accessors.append({"bufferView": binary.add(model.faces.astype("<u4").tobytes(), _INDEX)})
    described = _accessors(len(model.points), model.faces.size, model.points.min(0), model.points.max(0))
    return _primitive(), [place | rest for place, rest in zip(accessors, described, strict=True)], {}


def _compressed(binary: _Binary, model: Delivered, uv: Floats) -> tuple[Json, list[Json], Json]:
    small = draco.compress(model, uv)
    extension = {"bufferView": binary.add(small.data), "attributes": small.attributes}
    primitive = _primitive() | {"extensions": {_DRACO: extension}}
    accessors = _accessors(small.vertices, small.indices, small.low, small.high)
    return primitive, accessors, {"extensionsUsed": [_DRACO], "extensionsRequired": [_DRACO]}


def _primitive() -> Json:
    return {"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0, "mode": 4}


def _accessors(vertices: int, indices: int, low: Floats, high: Floats) -> list[Json]:
    """Positions, normals, texture coordinates, indices."""
    shared = {"componentType": _FLOAT, "count": vertices}
    return [
        shared | {"type": "VEC3", "min": low.tolist(), "max": high.tolist()},
        shared | {"type": "VEC3"},
        shared | {"type": "VEC2"},
        {"componentType": _UNSIGNED, "count": indices, "type": "SCALAR"},
    ]


def _document(model: Delivered, primitive: Json, accessors: list[Json], image: int) -> Json:
    return {
        "asset": {"version": "2.0", "generator": "Snapforge"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "model"}],
        "meshes": [{"name": "model", "primitives": [primitive]}],
        "materials": [
            {
                "name": "photo",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                },
                # An open surface would have holes where one looks at its back.
                "doubleSided": not model.watertight,
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "images": [{"bufferView": image, "mimeType": "image/jpeg", "name": "photo"}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "accessors": accessors,
    }
