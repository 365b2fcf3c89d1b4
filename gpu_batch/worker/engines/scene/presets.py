"""The one place for sizes: what each preset means on each device."""

from dataclasses import dataclass, replace
from typing import Literal

Preset = Literal["draft", "standard"]
Device = Literal["cpu", "cuda"]


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
    """JPEG quality of the texture: with texture_px this is the file-size budget."""

    preview_px: int
    preview_frames: int

    min_psnr_db: float
    """The promise: object-only PSNR of the textured mesh on held-out views."""
    max_reprojection_px: float
    min_faces: int


_DRAFT_CPU = Settings(
    photo_px=1024,
    sift_px=1000,
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
    preview_px=400,
    preview_frames=24,
    min_psnr_db=16.0,
    max_reprojection_px=2.0,
    min_faces=500,
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
    preview_px=560,
    preview_frames=36,
    min_psnr_db=18.0,
    max_reprojection_px=1.5,
    min_faces=2_000,
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
    min_psnr_db=17.0,
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
    preview_px=720,
    min_psnr_db=19.0,
)

_TABLE: dict[tuple[Preset, Device], Settings] = {
    ("draft", "cpu"): _DRAFT_CPU,
    ("standard", "cpu"): _STANDARD_CPU,
    ("draft", "cuda"): _DRAFT_CUDA,
    ("standard", "cuda"): _STANDARD_CUDA,
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
