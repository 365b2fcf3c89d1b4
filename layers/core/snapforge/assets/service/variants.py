"""The forms in which pictures are delivered, made after a job's results were registered.

Originals stay as the job made them: credentials that a later step signs into them are signed last.
"""

import hashlib

from snapforge.assets import domain
from snapforge.assets.domain import Asset, Variant
from snapforge.assets.service import gallery, results
from snapforge.aws import s3
from snapforge.kit.events import Event


def make_variants(event: Event) -> int:
    """Make what is missing for the assets that an `asset.created` names; returns for how many pictures.

    Doing it twice writes the same bytes to the same keys.
    """
    made = 0
    for asset_id in event.data["asset_ids"]:
        asset = gallery.get_asset(event.org_id, asset_id)
        if asset.media_type in domain.PHOTO_TYPES and not asset.variants:
            gallery.save_variants(asset, _variants(asset))
            made += 1
    return made


def _variants(asset: Asset) -> list[Variant]:
    from snapforge.assets.pictures import opening, photo, writing

    opened = opening.open_picture(s3.get(results.asset_uri(asset.key)), side=writing.DELIVERY_SIDE)
    picture = photo.to_upright_srgb(opened.image, writing.DELIVERY_SIDE)
    found = []
    for name, written in writing.variants(picture).items():
        key = domain.content_key(hashlib.sha256(written.body).hexdigest(), written.media_type)
        s3.put(results.asset_uri(key), written.body, written.media_type, cache=results.IMMUTABLE)
        found.append(Variant(name, key, written.media_type, len(written.body), written.width, written.height))
    return found
