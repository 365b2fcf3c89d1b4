"""Training of transformer and text encoders by flow matching, through the pipeline's own packing and conventions.

The pipeline walks sigma from 1 (noise) to 0 along straight lines, `(1 - sigma) * picture + sigma * noise`, and takes
the transformer's answer for `noise - picture`; its timestep is sigma. See FlowMatchEulerDiscreteScheduler.

Two phases, each with its budget: `train` on pictures and words, then `guide`, which teaches the model to answer at once
as classifier-free guidance would (guidance distillation, Meng and others 2023): no second pass when it draws.
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.demo.budget import Budget, cosine
from training.demo.cutout import solid
from training.demo.data import Part
from training.demo.model import SHIFT, save
from training.demo.optimiser import Optimiser
from training.demo.pictures import Scene
from training.demo.vae import Report
from training.demo.words import describe

PARTS = ("transformer", "text_encoder", "text_encoder_2")
"""What is trained here."""
_WORDLESS = 0.1
"""The share of pictures that are learnt without words: what guidance starts from."""
GUIDANCE = 3.5
"""How far beyond the wordless answer the guided one lies: 1 is no guidance."""
_GUIDED_RATE = 0.3
"""Of the first learning rate, when guidance begins."""
_TOKEN_PX = 16
_COVERED = 0.02
_EMPHASIS = 3.0
"""A token of which so much is covered by the solid counts so much more."""
_GO_ON_RATE = 0.5
"""Of the first learning rate, where a training goes on from an earlier one."""
_CHECKPOINT_SECONDS = 240
_MEMORY = 12
"""The averaged weights look back over about a twelfth of the training."""


@dataclass(frozen=True)
class Latents:
    """Scaled latents of one format, (n, 16, h, w), what they show, and how much each token counts, (n, tokens, 1)."""

    values: torch.Tensor
    scenes: list[Scene]
    weights: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Some pictures to learn from: latents (n, 16, h, w), their prompts, as much noise, n sigmas, tokens' weights."""

    latents: torch.Tensor
    prompts: list[str]
    noise: torch.Tensor
    sigma: torch.Tensor
    weights: torch.Tensor


def scaled(vae: Any, values: torch.Tensor) -> torch.Tensor:
    """The VAE's latents as the transformer sees them."""
    shifted: torch.Tensor = (values - vae.config.shift_factor) * vae.config.scaling_factor
    return shifted


