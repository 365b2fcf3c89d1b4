"""FLUX.1 (schnell, dev): the steps of diffusers' FluxPipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.engines.base import Device, Drawing
from worker.engines.image.batches import Batches, Text
from worker.engines.image.loader import load_pipeline, notes_of
from worker.engines.image.optimizations import Optimizations
from worker.engines.image.prompts import longest_prompt

_NEGATIVE_SCALE = 4.0
"""True classifier-free guidance for negative prompts, as in diffusers' examples; it doubles the work."""


def load(folder: Path, device: Device, *, reduced: bool) -> Batches:
    """The engine with the model in `folder`. Raises BugError where it is no complete model."""
    return Batches(Flux(load_pipeline(folder, device, Optimizations.read(device), reduced=reduced)), notes_of(folder))


class Flux:
    """Implements `batches.Family`. Latents are packed: (rows, tokens, channels)."""

    name = "diffusers:flux"

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self._ids: Any = None

    def encode(self, prompts: list[str]) -> list[Text]:
        """T5's sequence, as long as its tokenizer says (FLUX.1: 512 tokens), and CLIP's pooled vector."""
        pipeline = self.pipeline
        longest = longest_prompt(pipeline)
        sequences, pooled, _ = pipeline.encode_prompt(
            prompts, device=pipeline._execution_device, max_sequence_length=longest
        )
        return list(zip(sequences, pooled, strict=True))

    def begin(self, drawing: Drawing, generators: list[Any]) -> tuple[Any, Any]:
        """Noise, and timesteps shifted by the number of tokens."""
        import numpy as np
        from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps

        pipeline, device = self.pipeline, self.pipeline._execution_device
        channels = pipeline.transformer.config.in_channels // 4
        latents, self._ids = pipeline.prepare_latents(
            len(generators), channels, drawing.height, drawing.width, pipeline.transformer.dtype, device, generators
        )
        config = pipeline.scheduler.config
        shift = calculate_shift(
            latents.shape[1],
            config.get("base_image_seq_len", 256),
            config.get("max_image_seq_len", 4096),
            config.get("base_shift", 0.5),
            config.get("max_shift", 1.15),
        )
        sigmas = None if config.get("use_flow_sigmas") else np.linspace(1.0, 1 / drawing.steps, drawing.steps)
        timesteps, _ = retrieve_timesteps(pipeline.scheduler, drawing.steps, device, sigmas=sigmas, mu=shift)
        pipeline.scheduler.set_begin_index(0)
        return latents, timesteps

    def against(self, drawing: Drawing) -> str | None:
        """The negative prompt: without one, guidance is built into the model."""
        return drawing.negative_prompt or None

    def predict(self, latents: Any, timestep: Any, texts: list[Text], drawing: Drawing, context: str) -> Any:
        """One pass of the transformer."""
        import torch

        transformer, rows = self.pipeline.transformer, latents.shape[0]
        guidance = None
        if transformer.config.guidance_embeds:
            guidance = torch.full([rows], drawing.guidance, device=latents.device, dtype=torch.float32)
        sequences = torch.stack([sequence for sequence, _ in texts])
        with transformer.cache_context(context):
            return transformer(
                hidden_states=latents,
                timestep=timestep.expand(rows).to(latents.dtype) / 1000,
                guidance=guidance,
                pooled_projections=torch.stack([pooled for _, pooled in texts]),
                encoder_hidden_states=sequences,
                txt_ids=torch.zeros(sequences.shape[1], 3, device=latents.device, dtype=sequences.dtype),
                img_ids=self._ids,
                return_dict=False,
            )[0]

    def guide(self, towards: Any, away: Any, drawing: Drawing) -> Any:
        """True classifier-free guidance."""
        del drawing
        return away + _NEGATIVE_SCALE * (towards - away)

    def decode(self, latents: Any, drawing: Drawing) -> Any:
        """Unpack, scale, decode."""
        pipeline = self.pipeline
        unpacked = pipeline._unpack_latents(latents, drawing.height, drawing.width, pipeline.vae_scale_factor)
        config = pipeline.vae.config
        return pipeline.vae.decode(unpacked / config.scaling_factor + config.shift_factor, return_dict=False)[0]

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """Nothing."""
        del drawing
        return ()
