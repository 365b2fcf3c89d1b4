"""Adapters in use: pictures differ with one, are the base's exactly without, and adapters blend and swap."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from snapforge.contracts.adapters import MAX_BLENDED
from tests.gpu_batch.image.test_batches import apart
from tests.gpu_batch.image.test_engine import CHAIR, nothing, one
from tests.gpu_batch.image.tiny_klein import build_klein
from tests.gpu_batch.lora import made
from tests.gpu_batch.lora.trained import Trained
from worker.engines.image.adapters import Adapter, Adapters
from worker.engines.image.adapters.compiled import add_slots
from worker.engines.image.batches import Batches
from worker.engines.image.flux import Flux
from worker.engines.image.flux2 import Flux2
from worker.engines.image.loader import load_pipeline
from worker.engines.image.optimizations import Optimizations
from worker.engines.lora import base_model
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-9")


def draw(pipeline: Any) -> npt.NDArray[np.uint8]:
    """One small picture, always of the same noise."""
    import torch

    with torch.inference_mode():
        picture = pipeline(
            prompt="a photo of zwq ball", width=64, height=64, num_inference_steps=2, guidance_scale=0.0,
            generator=torch.Generator("cpu").manual_seed(3),
        ).images[0]  # fmt: skip
    return np.asarray(picture)


class Drawer:
    """A pipeline with its adapters."""

    def __init__(self, model: Path, *, compiled: bool = False) -> None:
        self.pipeline = base_model.load(model, "cpu", only="all")
        if compiled:
            add_slots(self.pipeline)
        self.adapters = Adapters(self.pipeline)

    def draw(self, wanted: Sequence[Adapter]) -> npt.NDArray[np.uint8]:
        """A picture with these adapters."""
        self.adapters.use(wanted)
        return draw(self.pipeline)


@pytest.fixture(scope="module")
def base(weights: Path) -> npt.NDArray[np.uint8]:
    """What the model draws without ever having seen an adapter."""
    return draw(base_model.load(weights / "flux-schnell", "cpu", only="all"))


@pytest.fixture
def drawer(weights: Path) -> Drawer:
    """A fresh pipeline."""
    return Drawer(weights / "flux-schnell")


class TestUse:
    def test_pictures_differ_with_it_and_are_the_base_without(
        self, drawer: Drawer, base: npt.NDArray[np.uint8], trained: Trained
    ) -> None:
        """With, at weight 0, without, and with again."""
        with_it = drawer.draw([trained.at(1.0)])
        assert (with_it != base).mean() > 0.2
        assert (drawer.draw([trained.at(0.0)]) == base).all()
        assert (drawer.draw([]) == base).all()
        assert (drawer.draw([trained.at(1.0)]) == with_it).all()

    def test_two_blend_by_their_weights(self, drawer: Drawer, trained: Trained, other: Trained) -> None:
        """The blend is neither of them, does not depend on what was drawn before, and weights count."""
        first, second = drawer.draw([trained.at(1.0)]), drawer.draw([other.at(1.0)])
        both = drawer.draw([trained.at(1.0), other.at(1.0)])
        assert (both != first).any()
        assert (both != second).any()
        assert (drawer.draw([trained.at(1.0), other.at(0.4)]) != both).any()
        assert (drawer.draw([trained.at(1.0), other.at(1.0)]) == both).all()
        assert (drawer.draw([trained.at(1.0), other.at(0.0)]) == first).all()

    @pytest.mark.parametrize("compiled", [False, True])
    def test_more_adapters_than_slots_take_turns(
        self, weights: Path, trained: Trained, other: Trained, compiled: bool
    ) -> None:
        """Five contents in four slots: the first comes back as it was."""
        drawer = Drawer(weights / "flux-schnell", compiled=compiled)
        first = drawer.draw([trained.at(1.0)])
        for number in range(4):
            drawer.draw([Adapter(f"copy{number}", f"content{number}", other.path, 1.0)])
        assert (drawer.draw([trained.at(1.0)]) == first).all()

    def test_what_cannot_be_used_is_refused_and_the_rest_goes_on(
        self, drawer: Drawer, base: npt.NDArray[np.uint8], trained: Trained, tmp_path: Path
    ) -> None:
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(trained.path.read_bytes()[:2000])
        with pytest.raises(InputError, match="cannot be read"):
            drawer.draw([Adapter("broken", "0", broken, 1.0)])
        with pytest.raises(InputError, match="asked for twice"):
            drawer.draw([trained.at(1.0), trained.at(0.5)])
        with pytest.raises(InputError, match="5 LoRAs were asked for; 4 can be blended"):
            drawer.adapters.use([Adapter(str(number), str(number), trained.path, 1.0) for number in range(5)])
        assert (drawer.draw([]) == base).all()

    @pytest.mark.parametrize("slots", [False, True])
    def test_flux_2_klein_draws_with_its_own(self, tmp_path: Path, slots: bool) -> None:
        """Other layers, the same rules: with it another picture, afterwards the base exactly; slots draw the same."""
        build_klein(tmp_path / "klein")
        path = made.make(tmp_path / "klein", tmp_path / "any.safetensors", seed=1)
        pipeline = load_pipeline(tmp_path / "klein", "cpu", Optimizations(), reduced=False)
        if slots:
            add_slots(pipeline)
        engine = Batches(Flux2(pipeline), ())
        with_it = replace(CHAIR, adapters=(Adapter("any", "content", path, 1.0),))
        before, between, after = (one(engine, drawing) for drawing in (CHAIR, with_it, CHAIR))
        assert before.tobytes() == after.tobytes()
        assert apart(before, between) > 1
        uncompiled = Batches(Flux2(load_pipeline(tmp_path / "klein", "cpu", Optimizations(), reduced=False)), ())
        assert apart(one(uncompiled, with_it), between) <= 1


class TestCompiled:
    def test_swapping_and_other_weights_compile_nothing(self, weights: Path, trained: Trained, other: Trained) -> None:
        """One compilation for one adapter; then another content, another rank and other weights run on that graph."""
        import torch

        drawer = Drawer(weights / "flux-schnell", compiled=True)
        drawer.pipeline.transformer.compile_repeated_blocks(fullgraph=True, dynamic=True, backend="eager")
        first = drawer.draw([trained.at(1.0)])
        with torch.compiler.set_stance("fail_on_recompile"):
            second = drawer.draw([other.at(1.0)])
            weaker = drawer.draw([trained.at(0.5)])
            again = drawer.draw([trained.at(1.0)])
        assert (again == first).all()
        assert (second != first).any()
        assert (weaker != first).any()
        expected = Drawer(weights / "flux-schnell").draw([other.at(1.0)])
        assert np.abs(second.astype(int) - expected).max() <= 1

    @pytest.mark.full
    def test_every_number_of_adapters_and_pictures_has_its_graph(
        self, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """None to four adapters, one picture and several: ten graphs of a block, more than torch keeps by itself."""
        import torch
        from diffusers import FluxTransformer2DModel

        compiled = FluxTransformer2DModel.compile_repeated_blocks
        # The graphs are what counts here, not the machine code made of them.
        eager = partialmethod(compiled, backend="eager")
        monkeypatch.setattr(FluxTransformer2DModel, "compile_repeated_blocks", eager)
        path = made.make(weights / "flux-schnell", tmp_path / "any.safetensors", seed=1)
        engine = Batches(
            Flux(load_pipeline(weights / "flux-schnell", "cpu", Optimizations(compile=True), reduced=False)), ()
        )

        def draw_all(content: str) -> None:
            for number in range(MAX_BLENDED + 1):
                slots = (Adapter(str(slot), f"{content}{slot}", path, 0.5) for slot in range(number))
                drawing = replace(CHAIR, steps=1, adapters=tuple(slots))
                for pictures in (1, 2):
                    engine.draw([drawing] * pictures, range(pictures), nothing)

        draw_all("first")
        with torch.compiler.set_stance("fail_on_recompile"):
            draw_all("second")
