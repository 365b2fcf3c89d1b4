"""The peer's side: nerfstudio's own Trainer, field of the same size, and its TSDF exporter, on our poses and masks."""

import json
import pathlib
import resource
import sys
import time
import types
from typing import Any

import numpy as np
import torch
import trimesh

from bench.scene_measure import closeness
from worker.engines.scene import field, photos, presets, quality, views
from worker.engines.scene.presets import Settings
from worker.engines.scene.views import Capture

# Its exporter imports pymeshlab only to write PLY files: the mesh is taken from it before that.
sys.modules.setdefault("pymeshlab", types.ModuleType("pymeshlab"))

import torchmetrics.image.lpip  # noqa: E402
from nerfstudio.cameras.camera_optimizers import CameraOptimizerConfig  # noqa: E402
from nerfstudio.configs.base_config import LoggingConfig  # noqa: E402
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig  # noqa: E402
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig  # noqa: E402
from nerfstudio.engine.optimizers import AdamOptimizerConfig  # noqa: E402
from nerfstudio.engine.schedulers import ExponentialDecaySchedulerConfig  # noqa: E402
from nerfstudio.engine.trainer import Trainer, TrainerConfig  # noqa: E402
from nerfstudio.exporter import tsdf_utils  # noqa: E402
from nerfstudio.models.nerfacto import NerfactoModelConfig  # noqa: E402
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig  # noqa: E402

_PSNR_PX = 320
_FOREVER = 1_000_000


class _NoLpips(torch.nn.Module):
    """LPIPS off: it would download AlexNet."""

    def __init__(self, **_: Any) -> None:
        super().__init__()


torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity = _NoLpips


class _TimeUpError(Exception):
    """The seconds are spent."""


class _Timed(Trainer):
    until: float

    def train_iteration(self, step: int) -> Any:
        if time.monotonic() > self.until:
            raise _TimeUpError
        return super().train_iteration(step)


def write_dataset(folder: pathlib.Path, ours: pathlib.Path, capture: Capture, longest: int) -> None:
    """transforms.json and RGBA pictures of the training views, at our training size."""
    (folder / "images").mkdir(parents=True)
    frames = []
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    for view in capture.training:
        small = view.scaled(longest)
        photos.write(folder / "images" / f"{view.index:03d}.png", views.image(ours, small))
        frames.append(
            {
                "file_path": f"images/{view.index:03d}.png", "transform_matrix": (view.pose @ flip).tolist(),
                "fl_x": small.focal[0], "fl_y": small.focal[1], "cx": small.centre[0], "cy": small.centre[1],
                "w": small.width, "h": small.height,
            }
        )  # fmt: skip
    whole = {"camera_model": "OPENCV", "frames": frames, "applied_transform": np.eye(4)[:3].tolist()}
    (folder / "transforms.json").write_text(json.dumps(whole))


def trainer(folder: pathlib.Path, capture: Capture, sizes: Settings) -> _Timed:
    """nerfstudio's Trainer with a nerfacto of our size, near and far planes round the box, uniform first samples."""
    away = np.array([np.linalg.norm(view.pose[:3, 3]) for view in capture.training])
    reach = capture.diagonal / 2
    model = NerfactoModelConfig(
        near_plane=float(away.min() - reach), far_plane=float(away.max() + reach), disable_scene_contraction=True,
        background_color="random", num_levels=sizes.levels, log2_hashmap_size=sizes.log2_hashmap,
        max_res=sizes.max_res, hidden_dim=sizes.hidden, hidden_dim_color=sizes.hidden,
        num_nerf_samples_per_ray=sizes.samples, num_proposal_samples_per_ray=(sizes.proposal_samples,),
        num_proposal_iterations=1, proposal_initial_sampler="uniform", use_appearance_embedding=False,
        average_init_density=1.0, camera_optimizer=CameraOptimizerConfig(mode="off"), implementation="torch",
        proposal_net_args_list=[{"hidden_dim": 16, "num_levels": 4, "log2_hashmap_size": 14, "max_res": 64}],
    )  # fmt: skip
    decay = {
        "optimizer": AdamOptimizerConfig(lr=1e-2, eps=1e-15),
        "scheduler": ExponentialDecaySchedulerConfig(lr_final=1e-3, max_steps=sizes.steps),
    }
    config = TrainerConfig(
        _target=_Timed, method_name="nerfacto", experiment_name="bench", timestamp="0", data=folder,
        output_dir=folder / "out", max_num_iterations=_FOREVER, steps_per_save=_FOREVER, mixed_precision=False,
        steps_per_eval_batch=0, steps_per_eval_image=_FOREVER, steps_per_eval_all_images=_FOREVER,
        vis="tensorboard", logging=LoggingConfig(steps_per_log=100),
        optimizers={"proposal_networks": decay, "fields": decay},
        pipeline=VanillaPipelineConfig(
            datamanager=VanillaDataManagerConfig(
                train_num_rays_per_batch=sizes.rays, eval_num_rays_per_batch=64,
                dataparser=NerfstudioDataParserConfig(
                    data=folder, orientation_method="none", center_method="none", auto_scale_poses=False,
                    eval_mode="all", downscale_factor=1,
                ),
            ),
            model=model,
        ),
    )  # fmt: skip
    config.machine.device_type = "cpu"
    made = config.setup(local_rank=0, world_size=1)
    made.setup()
    return made  # type: ignore[no-any-return]


