"""The radiance field: nerfstudio's nerfacto at a size that fits the device, without what it would download."""

import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from worker.engines.scene import kernels
from worker.engines.scene.presets import Device, Settings
from worker.engines.scene.views import Capture


def _declare_torchvision_operators() -> None:
    """torchvision's wheel is built for CUDA: on a CPU torch its import fails unless these two schemas exist first."""
    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        _kept.append(library)


_kept: list[torch.library.Library] = []
_declare_torchvision_operators()

# nerfstudio 1.1.5 was written for older releases of torch and websockets; what they warn of at import is not ours.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nerfstudio.cameras.camera_optimizers import CameraOptimizerConfig
    from nerfstudio.cameras.rays import RayBundle
    from nerfstudio.data.scene_box import SceneBox
    from nerfstudio.field_components.spatial_distortions import SceneContraction
    from nerfstudio.fields.density_fields import HashMLPDensityField
    from nerfstudio.fields.nerfacto_field import NerfactoField
    from nerfstudio.model_components.losses import MSELoss
    from nerfstudio.model_components.ray_samplers import LinearDisparitySampler, ProposalNetworkSampler, UniformSampler
    from nerfstudio.model_components.renderers import (
        AccumulationRenderer,
        DepthRenderer,
        RGBRenderer,
    )
    from nerfstudio.model_components.scene_colliders import AABBBoxCollider, NearFarCollider
    from nerfstudio.models.base_model import Model as BaseModel
    from nerfstudio.models.nerfacto import NerfactoModel, NerfactoModelConfig
    from torchmetrics.image import PeakSignalNoiseRatio

_FAR = 60.0
_CHUNK = {"cpu": 1 << 12, "cuda": 1 << 15}
"""Rays at a time: what fits a cache, and what fills a GPU."""


class SmallNerfacto(NerfactoModel):
    """NerfactoModel with one proposal network and without LPIPS (which downloads AlexNet) and SSIM.

    With `disable_scene_contraction` rays are cut to the box; else everything outside it is contracted.
    """

    def populate_modules(self) -> None:
        """Build the modules that NerfactoModel's methods use."""
        BaseModel.populate_modules(self)  # type: ignore[no-untyped-call]
        config = self.config
        contraction = None if config.disable_scene_contraction else SceneContraction(order=float("inf"))
        shared: dict[str, Any] = {
            "spatial_distortion": contraction,
            "average_init_density": config.average_init_density,
        }
        self.field = NerfactoField(
            self.scene_box.aabb,
            num_images=self.num_train_data,
            hidden_dim=config.hidden_dim,
            hidden_dim_color=config.hidden_dim_color,
            num_levels=config.num_levels,
            max_res=config.max_res,
            base_res=config.base_res,
            log2_hashmap_size=config.log2_hashmap_size,
            appearance_embedding_dim=0,
            implementation=config.implementation,
            **shared,
        )
        network = HashMLPDensityField(
            self.scene_box.aabb, implementation=config.implementation, **config.proposal_net_args_list[0], **shared
        )
        self.proposal_networks = torch.nn.ModuleList([network])
        self.density_fns = [network.density_fn]
        self.camera_optimizer = config.camera_optimizer.setup(num_cameras=self.num_train_data, device="cpu")
        self.proposal_sampler = ProposalNetworkSampler(
            num_nerf_samples_per_ray=config.num_nerf_samples_per_ray,
            num_proposal_samples_per_ray=config.num_proposal_samples_per_ray,
            num_proposal_network_iterations=1,
            single_jitter=True,
            update_sched=self._proposal_pause,
            initial_sampler=(UniformSampler if contraction is None else LinearDisparitySampler)(single_jitter=True),
        )
        # Out of training nerfstudio would start at distance zero, which has no disparity.
        far = NearFarCollider(config.near_plane, config.far_plane, reset_near_plane=False)
        collider: Any = far if contraction else AABBBoxCollider(self.scene_box)
        self.collider = collider
        self.renderer_rgb = RGBRenderer(background_color=config.background_color)
        self.renderer_accumulation = AccumulationRenderer()
        self.renderer_depth = DepthRenderer(method="median")
        self.renderer_expected_depth = DepthRenderer(method="expected")
        self.rgb_loss = MSELoss()
        self.psnr = PeakSignalNoiseRatio(data_range=1.0)
        self.step = 0

    def _proposal_pause(self, step: int) -> float:
        warm = self.config.proposal_warmup
        return float(np.clip(np.interp(step, [0, warm], [0, self.config.proposal_update_every]), 1, None))


