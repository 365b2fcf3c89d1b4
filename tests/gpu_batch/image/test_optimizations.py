"""The speed optimizations on the tiny model: each is really on, and the picture stays what it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gpu_batch.image.test_batches import apart
from tests.gpu_batch.image.test_engine import CHAIR, nothing, one
from worker.engines.image.batches import Batches
from worker.engines.image.flux import Flux
from worker.engines.image.loader import load_pipeline
from worker.engines.image.optimizations import Optimizations
from worker.errors import BugError


@pytest.fixture(scope="module")
def plain(weights: Path) -> Any:
    """No optimization."""
    return pulled(weights, Optimizations())


def pulled(weights: Path, optimizations: Optimizations) -> Any:
    """The untrained model with these optimizations."""
    return Batches(Flux(load_pipeline(weights / "flux-schnell", "cpu", optimizations, reduced=False)), ())


@pytest.mark.part("JOB-7")
class TestLevers:
    def test_channels_last_everywhere_and_on_a_gpu_bf16_and_compiled(self) -> None:
        """The defaults, and what the job definition sets instead."""
        assert Optimizations.read("cpu", {}) == Optimizations(channels_last=True)
        assert Optimizations.read("cuda", {}) == Optimizations(dtype="bf16", compile=True, channels_last=True)
        environment = {
            "IMAGE_DTYPE": "fp32", "IMAGE_COMPILE": "0", "IMAGE_ATTENTION": "_flash_3", "IMAGE_STEP_CACHE": "0.1",
            "IMAGE_CHANNELS_LAST": "0",
        }  # fmt: skip
        assert Optimizations.read("cuda", environment) == Optimizations(attention="_flash_3", step_cache=0.1)

    @pytest.mark.parametrize("wrong", [{"IMAGE_DTYPE": "fp8"}, {"IMAGE_STEP_CACHE": "much"}])
    def test_a_setting_that_cannot_be_is_named(self, wrong: dict[str, str]) -> None:
        """Ours to mend, at the start."""
        with pytest.raises(BugError, match=next(iter(wrong))):
            Optimizations.read("cpu", wrong)

    def test_an_unknown_attention_backend_is_named(self, weights: Path) -> None:
        """diffusers lists the known ones."""
        with pytest.raises(BugError, match="IMAGE_ATTENTION=fast"):
            pulled(weights, Optimizations(attention="fast"))

    def test_bf16_is_the_same_picture_coarser(self, weights: Path, plain: Any) -> None:
        """All parts compute in bf16; the noise is the same."""
        import torch

        engine = pulled(weights, Optimizations(dtype="bf16"))
        assert {part.dtype for part in (engine.pipeline.transformer, engine.pipeline.vae)} == {torch.bfloat16}
        assert 0 < apart(one(engine), one(plain)) <= 40

    def test_channels_last_is_the_same_picture(self, weights: Path, plain: Any) -> None:
        """The layout of the VAE's convolutions, a grey level at most."""
        import torch

        engine = pulled(weights, Optimizations(channels_last=True))
        weight = engine.pipeline.vae.decoder.conv_in.weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert apart(one(engine), one(plain)) <= 1

    def test_the_attention_backend_is_used(self, weights: Path, plain: Any) -> None:
        """Every attention processor has it; plain mathematics draws the same."""
        engine = pulled(weights, Optimizations(attention="_native_math"))
        backends = {
            str(getattr(module.processor, "_attention_backend", None))
            for module in engine.pipeline.transformer.modules()
            if hasattr(module, "processor")
        }
        assert len(backends) == 1
        assert "NATIVE_MATH" in backends.pop().upper()
        assert apart(one(engine), one(plain)) <= 1

    def test_the_step_cache_skips_blocks_and_forgets_between_pictures(self, weights: Path, plain: Any) -> None:
        """With a high threshold it leaves blocks out; the next picture does not see what the last one left."""
        engine = pulled(weights, Optimizations(step_cache=10.0))
        assert engine.pipeline.transformer.is_cache_enabled
        drawing = replace(CHAIR, steps=6)
        first = one(engine, drawing)
        assert apart(first, one(plain, drawing)) > 0
        one(engine, drawing, 2)
        assert one(engine, drawing).tobytes() == first.tobytes()
        shrinking = engine.draw([drawing] * 3, (1, 2, 3), lambda done, steps: {0} if done == 2 else ())
        assert shrinking[0] is None
        assert shrinking[1] is not None

    @pytest.mark.full
    def test_compiled_blocks_draw_the_same_in_every_size_without_compiling_again(
        self, weights: Path, plain: Any
    ) -> None:
        """One dynamic graph for sizes and micro-batches; needs a C++ compiler."""
        import torch

        engine = pulled(weights, Optimizations(compile=True))
        compiled = [
            module for module in engine.pipeline.transformer.modules() if module._compiled_call_impl is not None
        ]
        assert len(compiled) == 2
        for size in (64, 96, 128):
            drawing = replace(CHAIR, width=size)
            assert apart(one(engine, drawing), one(plain, drawing)) <= 1
        with torch.compiler.set_stance("fail_on_recompile"):
            engine.draw([replace(CHAIR, width=160)], (1,), nothing)
