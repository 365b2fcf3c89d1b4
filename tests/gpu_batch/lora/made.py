"""Adapters of random layers, made in a moment: what a picture shows of them does not matter, only that it does."""

from pathlib import Path
from typing import Literal

from snapforge.contracts.adapters import AdapterRef
from tests.gpu_batch.frame.region import Region
from worker.engines.base import model_family
from worker.engines.lora import adapter, base_model, families, training
from worker.tools import sha256


def make(model: Path, path: Path, *, seed: int, rank: int = 8) -> Path:
    """Write an adapter of the model in the folder `model` to `path`, in the form that a training leaves."""
    import torch

    family = families.family_of(model_family(model))
    pipeline = base_model.load(model, "cpu", only="transformer")
    layers = training.add_adapter(pipeline.transformer, family, training.Plan(rank, 1, 1e-3, seed))
    generator = torch.Generator("cpu").manual_seed(seed)
    for layer in layers:
        layer.data = torch.randn(layer.shape, generator=generator) * 0.3
    path.parent.mkdir(parents=True, exist_ok=True)
    width = adapter.transformer_width(pipeline.transformer)
    adapter.write(path, type(pipeline), pipeline.transformer, adapter.Header(family.name, width, rank, "zwq"))
    return path


def deepened(path: Path, to: Path) -> Path:
    """A copy of an adapter with one layer more, of a block that the tiny FLUX.1 does not have."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
        metadata = opened.metadata()
    more = {name.replace("blocks.0.", "blocks.7."): tensor.clone() for name, tensor in tensors.items()}
    save_file(tensors | more, to, metadata)
    return to


def store(region: Region, path: Path, family: Literal["flux1", "flux2"] = "flux1") -> AdapterRef:
    """Store an adapter's file where the control plane keeps it; returns what an order says of it."""
    name = f"lora_{path.stem}"
    uri = region.put(f"loras/{name}/1.safetensors", path.read_bytes())
    return AdapterRef(id=name, version=1, uri=uri, sha256=sha256(path), family=family, rank=8, weight=1.0)
