"""The untrained parts beside the VAE, and the whole as a FluxPipeline."""

import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from training.demo.tokens import CLIP_LENGTH, clip_tokenizer, t5_tokenizer
from training.demo.vae import LATENT_CHANNELS


@dataclass(frozen=True)
class Size:
    """How large the transformer and the text encoders are."""

    heads: int = 4
    head: int = 32
    double: int = 1
    single: int = 5
    text: int = 96
    text_layers: int = 2


SHIFT = 3.0
"""Moves the steps towards noise, where few tokens of large parts decide on shape and colour (as in SD3)."""
TINY = Size(heads=2, head=16, double=1, single=1, text=32, text_layers=1)
"""For tests of the training itself."""


def new_pipeline(vae: Any, size: Size, folder: Path, seed: int) -> Any:
    """A FluxPipeline in fp32 around a VAE; everything else is untrained. `folder` takes the tokenizer's files."""
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    diffusers: Any = import_module("diffusers")  # half typed
    torch.manual_seed(seed)
    tokenizer, tokenizer_2 = clip_tokenizer(folder), t5_tokenizer()
    clip = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.text,
        intermediate_size=3 * size.text,
        num_hidden_layers=size.text_layers,
        num_attention_heads=4,
        projection_dim=size.text,
        max_position_embeddings=CLIP_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    t5 = T5Config(
        vocab_size=len(tokenizer_2),
        d_model=size.text,
        d_kv=size.text // 4,
        d_ff=2 * size.text,
        num_layers=size.text_layers,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    turned = (size.head - size.head // 4) // 4 * 2
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * LATENT_CHANNELS,
        num_layers=size.double,
        num_single_layers=size.single,
        attention_head_dim=size.head,
        num_attention_heads=size.heads,
        joint_attention_dim=size.text,
        pooled_projection_dim=size.text,
        guidance_embeds=False,
        axes_dims_rope=(size.head - 2 * turned, turned, turned),
    )
    _start_as_identity(transformer)
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        vae=vae,
        text_encoder=CLIPTextModel(clip),
        tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(t5),
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )


def _start_as_identity(transformer: Any) -> None:
    """Zero what gates the blocks and the last projection (adaLN-Zero of the DiT paper): training starts calmly."""
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    gates = [getattr(block, name).linear for block in blocks for name in ("norm", "norm1", "norm1_context")
             if hasattr(block, name)]  # fmt: skip
    for layer in [*gates, transformer.proj_out]:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)


def compile_blocks(pipeline: Any) -> None:
    """Compile the transformer's blocks where a C++ compiler is at hand: a quarter less time for a step."""
    if shutil.which("g++") is None:
        return
    # Each format's number of tokens is a graph of its own, forward with and without gradients.
    torch._dynamo.config.recompile_limit = 64
    for block in [*pipeline.transformer.transformer_blocks, *pipeline.transformer.single_transformer_blocks]:
        block.compile(dynamic=False)


def save(pipeline: Any, weights: dict[str, dict[str, torch.Tensor]], folder: Path) -> None:
    """Write the pipeline as a diffusers folder in fp16, with these weights (by part, by name) in place of its own."""
    kept = {part: {name: value.clone() for name, value in getattr(pipeline, part).state_dict().items()}
            for part in (*weights, "vae")}  # fmt: skip
    for part, values in weights.items():
        getattr(pipeline, part).load_state_dict(values)
    pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    pipeline.to(torch.float32)
    for part, values in kept.items():
        getattr(pipeline, part).load_state_dict(values)
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes for its owner alone; the worker may be another user
