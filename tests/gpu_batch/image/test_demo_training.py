"""The demo model's training: words, an exact encoder, losses that fall, a model that the worker loads."""

import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from worker.engines.base import Drawing, choose, load_image_engine, model_family

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def pictures() -> Any:
    """Twenty-four pictures in three formats, each solid from one side."""
    from training.demo import data
    from training.demo.words import seen_pairs

    return data.parts(24, seen_pairs(), 5, turns=1)


@pytest.fixture(scope="module")
def vae(pictures: Any) -> Any:
    """A VAE with its encoder set to these pictures, its decoder untrained."""
    from training.demo.codec import set_encoder
    from training.demo.vae import new_vae

    made = new_vae(1).eval()
    set_encoder(made, pictures)
    return made


@pytest.mark.part("JOB-7")
class TestWords:
    def test_training_never_shows_the_held_out_pairs_but_each_shape_and_colour(self) -> None:
        """Else a score on unseen combinations would mean nothing."""
        from training.demo.pictures import COLOURS, SHAPES
        from training.demo.words import held_out, seen_pairs

        kept, shown = set(held_out()), set(seen_pairs())
        assert not kept & shown
        assert len(kept) == 12
        assert {shape for shape, _ in shown} == {shape for shape, _ in kept} == set(SHAPES)
        assert {colour for _, colour in shown} == {colour for _, colour in kept} == set(COLOURS)

    def test_each_word_is_one_token_for_both_encoders(self, tmp_path: Path) -> None:
        """Also with a capital, and other words fall into letters instead of being lost."""
        from training.demo.tokens import clip_tokenizer, t5_tokenizer
        from training.demo.words import vocabulary

        clip, t5 = clip_tokenizer(tmp_path), t5_tokenizer()
        for word in filter(str.isalpha, vocabulary()):
            assert len(clip(word).input_ids) == 3
            assert len(t5(word).input_ids) == len(t5(word.capitalize()).input_ids) == 2
        assert clip.unk_token_id not in clip("dragon").input_ids[1:-1]
        assert t5.unk_token_id not in t5("dragon").input_ids


@pytest.mark.part("JOB-7")
class TestCode:
    def test_the_encoder_is_a_linear_code_that_keeps_the_picture(self, vae: Any, pictures: Any) -> None:
        """Without training: least squares finds the pictures in the latents again, at 28 dB and more."""
        import torch

        from training.demo.codec import as_tensor, decoded_range, latents_of

        latents = latents_of(vae, pictures[0]).permute(0, 2, 3, 1).reshape(-1, 16)
        patches = torch.nn.functional.pixel_unshuffle(decoded_range(as_tensor(pictures[0])), 8)
        patches = patches.permute(0, 2, 3, 1).reshape(-1, 192)
        known = torch.cat([latents, torch.ones(len(latents), 1)], dim=1)
        error = (known @ torch.linalg.lstsq(known, patches).solution - patches).square().mean()
        assert -10 * float((error / 4).log10()) > 28
        assert float((latents * vae.config.scaling_factor).std()) == pytest.approx(1, abs=0.1)