def answer(pipeline: Any, batch: Batch, prompts: Sequence[str]) -> torch.Tensor:
    """The transformer's packed answer (n, tokens, 64) to the batch's mixed latents under these prompts."""
    count, channels, height, width = batch.latents.shape
    mixed = torch.lerp(batch.latents, batch.noise, batch.sigma[:, None, None, None])
    found: torch.Tensor = pipeline.transformer(
        hidden_states=pipeline._pack_latents(mixed, count, channels, height, width),
        timestep=batch.sigma,
        pooled_projections=_pooled(pipeline, prompts),
        encoder_hidden_states=_sequence(pipeline, prompts),
        txt_ids=torch.zeros(pipeline.tokenizer_2.model_max_length, 3),
        img_ids=pipeline._prepare_latent_image_ids(count, height // 2, width // 2, "cpu", torch.float32),
        return_dict=False,
    )[0]
    return found


def flow_loss(pipeline: Any, batch: Batch) -> torch.Tensor:
    """The mean squared error of the predicted direction, by the tokens' weights."""
    direction = pipeline._pack_latents(batch.noise - batch.latents, *batch.latents.shape)
    return _error(answer(pipeline, batch, batch.prompts), direction, batch.weights)


def _error(found: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (weights * (found - wanted).square()).mean() / weights.mean()


def token_weights(part: Part) -> torch.Tensor:
    """How much each token (16 x 16 pixels) counts, (n, tokens, 1): more where the solid is."""
    seen = torch.from_numpy(np.stack([solid(picture) for picture in part.pictures])).float()
    share = torch.nn.functional.avg_pool2d(seen[:, None], _TOKEN_PX).flatten(1)[..., None]
    return 1 + _EMPHASIS * (share > _COVERED).float()


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
    sigma, plain = torch.linspace(0.02, 0.98, count), torch.ones_like(some.weights[:count])
    return float(flow_loss(pipeline, Batch(some.values[:count], prompts, noise, sigma, plain)))


def train(pipeline: Any, data: Sequence[Latents], budget: Budget, seed: int, report: Report, *, out: Path | None = None,
          batch: int = 32, resume: bool = False) -> dict[str, Any]:  # fmt: skip
    """Train within the budget; the learning rate falls along a cosine of what is used. Leaves the averaged weights in
    the pipeline; returns steps, batch and losses. With `out`, a usable model is written there every few minutes.
    resume: the pipeline was trained before.
    """
    rng = np.random.default_rng(seed)

    def loss(some: Batch) -> torch.Tensor:
        wordless = rng.random(batch) < _WORDLESS
        prompts = ["" if without else prompt for prompt, without in zip(some.prompts, wordless, strict=True)]
        return flow_loss(pipeline, replace(some, prompts=prompts))

    return _fit(pipeline, _batches(data, seed, batch), loss, budget, report, name="transformer", out=out,
                strength=_GO_ON_RATE if resume else 1.0)  # fmt: skip


def guide(pipeline: Any, data: Sequence[Latents], budget: Budget, seed: int, report: Report, *, out: Path | None = None,
          batch: int = 32) -> dict[str, Any]:  # fmt: skip
    """Teach the trained pipeline its own guided answer, within the budget; returns as `train` does."""
    teacher = copy.copy(pipeline)
    for part in PARTS:
        setattr(teacher, part, copy.deepcopy(getattr(pipeline, part)).requires_grad_(False))

    def loss(some: Batch) -> torch.Tensor:
        with torch.no_grad():
            plain = answer(teacher, some, [""] * batch)
            wanted = plain + GUIDANCE * (answer(teacher, some, some.prompts) - plain)
        return _error(answer(pipeline, some, some.prompts), wanted, some.weights)

    batches = _batches(data, seed, batch)
    return _fit(pipeline, batches, loss, budget, report, name="guidance", out=out, strength=_GUIDED_RATE)


def _batches(data: Sequence[Latents], seed: int, size: int) -> Callable[[], Batch]:
    """Batches of one format each, drawn from a seed. Sigmas are logit-normal, shifted as the scheduler shifts them."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shares = np.array([len(some.scenes) for some in data], float)

    def one() -> Batch:
        some = data[int(rng.choice(len(data), p=shares / shares.sum()))]
        chosen = rng.integers(len(some.scenes), size=size)
        rows = torch.from_numpy(chosen)
        latents = some.values[rows]
        plain = torch.sigmoid(torch.randn(size))
        sigma = SHIFT * plain / (1 + (SHIFT - 1) * plain)
        prompts = [describe(some.scenes[i], rng) for i in chosen]
        return Batch(latents, prompts, torch.randn_like(latents), sigma, some.weights[rows])

    return one


def _fit(pipeline: Any, batches: Callable[[], Batch], loss_of: Callable[[Batch], torch.Tensor], budget: Budget,
         report: Report, *, name: str, out: Path | None, strength: float = 1.0) -> dict[str, Any]:  # fmt: skip
    optimiser = Optimiser([getattr(pipeline, part) for part in PARTS])
    average = Average(pipeline)
    saved = time.monotonic()
    losses: list[float] = []
    recent: list[float] = []
    step, size = 0, 0
    while (used := budget.used(step)) < 1:
        some = batches()
        size = len(some.prompts)
        loss: Any = loss_of(some)
        loss.backward()
        step += 1
        optimiser.step(strength * cosine(1.0, 0.02, used), step)
        average.take(pipeline, step)
        recent.append(float(loss.detach()))
        if step % 50 == 0:
            losses.append(round(sum(recent) / len(recent), 5))
            recent.clear()
            report(f"{name} step {step}, {used:.0%} of its time: loss {losses[-1]:.4f}")
        if out is not None and time.monotonic() - saved > _CHECKPOINT_SECONDS:
            save(pipeline, average.weights, out)
            saved = time.monotonic()
            report(f"checkpoint at step {step}")
    for part, values in average.weights.items():
        getattr(pipeline, part).load_state_dict(values)
    return {"steps": step, "batch": size, "losses": losses}


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
