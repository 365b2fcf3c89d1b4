"""The VAE's encoder, set and not trained: an exact linear code written into the weights of diffusers' AutoencoderKL.

A latent pixel holds the leading principal components of an 8 x 8 patch, found level by level (2 x 2, 4 x 4, 8 x 8). All
residual branches are zero; what is left of the encoder is its convolutions, one group norm and one SiLU. The norm is
held constant by a pair of large opposite channels in each group, and `silu(x) - silu(-x) = x` undoes the SiLU.
So the latents stand before any training, and none of it is spent on them.
"""

from collections.abc import Sequence
from typing import Any

import torch

from training.demo.data import Part

_PATCHES = 200_000
_CONSTANT = 60.0
_EQUAL = 0.5
"""How much the components' deviations are evened out: 0 not at all, 1 wholly (whitened)."""
_LOG_VARIANCE = -12.0


@torch.no_grad()
def set_encoder(vae: Any, parts: Sequence[Part]) -> None:
    """Write the code of these pictures into the encoder, and its mean and deviation into the configuration."""
    encoder = vae.encoder
    for block in [*encoder.down_blocks, encoder.mid_block]:
        for resnet in block.resnets:
            _silence(resnet)
    pictures = [as_tensor(part) for part in parts]
    levels = [decoded_range(some[:: max(1, len(some) * len(parts) // 1200)]) for some in pictures]
    _embed(encoder.conv_in, 3)
    wide = 3
    for block in encoder.down_blocks[:3]:
        layer = block.downsamplers[0].conv
        blocks = [_blocks(level) for level in levels]
        wide = min(4 * wide, layer.out_channels)
        basis = _components(blocks, wide)
        levels = [torch.einsum("kc,nchw->nkhw", basis, some) for some in blocks]
        _halving(layer, basis)
    for block in encoder.down_blocks[1:3]:
        _shortcut(block.resnets[0])
    _project(vae, levels)


def _silence(resnet: Any) -> None:
    torch.nn.init.zeros_(resnet.conv2.weight)
    torch.nn.init.zeros_(resnet.conv2.bias)


def _embed(layer: Any, channels: int) -> None:
    """A convolution that passes the first channels on and writes zero to the others."""
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    middle = layer.kernel_size[0] // 2
    for channel in range(channels):
        layer.weight[channel, channel, middle, middle] = 1


def _shortcut(resnet: Any) -> None:
    if resnet.conv_shortcut is not None:
        _embed(resnet.conv_shortcut, resnet.conv_shortcut.in_channels)


def _blocks(level: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) → (n, 4c, h / 2, w / 2): channel c at row y and column x of the block is 4c + 2y + x."""
    blocks: torch.Tensor = torch.nn.functional.pixel_unshuffle(level, 2)
    return blocks


def _components(blocks: Sequence[torch.Tensor], count: int) -> torch.Tensor:
    """The leading orthonormal directions (count, channels) of these vectors, about zero."""
    vectors = torch.cat([some.permute(0, 2, 3, 1).reshape(-1, some.shape[1]) for some in blocks])
    vectors = vectors[:: max(1, len(vectors) // _PATCHES)].double()
    _, directions = torch.linalg.eigh(vectors.T @ vectors)
    leading: torch.Tensor = directions.flip(1)[:, :count].T.float()
    return leading


def _halving(layer: Any, basis: torch.Tensor) -> None:
    """The stride-two convolution that applies `basis` to blocks; its window's third row and column stay zero."""
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    count, channels = basis.shape
    layer.weight[:count, : channels // 4, :2, :2] = basis.reshape(count, channels // 4, 2, 2)


def _project(vae: Any, levels: Sequence[torch.Tensor]) -> None:
    """The last block: components as opposite pairs, constants in each group, and the way out."""
    encoder, wanted = vae.encoder, vae.config.latent_channels
    last, norm, out = encoder.down_blocks[3].resnets[0].conv_shortcut, encoder.conv_norm_out, encoder.conv_out
    found = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, level.shape[1])[:, :wanted] for level in levels])
    mean, scale = found.mean(dim=0), found.std(dim=0).pow(-_EQUAL)
    for layer in (last, out):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.ones_(norm.weight)
    torch.nn.init.zeros_(norm.bias)
    size = norm.num_channels // norm.num_groups
    each = -(-wanted // norm.num_groups)
    gain = _CONSTANT * (2 / size) ** 0.5
    for index in range(wanted):
        plus = index // each * size + 2 * (index % each)
        for channel, sign in ((plus, 1.0), (plus + 1, -1.0)):
            last.weight[channel, index] = sign * scale[index]
            last.bias[channel] = -sign * scale[index] * mean[index]
            out.weight[index, channel, 1, 1] = sign * gain
    for group in range(norm.num_groups):
        last.bias[(group + 1) * size - 2] = _CONSTANT
        last.bias[(group + 1) * size - 1] = -_CONSTANT
    out.bias[wanted:] = _LOG_VARIANCE
    deviation = float(((found - mean) * scale).std())
    vae.register_to_config(shift_factor=0.0, scaling_factor=round(1 / deviation, 5))


def as_tensor(part: Part) -> torch.Tensor:
    """(n, 3, height, width) bytes, channels last in memory."""
    return torch.from_numpy(part.pictures).permute(0, 3, 1, 2)


def decoded_range(pictures: torch.Tensor) -> torch.Tensor:
    """Bytes → the VAE's -1 to 1."""
    return pictures.float() / 127.5 - 1


@torch.inference_mode()
def latents_of(vae: Any, part: Part) -> torch.Tensor:
    """The posterior's means, (n, channels, height / 8, width / 8)."""
    every: Any = as_tensor(part)
    return torch.cat([vae.encode(decoded_range(few)).latent_dist.mode() for few in every.split(16)])
