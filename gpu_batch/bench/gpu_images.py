"""A FLUX.1-sized transformer with random weights on this machine's GPU: stock diffusers beside ours, lever by lever.

Run from the root in an image environment with a CUDA build of torch, with PYTHONPATH=gpu_batch:layers/core:.
(or `make bench-gpu`), as

    python -m bench.gpu_images [--steps 28] [--size 1024] [--turns 3] [--out docs/benchmarks-gpu.json]

12 billion parameters in bf16 (24 GB) and FLUX.1's VAE; both sides get encoded prompts, so that text encoders need not
be held. Speed does not depend on the weights' values, except for the step cache: with random weights its threshold
says how much is left out, not how good the picture is. Without CUDA it says so and ends with 69 (EX_UNAVAILABLE).
"""

import argparse
import gc
import json
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.cuda import machine
from worker.engines.base import Drawing
from worker.engines.image.batches import Batches, Text
from worker.engines.image.flux import Flux
from worker.engines.image.optimizations import Optimizations

ROOT = pathlib.Path(__file__).resolve().parents[2]
TITLE = "Pictures on a GPU"
_OPTIMIZATIONS = (
    ("no lever", Optimizations(dtype="bf16")),
    ("channels last", Optimizations(dtype="bf16", channels_last=True)),
    ("regional compile", Optimizations(dtype="bf16", compile=True, channels_last=True)),
    (
        "compile, cudnn attention",
        Optimizations(dtype="bf16", compile=True, channels_last=True, attention="_native_cudnn"),
    ),
    ("compile, flash 3 attention", Optimizations(dtype="bf16", compile=True, channels_last=True, attention="_flash_3")),
    ("compile, step cache 0.08", Optimizations(dtype="bf16", compile=True, channels_last=True, step_cache=0.08)),
)
_MICRO_BATCHES = (2, 4)
_AIM_COMPILED = 1.0
_AIM_BATCH = 0.5
"""Of stock's seconds a picture, all optimizations that leave the picture as it is: twice the throughput."""


class Given(Flux):
    """FLUX.1 with encoded prompts given: random ones, of the true shapes."""

    def encode(self, prompts: list[str]) -> list[Text]:
        """T5-XXL's 512 x 4096 and CLIP-L's 768."""
        import torch

        texts = []
        for prompt in prompts:
            torch.manual_seed(len(prompt))
            like = {"device": "cuda", "dtype": torch.bfloat16}
            texts.append((torch.randn(512, 4096, **like), torch.randn(768, **like)))
        return texts


def pipeline_of(optimizations: Optimizations) -> Any:
    """FLUX.1-dev's sizes, made on the GPU."""
    import diffusers
    import torch

    torch.manual_seed(0)
    with torch.device("cuda"):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            transformer = diffusers.FluxTransformer2DModel(guidance_embeds=True)
            vae = diffusers.AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16,
                use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611, shift_factor=0.1159,
            )  # fmt: skip
        finally:
            torch.set_default_dtype(before)
    pipeline = diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae, transformer=transformer, text_encoder=None, tokenizer=None, text_encoder_2=None, tokenizer_2=None,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    optimizations.apply(pipeline)
    return pipeline


def timed(operation: Callable[[], object], turns: int) -> tuple[float, float]:
    """(seconds of the first call, least of the later ones)."""
    import torch

    taken = []
    for _ in range(turns + 1):
        begun = time.monotonic()
        operation()
        torch.cuda.synchronize()
        taken.append(time.monotonic() - begun)
    return taken[0], min(taken[1:])


def stock(steps: int, size: int, turns: int) -> float:
    """Seconds a picture of diffusers' own pipeline."""
    import torch

    pipeline = pipeline_of(Optimizations(dtype="bf16"))
    ((sequence, pooled),) = Given(pipeline).encode(["a"])

    def draw() -> None:
        pipeline(
            prompt_embeds=sequence[None], pooled_prompt_embeds=pooled[None], width=size, height=size,
            num_inference_steps=steps, guidance_scale=3.5, generator=torch.Generator("cpu").manual_seed(1),
        )  # fmt: skip

    return timed(draw, turns)[1]


def ours(optimizations: Optimizations, steps: int, size: int, turns: int, together: int) -> tuple[float, float, float]:
    """(seconds a picture, seconds of the first, peak GiB) of our engine with `together` pictures at once."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    engine = Batches(Given(pipeline_of(optimizations)), ())
    drawings = [Drawing("a" * (number + 1), "", size, size, steps, 3.5) for number in range(together)]
    first, later = timed(lambda: engine.draw(drawings, range(together), lambda *_: ()), turns)
    return later / together, first, torch.cuda.max_memory_allocated() / 2**30


def measure(steps: int, size: int, turns: int) -> list[dict[str, Any]]:
    """All rows. A backend that this machine lacks is a row that says so."""
    import torch

    peer = stock(steps, size, turns)
    cases = [(name, optimizations, 1) for name, optimizations in _OPTIMIZATIONS]
    cases += [(f"compile, micro-batch {count}", _OPTIMIZATIONS[2][1], count) for count in _MICRO_BATCHES]
    rows = []
    for name, optimizations, together in cases:
        gc.collect()
        torch.cuda.empty_cache()
        torch.compiler.reset()
        try:
            seconds, first, memory = ours(optimizations, steps, size, turns, together)
        except Exception as error:  # noqa: BLE001 - the row says why
            rows.append(row(name, None, peer, None, f"not on this machine: {str(error)[:200]}"))
            continue
        aim = _AIM_BATCH if together > 1 else _AIM_COMPILED if optimizations.compile else None
        rows.append(row(name, seconds, peer, aim, f"first {first:.1f} s, peak {memory:.1f} GiB"))
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
    return rows


def row(name: str, own: float | None, peer: float, aim: float | None, note: str) -> dict[str, Any]:
    """As docs/benchmarks.json has them; published for one H200: 5.58 s stock, 4.32 compiled, 2.38 best."""
    ratio = None if own is None else round(own / peer, 3)
    met = None if aim is None or ratio is None else ratio <= aim
    return {
        "name": f"gpu.image.{name}", "ours": own and round(own, 3), "peer": round(peer, 3), "ratio": ratio, "aim": aim,
        "met": met, "unit": "s a picture", "note": note,
    }  # fmt: skip


def main() -> int:
    """Measure, print, write beside what else was measured on a GPU."""
    parser = argparse.ArgumentParser(prog="make bench-gpu", description=__doc__)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "benchmarks-gpu.json")
    chosen = parser.parse_args()
    where = machine()
    entries = measure(chosen.steps, chosen.size, chosen.turns)
    known: dict[str, Any] = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    others = [section for section in known.get("sections", ()) if section["title"] != TITLE]
    sections = [*others, {"title": TITLE, "steps": chosen.steps, "size": chosen.size, "entries": entries}]
    chosen.out.write_text(json.dumps({**known, **where, "sections": sections}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
