"""A tiny FLUX.1 of the real classes with random weights, made offline in seconds.

It has the layout, the tokenizers, the sampler and the VAE of FLUX.1-schnell, at a few thousandths of the size, and was
never trained: its pictures are noise. Tests and the bench draw with it, as what is measured there does not depend on
what the weights are. Its note says to the customer what it is. (What the local region draws with is models/demo.)
"""

import fcntl
import json
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.image.loader import NOTE

MODEL = "flux-schnell"
MARK = "standin.json"
_NOTE = (
    "These pictures are noise: this model has random weights (set WEIGHTS_URI to a folder or s3:// prefix that holds a "
    "FLUX model)."
)
_VERSION = 2
_SEED = 20260101
_WIDTH = 32
_CLIP_LENGTH = 77


def build(folder: Path) -> Path:
    """Write `folder/flux-schnell/` unless it is there; returns its path. Same bytes on every machine, safe to race.

    A real model that lies there is left alone. An older untrained model is replaced.
    """
    target = folder / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".standin.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_up_to_date(target):
            return target
        fresh = folder / f".{MODEL}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _pipeline(fresh / "tokens").save_pretrained(fresh / "model", safe_serialization=True)
        for file in (fresh / "model").rglob("*.safetensors"):
            file.chmod(0o644)  # safetensors writes for its owner alone; the worker may be another user
        mark = {
            "version": _VERSION,
            "what": "random weights, made by worker.engines.image.untrained: pictures are noise",
        }
        (fresh / "model" / MARK).write_text(json.dumps(mark))
        (fresh / "model" / NOTE).write_text(_NOTE + "\n")
        shutil.rmtree(target, ignore_errors=True)
        (fresh / "model").replace(target)
        shutil.rmtree(fresh)
    return target


def _is_up_to_date(target: Path) -> bool:
    if not (target / "model_index.json").exists():
        return False
    mark = target / MARK
    return not mark.exists() or json.loads(mark.read_text())["version"] == _VERSION


def _pipeline(tokens: Path) -> Any:
    # Nothing here may look for a hub; the variable must stand before the first import.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    diffusers: Any = import_module("diffusers")  # half typed

    tokenizer, tokenizer_2 = _clip_tokenizer(tokens), _t5_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return diffusers.FluxPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0),
            vae=diffusers.AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=(16, 16, 32, 32),
                layers_per_block=1,
                latent_channels=16,
                norm_num_groups=8,
                use_quant_conv=False,
                use_post_quant_conv=False,
                scaling_factor=0.3611,
                shift_factor=0.1159,
            ),
            text_encoder=CLIPTextModel(
                CLIPTextConfig(
                    vocab_size=len(tokenizer),
                    hidden_size=_WIDTH,
                    intermediate_size=2 * _WIDTH,
                    num_hidden_layers=2,
                    num_attention_heads=4,
                    projection_dim=_WIDTH,
                    max_position_embeddings=_CLIP_LENGTH,
                    bos_token_id=tokenizer.bos_token_id,
                    eos_token_id=tokenizer.eos_token_id,
                    pad_token_id=tokenizer.pad_token_id,
                )
            ),
            tokenizer=tokenizer,
            text_encoder_2=T5EncoderModel(
                T5Config(
                    vocab_size=len(tokenizer_2),
                    d_model=_WIDTH,
                    d_kv=8,
                    d_ff=2 * _WIDTH,
                    num_layers=2,
                    num_heads=4,
                    feed_forward_proj="gated-gelu",
                )
            ),
            tokenizer_2=tokenizer_2,
            transformer=diffusers.FluxTransformer2DModel(
                patch_size=1,
                in_channels=64,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=_WIDTH,
                pooled_projection_dim=_WIDTH,
                guidance_embeds=False,
                axes_dims_rope=(4, 6, 6),
            ),
        )


def _clip_tokenizer(tokens: Path) -> Any:
    """CLIP's tokenizer with bytes as its whole vocabulary and no merges."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokens.mkdir(parents=True)
    (tokens / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (tokens / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(tokens, model_max_length=_CLIP_LENGTH)


def _t5_tokenizer() -> Any:
    """T5's tokenizer with single characters as its whole vocabulary."""
    from transformers import T5Tokenizer

    letters = [chr(code) for code in range(0x21, 0x7F)]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in letters)]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=512)
