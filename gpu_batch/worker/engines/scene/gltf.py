"""GLB (glTF 2.0 binary): one mesh, one PBR material, the JPEG inside. https://registry.khronos.org/glTF/specs/2.0

Written here rather than by trimesh, which would encode the texture a second time at a quality of its own.
"""

import json
import pathlib
import struct
from typing import Any

import numpy as np

from worker.engines.scene.delivered import Delivered

_FLOAT, _UNSIGNED = 5126, 5125
_ARRAY, _INDEX = 34962, 34963
_LINEAR, _LINEAR_MIPMAP, _CLAMP = 9729, 9987, 33071


def write(path: pathlib.Path, model: Delivered) -> None:
    """Write the model as GLB."""
    uv = np.column_stack([model.uv[:, 0], 1 - model.uv[:, 1]]).astype(np.float32)
    blocks = [
        model.points.astype("<f4").tobytes(),
        model.normals.astype("<f4").tobytes(),
        uv.astype("<f4").tobytes(),
        model.faces.astype("<u4").tobytes(),
        model.jpeg,
    ]
    views, offset = [], 0
    for block, target in zip(blocks, [_ARRAY, _ARRAY, _ARRAY, _INDEX, None], strict=True):
        view = {"buffer": 0, "byteOffset": offset, "byteLength": len(block)}
        views.append(view | ({"target": target} if target else {}))
        offset += -(-len(block) // 4) * 4
    head = _document(model, uv, views, offset)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(block + b"\0" * (-len(block) % 4) for block in blocks)
    with path.open("wb") as out:
        out.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(body)))
        out.write(struct.pack("<I4s", len(text), b"JSON") + text)
        out.write(struct.pack("<I4s", len(body), b"BIN\0") + body)


def _document(model: Delivered, uv: Any, views: list[dict[str, Any]], size: int) -> dict[str, Any]:
    count = len(model.points)
    return {
        "asset": {"version": "2.0", "generator": "Snapforge"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "model"}],
        "meshes": [
            {
                "name": "model",
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2},
                        "indices": 3,
                        "material": 0,
                        "mode": 4,
                    }
                ],
            }
        ],
        "materials": [
            {
                "name": "photo",
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                },
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg", "name": "photo"}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "accessors": [
            _accessor(0, count, "VEC3") | {"min": model.points.min(0).tolist(), "max": model.points.max(0).tolist()},
            _accessor(1, count, "VEC3"),
            _accessor(2, count, "VEC2"),
            {"bufferView": 3, "componentType": _UNSIGNED, "count": model.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": size}],
    }


def _accessor(view: int, count: int, kind: str) -> dict[str, Any]:
    return {"bufferView": view, "componentType": _FLOAT, "count": count, "type": kind}
