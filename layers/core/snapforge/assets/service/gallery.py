"""Finished assets, read: one, a page, those of a job."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from snapforge.assets import domain, errors, schemas, views
from snapforge.assets.domain import Asset, Variant
from snapforge.assets.service import delivery
from snapforge.assets.store import AssetRow
from snapforge.aws import lists, tables
from snapforge.aws.tables import org_pk
from snapforge.kit.page import Page
from snapforge.kit.permissions import Principal


def read_asset(principal: Principal, asset_id: str) -> schemas.Asset:
    """An asset with signed links. AssetNotFound."""
    return _view(get_asset(principal.org_id, asset_id))


def list_assets(principal: Principal, query: schemas.AssetsQuery) -> Page[schemas.Asset]:
    """Assets with signed links, newest first, or those of one job. InvalidCursor."""
    if query.job_id is not None:
        return Page(items=[_view(asset) for asset in list_job_assets(principal.org_id, query.job_id)])
    found = lists.newest_first(
        AssetRow, org_pk(principal.org_id), prefix="asset#", cursor=query.cursor, page_size=query.limit + 1
    )
    return lists.page(found, query.limit, key=lambda row: row.sk, view=lambda row: _view(_asset(row)))


def _view(asset: Asset) -> schemas.Asset:
    return views.asset(asset, delivery.links([asset])[asset.id])


def get_asset(org_id: str, asset_id: str) -> Asset:
    """One asset. AssetNotFound."""
    row = tables.find(AssetRow, org_pk(org_id), f"asset#{asset_id}", consistent=False)
    if row is None:
        raise errors.AssetNotFound()
    return _asset(row)


def list_job_assets(org_id: str, job_id: str) -> list[Asset]:
    """All assets of a job, in the order of their names. One query: their ids begin with the job's time."""
    prefix = f"asset#{domain.asset_prefix(job_id)}"
    rows = AssetRow.query(org_pk(org_id), AssetRow.sk.startswith(prefix))
    # Jobs of the same millisecond share the prefix.
    return sorted((_asset(row) for row in rows if row.job_id == job_id), key=lambda asset: asset.name)


def save_variants(asset: Asset, variants: Sequence[Variant]) -> None:
    """Note the variants that lie in the bucket now."""
    row = AssetRow(org_pk(asset.org_id), f"asset#{asset.id}")
    row.update(
        actions=[AssetRow.variants.set(json.dumps([asdict(variant) for variant in variants]))],
        condition=AssetRow.pk.exists(),
    )


def _asset(row: AssetRow) -> Asset:
    return Asset(
        id=row.id,
        org_id=row.org_id,
        job_id=row.job_id,
        kind=row.kind,
        role=row.role,
        name=row.name,
        key=row.key,
        media_type=row.media_type,
        bytes=row.bytes,
        sha256=row.sha256,
        width=None if row.width is None else row.width,
        height=None if row.height is None else row.height,
        parameters=json.loads(row.parameters),
        created_at=row.created_at,
        variants=tuple(Variant(**variant) for variant in json.loads(row.variants or "[]")),
    )
