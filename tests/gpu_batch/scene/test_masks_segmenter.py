"""The segmentation model of the weights folder: a real one, trained here on renders in seconds, exported and loaded."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from infrastructure.local.demo.render.studio import cameras, picture
from tests.gpu_batch.scene.attempt import Entry, work_of
from worker.engines.scene import photos
from worker.engines.scene.masks import segmenter
from worker.engines.scene.masks.outline import overlap
from worker.errors import BugError
from worker.weights import find_model

pytestmark = pytest.mark.part("JOB-10")

SIZE = (96, 72)


def net() -> torch.nn.Sequential:
    """Colour and surroundings to one logit per pixel."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(12, 12, 5, padding=4, dilation=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(12, 1, 3, padding=1),
    )


@pytest.fixture(scope="module")
def shots() -> list[tuple[np.ndarray, np.ndarray]]:
    """(photo (H, W, 4) before a busy background, true mask)."""
    made = []
    for index, camera in enumerate(cameras(8, (192, 144), 2)):
        alpha = picture(camera, "alpha", 0)[..., 3]
        rgb = picture(camera, "textured", index)
        made.append((np.dstack([rgb, np.full(alpha.shape, 255, np.uint8)]), alpha > 127))
    return made


@pytest.fixture(scope="module")
def weights(shots: list[tuple[np.ndarray, np.ndarray]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with `segmentation/`, trained on six of the shots."""
    torch.manual_seed(0)
    card = segmenter.Card(name="toy", width=SIZE[0], height=SIZE[1])
    photos_, masks = [], []
    for photo, mask in shots[:6]:
        rgb = cv2.resize(photo[..., :3], SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        photos_.append(((rgb - card.mean) / card.spread).transpose(2, 0, 1))
        masks.append(cv2.resize(mask.astype(np.float32), SIZE, interpolation=cv2.INTER_AREA)[None])
    x, y = torch.tensor(np.stack(photos_), dtype=torch.float32), torch.tensor(np.stack(masks))
    model = net()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
        optimiser.step()
    base = tmp_path_factory.mktemp("weights")
    folder = base / segmenter.FOLDER
    folder.mkdir()
    torch.export.save(torch.export.export(model.eval(), (x[:1],)), folder / "model.pt2")
    (folder / "segmentation.json").write_text(card.model_dump_json())
    return base


class TestModel:
    def test_it_cuts_photos_that_it_was_not_trained_on(
        self, shots: list[tuple[np.ndarray, np.ndarray]], weights: Path
    ) -> None:
        model = segmenter.load(weights / segmenter.FOLDER, "cpu")
        for photo, truth in shots[6:]:
            found = model.cut(photo)
            assert found is not None
            assert found.shape == truth.shape
            assert overlap(found > 127, truth) > 0.7

    def test_a_photo_without_the_object_has_no_mask(self, weights: Path) -> None:
        model = segmenter.load(weights / segmenter.FOLDER, "cpu")
        model.card = model.card.model_copy(update={"threshold": 1.0})
        assert model.cut(np.full((144, 192, 4), 128, np.uint8)) is None

    def test_the_last_of_a_list_of_answers_counts(self) -> None:
        class Two(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
                return [x[:, :1] * 0 - 9, x[:, :1]]

        card = segmenter.Card(name="two", width=40, height=30, mean=(0.5,) * 3, spread=(0.1,) * 3)
        picture = np.zeros((30, 40, 4), np.uint8)
        picture[5:25, 10:30] = 255
        found = segmenter.Exported(card, Two(), "cpu").cut(picture)
        assert found is not None
        assert (found == picture[..., 0]).all()


class TestFinding:
    def test_without_weights_it_is_silent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WEIGHTS_URI", raising=False)
        assert find_model("segmentation", "segmentation.json", lambda _: None) is None
        monkeypatch.setenv("WEIGHTS_URI", str(tmp_path))
        assert find_model("segmentation", "segmentation.json", lambda _: None) is None

    def test_what_is_no_model_says_what_has_to_lie_there(self, tmp_path: Path) -> None:
        (tmp_path / "segmentation.json").write_text(json.dumps({"name": "x", "width": 8, "height": 8}))
        (tmp_path / "model.pt2").write_bytes(b"no model")
        with pytest.raises(BugError, match=r"segmentation\.json and model\.pt2"):
            segmenter.load(tmp_path, "cpu")

    def test_the_stage_uses_it_before_every_other_kind_but_alpha(
        self,
        shots: list[tuple[np.ndarray, np.ndarray]],
        weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        files = []
        for index, (photo, _) in enumerate(shots):
            files.append(tmp_path / f"p{index}.png")
            photos.write(files[-1], np.ascontiguousarray(photo[..., :3]))
            cv2.imwrite(str(files[-1]), cv2.resize(cv2.imread(str(files[-1])), (384, 288)))
        monkeypatch.setenv("WEIGHTS_URI", str(weights))
        entry = Entry(tmp_path / "entry", tmp_path / "kept", work_of(files, (384, 288), None), files)
        entry.go(until="masks")
        assert (entry.state["masks"], entry.state["masked"]) == ("model", 8)
