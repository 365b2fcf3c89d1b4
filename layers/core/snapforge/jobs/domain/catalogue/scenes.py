"""The presets of a 3D model."""

from dataclasses import dataclass

from snapforge.jobs.domain.requests import Preset


@dataclass(frozen=True, slots=True)
class ScenePreset:
    """A preset's price and time: a base that holds some photos, and a part for each further one."""

    credits: int
    photos_included: int
    photos_per_further_credit: int
    seconds: int
    seconds_per_photo: int


SCENE_PRESETS: dict[Preset, ScenePreset] = {
    "draft": ScenePreset(20, photos_included=40, photos_per_further_credit=5, seconds=240, seconds_per_photo=3),
    "standard": ScenePreset(60, photos_included=60, photos_per_further_credit=2, seconds=1200, seconds_per_photo=10),
    "high": ScenePreset(150, photos_included=80, photos_per_further_credit=1, seconds=3600, seconds_per_photo=25),
}
