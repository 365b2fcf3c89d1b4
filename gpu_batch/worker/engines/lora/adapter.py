"""An adapter's file: safetensors in diffusers' form, with a header that says what it fits."""

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from snapforge.contracts.adapters import MAX_RANK, Family
from worker.errors import InputError

_HEADER = "snapforge"
PREFIX = "transformer."
"""Of the tensors' names: `transformer.<layer>.lora_A.weight` (rank, in) and `….lora_B.weight` (out, rank)."""


@dataclass(frozen=True)
class Header:
    """What an adapter fits. `width` is the transformer's inner width: models of another size cannot use it."""

    family: Family
    width: int
    rank: int
    trigger: str


def write(path: Path, pipeline_class: Any, transformer: Any, header: Header) -> None:
    """Write the trained layers of `transformer` (its adapter named `default`), 16 bit floats."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    peft: Any = import_module("peft")
    training: Any = import_module("diffusers.training_utils")
    layers = {
        name: value.to(torch.bfloat16).cpu() for name, value in peft.get_peft_model_state_dict(transformer).items()
    }
    pipeline_class.save_lora_weights(
        path.parent,
        transformer_lora_layers=layers,
        weight_name=path.name,
        **training._collate_lora_metadata({"transformer": transformer}),
    )
    # diffusers writes what it needs to load; ours is added beside it.
    with safe_open(path, framework="pt") as opened:
        metadata = dict(opened.metadata() or {})
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
    save_file(tensors, path, metadata | {_HEADER: json.dumps(header.__dict__)})


def read_header(path: Path) -> Header:
    """The header of an adapter. Raises InputError `lora_unreadable` for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            header = Header(**json.loads((opened.metadata() or {})[_HEADER]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "lora_unreadable",
            f"The LoRA's file cannot be read: {error}",
            "Train the LoRA again, or leave it out of the order.",
        ) from error
    if not 1 <= header.rank <= MAX_RANK:
        raise InputError(
            "lora_rank",
            f"The LoRA has rank {header.rank}; {MAX_RANK} is the highest.",
            "Train it with a lower rank.",
        )
    return header


def transformer_width(transformer: Any) -> int:
    """The inner width of a FLUX transformer."""
    return int(transformer.config.num_attention_heads * transformer.config.attention_head_dim)


def check_fits(header: Header, family: str, width: int, name: str) -> None:
    """Raise InputError `lora_does_not_fit` where an adapter was trained for another kind of model."""
    if (header.family, header.width) != (family, width):
        raise _does_not_fit(
            f"The LoRA {name} was trained for a {header.family} model of width {header.width}; "
            f"this is a {family} model of width {width}."
        )


def check_layers(path: Path, transformer: Any, name: str) -> None:
    """Raise InputError `lora_does_not_fit` where a layer of an adapter is none of the model's, or of another size."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        for key in opened.keys():  # noqa: SIM118 - not a dict
            layer, _, side = key.removeprefix(PREFIX).rpartition(".lora_")
            rows, columns = opened.get_slice(key).get_shape()
            try:
                linear = transformer.get_submodule(layer)
                fits = columns == linear.in_features if side == "A.weight" else rows == linear.out_features
            except AttributeError:
                fits = False
            if not fits:
                raise _does_not_fit(f"The LoRA {name} was trained for a model of other layers: {layer} is not in this.")


def _does_not_fit(message: str) -> InputError:
    return InputError(
        "lora_does_not_fit", message, "Order the model that the LoRA was trained on, or train it on this one."
    )
