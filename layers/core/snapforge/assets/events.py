"""Events of the assets context."""

from snapforge.kit import ids
from snapforge.kit.events import Event

ASSET_CREATED = "asset.created"

EXAMPLES = {ASSET_CREATED: {"job_id": ids.example("job"), "asset_ids": [ids.example("asset")]}}
"""An event's data by its type: the sample events are made of it."""


def asset_created(org_id: str, job_id: str, asset_ids: list[str]) -> Event:
    """Results of a job were registered; their variants are still to be made."""
    return Event(type=ASSET_CREATED, org_id=org_id, data={"job_id": job_id, "asset_ids": asset_ids})
