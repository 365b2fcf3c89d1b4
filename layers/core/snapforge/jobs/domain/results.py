"""What a job delivered, as its row keeps it: enough to answer a read with links, in one call."""

from pydantic import Field

from snapforge.contracts.results import LoraQuality, Role, SceneQuality
from snapforge.kit.schema import Schema


class Delivered(Schema):
    """One file in the assets bucket. `key` never leaves the house: a read turns it into a signed link."""

    asset_id: str
    name: str
    role: Role
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    key: str


class Results(Schema):
    """All that a run left for the customer."""

    files: list[Delivered]
    engine: str
    model: str
    quality: SceneQuality | None = None
    lora: LoraQuality | None = None
    notes: list[str] = Field(default_factory=list)

    @property
    def preview(self) -> Delivered | None:
        """The picture to show for it."""
        order = ("preview", "picture")
        return next((file for role in order for file in self.files if file.role == role), None)
