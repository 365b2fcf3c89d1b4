"""The one place for sizes: what each preset means on each device."""

from dataclasses import dataclass, replace
from typing import Literal

Preset = Literal["draft", "standard", "high"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Promise:
    """What a delivered model is at least; a job that stays under it fails and costs nothing."""

    min_psnr_db: float
    """Object-only PSNR of the textured mesh on held-out views."""
    max_reprojection_px: float
    min_faces: int
    min_coverage: float
    """Share of the texture that some photo saw."""
    min_registered: float
    """Share of the photos whose cameras were found."""


@dataclass(frozen=True)
class Settings:
    """All sizes of one run. Pixels are of the longer side unless said otherwise."""

    photo_px: int
    """Photos are undistorted to at most this for texturing and measuring."""

    sift_px: int
    sift_features: int
    sift_peak: float
    sift_affine: bool
    """Affine shape and domain-size pooling: far better on weak texture, some fifteen times slower."""

    train_px: int
    steps: int
    rays: int
    samples: int
    proposal_samples: int
    levels: int
    log2_hashmap: int
    max_res: int
    hidden: int

    grid: int
    """Cells along the longest side of the box in the fusion."""
    depth_px: int
    depth_views: int

    faces: int
    """Triangle budget of the delivered mesh."""
    texture_px: int
    texture_quality: int
    """JPEG quality of the texture, where the budget below allows it."""
    glb_bytes: int
    """Budget of the uncompressed GLB."""

    preview_px: int
    preview_frames: int

    promise: Promise


_DRAFT = Promise(min_psnr_db=16.0, max_reprojection_px=2.0, min_faces=500, min_coverage=0.4, min_registered=0.5)
_STANDARD = Promise(min_psnr_db=18.0, max_reprojection_px=1.5, min_faces=2_000, min_coverage=0.5, min_registered=0.7)
_HIGH = Promise(min_psnr_db=19.0, max_reprojection_px=1.2, min_faces=8_000, min_coverage=0.6, min_registered=0.8)

_DRAFT_CPU = Settings(
    photo_px=1024,
    sift_px=1200,
    sift_features=4096,
    sift_peak=0.003,
    sift_affine=False,
    train_px=160,
    steps=600,
    rays=512,
    samples=24,
    proposal_samples=48,
    levels=8,
    log2_hashmap=15,
    max_res=128,
    hidden=32,
    grid=128,
    depth_px=96,
    depth_views=24,
    faces=16_000,
    texture_px=1024,
    texture_quality=90,
    glb_bytes=3_000_000,
    preview_px=400,
    preview_frames=24,
    promise=_DRAFT,
)

_STANDARD_CPU = replace(
    _DRAFT_CPU,
    photo_px=1600,
    sift_px=1600,
    sift_features=8192,
    train_px=256,
    steps=1600,
    rays=768,
    log2_hashmap=16,
    max_res=192,
    grid=176,
    depth_px=160,
    depth_views=40,
    faces=40_000,
    texture_px=2048,
    glb_bytes=6_000_000,
    preview_px=560,
    preview_frames=36,
    promise=_STANDARD,
)

_HIGH_CPU = replace(
    _STANDARD_CPU,
    photo_px=2400,
    train_px=400,
    steps=4_000,
    rays=1024,
    samples=32,
    levels=10,
    log2_hashmap=17,
    max_res=320,
    grid=256,
    depth_px=256,
    depth_views=64,
    faces=120_000,
    texture_px=4096,
    texture_quality=92,
    glb_bytes=20_000_000,
    preview_px=720,
    promise=_HIGH,
)

_DRAFT_CUDA = replace(
    _STANDARD_CPU,
    train_px=400,
    steps=4_000,
    rays=4096,
    samples=48,
    proposal_samples=96,
    levels=16,
    log2_hashmap=19,
    max_res=1024,
    hidden=64,
    grid=224,
    depth_px=320,
    faces=40_000,
    promise=replace(_DRAFT, min_psnr_db=17.0),
)

_STANDARD_CUDA = replace(
    _DRAFT_CUDA,
    photo_px=3200,
    sift_px=2400,
    sift_affine=True,
    train_px=800,
    steps=15_000,
    max_res=2048,
    grid=320,
    depth_px=512,
    depth_views=64,
    faces=100_000,
    texture_px=4096,
    glb_bytes=15_000_000,
    preview_px=720,
    promise=replace(_STANDARD, min_psnr_db=19.0),
)

_HIGH_CUDA = replace(
    _STANDARD_CUDA,
    photo_px=4000,
    train_px=1200,
    steps=30_000,
    log2_hashmap=20,
    max_res=4096,
    grid=448,
    depth_px=720,
    depth_views=96,
    faces=300_000,
    texture_quality=92,
    glb_bytes=30_000_000,
    promise=replace(_HIGH, min_psnr_db=20.0),
)

_TABLE: dict[tuple[Preset, Device], Settings] = {
    ("draft", "cpu"): _DRAFT_CPU,
    ("standard", "cpu"): _STANDARD_CPU,
    ("high", "cpu"): _HIGH_CPU,
    ("draft", "cuda"): _DRAFT_CUDA,
    ("standard", "cuda"): _STANDARD_CUDA,
    ("high", "cuda"): _HIGH_CUDA,
}


def settings(preset: Preset, device: Device, reduced: bool = False) -> Settings:
    """The sizes for a run; `reduced` halves what memory grows with, after a run that did not fit."""
    chosen = _TABLE[preset, device]
    if not reduced:
        return chosen
    return replace(
        chosen,
        photo_px=chosen.photo_px // 2,
        sift_px=chosen.sift_px * 2 // 3,
        sift_features=chosen.sift_features // 2,
        rays=chosen.rays // 2,
        steps=chosen.steps * 3 // 2,
        grid=chosen.grid * 3 // 4,
        texture_px=chosen.texture_px // 2,
    )
