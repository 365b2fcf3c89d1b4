"""The whole way on small sizes: what comes out, how near it is to the truth, and that an interruption loses nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from pxr import Usd, UsdGeom, UsdValidation
from scipy.spatial import cKDTree

from tests.gpu_batch.scene.attempt import Entry
from tests.gpu_batch.scene.conftest import SIZE, SMALL, Run, Shoot
from worker.engines.scene import texture, views
from worker.errors import QualityError
from worker.stages.scene import describe, export, report

pytestmark = pytest.mark.part("JOB-10")


def truth_from_capture(capture: views.Capture, truth: Path) -> np.ndarray:
    """The similarity (4, 4) that lays the estimated cameras on the true ones (Umeyama 1991)."""
    known = json.loads((truth / "cameras.json").read_text())
    ours = np.array([view.pose[:3, 3] for view in capture.views])
    theirs = np.array([np.array(known[view.name]["pose"])[:3, 3] for view in capture.views])
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * flip.diagonal()).sum() / (a**2).sum()
    matrix = np.eye(4)
    matrix[:3, :3] = scale * u @ flip @ vt
    matrix[:3, 3] = theirs.mean(0) - matrix[:3, :3] @ ours.mean(0)
    return matrix


class TestFullRun:
    def test_results_are_the_models_the_previews_and_the_report(self, run: Run) -> None:
        roles = {name: (role, media) for name, (_, role, media) in run.second.results.items()}
        assert roles == {
            "model.glb": ("model_glb", "model/gltf-binary"),
            "model.usdz": ("model_usdz", "model/vnd.usdz+zip"),
            "preview.png": ("preview", "image/png"),
            "preview.webp": ("preview", "image/webp"),
            "report.json": ("report", "application/json"),
        }
        assert describe(run.second) == ("nerfstudio:small-nerfacto-torch", "draft-cpu")

    def test_every_photo_is_registered_and_the_quality_says_so(self, run: Run) -> None:
        quality = run.second.quality
        assert quality is not None
        assert (quality.photos_given, quality.photos_registered, quality.masks) == (24, 24, "grabcut")
        assert quality.held_out_views == 3
        assert quality.reprojection_error_px < 0.6
        assert quality.psnr_object_db > 17
        assert 1000 < quality.faces <= SMALL.faces
        assert quality.coverage is not None
        assert quality.coverage > 0.5

    def test_the_report_tells_the_files_sizes_and_that_the_surface_is_closed(self, run: Run) -> None:
        quality = run.second.quality
        assert quality is not None
        assert quality.glb_bytes == run.second.results["model.glb"][0].stat().st_size <= SMALL.glb_bytes
        assert quality.usdz_bytes == run.second.results["model.usdz"][0].stat().st_size
        assert quality.size_m is not None
        assert (max(quality.size_m), quality.metric) == (pytest.approx(0.3), False)
        assert quality.watertight is True
        assert quality.floor == "none"

    def test_cameras_lie_within_two_percent_of_the_truth(self, run: Run, shoot: Shoot) -> None:
        capture = views.load(run.second.folder)
        matrix = truth_from_capture(capture, shoot.truth)
        known = json.loads((shoot.truth / "cameras.json").read_text())
        for view in capture.views:
            estimated = matrix[:3, :3] @ view.pose[:3, 3] + matrix[:3, 3]
            assert np.linalg.norm(estimated - np.array(known[view.name]["pose"])[:3, 3]) < 0.02 * 3.1

    def test_surface_lies_within_two_percent_of_the_truth_both_ways(self, run: Run, shoot: Shoot) -> None:
        capture = views.load(run.second.folder)
        model = texture.load(run.second.folder)
        mesh = trimesh.Trimesh(model.vertices, model.faces, process=False)
        mesh.apply_transform(truth_from_capture(capture, shoot.truth))
        true = trimesh.load(shoot.truth / "mesh.ply")
        ours = trimesh.sample.sample_surface(mesh, 8000, seed=0)[0]
        theirs = trimesh.sample.sample_surface(true, 8000, seed=0)[0]
        diagonal = np.linalg.norm(true.extents)
        assert cKDTree(theirs).query(ours)[0].mean() / diagonal < 0.02
        assert cKDTree(ours).query(theirs)[0].mean() / diagonal < 0.02

    def test_report_file_holds_the_quality_and_the_promise(self, run: Run) -> None:
        content = json.loads(run.second.results["report.json"][0].read_text())
        assert run.second.quality is not None
        assert content["quality"] == run.second.quality.model_dump(mode="json")
        assert content["kept"] is True
        assert len(content["photos_held_out"]) == 3

    def test_preview_turns(self, run: Run) -> None:
        with Image.open(run.second.results["preview.webp"][0]) as movie:
            assert (movie.n_frames, movie.size) == (SMALL.preview_frames, (160, 160))
            first = np.asarray(movie.convert("RGB"), float)
            movie.seek(3)
            assert np.abs(np.asarray(movie.convert("RGB"), float) - first).mean() > 3


class TestInterruption:
    def test_the_first_entry_stopped_in_training(self, run: Run) -> None:
        assert run.first.ran == ["check", "masks", "poses", "outline", "train"]

    def test_the_second_entry_repeats_nothing_that_was_kept(self, run: Run) -> None:
        assert run.second.ran == ["train", "mesh", "texture", "export", "preview", "report"]

    def test_an_entry_after_texturing_only_writes_the_files(self, run: Run, shoot: Shoot, tmp_path: Path) -> None:
        kept = run.second.folder.parent / "kept"
        third = Entry(tmp_path / "three", kept, run.second.work, shoot.photos)
        third.go()
        assert third.ran == ["export", "preview", "report"]
        for name in ("model.glb", "preview.png", "report.json"):
            assert third.results[name][0].read_bytes() == run.second.results[name][0].read_bytes()

    def test_progress_never_falls_within_a_stage(self, run: Run) -> None:
        for stage in {name for name, _ in run.second.progress_reports}:
            shares = [share for name, share in run.second.progress_reports if name == stage]
            assert shares == sorted(shares)
            assert shares[0] >= 0
            assert shares[-1] <= 1


class TestPromise:
    def test_under_the_promise_the_job_fails_but_the_report_is_there(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(run.second.state, "psnr", 9.0)
        run.second.results.pop("report.json")
        with pytest.raises(QualityError, match=r"9\.0 dB instead of 16\.0") as caught:
            report.run(run.second)
        assert caught.value.code == "insufficient_quality"
        assert caught.value.fix
        assert json.loads(run.second.results["report.json"][0].read_text())["kept"] is False
        assert "model.glb" in run.second.results

    @pytest.mark.parametrize(
        ("state", "failing", "advice"),
        [
            ({"seen": 0.2}, "20% of the surface seen instead of 40%", "every side"),
            ({"registered": 9}, "cameras of 9 of 24 photos found instead of 12", "closer to each other"),
            ({"faces": 12}, "12 triangles instead of 500", "fill more of each photo"),
            ({"psnr": 9.0}, "likeness 9.0 dB instead of 16.0", "even light"),
        ],
    )
    def test_whatever_stays_under_the_promise_is_named_with_what_to_do_better(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, state: dict[str, float], failing: str, advice: str
    ) -> None:
        for name, value in state.items():
            monkeypatch.setitem(run.second.state, name, value)
        with pytest.raises(QualityError, match=failing) as caught:
            report.run(run.second)
        assert caught.value.fix is not None
        assert advice in caught.value.fix
        assert json.loads(run.second.results["report.json"][0].read_text())["failings"] == [failing]


class TestOptions:
    def test_a_real_size_and_draco_reach_both_files(self, run: Run, shoot: Shoot, tmp_path: Path) -> None:
        kept = run.second.folder.parent / "kept"
        work = run.second.work.model_copy(update={"longest_side_m": 0.85, "compression": "draco"})
        entry = Entry(tmp_path / "sized", tmp_path / "kept", work, shoot.photos)
        entry.state = dict(run.second.state)
        for name in ("views", "textured"):
            shutil.copytree(kept / name, entry.folder / name)
        export.run(entry)
        stage = Usd.Stage.Open(str(entry.results["model.usdz"][0]))
        low, high = (
            np.array(corner) for corner in UsdGeom.Mesh(stage.GetPrimAtPath("/Model/Mesh")).GetExtentAttr().Get()
        )
        assert np.isclose((high - low).max(), 0.85, atol=1e-4)
        assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
        small, plain = entry.results["model.glb"][0], run.second.results["model.glb"][0]
        assert b"KHR_draco_mesh_compression" in small.read_bytes()
        assert small.stat().st_size < 0.7 * plain.stat().st_size
        assert entry.notes == []


class TestUsdz:
    def test_all_of_usds_validators_pass(self, run: Run) -> None:
        stage = Usd.Stage.Open(str(run.second.results["model.usdz"][0]))
        validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
        assert len(validators) >= 25
        found = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [error.GetMessage() for error in found] == []

    def test_it_is_y_up_in_metres_and_thirty_centimetres_long(self, run: Run) -> None:
        stage = Usd.Stage.Open(str(run.second.results["model.usdz"][0]))
        assert UsdGeom.GetStageUpAxis(stage) == "Y"
        assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
        mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Model/Mesh"))
        low, high = (np.array(corner) for corner in mesh.GetExtentAttr().Get())
        assert np.isclose((high - low).max(), 0.3, atol=1e-5)
        assert np.isclose(low[1], 0, atol=1e-6)


class TestGlb:
    def test_trimesh_reads_the_mesh_with_its_texture(self, run: Run) -> None:
        loaded = trimesh.load(run.second.results["model.glb"][0], force="mesh")
        assert len(loaded.faces) == run.second.state["faces"]
        assert loaded.visual.material.baseColorTexture.size == (512, 512)
        assert np.isclose(loaded.extents.max(), 0.3, atol=1e-5)

    def test_photos_colours_reach_the_right_places(self, run: Run) -> None:
        """The breast is orange, the back is blue: seen through the GLB's own UVs."""
        loaded = trimesh.load(run.second.results["model.glb"][0], force="mesh")
        colours = loaded.visual.to_color().vertex_colors[:, :3].astype(int)
        height = loaded.vertices[:, 1] / loaded.vertices[:, 1].max()
        upper = colours[height > 0.8]
        assert upper[:, 2].mean() > upper[:, 0].mean() + 20
        middle = colours[(height > 0.45) & (height < 0.6)]
        assert ((middle[:, 0] > middle[:, 2] + 40).mean()) > 0.05


def test_the_sizes_of_the_photos_are_those_of_the_tests(shoot: Shoot) -> None:
    with Image.open(shoot.photos[0]) as photo:
        assert photo.size == SIZE
        assert photo.getexif().get_ifd(0x8769)[0xA405] == 50