def build(capture: Capture, settings: Settings, device: Device) -> SmallNerfacto:
    """A fresh field for the capture's box, with the kernels that fit the machine."""
    bounded = capture.masks != "none"
    # Without masks nothing is modelled nearer to the camera than half-way to the box: that is where floaters live.
    eyes = np.array([view.pose[:3, 3] for view in capture.training])
    outside = np.linalg.norm(np.maximum(np.abs(eyes) - capture.high, 0), axis=1)
    config = NerfactoModelConfig(
        near_plane=max(0.05, 0.5 * float(outside.min())),
        far_plane=_FAR,
        _target=SmallNerfacto,
        disable_scene_contraction=bounded,
        # Against random backgrounds opaque pixels teach "something is here", clear ones "nothing is".
        background_color="random",
        num_levels=settings.levels,
        log2_hashmap_size=settings.log2_hashmap,
        max_res=settings.max_res,
        hidden_dim=settings.hidden,
        hidden_dim_color=settings.hidden,
        num_nerf_samples_per_ray=settings.samples,
        num_proposal_samples_per_ray=(settings.proposal_samples,),
        num_proposal_iterations=1,
        proposal_warmup=max(50, settings.steps // 4),
        proposal_weights_anneal_max_num_iters=max(50, settings.steps // 4),
        proposal_net_args_list=[
            {
                "hidden_dim": 16,
                "num_levels": 4,
                "log2_hashmap_size": min(17, settings.log2_hashmap - 1),
                "max_res": max(64, settings.max_res // 8),
            }
        ],
        use_appearance_embedding=False,
        average_init_density=1.0,
        camera_optimizer=CameraOptimizerConfig(mode="off"),
        implementation=kernels.choose(kernels.probe(device)),
    )
    box = torch.tensor(np.stack([capture.low, capture.high]), dtype=torch.float32)
    model = config.setup(scene_box=SceneBox(aabb=box), num_train_data=len(capture.training))
    return cast(SmallNerfacto, model.to(device))


def bundle(origins: torch.Tensor, directions: torch.Tensor) -> RayBundle:
    """Rays (N, 3) with unit directions, as nerfstudio wants them."""
    ones = torch.ones_like(origins[:, :1])
    return RayBundle(
        origins=origins,
        directions=directions,
        pixel_area=ones * 1e-6,
        camera_indices=torch.zeros_like(ones, dtype=torch.long),
        metadata={"directions_norm": ones},
    )


@torch.no_grad()
def look(
    model: SmallNerfacto,
    origins: torch.Tensor,
    directions: torch.Tensor,
    between: Callable[[], Any] = lambda: None,
) -> dict[str, torch.Tensor]:
    """Render rays (N, 3), unit directions: `rgb` (N, 3), `depth` (N,) along the ray, `accumulation` (N,).

    `between` is called before each chunk and may raise to stop.
    """
    model.eval()
    chunk = _CHUNK["cpu" if origins.device.type == "cpu" else "cuda"]
    parts: list[dict[str, torch.Tensor]] = []
    for start in range(0, len(origins), chunk):
        between()
        rays = bundle(origins[start : start + chunk], directions[start : start + chunk])
        seen = model(rays)
        parts.append({name: seen[name] for name in ("rgb", "depth", "accumulation")})
    return {
        "rgb": torch.cat([part["rgb"] for part in parts]),
        "depth": torch.cat([part["depth"] for part in parts])[:, 0],
        "accumulation": torch.cat([part["accumulation"] for part in parts])[:, 0],
    }
