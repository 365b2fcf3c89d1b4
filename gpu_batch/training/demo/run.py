"""The whole run: what is made in which order, and what is kept where.

The encoder is set before any training. Then the decoder is trained, then the transformer, then its guidance, each on
all cores: side by side they would wait for each other's threads.
"""

import json
import pickle
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.demo.budget import Budget
from training.demo.codec import latents_of, set_encoder
from training.demo.data import Part, parts
from training.demo.model import Size, compile_blocks, new_pipeline, save
from training.demo.record import sheet, write_record
from training.demo.score import fit_checker, load, whole_score
from training.demo.train import PARTS, Latents, fixed_loss, guide, scaled, token_weights, train
from training.demo.vae import Report, new_vae, quality, train_decoder
from training.demo.words import held_out, seen_pairs

SEED = 1
_DECODER_SHARE = 0.15
_GUIDANCE_SHARE = 0.12
"""Of the time; the rest is the transformer's."""
_CHECKER_PICTURES = 2000
_VAE_FILE = "vae.pt"


@dataclass(frozen=True)
class Plan:
    """Folders, seconds of training, how many pictures, and threads."""

    out: Path
    work: Path
    seconds: float
    pictures: int
    threads: int
    resume: bool = False
    """From the transformer that an earlier run left in `work`, whose decoder stays."""


def train_all(plan: Plan, report: Report) -> None:
    """Render, train, and put the model into `plan.out`."""
    torch.set_num_threads(plan.threads)
    plan.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    pictures = rendered(plan)
    report(f"{plan.pictures} pictures rendered in {time.monotonic() - began:.0f} s")
    vae = new_vae(SEED).eval()
    set_encoder(vae, pictures)
    latents = [latents_of(vae, part) for part in pictures]
    if not plan.resume:
        train_code(plan, vae, pictures, latents, report)
    train_drawing(plan, vae, pictures, latents, report)
    join_parts(plan)


def rendered(plan: Plan) -> Sequence[Part]:
    """The training pictures, rendered once for a work folder."""
    file = plan.work / f"pictures-{plan.pictures}.pkl"
    if not file.exists():
        file.write_bytes(pickle.dumps(parts(plan.pictures, seen_pairs(), SEED)))
    made: Sequence[Part] = pickle.loads(file.read_bytes())  # noqa: S301 - our own file
    return made


def train_code(plan: Plan, vae: Any, pictures: Sequence[Part], latents: Sequence[torch.Tensor], report: Report) -> None:
    """Train the decoder; leaves the VAE and its numbers in the work folder."""
    began = time.monotonic()
    losses = train_decoder(vae.train(), pictures, latents, Budget(plan.seconds * _DECODER_SHARE), SEED, report)
    seconds = round(time.monotonic() - began)
    unseen = [round(quality(vae.eval(), part), 2) for part in parts(120, held_out(), SEED + 1)]
    torch.save(vae.state_dict(), plan.work / _VAE_FILE)
    found = {"seconds": seconds, "psnr_db_on_unseen_pairs": unseen, "losses_per_100_steps": losses}
    (plan.work / "decoder.json").write_text(json.dumps(found))


def train_drawing(
    plan: Plan, vae: Any, pictures: Sequence[Part], latents: Sequence[torch.Tensor], report: Report
) -> None:
    """Train transformer and text encoders; leaves the pipeline and its numbers in the work folder."""
    data = [
        Latents(scaled(vae, some), part.scenes, token_weights(part))
        for some, part in zip(latents, pictures, strict=True)
    ]
    unseen = parts(128, held_out(), SEED + 1)[0]
    fixed = Latents(scaled(vae, latents_of(vae, unseen)), unseen.scenes, token_weights(unseen))
    pipeline = new_pipeline(vae, Size(), plan.work / "tokens", SEED)
    earlier = _go_on(plan, pipeline) if plan.resume else []
    compile_blocks(pipeline)
    began, spent = time.monotonic(), time.process_time()
    losses = [fixed_loss(pipeline, fixed, SEED)]
    seed = SEED + len(earlier)
    share = (1 - _GUIDANCE_SHARE) if plan.resume else (1 - _GUIDANCE_SHARE - _DECODER_SHARE)
    budget = Budget(plan.seconds * share)
    found = {"flow_matching": train(pipeline, data, budget, seed, report, out=plan.work / "model", resume=plan.resume)}
    losses.append(fixed_loss(pipeline, fixed, SEED))
    found["guidance"] = guide(pipeline, data, Budget(plan.seconds * _GUIDANCE_SHARE), seed, report)
    losses.append(fixed_loss(pipeline, fixed, SEED))
    save(pipeline, {}, plan.work / "model")
    times = {"seconds": round(time.monotonic() - began), "cpu_seconds": round(time.process_time() - spent)}
    sitting = found | times | {"loss_on_fixed_noise_and_unseen_pairs": losses}
    (plan.work / "transformer.json").write_text(json.dumps([*earlier, sitting]))


def _go_on(plan: Plan, pipeline: Any) -> list[dict[str, Any]]:
    """Take the weights that stand in the work folder; returns the numbers of the sittings that made them."""
    kept = load(plan.work / "model")
    for part in PARTS:
        getattr(pipeline, part).load_state_dict(getattr(kept, part).state_dict())
    earlier: list[dict[str, Any]] = json.loads((plan.work / "transformer.json").read_text())
    return earlier


def join_parts(plan: Plan) -> None:
    """Put the trained decoder into the trained pipeline and write both to `plan.out`."""
    pipeline = load(plan.work / "model")
    pipeline.vae.load_state_dict(torch.load(plan.work / _VAE_FILE, weights_only=True))
    shutil.rmtree(plan.out, ignore_errors=True)
    save(pipeline, {}, plan.out)


def measure(plan: Plan) -> dict[str, float]:
    """Fit the checker, score the model, write its record and a sheet of pictures. Returns the shares of pictures in
    which both shape and colour are right.
    """
    torch.set_num_threads(plan.threads)
    checker, itself = fit_checker(_CHECKER_PICTURES, SEED + 100)
    checker.save(plan.out / "checker.npz")
    pipeline = load(plan.out)
    score = whole_score(pipeline, checker, SEED + 200)
    found = {
        "seed": SEED,
        "pictures": plan.pictures,
        "trained": list(PARTS),
        "decoder": json.loads((plan.work / "decoder.json").read_text()),
        "transformer": json.loads((plan.work / "transformer.json").read_text()),
        "checker": asdict(itself),
        "score": score,
    }
    sheet(pipeline, plan.out / "sheet.png", seed=SEED)
    write_record(plan.out, found)
    return {name: part["both"]["share"] for name, part in score.items()}
