"""The one way out: whatever hands bytes of a result to somebody gets its address, or the bytes, here.

What a gate must forbid (a revoked likeness, a deleted asset) is forbidden in this module and can then leak nowhere; an
import contract keeps `aws.delivery` to it. Links are dated to a step of time: made within one step they are equal, so
that browsers find what they cached and pollers get a 304.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from snapforge.assets.domain import Asset, AssetLinks
from snapforge.aws import delivery
from snapforge.kit import clock

API_LINKS = timedelta(hours=1)
LINK_STEP = timedelta(minutes=15)


def links(assets: Sequence[Asset], life: timedelta = API_LINKS) -> dict[str, AssetLinks]:
    """Signed addresses of each asset and its variants, by asset id; good for `life` and up to LINK_STEP more.

    About 0.5 ms of CPU per address.
    """
    until = expiry(life)
    return {
        asset.id: AssetLinks(
            original=link(asset.key, until),
            variants={variant.name: link(variant.key, until) for variant in asset.variants},
            expires_at=until,
        )
        for asset in assets
    }


def expiry(life: timedelta = API_LINKS, *, step: timedelta = LINK_STEP) -> datetime:
    """When links that are signed now end: after `life` at the soonest, on a step of time."""
    seconds = int(step.total_seconds())
    soonest = clock.epoch(clock.now() + life)
    return datetime.fromtimestamp(-(-soonest // seconds) * seconds, tz=UTC)


def link(key: str, until: datetime) -> str:
    """The signed address of one deliverable key, good until `until` (of `expiry`)."""
    return delivery.sign(key, until)


def sign(key: str, *, expires_in: timedelta) -> str:
    """The signed address of one deliverable key, good for `expires_in` and up to LINK_STEP more."""
    return link(key, expiry(expires_in))
