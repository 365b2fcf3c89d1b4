"""Which kernels are taken on which machine, without such a machine."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.gpu_batch.scene.attempt import Entry, work_of
from tests.gpu_batch.scene.conftest import SMALL
from tests.gpu_batch.scene.sphere import capture_of_sphere
from worker.engines.scene import field, kernels, training
from worker.engines.scene.kernels import Capability
from worker.stages.scene import describe, train

pytestmark = pytest.mark.part("JOB-10")


class TestChoice:
    @pytest.mark.parametrize(
        ("found", "chosen"),
        [
            (Capability("cpu", tinycudann=False), "torch"),
            (Capability("cpu", tinycudann=True), "torch"),
            (Capability("cuda", tinycudann=False), "torch"),
            (Capability("cuda", tinycudann=True), "tcnn"),
        ],
    )
    def test_tinycudann_is_taken_where_cuda_and_its_kernels_are(self, found: Capability, chosen: str) -> None:
        assert kernels.choose(found) == chosen

    def test_a_cpu_does_not_even_look_for_tinycudann(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tinycudann", ModuleType("tinycudann"))
        assert not kernels.probe("cpu").tinycudann
        assert kernels.probe("cuda").tinycudann

    def test_kernels_that_are_missing_or_built_for_other_gpus_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tinycudann", None)
        assert not kernels.probe("cuda").tinycudann

        def foreign(name: str) -> ModuleType:
            raise OSError("compute capability 90 was not compiled")

        monkeypatch.setattr(kernels, "import_module", foreign)
        assert not kernels.probe("cuda").tinycudann

    def test_the_field_is_built_with_what_was_chosen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        capture = capture_of_sphere(tmp_path, count=3)
        assert field.build(capture, SMALL, "cpu").config.implementation == "torch"
        monkeypatch.setattr(kernels, "probe", lambda device: Capability("cuda", tinycudann=True))
        asked: list[str] = []

        def setup(config: object, **_: object) -> torch.nn.Module:
            asked.append(config.implementation)  # type: ignore[attr-defined]
            return torch.nn.Identity()

        monkeypatch.setattr(field.NerfactoModelConfig, "setup", setup)
        field.build(capture, SMALL, "cpu")
        assert asked == ["tcnn"]


class TestCheckpointsOfOtherKernels:
    def test_a_checkpoint_of_other_kernels_starts_anew(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path, count=3)
        model = field.build(capture, SMALL, "cpu")
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.numel()])
        path = tmp_path / "field.pt"
        training.save(path, model, optimizer, 7)
        assert training._load(path, model, optimizer) == 7
        state = torch.load(path, weights_only=True)
        torch.save(state | {"kernels": "tcnn", "model": {}}, path)
        assert training._load(path, model, optimizer) == 0

    def test_a_field_trained_elsewhere_is_trained_again_unless_its_mesh_is_there(self, tmp_path: Path) -> None:
        entry = Entry(tmp_path / "one", tmp_path / "kept", work_of([], (8, 8), None), [])
        (tmp_path / "kept" / "field").write_bytes(b"field")
        entry.state.update(trained=True, kernels="torch")
        assert train.done(entry)
        assert describe(entry) == ("nerfstudio:small-nerfacto-torch", "draft-cpu")
        entry.state["kernels"] = "tcnn"
        assert not train.done(entry)
        entry.state["faces"] = 10
        (tmp_path / "kept" / "surface").write_bytes(b"surface")
        assert train.done(entry)
