"""Z-Image (Turbo and base): the steps of diffusers' ZImagePipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.engines.base import Device, Drawing
from worker.engines.image.batches import Batches, Text
from worker.engines.image.loader import load_pipeline, notes_of
from worker.engines.image.optimizations import Optimizations

_NEEDS_GUIDANCE = "This model heeds a negative prompt only with guidance above 0; it was left out."


def load(folder: Path, device: Device, *, reduced: bool) -> Batches:
    """The engine with the model in `folder`. Raises BugError where it is no complete model."""
    return Batches(ZImage(load_pipeline(folder, device, Optimizations.read(device), reduced=reduced)), notes_of(folder))


class ZImage:
    """Implements `batches.Family`. Latents are pictures: (rows, channels, height, width), always in fp32."""

    name = "diffusers:z-image"

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def encode(self, prompts: list[str]) -> list[Text]:
        """The text encoder's last layer but one, as long as the prompt is."""
        # A copy: the pipeline writes its chat template into the list.
        sequences, _ = self.pipeline.encode_prompt(
            list(prompts), device=self.pipeline._execution_device, do_classifier_free_guidance=False
        )
        return [(sequence,) for sequence in sequences]

    def begin(self, drawing: Drawing, generators: list[Any]) -> tuple[Any, Any]:
        """Noise, and timesteps shifted by the number of tokens."""
        import torch
        from diffusers.pipelines.z_image.pipeline_z_image import (
            calculate_shift,
            get_default_z_image_sigmas,
            retrieve_timesteps,
        )

        pipeline, device = self.pipeline, self.pipeline._execution_device
        latents = pipeline.prepare_latents(
            len(generators), pipeline.transformer.in_channels, drawing.height, drawing.width, torch.float32, device,
            generators,
        )  # fmt: skip
        config = pipeline.scheduler.config
        shift = calculate_shift(
            (latents.shape[2] // 2) * (latents.shape[3] // 2),
            config.get("base_image_seq_len", 256),
            config.get("max_image_seq_len", 4096),
            config.get("base_shift", 0.5),
            config.get("max_shift", 1.15),
        )
        sigmas = get_default_z_image_sigmas(drawing.steps)
        timesteps, _ = retrieve_timesteps(pipeline.scheduler, drawing.steps, device, sigmas=sigmas, mu=shift)
        pipeline.scheduler.set_begin_index(0)
        return latents, timesteps

    def against(self, drawing: Drawing) -> str | None:
        """The negative prompt or nothing, where guidance was asked for."""
        return drawing.negative_prompt if drawing.guidance > 0 else None

    def predict(self, latents: Any, timestep: Any, texts: list[Text], drawing: Drawing, context: str) -> Any:
        """One pass of the transformer, which counts time from noise to picture."""
        import torch

        del drawing, context
        transformer = self.pipeline.transformer
        rows = list(latents.to(transformer.dtype).unsqueeze(2).unbind(0))
        time = (1000 - timestep.expand(len(rows))) / 1000
        found = transformer(rows, time, [sequence for (sequence,) in texts], return_dict=False)[0]
        return -torch.stack([row.float() for row in found]).squeeze(2)

    def guide(self, towards: Any, away: Any, drawing: Drawing) -> Any:
        """Classifier-free guidance, counted from the prompt: 0 is none."""
        return towards + drawing.guidance * (towards - away)

    def decode(self, latents: Any, drawing: Drawing) -> Any:
        """Scale, decode."""
        del drawing
        vae = self.pipeline.vae
        scaled = latents.to(vae.dtype) / vae.config.scaling_factor + vae.config.shift_factor
        return vae.decode(scaled, return_dict=False)[0]

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """The negative prompt, where there is no guidance that could lead away from it."""
        return (_NEEDS_GUIDANCE,) if drawing.negative_prompt and self.against(drawing) is None else ()
