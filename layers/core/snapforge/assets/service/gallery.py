"""Finished assets, read: one, a page, those of a job."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from snapforge.assets import domain, errors, schemas, views
from snapforge.assets.domain import Asset, Variant
from snapforge.assets.service import delivery
from snapforge.assets.store import AssetRow, org_pk
from snapforge.aws import tables
from snapforge.kit import clock
from snapforge.kit.page import Page, decode_cursor, encode_cursor


def read_asset(org_id: str, asset_id: str) -> schemas.Asset:
    """An asset with signed links. AssetNotFound."""
    asset = get_asset(org_id, asset_id)
    return views.asset(asset, delivery.links([asset])[asset.id])


def list_assets(org_id: str, query: schemas.AssetsQuery) -> Page[schemas.Asset]:
    """Assets with signed links, newest first, or those of one job. InvalidCursor."""
    if query.job_id is not None:
        found, cursor = list_job_assets(org_id, query.job_id), None
    else:
        found, cursor = _newest(org_id, limit=query.limit, cursor=query.cursor)
    signed = delivery.links(found)
    return Page(items=[views.asset(asset, signed[asset.id]) for asset in found], next_cursor=cursor)


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


def _newest(org_id: str, *, limit: int, cursor: str | None) -> tuple[list[Asset], str | None]:
    """The newest assets of an org and the cursor of the next  InvalidCursor."""
    start = decode_cursor(cursor, prefix="asset#") if cursor else None
    found = AssetRow.query(
        org_pk(org_id),
        AssetRow.sk.startswith("asset#"),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key={"pk": {"S": org_pk(org_id)}, "sk": {"S": start}} if start else None,
    )
    assets = [_asset(row) for row in found]
    last = found.last_evaluated_key
    return assets, encode_cursor(last["sk"]["S"]) if last else None


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
        bytes=int(row.bytes),
        sha256=row.sha256,
        width=None if row.width is None else int(row.width),
        height=None if row.height is None else int(row.height),
        parameters=json.loads(row.parameters),
        created_at=clock.parse(row.created_at),
        variants=tuple(Variant(**variant) for variant in json.loads(row.variants or "[]")),
    )
