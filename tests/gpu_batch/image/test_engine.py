"""The image engine in this process: pictures, seeds, settings, models that are no models."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu_batch.image.tiny_klein import build_klein
from tests.support.aws import ROOT
from worker.engines.base import Drawing, ImageEngine, OnStep, choose, load_image_engine, model_family
from worker.engines.image.untrained import build
from worker.errors import BugError, Interrupted

CHAIR = Drawing("a red chair", negative_prompt="", width=64, height=48, steps=2, guidance=0.0)


def nothing(done: int, steps: int) -> tuple[()]:
    """Steps are not reported."""
    del done, steps
    return ()


def one(engine: ImageEngine, drawing: Drawing = CHAIR, seed: int = 1, on_step: OnStep = nothing) -> Any:
    """One picture, drawn alone."""
    (picture,) = engine.draw([drawing], [seed], on_step)
    return picture


def draw(engine: ImageEngine, drawing: Drawing = CHAIR, seed: int = 1) -> bytes:
    """The bytes of one picture's pixels."""
    pixels: bytes = one(engine, drawing, seed).tobytes()
    return pixels


@pytest.mark.part("JOB-7")
class TestDrawing:
    def test_same_seed_same_bytes_other_seed_other_picture(self, engine: ImageEngine) -> None:
        """Reproducible, and every seed its own."""
        assert draw(engine, seed=1) == draw(engine, seed=1)
        assert len({draw(engine, seed=seed) for seed in range(4)}) == 4

    @pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 64), (48, 80)])
    def test_size_is_what_was_asked(self, engine: ImageEngine, width: int, height: int) -> None:
        """Any multiple of 16, wide or tall; noise is not one grey."""
        picture = one(engine, replace(CHAIR, width=width, height=height))
        assert (picture.size, picture.mode) == ((width, height), "RGB")
        assert np.asarray(picture).std() > 5

    def test_prompt_steps_and_negative_prompt_change_the_picture(self, engine: ImageEngine) -> None:
        """Each setting reaches the model."""
        drawings = (
            CHAIR,
            replace(CHAIR, prompt="a blue chair"),
            replace(CHAIR, steps=3),
            replace(CHAIR, negative_prompt="blue"),
        )
        assert len({draw(engine, drawing) for drawing in drawings}) == 4
        assert engine.ignored(drawings[3]) == ()

    def test_each_step_is_reported_and_may_stop(self, engine: ImageEngine) -> None:
        """Progress per step; an exception from it ends the drawing at once."""
        steps: list[tuple[int, int]] = []

        def on_step(done: int, of: int) -> tuple[()]:
            steps.append((done, of))
            return ()

        one(engine, replace(CHAIR, steps=4), on_step=on_step)
        assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]

        def stop(done: int, of: int) -> tuple[()]:
            steps.append((done, of))
            raise Interrupted

        steps.clear()
        with pytest.raises(Interrupted):
            one(engine, replace(CHAIR, steps=4), on_step=stop)
        assert steps == [(1, 4)]
        assert draw(engine) == draw(engine)

    @pytest.mark.part("JOB-4")
    def test_reduced_settings_draw_the_same_size(self, weights: Path) -> None:
        """After out-of-memory: tiled decoding, still reproducible."""
        folder = weights / "flux-schnell"
        entry = choose("text-to-image", model_family(folder))
        reduced: Any = load_image_engine(entry, folder, "cpu", reduced=True)
        assert reduced.pipeline.vae.use_tiling
        wide = replace(CHAIR, width=640, height=64)
        assert one(reduced, wide).size == (640, 64)
        assert draw(reduced, wide) == draw(reduced, wide)

    def test_flux_2_klein_is_drawn_by_its_own_pipeline(self, tmp_path: Path) -> None:
        """The model's index decides; a negative prompt, which it does not know, is left out and said."""
        build_klein(tmp_path)
        assert model_family(tmp_path) == "Flux2KleinPipeline"
        klein = load_image_engine(choose("text-to-image", "Flux2KleinPipeline"), tmp_path, "cpu", reduced=False)
        drawing = replace(CHAIR, negative_prompt="blue", guidance=1.0)
        assert one(klein, drawing).size == (64, 48)
        assert draw(klein, drawing) == draw(klein, drawing) != draw(klein, drawing, seed=2)
        assert klein.ignored(drawing) == ("This model knows no negative prompt; it was left out.",)
        assert klein.ignored(CHAIR) == ()
        assert klein.notes == ()


@pytest.mark.part("JOB-7")
class TestModels:
    def test_weights_that_are_no_safetensors_are_refused(self, weights: Path, tmp_path: Path) -> None:
        """Pickles are never opened."""
        import shutil

        import torch

        folder = tmp_path / "flux-schnell"
        shutil.copytree(weights / "flux-schnell", folder)
        (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
        torch.save({}, folder / "vae" / "diffusion_pytorch_model.bin")
        with pytest.raises(BugError) as caught:
            load_image_engine(choose("text-to-image", model_family(folder)), folder, "cpu", reduced=False)
        assert caught.value.code == "model_unreadable"

    def test_an_unknown_kind_of_model_names_the_known_ones(self, tmp_path: Path) -> None:
        """No index, a broken one, and a pipeline that no engine reads."""
        with pytest.raises(BugError):
            model_family(tmp_path)
        (tmp_path / "model_index.json").write_text("{")
        with pytest.raises(BugError):
            model_family(tmp_path)
        with pytest.raises(BugError, match="FluxPipeline"):
            choose("text-to-image", "StableDiffusionPipeline")


@pytest.mark.part("JOB-7")
class TestUntrained:
    def test_it_has_the_same_bytes_in_another_process_and_is_small(self, weights: Path, tmp_path: Path) -> None:
        """Two machines build the same model, so the same seed gives the same noise."""
        building = (
            "import pathlib, sys; from worker.engines.image.untrained import build; build(pathlib.Path(sys.argv[1]))"
        )
        subprocess.run(
            [sys.executable, "-c", building, str(tmp_path)],
            check=True,
            capture_output=True,
            env={"PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}"},
        )
        ours, theirs = digests(weights / "flux-schnell"), digests(tmp_path / "flux-schnell")
        assert ours == theirs
        assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 4 << 20

    def test_building_again_touches_nothing(self, weights: Path) -> None:
        """Idempotent: what stands is left."""
        index = weights / "flux-schnell" / "model_index.json"
        before = index.stat().st_mtime_ns
        build(weights)
        assert index.stat().st_mtime_ns == before

    def test_a_real_model_is_never_replaced_an_older_untrained_one_is(self, tmp_path: Path) -> None:
        """Only a folder that says it is untrained is ours to overwrite."""
        target = tmp_path / "flux-schnell"
        target.mkdir()
        (target / "model_index.json").write_text("real")
        build(tmp_path)
        assert [path.name for path in target.iterdir()] == ["model_index.json"]
        (target / "standin.json").write_text('{"version": 0}')
        build(tmp_path)
        assert model_family(target) == "FluxPipeline"
        assert sorted(path.name for path in tmp_path.iterdir()) == [".standin.lock", "flux-schnell"]

    def test_its_engine_says_that_it_draws_noise(self, engine: ImageEngine) -> None:
        """Nobody shall take it for a bad model."""
        assert len(engine.notes) == 1
        assert "noise" in engine.notes[0]
        assert "WEIGHTS_URI" in engine.notes[0]


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
