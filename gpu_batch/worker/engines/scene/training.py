"""Training the field, with checkpoints from which it goes on as if it had never stopped.

Reads `views/`; writes `field.pt`.
"""

import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from worker.engines.scene import field, views
from worker.engines.scene.field import SmallNerfacto
from worker.engines.scene.presets import Device, Settings
from worker.engines.scene.rays import bilinear
from worker.engines.scene.views import Capture, View

from nerfstudio.model_components.losses import distortion_loss  # isort: skip (field prepares its import)

CHECKPOINT_SECONDS = 20.0
_TRACK_SHARE = 0.2
"""Share of a batch that follows sparse points, whose distance is known."""
_TRACK_WEIGHT = 0.08
_OBJECT_SHARE = 0.75
"""Share of a batch taken from the object's pixels; the rest lies round it, and teaches where nothing is."""

torch.serialization.add_safe_globals(
    [np._core.multiarray.scalar, np.dtype, np.dtypes.Float64DType]  # type: ignore[attr-defined]
)


@dataclass(frozen=True)
class Pixels:
    """Training pixels on the device: rays of unit length, straight RGBA in 0..1; the object's come first."""

    origins: torch.Tensor
    directions: torch.Tensor
    colours: torch.Tensor
    objects: int

    def batch(self, count: int, bounded: bool) -> torch.Tensor:
        """Numbers (count,) of randomly chosen pixels."""
        total = len(self.colours)
        if not bounded or self.objects in (0, total):
            return torch.randint(total, (count,), device=self.colours.device)
        inside = round(count * _OBJECT_SHARE)
        first = torch.randint(self.objects, (inside,), device=self.colours.device)
        rest = torch.randint(self.objects, total, (count - inside,), device=self.colours.device)
        return torch.cat([first, rest])


@dataclass(frozen=True)
class Sightings:
    """Rays through sparse points, as `Pixels`, and the distance to the point along each."""

    origins: torch.Tensor
    directions: torch.Tensor
    colours: torch.Tensor
    distances: torch.Tensor


def sightings(folder: pathlib.Path, capture: Capture, settings: Settings, device: Device) -> Sightings:
    """All sightings of sparse points in training views; there may be none."""
    rows: list[tuple[Any, Any, Any]] = []
    for number, view in enumerate(capture.views):
        if view.held_out:
            continue
        small = view.scaled(settings.train_px)
        points = capture.points[capture.tracks[capture.tracks[:, 0] == number, 1]]
        u, v, depth = small.project(points)
        good = (depth > 0) & (u > 0) & (v > 0) & (u < small.width) & (v < small.height)
        if good.any():
            colour = bilinear(views.image(folder, small), u[good] - 0.5, v[good] - 0.5)
            rows.append((np.broadcast_to(view.pose[:3, 3], (int(good.sum()), 3)), points[good], colour))
    if not rows:
        rows.append((np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 4))))
    origins, points, colours = (np.concatenate([row[k] for row in rows]) for k in range(3))
    reach = np.linalg.norm(points - origins, axis=1)
    return Sightings(
        _tensor(origins, device),
        _tensor((points - origins) / reach[:, None], device),
        _tensor(colours / 255, device),
        _tensor(reach, device),
    )


def _tensor(values: Any, device: Device) -> torch.Tensor:
    return torch.tensor(np.asarray(values, np.float32), device=device)


def pixels(folder: pathlib.Path, capture: Capture, settings: Settings, device: Device) -> Pixels:
    """All pixels of the training views that can teach something: with masks, those on and near the object."""
    rows: dict[bool, list[tuple[Any, Any, Any]]] = {True: [], False: []}
    for view in capture.training:
        small = view.scaled(settings.train_px)
        rgba = views.image(folder, small)
        origin, directions = small.rays()
        flat = rgba.reshape(-1, 4)
        for inside, chosen in _split(rgba, capture, small):
            eye = np.broadcast_to(origin, (int(chosen.sum()), 3))
            rows[inside].append((eye, directions[chosen], flat[chosen]))
    ordered = rows[True] + rows[False]
    origins, directions, colours = (np.concatenate([row[k] for row in ordered]) for k in range(3))
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return Pixels(
        _tensor(origins, device),
        _tensor(directions, device),
        _tensor(colours, device) / 255,
        sum(len(row[2]) for row in rows[True]),
    )


