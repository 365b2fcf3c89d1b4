"""`python -m training.demo`: render, train the VAE, train the rest, score, record. Cut off, it goes on where a part
stands in the work folder: pictures and a finished VAE are kept there, and a usable model every few minutes in `out`.
"""

import argparse
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

_VAE_SHARE = 0.28
_CHECKER_PICTURES = 2000
_SEED = 1


def main() -> None:
    """Parse, and do it all."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(prog="python -m training.demo", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for VAE and transformer together")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    parser.add_argument("--work", type=Path, default=Path(".local/demo-model"), help="what is kept between runs")
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--score-only", action="store_true", help="measure and record the model that stands in `out`")
    wanted = parser.parse_args()
    import torch

    torch.set_num_threads(wanted.threads)
    wanted.work.mkdir(parents=True, exist_ok=True)
    if not wanted.score_only:
        _train(wanted.out, wanted.work, wanted.minutes * 60, wanted.pictures)
    _score(wanted.out, wanted.work)


def _told(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def _timed(what: str, times: dict[str, float], act: Callable[[], Any]) -> Any:
    began = time.monotonic()
    made = act()
    times[what] = round(time.monotonic() - began, 1)
    _told(f"{what}: {times[what]} s")
    return made


def _train(out: Path, work: Path, seconds: float, count: int) -> None:
    from training.demo.data import parts
    from training.demo.model import Size, new_pipeline, save
    from training.demo.train import Latents, fixed_loss, scaled, train
    from training.demo.vae import latents_of, quality, set_scale
    from training.demo.words import held_out, seen_pairs

    times: dict[str, float] = {}
    kept = work / f"pictures-{count}.pkl"
    if not kept.exists():
        made = _timed("render", times, lambda: parts(count, seen_pairs(), _SEED))
        kept.write_bytes(pickle.dumps(made))
    pictures = pickle.loads(kept.read_bytes())  # noqa: S301 - written by the line above
    vae, vae_losses = _vae(work, pictures, seconds * _VAE_SHARE, times)
    unseen = parts(120, held_out(), _SEED + 1)
    found: dict[str, Any] = {
        "seed": _SEED,
        "pictures": {f"{part.pictures.shape[2]} x {part.pictures.shape[1]}": len(part.scenes) for part in pictures},
        "vae": {
            "losses_per_100_steps": [round(loss, 4) for loss in vae_losses],
            "psnr_db_on_unseen_pairs": [round(quality(vae, part), 2) for part in unseen],
        },
    }
    raw = _timed("encode", times, lambda: [latents_of(vae, part) for part in pictures])
    set_scale(vae, raw)
    data = [Latents(scaled(vae, values), part.scenes) for values, part in zip(raw, pictures, strict=True)]
    fixed = Latents(scaled(vae, latents_of(vae, unseen[0])), unseen[0].scenes)
    pipeline = new_pipeline(vae, Size(), work / "tokens", _SEED)
    before = fixed_loss(pipeline, fixed, _SEED)
    left = seconds * (1 - _VAE_SHARE)
    trained = _timed("transformer", times, lambda: train(pipeline, data, left, _SEED, _told, out=out))
    found["transformer"] = {
        **trained,
        "loss_on_fixed_noise_and_unseen_pairs": [before, fixed_loss(pipeline, fixed, _SEED)],
    }
    found["seconds"] = {**json.loads((work / "vae" / "seconds.json").read_text()), **times}
    save(pipeline, {}, out)
    (work / "found.json").write_text(json.dumps(found))


def _vae(work: Path, pictures: Any, seconds: float, times: dict[str, float]) -> tuple[Any, list[float]]:
    """The trained VAE: from the work folder where one stands, else trained now and put there."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    from training.demo.vae import new_vae, train_vae

    folder = work / "vae"
    if not (folder / "losses.json").exists():
        vae = new_vae(_SEED)
        losses = _timed("vae", times, lambda: train_vae(vae, pictures, seconds, _SEED, _told))
        vae.save_pretrained(folder)
        (folder / "seconds.json").write_text(json.dumps(times))
        (folder / "losses.json").write_text(json.dumps(losses))
    loaded: Any = AutoencoderKL.from_pretrained(folder)
    return loaded.eval(), json.loads((folder / "losses.json").read_text())


def _score(out: Path, work: Path) -> None:
    from training.demo.record import sheet, write_record
    from training.demo.score import fit_checker, load, whole_score

    checker, itself = fit_checker(_CHECKER_PICTURES, _SEED + 100)
    checker.save(out / "checker.npz")
    pipeline = load(out)
    found = json.loads((work / "found.json").read_text())
    found["checker"] = asdict(itself)
    found["score"] = whole_score(pipeline, checker, _SEED + 200)
    write_record(out, found)
    sheet(pipeline, work / "sheet.png", seed=_SEED)
    _told(json.dumps({name: part["both"]["share"] for name, part in found["score"].items()}))


if __name__ == "__main__":
    main()
