"""The shipped demo model in the worker's real engine: it draws what it is asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.aws import ROOT
from worker.engines.base import Drawing, ImageEngine, choose, load_image_engine, model_family

MODEL = ROOT / "gpu_batch" / "models" / "demo"
ASKED = "a large red matte sphere in a studio"


def stay(done: int, steps: int) -> tuple[int, ...]:
    """Nobody leaves the drawing early."""
    del done, steps
    return ()


def draw(engine: ImageEngine, prompts: list[str], seeds: list[int], size: tuple[int, int] = (128, 128)) -> list[Any]:
    """Pictures as arrays, drawn as one micro-batch."""
    drawings = [
        Drawing(prompt, negative_prompt="", width=size[0], height=size[1], steps=12, guidance=0.0) for prompt in prompts
    ]
    return [np.asarray(picture) for picture in engine.draw(drawings, seeds, stay)]


@pytest.fixture(scope="module")
def demo() -> ImageEngine:
    """The worker's engine with the shipped model."""
    return load_image_engine(choose("text-to-image", model_family(MODEL)), MODEL, "cpu", reduced=False)


@pytest.fixture(scope="module")
def checker() -> Any:
    """The checker that was measured with the model."""
    from training.demo.checker import Checker

    return Checker.load(MODEL / "checker.npz")


@pytest.mark.part("JOB-7")
class TestDemoModel:
    def test_it_is_small_and_its_record_tells_how_it_was_made(self) -> None:
        """At most 20 MB in all, safetensors only, with score, seeds, losses and versions."""
        files = [path for path in MODEL.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < 20e6
        assert not [path for path in files if path.suffix in (".bin", ".pt", ".pkl")]
        record = json.loads((MODEL / "record.json").read_text())
        assert record["score"]["unseen pairs, 128 x 128"]["both"]["of"] >= 200
        assert {"seed", "versions", "transformer", "decoder", "checker", "held_out", "megabytes"} <= set(record)
        first, last = record["transformer"][0], record["transformer"][-1]
        untrained, trained = (one["loss_on_fixed_noise_and_unseen_pairs"] for one in (first, last))
        assert trained[1] < untrained[0] / 2

    def test_the_same_seed_gives_the_same_bytes_and_words_matter(self, demo: ImageEngine) -> None:
        """Reproducible; another seed or prompt gives another picture."""
        first, again, other_seed, other_words = (
            draw(demo, [prompt], [seed])[0].tobytes()
            for prompt, seed in ((ASKED, 1), (ASKED, 1), (ASKED, 2), ("a small green cone", 1))
        )
        assert first == again
        assert len({first, other_seed, other_words}) == 3

    def test_it_says_what_it_is(self, demo: ImageEngine) -> None:
        """Nobody shall take it for a large model."""
        assert len(demo.notes) == 1
        assert "demo model" in demo.notes[0]
        assert "WEIGHTS_URI" in demo.notes[0]

    def test_unseen_pairs_are_drawn_as_asked(self, demo: ImageEngine, checker: Any) -> None:
        """Of twenty-four prompts with pairs that training never showed, twenty-one at least read back right."""
        assert self._right(demo, checker, 24, (128, 128)) >= 21

    @pytest.mark.full
    @pytest.mark.parametrize("size", [(160, 96), (96, 160)])
    def test_other_formats_too(self, demo: ImageEngine, checker: Any, size: tuple[int, int]) -> None:
        """Wide and tall."""
        assert self._right(demo, checker, 48, size) >= 40

    @pytest.mark.full
    def test_the_record_s_score_is_reproduced(self, checker: Any) -> None:
        """Measured again on fresh prompts, within the interval of the record."""
        from training.demo.score import load, score
        from training.demo.words import held_out

        wanted = json.loads((MODEL / "record.json").read_text())["score"]["unseen pairs, 128 x 128"]["both"]
        found = score(load(MODEL), checker, 240, pairs=held_out(), seed=9001).both
        assert found.high >= wanted["low"]
        assert found.share >= 0.9

    @staticmethod
    def _right(demo: ImageEngine, checker: Any, count: int, size: tuple[int, int]) -> int:
        from training.demo.score import orders
        from training.demo.words import held_out

        asked = orders(count, held_out(), 77)
        right = 0
        for start in range(0, count, 12):
            few = asked[start : start + 12]
            pictures = draw(demo, [prompt for prompt, _ in few], list(range(start, start + len(few))), size)
            readings = [checker.read(picture) for picture in pictures]
            right += sum(
                (seen.shape, seen.colour) == (scene.shape, scene.colour)
                for seen, (_, scene) in zip(readings, few, strict=True)
            )
        return right


def test_the_folder_is_a_whole_diffusers_model() -> None:
    """What `make run` links into the weights folder."""
    index = json.loads((MODEL / "model_index.json").read_text())
    parts = [name for name, what in index.items() if isinstance(what, list) and what[0] is not None]
    assert index["_class_name"] == "FluxPipeline"
    assert all((Path(MODEL) / name).is_dir() for name in parts)
