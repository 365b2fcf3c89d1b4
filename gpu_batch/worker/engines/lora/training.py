"""Flow matching on a few photos: noise is mixed in, the adapter learns the way back (arXiv:2403.03206, 2106.09685).

The same examples, plan and seed give the same adapter on one device, also over interruptions: what is kept is the
adapter, the optimizer, the generator and the step.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.lora.families import Family, Picture, Words

Tick = Callable[[int, float], None]
"""Called after each step with (steps done, running loss)."""
Keep = Callable[[Path], None]
"""Called at most every `Plan.keep_every_s` with the file to keep."""
_FIXED_SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)
_WEIGHT_DECAY = 1e-2
_WARM_UP_SHARE = 0.05
_SMOOTH = 0.95


@dataclass(frozen=True)
class Example:
    """A photo with its caption, encoded."""

    picture: Picture
    words: Words


@dataclass(frozen=True)
class Plan:
    """How to train. `no_words` is the share of steps without a caption, so that the look alone is learnt too."""

    rank: int
    steps: int
    learning_rate: float
    seed: int
    batch: int = 2
    no_words: float = 0.1
    shift: float = 1.0
    """As the model's sampler shifts its noise levels: it is trained where it will walk."""
    keep_every_s: float = 20.0


def add_adapter(transformer: Any, family: Family, plan: Plan) -> list[Any]:
    """Put a fresh adapter into the transformer (all else is frozen); returns its parameters, 32 bit floats."""
    import torch

    peft: Any = import_module("peft")
    transformer.requires_grad_(False)
    config = peft.LoraConfig(
        r=plan.rank, lora_alpha=plan.rank, init_lora_weights="gaussian", target_modules=family.targets
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        transformer.add_adapter(config)
    trained = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    return trained


def fixed_loss(transformer: Any, family: Family, examples: Sequence[Example], seed: int) -> float:
    """The mean loss over all examples with noise and noise levels that depend on `seed` only."""
    import torch

    total = 0.0
    with torch.no_grad():
        for index, example in enumerate(examples):
            generator = torch.Generator("cpu").manual_seed(seed + index)
            clean = example.picture.tokens[None]
            for level in _FIXED_SIGMAS:
                noise = torch.randn(clean.shape, generator=generator).to(clean)
                sigma = torch.full((1,), level, dtype=clean.dtype, device=clean.device)
                total += float(_loss(transformer, family, clean, noise, sigma, example.picture.ids, [example.words]))
    return total / (len(examples) * len(_FIXED_SIGMAS))


def train(
    transformer: Any,
    family: Family,
    examples: Sequence[Example],
    nothing: Words,
    plan: Plan,
    file: Path,
    tick: Tick,
    keep: Keep,
    stopped: Callable[[], bool],
) -> bool:
    """Train the adapter in `transformer`, going on from `file` where it exists; False when `stopped` ended it.

    `nothing` is the empty caption. At the end, and before False, `file` holds all that was reached.
    """
    import torch

    trained = add_adapter(transformer, family, plan)
    optimizer = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=_WEIGHT_DECAY)
    generator = torch.Generator("cpu").manual_seed(plan.seed)
    step, running = _resume(file, trained, optimizer, generator)
    groups = _by_size(examples)
    warm_up = max(1, round(_WARM_UP_SHARE * plan.steps))
    kept = time.monotonic()
    while step < plan.steps:
        if stopped():
            _save(file, trained, optimizer, generator, step, running)
            return False
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * min(1.0, (step + 1) / warm_up)
        loss = _step(transformer, family, groups, nothing, plan, generator)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        running = loss if running is None else _SMOOTH * running + (1 - _SMOOTH) * loss
        tick(step, running)
        if time.monotonic() - kept > plan.keep_every_s:
            _save(file, trained, optimizer, generator, step, running)
            keep(file)
            kept = time.monotonic()
    _save(file, trained, optimizer, generator, step, running)
    return True


def _by_size(examples: Sequence[Example]) -> list[list[Example]]:
    """Examples of one size can share a batch."""
    groups: dict[int, list[Example]] = {}
    for example in examples:
        # Two shapes may have as many tokens, but their positions differ.
        groups.setdefault(hash(tuple(example.picture.ids.flatten().tolist())), []).append(example)
    return list(groups.values())


def _step(
    transformer: Any, family: Family, groups: list[list[Example]], nothing: Words, plan: Plan, generator: Any
) -> float:
    """One batch of one size, drawn so that each photo is as likely as any other; gradients are left in place."""
    import torch

    everyone = [group for group in groups for _ in group]
    group = everyone[int(torch.randint(len(everyone), (1,), generator=generator))]
    chosen = torch.randint(len(group), (min(plan.batch, len(group)),), generator=generator).tolist()
    mute = (torch.rand(len(chosen), generator=generator) < plan.no_words).tolist()
    clean = torch.stack([group[index].picture.tokens for index in chosen])
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    # Logit-normal: the middle of the way is the hardest, and is visited most.
    middle = torch.sigmoid(torch.randn(len(chosen), generator=generator)).to(clean)
    sigma = plan.shift * middle / (1 + (plan.shift - 1) * middle)
    words = [nothing if silent else group[index].words for index, silent in zip(chosen, mute, strict=True)]
    loss = _loss(transformer, family, clean, noise, sigma, group[0].picture.ids, words)
    loss.backward()
    return float(loss.detach())


def _loss(transformer: Any, family: Family, clean: Any, noise: Any, sigma: Any, ids: Any, words: list[Words]) -> Any:
    """Mean squared error of the velocity noise - clean, as a scalar in 32 bits."""
    import torch

    level = sigma.view(-1, 1, 1)
    noisy = (1 - level) * clean + level * noise
    predicted = family.predict(transformer, noisy, sigma, ids, words)
    return torch.nn.functional.mse_loss(predicted.float(), (noise - clean).float())


def _save(file: Path, trained: list[Any], optimizer: Any, generator: Any, step: int, running: float | None) -> None:
    import torch

    unfinished = file.with_suffix(".part")
    torch.save(
        {
            "step": step,
            "running": running,
            "trained": [parameter.detach().cpu() for parameter in trained],
            "optimizer": optimizer.state_dict(),
            "generator": generator.get_state(),
        },
        unfinished,
    )
    unfinished.replace(file)


def _resume(file: Path, trained: list[Any], optimizer: Any, generator: Any) -> tuple[int, float | None]:
    import torch

    if not file.exists():
        return 0, None
    kept = torch.load(file, map_location="cpu", weights_only=True)
    for parameter, value in zip(trained, kept["trained"], strict=True):
        parameter.data.copy_(value)
    optimizer.load_state_dict(kept["optimizer"])
    generator.set_state(kept["generator"])
    return int(kept["step"]), kept["running"]