@pytest.mark.part("JOB-7")
class TestTraining:
    def test_the_losses_fall_and_the_worker_draws_with_what_was_saved(
        self, vae: Any, pictures: Any, tmp_path: Path
    ) -> None:
        """A few seconds on a tiny model: fixed noise is predicted better, pixels too, and the engine loads it."""
        from training.demo.budget import Budget
        from training.demo.codec import latents_of
        from training.demo.model import TINY, new_pipeline, save
        from training.demo.train import Latents, fixed_loss, guide, scaled, token_weights, train
        from training.demo.vae import quality, train_decoder

        raw = [latents_of(vae, part) for part in pictures]
        blurred = quality(vae, pictures[0])
        train_decoder(vae, pictures, raw, Budget(steps=25), 1, lambda line: None)
        assert quality(vae, pictures[0]) > blurred + 1
        data = [
            Latents(scaled(vae, values), part.scenes, token_weights(part))
            for values, part in zip(raw, pictures, strict=True)
        ]
        pipeline = new_pipeline(vae, TINY, tmp_path / "tokens", 1)
        before = fixed_loss(pipeline, data[0], 1)
        found = train(pipeline, data, Budget(steps=60), 1, lambda line: None, batch=8)
        assert found["steps"] == 60
        assert fixed_loss(pipeline, data[0], 1) < before * 0.97
        before = self.far_from_guided(pipeline, teacher := copy.deepcopy(pipeline), data[0])
        guide(pipeline, data, Budget(steps=40), 1, lambda line: None, batch=8)
        assert self.far_from_guided(pipeline, teacher, data[0]) < before * 0.97
        save(pipeline, {}, tmp_path / "model")
        engine = load_image_engine(
            choose("text-to-image", model_family(tmp_path / "model")), tmp_path / "model", "cpu", reduced=False
        )
        drawing = Drawing("a red cube", negative_prompt="", width=96, height=64, steps=2, guidance=0.0)
        (picture,) = engine.draw([drawing], [1], lambda done, steps: ())
        assert (picture.size, picture.mode) == ((96, 64), "RGB")

    def far_from_guided(self, pipeline: Any, teacher: Any, some: Any) -> float:
        """How far the answers are from what the teacher says with guidance, on fixed noise."""
        import torch

        from training.demo.train import GUIDANCE, Batch, answer

        dice = torch.Generator().manual_seed(3)
        latents = some.values[:8]
        noise = torch.randn(latents.shape, generator=dice)
        batch = Batch(latents, ["a red cube"] * 8, noise, torch.linspace(0.1, 0.9, 8), some.weights[:8])
        with torch.inference_mode():
            plain = answer(teacher, batch, [""] * 8)
            wanted = plain + GUIDANCE * (answer(teacher, batch, batch.prompts) - plain)
            return float((answer(pipeline, batch, batch.prompts) - wanted).square().mean())


@pytest.mark.part("JOB-7")
@pytest.mark.full
class TestChecker:
    def test_it_reads_fresh_renders_right(self) -> None:
        """Else a score says nothing about the model."""
        from training.demo.score import fit_checker

        checker, itself = fit_checker(2000, 41)
        assert itself.shape.share >= 0.97
        assert itself.colour.share >= 0.98
        assert itself.background.share >= 0.98
        for foot in (0.05, 1.2):
            assert self._right_with_shadows(checker, foot) >= 0.95

    def _right_with_shadows(self, checker: Any, foot: float) -> float:
        """With every solid's shadow as wide as `foot`: the shadow must not tell the shape."""
        from training.demo.data import parts
        from training.demo.pictures import COLOURS
        from training.demo.score import agreement
        from training.demo.solids import SOLIDS

        alike = {name: replace(solid, foot=foot) for name, solid in SOLIDS.items()}
        with patch.dict(SOLIDS, alike):
            made = parts(120, [(shape, colour) for shape in SOLIDS for colour in COLOURS], 777, turns=9)
        readings = [checker.read(picture) for part in made for picture in part.pictures]
        return agreement(readings, [scene for part in made for scene in part.scenes]).shape.share


def test_a_share_has_its_interval() -> None:
    """Wilson's: 90 of 100 is 82.6 to 94.5 %."""
    from training.demo.score import share

    found = share(90, 100)
    assert (found.share, found.low, found.high) == (0.9, 0.8256, 0.9448)
    assert share(0, 0).high == 1.0


def test_pictures_are_as_described() -> None:
    """The colour that is named stands in the middle of the picture, before the place that is named."""
    from training.demo.pictures import Scene, render
    from training.demo.solids import view

    rng = np.random.default_rng(1)
    made = render(Scene("cube", "blue", "matte", "meadow", "large"), [view("cube", 40)], 128, 128, rng)
    middle, floor = made[60:68, 60:68].mean(axis=(0, 1)), made[-4:, :4].mean(axis=(0, 1))
    assert middle.argmax() == 2
    assert floor.argmax() == 1
