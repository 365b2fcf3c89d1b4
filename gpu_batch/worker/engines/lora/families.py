"""What differs between the FLUX families in training: how photos and words become tensors, and the transformer's call.

Pictures are trained as the transformer sees them: packed tokens. Flow matching is elementwise, so it makes no
difference whether noise is added before or after packing (Esser et al. 2024, arXiv:2403.03206).
"""

from dataclasses import dataclass
from typing import Any, Protocol

from snapforge.contracts import adapters
from worker.engines.image.prompts import longest_prompt
from worker.errors import InputError

Tensor = Any
"""A torch.Tensor; torch itself is imported where it is used."""


@dataclass(frozen=True)
class Picture:
    """One photo. `tokens` (tokens, channels) as the transformer denoises them, `ids` their positions."""

    tokens: Tensor
    ids: Tensor


@dataclass(frozen=True)
class Words:
    """One caption: `embeds` (1, length, width), `pooled` (1, width) or (FLUX.2) None, `ids` the positions."""

    embeds: Tensor
    pooled: Tensor
    ids: Tensor


class Family(Protocol):
    """One kind of FLUX."""

    name: adapters.Family
    targets: str
    """The linear layers that get an adapter: a pattern of their whole names."""

    def words(self, pipeline: Any, prompt: str) -> Words:
        """Encode a caption as the pipeline does."""
        ...

    def picture(self, pipeline: Any, pixels: Tensor) -> Picture:
        """Encode pixels (1, 3, H, W) in -1..1 with the VAE, normalise and pack."""
        ...

    def predict(self, transformer: Any, noisy: Tensor, sigma: Tensor, ids: Tensor, words: list[Words]) -> Tensor:
        """The velocity (batch, tokens, channels) that the transformer sees in `noisy` at noise level `sigma`."""
        ...


class Flux1:
    """FLUX.1: CLIP's pooled words and T5's sequence, latents shifted and scaled."""

    name: adapters.Family = "flux1"
    targets = (
        r".*\.(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.net\.(0\.proj|2)|proj_mlp|proj_out)"
    )

    def words(self, pipeline: Any, prompt: str) -> Words:
        embeds, pooled, ids = pipeline.encode_prompt(
            prompt=prompt, prompt_2=prompt, max_sequence_length=longest_prompt(pipeline)
        )
        return Words(embeds, pooled, ids)

    def picture(self, pipeline: Any, pixels: Tensor) -> Picture:
        vae = pipeline.vae
        latents = vae.encode(pixels).latent_dist.mode()
        latents = (latents - vae.config.shift_factor) * vae.config.scaling_factor
        _, channels, height, width = latents.shape
        tokens = pipeline._pack_latents(latents, 1, channels, height, width)
        ids = pipeline._prepare_latent_image_ids(1, height // 2, width // 2, latents.device, latents.dtype)
        return Picture(tokens[0], ids)

    def predict(self, transformer: Any, noisy: Tensor, sigma: Tensor, ids: Tensor, words: list[Words]) -> Tensor:
        import torch

        return transformer(
            hidden_states=noisy,
            timestep=sigma,
            # Guidance-distilled models learn a thing best undistorted (diffusers' own examples).
            guidance=torch.ones_like(sigma) if transformer.config.guidance_embeds else None,
            pooled_projections=torch.cat([one.pooled for one in words]),
            encoder_hidden_states=torch.cat([one.embeds for one in words]),
            txt_ids=words[0].ids,
            img_ids=ids,
            return_dict=False,
        )[0]


class Flux2:
    """FLUX.2 (klein): one language model's inner layers, latents patched and normalised by the VAE's statistics."""

    name: adapters.Family = "flux2"
    targets = (
        r".*\.(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out|to_qkv_mlp_proj)|ff(_context)?\.linear_(in|out))"
        r"|single_transformer_blocks\.\d+\.attn\.to_out"
    )

    def words(self, pipeline: Any, prompt: str) -> Words:
        embeds, ids = pipeline.encode_prompt(prompt=prompt)
        return Words(embeds, None, ids)

    def picture(self, pipeline: Any, pixels: Tensor) -> Picture:
        import torch

        vae = pipeline.vae
        latents = pipeline._patchify_latents(vae.encode(pixels).latent_dist.mode())
        mean = vae.bn.running_mean.view(1, -1, 1, 1)
        spread = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
        latents = (latents - mean.to(latents)) / spread.to(latents)
        ids = pipeline._prepare_latent_ids(latents).to(latents.device)
        return Picture(pipeline._pack_latents(latents)[0], ids)

    def predict(self, transformer: Any, noisy: Tensor, sigma: Tensor, ids: Tensor, words: list[Words]) -> Tensor:
        import torch

        return transformer(
            hidden_states=noisy,
            timestep=sigma,
            guidance=torch.ones_like(sigma) if transformer.config.guidance_embeds else None,
            encoder_hidden_states=torch.cat([one.embeds for one in words]),
            txt_ids=torch.cat([one.ids for one in words]),
            img_ids=ids.expand(len(noisy), -1, -1),
            return_dict=False,
        )[0]


_FAMILIES: dict[str, Family] = {
    "FluxPipeline": Flux1(),
    "Flux2KleinPipeline": Flux2(),
}
"""By the pipeline class that the model's index names."""


def find_family(pipeline_class: str) -> Family | None:
    """The family of a model; None where models of this class know no adapters."""
    return _FAMILIES.get(pipeline_class)


def family_of(pipeline_class: str) -> Family:
    """The family of a model. Raises InputError where none of its adapters can be trained."""
    family = find_family(pipeline_class)
    if family is None:
        raise InputError(
            "model_not_trainable",
            f"Adapters of {pipeline_class} models cannot be trained.",
            "Choose a model of the FLUX.1 or FLUX.2 klein family.",
        )
    return family
