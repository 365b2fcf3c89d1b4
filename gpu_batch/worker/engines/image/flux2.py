"""FLUX.2 klein: the steps of diffusers' Flux2KleinPipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.engines.base import Device, Drawing
from worker.engines.image.batches import Batches, Text
from worker.engines.image.loader import load_pipeline, notes_of
from worker.engines.image.optimizations import Optimizations

_NO_NEGATIVE = "This model knows no negative prompt; it was left out."


def load(folder: Path, device: Device, *, reduced: bool) -> Batches:
    """The engine with the model in `folder`. Raises BugError where it is no complete model."""
    return Batches(Flux2(load_pipeline(folder, device, Optimizations.read(device), reduced=reduced)), notes_of(folder))


class Flux2:
    """Implements `batches.Family`. Latents are packed: (rows, tokens, channels)."""

    name = "diffusers:flux2"

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self._ids: Any = None

    def encode(self, prompts: list[str]) -> list[Text]:
        """Three of the text encoder's layers, side by side."""
        sequences, _ = self.pipeline.encode_prompt(prompts, device=self.pipeline._execution_device)
        return [(sequence,) for sequence in sequences]

    def begin(self, drawing: Drawing, generators: list[Any]) -> tuple[Any, Any]:
        """Noise, and timesteps shifted by the number of tokens and steps."""
        import numpy as np
        from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu, retrieve_timesteps

        pipeline, device = self.pipeline, self.pipeline._execution_device
        latents, self._ids = pipeline.prepare_latents(
            batch_size=len(generators),
            num_latents_channels=pipeline.transformer.config.in_channels // 4,
            height=drawing.height,
            width=drawing.width,
            dtype=pipeline.transformer.dtype,
            device=device,
            generator=generators,
        )
        config = pipeline.scheduler.config
        sigmas = None if config.get("use_flow_sigmas") else np.linspace(1.0, 1 / drawing.steps, drawing.steps)
        shift = compute_empirical_mu(image_seq_len=latents.shape[1], num_steps=drawing.steps)
        timesteps, _ = retrieve_timesteps(pipeline.scheduler, drawing.steps, device, sigmas=sigmas, mu=shift)
        pipeline.scheduler.set_begin_index(0)
        return latents, timesteps

    def against(self, drawing: Drawing) -> str | None:
        """The negative prompt or nothing, where the model is no distilled one and guidance was asked for."""
        guided = drawing.guidance > 1 and not self.pipeline.config.is_distilled
        return drawing.negative_prompt if guided else None

    def predict(self, latents: Any, timestep: Any, texts: list[Text], drawing: Drawing, context: str) -> Any:
        """One pass of the transformer."""
        import torch

        del drawing
        transformer, rows = self.pipeline.transformer, latents.shape[0]
        sequences = torch.stack([sequence for (sequence,) in texts])
        with transformer.cache_context(context):
            velocity = transformer(
                hidden_states=latents.to(transformer.dtype),
                timestep=timestep.expand(rows).to(latents.dtype) / 1000,
                guidance=None,
                encoder_hidden_states=sequences,
                txt_ids=self.pipeline._prepare_text_ids(sequences).to(latents.device),
                img_ids=self._ids[:rows],
                return_dict=False,
            )[0]
        return velocity[:, : latents.shape[1]]

    def guide(self, towards: Any, away: Any, drawing: Drawing) -> Any:
        """Classifier-free guidance."""
        return away + drawing.guidance * (towards - away)

    def decode(self, latents: Any, drawing: Drawing) -> Any:
        """Unpack, undo the VAE's normalisation, decode."""
        import torch

        pipeline, vae = self.pipeline, self.pipeline.vae
        side = pipeline.vae_scale_factor * 2
        spread = pipeline._unpack_latents_with_ids(
            latents, self._ids[:1], drawing.height // side, drawing.width // side
        )
        mean = vae.bn.running_mean.view(1, -1, 1, 1).to(spread.device, spread.dtype)
        variance = vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps
        spread = spread * torch.sqrt(variance).to(spread.device, spread.dtype) + mean
        return vae.decode(pipeline._unpatchify_latents(spread), return_dict=False)[0]

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """The negative prompt, where there is no guidance that could lead away from it."""
        return (_NO_NEGATIVE,) if drawing.negative_prompt and self.against(drawing) is None else ()
