"""Training on the tiny models: it learns, it resumes exactly, it keeps to its family."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.gpu_batch.image.tiny_klein import build_klein
from tests.gpu_batch.lora.trained import Trained, train_one
from worker.engines.lora import adapter, captions, photos
from worker.engines.lora.families import family_of
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-9")


class TestTraining:
    def test_the_loss_on_fixed_noise_falls(self, trained: Trained) -> None:
        """By more than chance could do: the noise is the same before and after."""
        assert trained.loss_after < 0.9 * trained.loss_before

    def test_an_interrupted_training_ends_with_the_same_adapter(
        self, weights: Path, trained: Trained, tmp_path: Path
    ) -> None:
        """Stopped twice, gone on with from the file alone, bit for bit."""
        from safetensors.torch import load_file

        left = iter([False] * 17 + [True] + [False] * 20 + [True] + [False] * 100)
        for _ in range(3):
            again = train_one(weights / "flux-schnell", tmp_path, seed=1, stopped=lambda: next(left))
        tensors, expected = load_file(again.path), load_file(trained.path)
        assert tensors.keys() == expected.keys()
        assert all((tensors[name] == expected[name]).all() for name in expected)

    def test_flux_2_is_trained_too(self, tmp_path: Path) -> None:
        """Another text encoder, other latents, other layers; the same training."""
        build_klein(tmp_path / "klein")
        (tmp_path / "run").mkdir()
        found = train_one(tmp_path / "klein", tmp_path / "run", seed=1, steps=30)
        assert found.loss_after < found.loss_before
        assert adapter.read_header(found.path).family == "flux2"

    def test_a_model_of_no_trainable_family_is_refused(self) -> None:
        with pytest.raises(InputError, match="cannot be trained"):
            family_of("ZImagePipeline")


class TestAdapterFile:
    def test_it_says_what_it_fits(self, trained: Trained) -> None:
        assert adapter.read_header(trained.path) == adapter.Header("flux1", 32, 8, "zwq")

    def test_a_file_that_is_no_adapter_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "adapter.safetensors"
        path.write_bytes(b"not this")
        with pytest.raises(InputError, match="cannot be read") as refused:
            adapter.read_header(path)
        assert refused.value.code == "lora_unreadable"

    def test_an_adapter_of_another_family_or_width_is_refused(self, trained: Trained) -> None:
        header = adapter.read_header(trained.path)
        for family, width in (("flux2", 32), ("flux1", 3072)):
            with pytest.raises(InputError, match="was trained for a flux1 model of width 32"):
                adapter.check_fits(header, family, width, "ball")


class TestPhotos:
    def test_an_upright_photo_goes_to_an_upright_bucket(self) -> None:
        sizes = photos.buckets(256, 16)
        tall = photos.fit(np.zeros((900, 600, 3), np.uint8), sizes)
        assert tall.shape[0] > tall.shape[1]
        assert all(height % 16 == 0 and width % 16 == 0 for height, width in sizes)
        assert all(abs(height * width - 256 * 256) < 0.15 * 256 * 256 for height, width in sizes)

    def test_transparent_parts_become_white(self, tmp_path: Path) -> None:
        Image.new("RGBA", (80, 80), (10, 20, 30, 0)).save(tmp_path / "a.png")
        assert (photos.decode(tmp_path / "a.png") == 255).all()

    def test_a_tiny_photo_says_so(self, tmp_path: Path) -> None:
        Image.new("RGB", (40, 400)).save(tmp_path / "a.png")
        with pytest.raises(ValueError, match="only 40x400 px"):
            photos.decode(tmp_path / "a.png")


class TestCaptions:
    @pytest.mark.parametrize(
        ("written", "seen", "expected"),
        [
            ("", "", "a photo of zwq ball"),
            ("on a red table", "", "zwq ball, on a red table"),
            ("a Zwq on a table", "a ball", "a Zwq on a table"),
            ("", "a ball on grass", "zwq ball, a ball on grass"),
        ],
    )
    def test_a_caption_always_has_the_trigger(self, written: str, seen: str, expected: str) -> None:
        assert captions.caption(written, "zwq", "ball", seen) == expected

    def test_only_photos_without_words_are_looked_at(self) -> None:
        looked = []

        def describe(pixels: photos.Pixels) -> str:
            looked.append(pixels.shape)
            return "seen"

        blank = np.zeros((8, 9, 3), np.uint8)
        found = captions.for_all([blank, blank], ["by hand", " "], "zwq", "ball", describe)
        assert found == ["zwq ball, by hand", "zwq ball, seen"]
        assert looked == [(8, 9, 3)]
