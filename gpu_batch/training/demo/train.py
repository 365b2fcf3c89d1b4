"""Training of transformer and text encoders by flow matching, through the pipeline's own packing and conventions.

The pipeline walks sigma from 1 (noise) to 0 along straight lines, `(1 - sigma) * picture + sigma * noise`, and takes
the transformer's answer for `noise - picture`; its timestep is sigma. See FlowMatchEulerDiscreteScheduler.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from training.demo.budget import Budget, cosine
from training.demo.model import save
from training.demo.pictures import Scene
from training.demo.vae import Told
from training.demo.words import describe

PARTS = ("transformer", "text_encoder", "text_encoder_2")
"""What is trained here."""
_FIRST_RATE, _LAST_RATE = 1.5e-3, 3e-5
_WARMUP = 60
_CHECKPOINT_SECONDS = 240
_MEMORY = 12
"""The averaged weights look back over about a twelfth of the training."""


@dataclass(frozen=True)
class Latents:
    """Scaled latents of one format, (n, 8, h, w), and what they show."""

    values: torch.Tensor
    scenes: list[Scene]


def scaled(vae: Any, values: torch.Tensor) -> torch.Tensor:
    """The VAE's latents as the transformer sees them."""
    shifted: torch.Tensor = (values - vae.config.shift_factor) * vae.config.scaling_factor
    return shifted


def flow_loss(pipeline: Any, latents: torch.Tensor, prompts: Sequence[str], noise: torch.Tensor,
              sigma: torch.Tensor) -> torch.Tensor:  # fmt: skip
    """The mean squared error of the predicted direction, for latents (n, 8, h, w), as much noise and n sigmas."""
    count, channels, height, width = latents.shape
    mixed = torch.lerp(latents, noise, sigma[:, None, None, None])
    pack = pipeline._pack_latents
    found = pipeline.transformer(
        hidden_states=pack(mixed, count, channels, height, width),
        timestep=sigma,
        pooled_projections=_pooled(pipeline, prompts),
        encoder_hidden_states=_sequence(pipeline, prompts),
        txt_ids=torch.zeros(pipeline.tokenizer_2.model_max_length, 3),
        img_ids=pipeline._prepare_latent_image_ids(count, height // 2, width // 2, "cpu", torch.float32),
        return_dict=False,
    )[0]
    return mse_loss(found, pack(noise - latents, count, channels, height, width))


def _tokens(tokenizer: Any, prompts: Sequence[str]) -> torch.Tensor:
    ids: torch.Tensor = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids


def _pooled(pipeline: Any, prompts: Sequence[str]) -> Any:
    return pipeline.text_encoder(_tokens(pipeline.tokenizer, prompts), output_hidden_states=False).pooler_output


def _sequence(pipeline: Any, prompts: Sequence[str]) -> Any:
    return pipeline.text_encoder_2(_tokens(pipeline.tokenizer_2, prompts), output_hidden_states=False)[0]


@torch.inference_mode()
def fixed_loss(pipeline: Any, some: Latents, seed: int) -> float:
    """The loss on the same pictures, words, noise and sigmas at every call."""
    rng, dice = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    count = min(64, len(some.scenes))
    prompts = [describe(scene, rng) for scene in some.scenes[:count]]
    noise = torch.randn(some.values[:count].shape, generator=dice)
    return float(flow_loss(pipeline, some.values[:count], prompts, noise, torch.linspace(0.02, 0.98, count)))


def train(pipeline: Any, data: Sequence[Latents], budget: Budget, seed: int, told: Told, *, out: Path | None = None,
          batch: int = 32) -> dict[str, Any]:  # fmt: skip
    """Train within the budget; the learning rate falls along a cosine of what is used. Leaves the averaged weights in
    the pipeline; returns steps, samples and losses. With `out`, a usable model is written there every few minutes.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    weights = [parameter for part in PARTS for parameter in getattr(pipeline, part).parameters()]
    optimiser = torch.optim.AdamW(weights, lr=_FIRST_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    average = Average(pipeline)
    shares = np.array([len(some.scenes) for some in data], float)
    saved = time.monotonic()
    losses: list[float] = []
    recent: list[float] = []
    step = 0
    while (used := budget.used(step)) < 1:
        rate = cosine(_FIRST_RATE, _LAST_RATE, used)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / _WARMUP)
        some = data[int(rng.choice(len(data), p=shares / shares.sum()))]
        chosen = rng.integers(len(some.scenes), size=batch)
        latents = some.values[torch.from_numpy(chosen)]
        sigma = torch.sigmoid(torch.randn(batch))
        prompts = [describe(some.scenes[index], rng) for index in chosen]
        loss: Any = flow_loss(pipeline, latents, prompts, torch.randn_like(latents), sigma)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        step += 1
        average.take(pipeline, step)
        recent.append(float(loss.detach()))
        if step % 50 == 0:
            losses.append(round(sum(recent) / len(recent), 5))
            recent.clear()
            told(f"transformer step {step}, {used:.0%} of its time: loss {losses[-1]:.4f}")
        if out is not None and time.monotonic() - saved > _CHECKPOINT_SECONDS:
            save(pipeline, average.weights, out)
            saved = time.monotonic()
            told(f"checkpoint at step {step}")
    for part, values in average.weights.items():
        getattr(pipeline, part).load_state_dict(values)
    return {"steps": step, "batch": batch, "losses": losses}


class Average:
    """A running mean of the weights that forgets its past as training goes on: step t weighs as t to the power 11."""

    def __init__(self, pipeline: Any) -> None:
        self.weights = {part: copy.deepcopy(getattr(pipeline, part).state_dict()) for part in PARTS}

    @torch.no_grad()
    def take(self, pipeline: Any, step: int) -> None:
        """Take the weights after `step` (from 1) into the mean."""
        share = min(1.0, _MEMORY / (step + _MEMORY - 1))
        for part, kept in self.weights.items():
            for name, value in getattr(pipeline, part).state_dict().items():
                if value.is_floating_point():
                    kept[name].lerp_(value, share)
