"""Which kernels compute the field: chosen by what the machine can do."""

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from worker.engines.scene.presets import Device

Kernels = Literal["tcnn", "torch"]


@dataclass(frozen=True)
class Capability:
    """What matters of a machine."""

    device: Device
    tinycudann: bool
    """Fused networks and hash grids, compiled for this GPU (https://github.com/NVlabs/tiny-cuda-nn)."""


def probe(device: Device) -> Capability:
    """Ask the machine. Without CUDA tinycudann is not even imported: it would fail, or compile."""
    return Capability(device, device == "cuda" and _imports("tinycudann"))


def choose(found: Capability) -> Kernels:
    """tinycudann's where they run, else torch's own: the same field, an order of magnitude slower on a GPU."""
    return "tcnn" if found.device == "cuda" and found.tinycudann else "torch"


def _imports(name: str) -> bool:
    try:
        import_module(name)
    except (ImportError, OSError):
        # OSError: its binaries are for other GPUs than this one.
        return False
    return True