def _split(rgba: Any, capture: Capture, view: View) -> list[tuple[bool, Any]]:
    alpha = rgba[..., 3]
    if capture.masks == "none":
        return [(True, np.ones(alpha.size, bool))]
    solid = (alpha > 16).astype(np.uint8)
    reach = max(3, round(0.06 * max(alpha.shape)))
    near = cv2.dilate(solid, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
    # The box holds empty corners that only far pixels see: a thin sample of them keeps those clean.
    sparse = np.zeros_like(solid)
    sparse[:: max(1, reach // 2), :: max(1, reach // 2)] = 1
    return [(True, solid.ravel() > 0), (False, ((near | sparse) > solid).ravel())]


def _rate(step: int, steps: int) -> float:
    """Learning rate relative to the first, down to a tenth, after a short warm-up."""
    return float(min(1.0, (step + 1) / 10) * 0.1 ** (step / steps))


def train(
    folder: pathlib.Path,
    capture: Capture,
    settings: Settings,
    device: Device,
    seed: int,
    tick: Callable[[int, float], None],
    keep: Callable[[pathlib.Path], None],
    stopping: Callable[[], bool],
) -> bool:
    """Train until `settings.steps`, going on from `field.pt` where it exists.

    `tick(step, psnr)` hears of every tenth step; `keep(path)` is called with a fresh `field.pt` at least every
    CHECKPOINT_SECONDS and at the end. Returns False where `stopping()` cut it short (the checkpoint is kept).
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    model = field.build(capture, settings, device)
    data = pixels(folder, capture, settings, device), sightings(folder, capture, settings, device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.numel()], lr=1e-2, eps=1e-15)
    path = folder / "field.pt"
    step = _load(path, model, optimizer) if path.exists() else 0
    bounded = capture.masks != "none"
    kept_at = time.monotonic()
    while step < settings.steps:
        psnr = _step(model, data, optimizer, step, settings, bounded)
        step += 1
        if step % 10 == 0:
            tick(step, psnr)
        stop = stopping()
        if stop or (step < settings.steps and time.monotonic() - kept_at > CHECKPOINT_SECONDS):
            save(path, model, optimizer, step)
            keep(path)
            kept_at = time.monotonic()
            if stop:
                return False
    save(path, model, optimizer, step)
    keep(path)
    return True


def _step(
    model: SmallNerfacto,
    data: tuple[Pixels, Sightings],
    optimizer: torch.optim.Optimizer,
    step: int,
    settings: Settings,
    bounded: bool,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = 1e-2 * _rate(step, settings.steps)
    model.train()
    _anneal(model, step)
    seen, known = data
    tracked = round(settings.rays * _TRACK_SHARE) if len(known.distances) else 0
    chosen = seen.batch(settings.rays - tracked, bounded)
    spots = torch.randint(max(1, len(known.distances)), (tracked,), device=known.distances.device)
    outputs = model(
        field.bundle(
            torch.cat([seen.origins[chosen], known.origins[spots]]),
            torch.cat([seen.directions[chosen], known.directions[spots]]),
        )
    )
    batch = {"image": torch.cat([seen.colours[chosen], known.colours[spots]])}
    metrics = {"distortion": distortion_loss(outputs["weights_list"], outputs["ray_samples_list"])}  # type: ignore[no-untyped-call]
    losses: dict[str, torch.Tensor] = model.get_loss_dict(outputs, batch, metrics)  # type: ignore[no-untyped-call]
    if tracked:
        losses["tracks"] = _TRACK_WEIGHT * _miss(outputs, known.distances[spots], tracked)
    loss = torch.stack(list(losses.values())).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    model.proposal_sampler.step_cb(step)  # type: ignore[no-untyped-call]
    return float(-10 * torch.log10(losses["rgb_loss"].detach().clamp_min(1e-9)))


def _miss(outputs: dict[str, Any], distances: torch.Tensor, tracked: int) -> torch.Tensor:
    """How far the last `tracked` rays' light comes from, off the known distance and relative to it (Wasserstein-1).

    What shines through to nowhere counts as half the distance off.
    """
    weights = outputs["weights_list"][-1][-tracked:, :, 0]
    spans = outputs["ray_samples_list"][-1].frustums
    middles = ((spans.starts + spans.ends) / 2)[-tracked:, :, 0]
    off = (weights * (middles - distances[:, None]).abs()).sum(1) / distances
    miss = off + 0.5 * (1 - weights.sum(1)).clamp_min(0)
    return torch.mean(miss)


def _anneal(model: SmallNerfacto, step: int) -> None:
    """Mip-NeRF 360, equation 18: trust the proposal network slowly."""
    share = min(1.0, step / model.config.proposal_weights_anneal_max_num_iters)
    slope = model.config.proposal_weights_anneal_slope
    model.proposal_sampler.set_anneal(slope * share / ((slope - 1) * share + 1))


def save(path: pathlib.Path, model: SmallNerfacto, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write everything the next step depends on, at once or not at all."""
    state = {
        "step": step,
        "kernels": model.config.implementation,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "since_update": model.proposal_sampler._steps_since_update,
    }
    fresh = path.with_suffix(".tmp")
    torch.save(state, fresh)
    fresh.replace(path)


def _load(path: pathlib.Path, model: SmallNerfacto, optimizer: torch.optim.Optimizer) -> int:
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state.get("kernels", model.config.implementation) != model.config.implementation:
        # From a machine of another kind: its weights have another layout, so training starts anew.
        return 0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and state["random_cuda"]:
        torch.cuda.set_rng_state_all(state["random_cuda"])
    model.proposal_sampler._steps_since_update = state["since_update"]
    model.proposal_sampler._step = max(0, state["step"] - 1)
    return int(state["step"])


def trained(path: pathlib.Path, capture: Capture, settings: Settings, device: Device) -> SmallNerfacto:
    """The field from `field.pt`, for looking at."""
    model = field.build(capture, settings, device)
    state = torch.load(path, weights_only=True, map_location=device)
    model.load_state_dict(state["model"])
    model.proposal_sampler.set_anneal(1.0)
    return model


def finished(path: pathlib.Path, settings: Settings) -> bool:
    """Whether `field.pt` holds a field trained to the end."""
    return path.exists() and int(torch.load(path, weights_only=True, map_location="cpu")["step"]) >= settings.steps
