"""Micro-batches on tiny models of the real classes: each family draws what its diffusers pipeline draws."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu_batch.image.test_engine import CHAIR, nothing, one
from tests.gpu_batch.image.tiny_klein import build_klein
from tests.gpu_batch.image.tiny_z_image import build_z_image
from worker.engines.base import choose, load_image_engine, model_family
from worker.engines.image.untrained import build

PROMPTS = ("a red chair", "two blue tables, seen from far away", "", "a red chair")
SEEDS = (1, 2, 3, 4)


def open_model(folder: Path) -> Any:
    """The engine for a model's folder, on the CPU."""
    return load_image_engine(choose("text-to-image", model_family(folder)), folder, "cpu", reduced=False)


def make_flux(folder: Path) -> Path:
    """The untrained FLUX.1."""
    return build(folder)


def make_klein(folder: Path) -> Path:
    build_klein(folder)
    return folder


def make_base_klein(folder: Path) -> Path:
    """One that is not distilled, so that it can be guided."""
    build_klein(folder, is_distilled=False)
    return folder


def make_z_image(folder: Path) -> Path:
    build_z_image(folder)
    return folder


@pytest.fixture(scope="module", params=[make_flux, make_klein, make_base_klein, make_z_image])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine of each family."""
    make: Callable[[Path], Path] = request.param
    return open_model(make(tmp_path_factory.mktemp("model")))


def pixels(picture: Any) -> Any:
    """As signed numbers, to be subtracted."""
    return np.asarray(picture).astype(int)


def apart(one: Any, other: Any) -> int:
    """The largest difference of two pictures, in grey levels."""
    return int(np.abs(pixels(one) - pixels(other)).max())


@pytest.mark.part("JOB-7")
@pytest.mark.part("JOB-8")
class TestFamilies:
    @pytest.mark.parametrize("guidance", [0.0, 3.0])
    @pytest.mark.parametrize("negative", ["", "blue"])
    def test_a_picture_is_what_the_stock_pipeline_draws(self, model: Any, guidance: float, negative: str) -> None:
        """Same noise, steps, guidance and decoding: not a grey level of difference that matters."""
        import torch

        drawing = replace(CHAIR, guidance=guidance, negative_prompt=negative, steps=3)
        options: dict[str, Any] = {}
        family = type(model.pipeline).__name__
        if family == "FluxPipeline" and negative:
            options = {"negative_prompt": negative, "true_cfg_scale": 4.0}
        if family == "ZImagePipeline" and guidance:
            options = {"negative_prompt": negative}
        if family == "Flux2KleinPipeline" and guidance and not model.pipeline.config.is_distilled:
            embeds, _ = model.pipeline.encode_prompt(negative)
            options = {"negative_prompt_embeds": embeds}
        model.pipeline.set_progress_bar_config(disable=True)
        stock = model.pipeline(
            prompt=drawing.prompt,
            width=drawing.width,
            height=drawing.height,
            num_inference_steps=drawing.steps,
            guidance_scale=guidance,
            generator=torch.Generator("cpu").manual_seed(5),
            **options,
        ).images[0]
        assert apart(one(model, drawing, 5), stock) <= 1
        assert bool(model.ignored(drawing)) == bool(negative and not options)

    def test_in_a_batch_a_picture_is_the_same_to_a_grey_level(self, model: Any) -> None:
        """Prompts of several lengths, one twice: whoever sits beside it, and the same bytes for the same batch."""
        drawings = [replace(CHAIR, prompt=prompt) for prompt in PROMPTS]
        together = model.draw(drawings, SEEDS, nothing)
        for drawing, seed, picture in zip(drawings, SEEDS, together, strict=True):
            alone = one(model, drawing, seed)
            assert picture.size == (64, 48)
            assert apart(picture, alone) <= 1
        again = model.draw(drawings, SEEDS, nothing)
        assert [picture.tobytes() for picture in again] == [picture.tobytes() for picture in together]
        assert min(apart(together[0], other) for other in together[1:]) > 1

    def test_some_with_a_negative_prompt_and_some_without(self, model: Any) -> None:
        """Each is led away from its own; the others are not touched by it."""
        plain = replace(CHAIR, guidance=3.0)
        drawings = [plain, replace(plain, negative_prompt="blue"), replace(plain, negative_prompt="a wide green field")]
        together = model.draw(drawings, (1, 1, 1), nothing)
        for drawing, picture in zip(drawings, together, strict=True):
            assert apart(picture, one(model, drawing, 1)) <= 1
        heeded = not model.ignored(drawings[1])
        assert (together[0].tobytes() != together[1].tobytes()) == heeded

    def test_those_whom_nobody_wants_leave_and_the_others_stay(self, model: Any) -> None:
        """The second leaves after the first step; the rest is what it would have been."""
        drawings = [replace(CHAIR, prompt=prompt, steps=4, guidance=3.0) for prompt in PROMPTS[:3]]
        sizes: list[int] = []
        predict = model._family.predict
        model._family.predict = lambda latents, *rest: (sizes.append(latents.shape[0]), predict(latents, *rest))[1]
        try:
            pictures = model.draw(drawings, SEEDS[:3], lambda done, steps: {1} if done == 1 else ())
        finally:
            del model._family.predict
        assert sorted(set(sizes)) == [2, 3]
        assert pictures[1] is None
        for at in (0, 2):
            assert apart(pictures[at], one(model, drawings[at], SEEDS[at])) <= 1

    def test_when_all_have_left_it_stops(self, model: Any) -> None:
        """No step more, nothing decoded."""
        steps: list[int] = []

        def leave(done: int, of: int) -> tuple[int, ...]:
            del of
            steps.append(done)
            return (0, 1)

        assert model.draw([CHAIR, CHAIR], (1, 2), leave) == [None, None]
        assert steps == [1]

    def test_equal_prompts_are_encoded_once(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Within a micro-batch and over several; kept prompts are few."""
        asked: list[list[str]] = []
        encode = model._family.encode
        model._family.encode = lambda prompts: (asked.append(prompts), encode(prompts))[1]
        try:
            drawings = [replace(CHAIR, prompt=prompt, steps=1) for prompt in ("x", "y", "x")]
            model.draw(drawings, (1, 2, 3), nothing)
            model.draw(drawings[:1], (1,), nothing)
            monkeypatch.setattr("worker.engines.image.batches._PROMPTS_KEPT", 2)
            model._encoded(["v", "w"])
        finally:
            del model._family.encode
        assert asked[0] == ["x", "y"]
        assert not any("x" in prompts for prompts in asked[1:])
        assert list(model._texts) == ["v", "w"]
