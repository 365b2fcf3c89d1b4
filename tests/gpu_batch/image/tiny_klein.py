"""A tiny FLUX.2 klein of the real classes, to see that the engine takes the pipeline that the model's index names."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

_TEMPLATE = "user: {% for message in messages %}{{ message['content'] }}{% endfor %}"


def build_klein(folder: Path, *, is_distilled: bool = True) -> None:
    """Write the model to `folder`. 28 layers of text encoder, because the pipeline reads the 9th, 18th and 27th."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    diffusers: Any = import_module("diffusers")
    tokenizer = qwen_tokenizer(folder / "tokens")
    torch.manual_seed(0)
    diffusers.Flux2KleinPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=diffusers.AutoencoderKLFlux2(
            block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4
        ),
        text_encoder=Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=28,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        tokenizer=tokenizer,
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=is_distilled,
    ).save_pretrained(folder, safe_serialization=True)


def qwen_tokenizer(tokens: Path) -> Any:
    """Bytes as the whole vocabulary, and a chat template that says the message alone."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    words = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    tokens.mkdir(parents=True)
    (tokens / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (tokens / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Qwen2Tokenizer.from_pretrained(tokens, model_max_length=512)
    tokenizer.chat_template = _TEMPLATE
    return tokenizer
