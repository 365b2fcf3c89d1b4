"""The optimiser: Muon for the matrices inside the blocks, AdamW for everything else, as Muon's author advises.

After the same time on the same cores Muon's loss was a fifth lower than AdamW's alone
(docs/decisions/0013-demo-model.md has the numbers).
"""

from collections.abc import Sequence
from typing import Any

import torch

_MUON_RATE = 8e-3
_ADAM_RATE = 1.5e-3
_DECAY = 0.01
_WARMUP = 60
_CLIP = 1.0
_BLOCKS = ("transformer_blocks.", "layers.", "block.")
"""Parts of the names of a block's parameters in the transformer, CLIP and T5."""
_NOT_MUON = ("norm", "relative_attention_bias")


class Optimiser:
    """Both of them, with warm-up and clipping."""

    def __init__(self, modules: Sequence[Any]) -> None:
        named = [(name, weight) for module in modules for name, weight in module.named_parameters()]
        inner = [weight for name, weight in named if _is_inner(name, weight)]
        known = {id(weight) for weight in inner}
        outer = [weight for _, weight in named if id(weight) not in known]
        self._weights = inner + outer
        muon = torch.optim.Muon(inner, lr=_MUON_RATE, weight_decay=_DECAY, adjust_lr_fn="match_rms_adamw")
        adam = torch.optim.AdamW(outer, lr=_ADAM_RATE, betas=(0.9, 0.98), weight_decay=_DECAY)
        self._groups = [(muon, _MUON_RATE), (adam, _ADAM_RATE)]

    def step(self, strength: float, number: int) -> None:
        """Take the gradients' step `number` (from 1) at this share of the first learning rates, and clear them."""
        torch.nn.utils.clip_grad_norm_(self._weights, _CLIP)
        for optimiser, first in self._groups:
            for group in optimiser.param_groups:
                group["lr"] = first * strength * min(1, number / _WARMUP)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def _is_inner(name: str, weight: torch.Tensor) -> bool:
    inside = any(part in name for part in _BLOCKS)
    return inside and weight.ndim == 2 and not any(part in name for part in _NOT_MUON)