def export(made: _Timed, folder: pathlib.Path, capture: Capture, grid: int) -> trimesh.Trimesh:
    """Its TSDF exporter at our grid, over our box; the largest part, as ours."""
    caught: list[Any] = []
    tsdf_utils.TSDF.export_mesh = classmethod(lambda cls, mesh, filename: caught.append(mesh))  # type: ignore[method-assign]
    made.pipeline.eval()
    tsdf_utils.export_tsdf_mesh(
        made.pipeline, folder, downscale_factor=1, resolution=grid, use_bounding_box=True,
        bounding_box_min=tuple(map(float, capture.low)), bounding_box_max=tuple(map(float, capture.high)),
    )  # fmt: skip
    return trimesh.Trimesh(caught[0].vertices.cpu().numpy(), caught[0].faces.cpu().numpy())


def psnr(made: _Timed, ours: pathlib.Path, capture: Capture) -> float:
    """Object-only PSNR of its field on the held-out views, dB."""
    error, count = 0.0, 0
    for view in capture.held_out:
        small = view.scaled(_PSNR_PX)
        rgba = views.image(ours, small).reshape(-1, 4)
        solid = rgba[:, 3] > 250
        origin, directions = small.rays()
        unit = (directions / np.linalg.norm(directions, axis=1, keepdims=True))[solid]
        rays = torch.tensor(unit, dtype=torch.float32)
        model: Any = made.pipeline.model
        seen = field.look(model, torch.tensor(origin, dtype=torch.float32).expand(len(rays), 3), rays)["rgb"].numpy()
        wanted = rgba[solid][:, :3] / 255
        error += float(((quality.in_light_of(seen, wanted) - wanted) ** 2).sum())
        count += seen.size
    return round(float(-10 * np.log10(error / count)), 2)


def run(base: pathlib.Path, preset: Any, seconds: float) -> dict[str, Any]:
    """Train for `seconds`, export, measure."""
    ours, folder = base / "ours", base / "peer"
    capture, sizes = views.load(ours), presets.settings(preset, "cpu")
    write_dataset(folder, ours, capture, sizes.train_px)
    made = trainer(folder, capture, sizes)
    begun = time.monotonic()
    made.until = begun + seconds
    try:
        made.train()
    except _TimeUpError:
        trained = time.monotonic() - begun
    begun = time.monotonic()
    mesh = export(made, folder, capture, sizes.grid)
    near = closeness(mesh, capture, base / "photos-truth")
    return {
        "train_s": round(trained, 1), "export_s": round(time.monotonic() - begun, 1), "steps": made.step,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "psnr": psnr(made, ours, capture),
        "chamfer_tsdf": near.chamfer, "f1_missing_tsdf": near.f1_missing, "faces": len(mesh.faces),
    }  # fmt: skip


if __name__ == "__main__":
    # nerfstudio talks to stdout; the numbers must come last and whole.
    result = run(pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    print("\n" + json.dumps(result), flush=True)
