"""The eye for shapes: a small convolutional network that looks at a picture's middle square.

It learns from renders that are worn as drawn pictures are: blurred or with halos, noisy, brighter or darker, moved, and
bent in waves as long as a token. So it reads what a person would call a lumpy star as a star.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from training.demo.pictures import Picture

SIDE = 64
_WIDTHS = (24, 48, 96, 96)
_BEND_PX = 1.6
"""How far, of SIDE pixels, waves of an eighth of the side move what is seen: one standard deviation."""
_MOVE_PX = 3.0
_BATCH = 64
_RATE = 3e-3
_EPOCHS = 16


def shape_net(answers: int) -> nn.Sequential:
    """(n, 3, SIDE, SIDE) in 0 to 1 → (n, answers) logits."""
    layers: list[nn.Module] = []
    before = 3
    for width in _WIDTHS:
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * (SIDE >> len(_WIDTHS)) ** 2, answers))


def squares(pictures: Sequence[Picture]) -> torch.Tensor:
    """The middle squares (n, 3, SIDE, SIDE) of pictures (h, w, 3) of any size, in 0 to 1."""
    return torch.cat([_square(picture) for picture in pictures])


def _square(picture: Picture) -> torch.Tensor:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    plane = torch.tensor(middle).permute(2, 0, 1)[None].float() / 255
    return functional.interpolate(plane, (SIDE, SIDE), mode="bilinear", antialias=True)


def fit(net: nn.Sequential, seen: torch.Tensor, wanted: torch.Tensor, dice: torch.Generator) -> None:
    """Learn from squares, (n, 3, SIDE, SIDE), each worn anew in each epoch."""
    optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=0.05)
    steps = _EPOCHS * -(-len(seen) // _BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for _ in range(_EPOCHS):
        shuffled: Any = torch.randperm(len(seen), generator=dice)
        for few in shuffled.split(_BATCH):
            loss: Any = functional.cross_entropy(net(worn(seen[few], dice)), wanted[few], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()


def worn(seen: torch.Tensor, dice: torch.Generator) -> torch.Tensor:
    """Renders (n, 3, SIDE, SIDE) as drawn pictures might look."""
    count = len(seen)

    def any_of(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand((count, 1, 1, 1), generator=dice)

    seen = _bent(seen, dice)
    soft = functional.avg_pool2d(functional.pad(seen, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    seen = torch.lerp(seen, soft, any_of(-0.5, 0.8))  # Below 0 it is sharpened: halos.
    seen = 0.5 + (seen - 0.5) * any_of(0.8, 1.2) + any_of(-0.1, 0.1)
    return (seen + any_of(0, 0.03) * torch.randn(seen.shape, generator=dice)).clamp(0, 1)


def _bent(seen: torch.Tensor, dice: torch.Generator) -> torch.Tensor:
    """Each pixel taken from a little beside: all of them moved alike, and in waves."""
    count = len(seen)
    waves = functional.interpolate(torch.randn((count, 2, 8, 8), generator=dice), (SIDE, SIDE), mode="bicubic")
    strength = _BEND_PX * torch.rand((count, 1, 1, 1), generator=dice)
    moved = _MOVE_PX * torch.randn((count, 2, 1, 1), generator=dice)
    away = (strength * waves + moved).permute(0, 2, 3, 1) * (2 / SIDE)
    still = functional.affine_grid(torch.eye(2, 3).expand(count, 2, 3), [count, 3, SIDE, SIDE], align_corners=False)
    return functional.grid_sample(seen, still + away, padding_mode="border", align_corners=False)
