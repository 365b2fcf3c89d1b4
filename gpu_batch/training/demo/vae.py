"""The VAE: FLUX's class with a narrow body. Its encoder is set (see codec), its decoder is trained here."""

import random
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch.nn.functional import l1_loss, mse_loss

from training.demo.budget import Budget, cosine
from training.demo.codec import as_tensor, decoded_range, latents_of
from training.demo.data import Part

LATENT_CHANNELS = 16
_FIRST_RATE, _LAST_RATE = 2e-3, 3e-5
_WARMUP = 30
_NOISE = 0.1
"""The decoder also learns from latents that are off by up to so many deviations: the transformer's never are exact."""

Report = Callable[[str], None]


def new_vae(seed: int) -> Any:
    """An untrained AutoencoderKL: a picture's side is eight times its latent's."""
    diffusers: Any = import_module("diffusers")  # half typed
    torch.manual_seed(seed)
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 32, 96),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).to(memory_format=torch.channels_last)


def train_decoder(vae: Any, parts: Sequence[Part], latents: Sequence[torch.Tensor], budget: Budget, seed: int,
                  report: Report, *, batch: int = 4) -> list[float]:  # fmt: skip
    """Train the decoder on pictures and their latents within the budget; the learning rate falls along a cosine of
    what is used. Returns the losses, averaged over a hundred steps each.
    """
    chance = random.Random(seed)
    torch.manual_seed(seed)
    pictures = [as_tensor(part) for part in parts]
    weights = list(vae.decoder.parameters())
    optimiser = torch.optim.AdamW(weights, lr=_FIRST_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    step = 0
    losses: list[float] = []
    recent: list[float] = []
    while (used := budget.used(step)) < 1:
        rate = cosine(_FIRST_RATE, _LAST_RATE, used)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / _WARMUP)
        at = chance.choices(range(len(pictures)), weights=[len(part) for part in pictures])[0]
        chosen = torch.randint(len(pictures[at]), (batch,))
        loss: Any = _loss(vae, latents[at][chosen], decoded_range(pictures[at][chosen]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        recent.append(float(loss.detach()))
        step += 1
        if step % 100 == 0:
            losses.append(round(sum(recent) / len(recent), 5))
            recent.clear()
            report(f"decoder step {step}, {used:.0%} of its time: loss {losses[-1]:.4f}")
    return losses


def _loss(vae: Any, latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """The error of pixels, and of their differences (edges)."""
    amount = _NOISE * torch.rand(len(latents), 1, 1, 1) / vae.config.scaling_factor
    again = vae.decode(latents + amount * torch.randn_like(latents)).sample
    edges = l1_loss(again.diff(dim=2), pictures.diff(dim=2)) + l1_loss(again.diff(dim=3), pictures.diff(dim=3))
    return l1_loss(again, pictures) + mse_loss(again, pictures) + edges


@torch.inference_mode()
def quality(vae: Any, part: Part) -> float:
    """The mean PSNR in dB of pictures that were encoded and decoded."""
    found: list[float] = []
    coded: Any = latents_of(vae, part)
    wanted: Any = as_tensor(part)
    for latents, pictures in zip(coded.split(16), wanted.split(16), strict=True):
        again = vae.decode(latents).sample.clamp(-1, 1)
        error = (again - decoded_range(pictures)).square().mean(dim=(1, 2, 3)) / 4
        found += (-10 * error.clamp_min(1e-9).log10()).tolist()
    return sum(found) / len(found)
