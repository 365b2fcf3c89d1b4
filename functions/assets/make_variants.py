"""Make the forms in which pictures are delivered."""

from snapforge.assets.service import variants
from snapforge.kit.events import Event
from snapforge.triggers import event


@event("asset.created", queue="variants")
def handler(created: Event) -> None:
    """For every picture among the assets."""
    variants.make_variants(created)
