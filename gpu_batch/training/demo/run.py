"""The whole run: what is made in which order, and what is kept where.

The encoder is set before any training, so latents stand at once and decoder and transformer are trained side by side,
in a process each.
"""

import json
import multiprocessing
import os
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
from training.demo.model import Size, new_pipeline, save
from training.demo.record import sheet, write_record
from training.demo.score import fit_checker, load, whole_score
from training.demo.train import PARTS, Latents, fixed_loss, scaled, train
from training.demo.vae import Told, new_vae, quality, train_decoder
from training.demo.words import held_out, seen_pairs

SEED = 1
_DECODER_SHARE = 0.9
"""Of the time: the decoder is done before the transformer."""
_CHECKER_PICTURES = 2000
_VAE_FILE = "vae.pt"


@dataclass(frozen=True)
class Plan:
    """Folders, seconds of training, how many pictures, and the transformer's threads."""

    out: Path
    work: Path
    seconds: float
    pictures: int
    threads: int


def train_all(plan: Plan, told: Told) -> None:
    """Render, train both, and put the model into `plan.out`."""
    plan.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    rendered(plan)
    told(f"{plan.pictures} pictures rendered in {time.monotonic() - began:.0f} s")
    context = multiprocessing.get_context("spawn")
    decoder = context.Process(target=decode_part, args=(plan, told))
    decoder.start()
    try:
        draw_part(plan, told)
    finally:
        decoder.join()
    if decoder.exitcode != 0:
        raise RuntimeError(f"the decoder's training ended with {decoder.exitcode}: see its lines above")
    join_parts(plan)


def rendered(plan: Plan) -> Sequence[Part]:
    """The training pictures, rendered once for a work folder."""
    file = plan.work / f"pictures-{plan.pictures}.pkl"
    if not file.exists():
        file.write_bytes(pickle.dumps(parts(plan.pictures, seen_pairs(), SEED)))
    made: Sequence[Part] = pickle.loads(file.read_bytes())  # noqa: S301 - our own file
    return made


def decode_part(plan: Plan, told: Told) -> None:
    """Train the decoder; leaves the VAE and its numbers in the work folder."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch.set_num_threads(1)
    vae, pictures = _coded(plan)
    latents = [latents_of(vae, part) for part in pictures]
    began = time.monotonic()
    losses = train_decoder(vae.train(), pictures, latents, Budget(plan.seconds * _DECODER_SHARE), SEED, told)
    seconds = round(time.monotonic() - began)
    unseen = [round(quality(vae.eval(), part), 2) for part in parts(120, held_out(), SEED + 1)]
    torch.save(vae.state_dict(), plan.work / _VAE_FILE)
    found = {"seconds": seconds, "psnr_db_on_unseen_pairs": unseen, "losses_per_100_steps": losses}
    (plan.work / "decoder.json").write_text(json.dumps(found))


def draw_part(plan: Plan, told: Told) -> None:
    """Train transformer and text encoders; leaves a pipeline without a decoder and its numbers in the work folder."""
    torch.set_num_threads(plan.threads)
    vae, pictures = _coded(plan)
    data = [Latents(scaled(vae, latents_of(vae, part)), part.scenes) for part in pictures]
    unseen = parts(128, held_out(), SEED + 1)[0]
    fixed = Latents(scaled(vae, latents_of(vae, unseen)), unseen.scenes)
    pipeline = new_pipeline(vae, Size(), plan.work / "tokens", SEED)
    before, began = fixed_loss(pipeline, fixed, SEED), time.monotonic()
    found = train(pipeline, data, Budget(plan.seconds), SEED, told, out=plan.work / "model")
    found["seconds"] = round(time.monotonic() - began)
    found["loss_on_fixed_noise_and_unseen_pairs"] = [before, fixed_loss(pipeline, fixed, SEED)]
    save(pipeline, {}, plan.work / "model")
    (plan.work / "transformer.json").write_text(json.dumps(found))


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


def _coded(plan: Plan) -> tuple[Any, Sequence[Part]]:
    pictures = rendered(plan)
    vae = new_vae(SEED).eval()
    set_encoder(vae, pictures)
    return vae, pictures
