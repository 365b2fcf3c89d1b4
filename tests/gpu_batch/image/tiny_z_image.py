"""A tiny Z-Image of the real classes with random weights."""

from importlib import import_module
from pathlib import Path
from typing import Any

from tests.gpu_batch.image.tiny_klein import qwen_tokenizer


def build_z_image(folder: Path) -> None:
    """Write the model to `folder`."""
    import torch
    from transformers import Qwen3Config, Qwen3Model

    diffusers: Any = import_module("diffusers")
    tokenizer = qwen_tokenizer(folder / "tokens")
    torch.manual_seed(0)
    pipeline = diffusers.ZImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            layers_per_block=1,
            latent_channels=16,
            norm_num_groups=4,
            use_quant_conv=False,
            use_post_quant_conv=False,
            scaling_factor=0.3611,
            shift_factor=0.1159,
        ),
        text_encoder=Qwen3Model(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=3,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        tokenizer=tokenizer,
        transformer=diffusers.ZImageTransformer2DModel(
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[4, 6, 6],
            axes_lens=[1024, 512, 512],
        ),
    )
    with torch.no_grad():
        # Its padding tokens are made empty, not drawn: whatever the memory held must not become weights.
        pipeline.transformer.x_pad_token.zero_()
        pipeline.transformer.cap_pad_token.zero_()
    pipeline.save_pretrained(folder, safe_serialization=True)
