"""Results of jobs as assets: published under content-addressed keys, registered in the job's own transaction."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from snapforge.assets import domain, errors, events
from snapforge.assets.domain import Asset, Variant
from snapforge.assets.store import AssetRow, Outbox, org_pk
from snapforge.aws import delivery, outbox, s3, settings, tables
from snapforge.contracts.results import ResultFile
from snapforge.kit import clock, page

if TYPE_CHECKING:
    from snapforge.aws.tables import Transaction

API_LINKS = timedelta(hours=1)
MAIL_LINKS = timedelta(days=7)
LINK_STEP = 15 * 60
"""Seconds. Links made within one step are equal, so that browsers find what they cached and pollers get a 304."""
IMMUTABLE = "public, max-age=31536000, immutable"
"""A key names its content, so that what lies there never changes."""


@dataclass(frozen=True, slots=True)
class AssetLinks:
    """Signed addresses of one asset, good until `expires_at`."""

    original: str
    variants: dict[str, str]
    """By the variant's name."""
    expires_at: datetime


def publish_results(files: Sequence[ResultFile], prefix_uri: str) -> dict[str, str]:
    """Copy an attempt's files to where they are delivered from; name → key in the assets bucket.

    A server-side copy, done before the transaction that registers them: runs/ can be swept afterwards. Doing it twice
    writes the same bytes to the same keys.
    """
    keys = {file.name: domain.content_key(file.sha256, file.media_type) for file in files}
    for file in files:
        s3.copy(prefix_uri + file.name, asset_uri(keys[file.name]), media_type=file.media_type, cache=IMMUTABLE)
    return keys


def asset_uri(key: str) -> str:
    """The s3:// address of a key in the assets bucket."""
    return f"s3://{settings.get('ASSETS_BUCKET')}/{key}"


def register_results(
    tx: "Transaction",
    *,
    org_id: str,
    job_id: str,
    kind: str,
    files: Sequence[ResultFile],
    prefix_uri: str,
    parameters: dict[str, Any],
) -> list[str]:
    """Add the published files of a finished job to `tx` as assets; returns their ids, in the order of `files`.

    Takes one part per file and one for the news. Ids follow from job, prefix and name, and what is there already stays
    as it is, so a second settle changes nothing. `parameters` is what made the result (JSON), the file's seed is added.
    """
    now = clock.rfc3339(clock.now())
    made = []
    for file in files:
        asset_id = domain.asset_id(job_id, prefix_uri, file.name)
        own = parameters | ({} if file.seed is None else {"seed": file.seed})
        row = AssetRow(
            id=asset_id,
            org_id=org_id,
            job_id=job_id,
            kind=kind,
            role=file.role,
            name=file.name,
            key=domain.content_key(file.sha256, file.media_type),
            media_type=file.media_type,
            bytes=file.bytes,
            sha256=file.sha256,
            width=file.width,
            height=file.height,
            parameters=json.dumps(own),
            created_at=now,
        )
        _put_unless_there(tx, org_id, row)
        made.append(asset_id)
    if made:
        outbox.put(tx, Outbox, events.asset_created(org_id, job_id, made))
    return made


def _put_unless_there(tx: "Transaction", org_id: str, row: AssetRow) -> None:
    """As a put of a new row, but one that stands already (perhaps with its variants) does not fail the transaction."""
    told = {name: value for name, value in row.attribute_values.items() if value is not None and name != "cls"}
    attributes = AssetRow.get_attributes()
    actions = [attributes[name].set(attributes[name] | value) for name, value in told.items()]
    actions.append(AssetRow.cls.set(AssetRow.cls | AssetRow))
    tx.update(AssetRow(org_pk(org_id), f"asset#{row.id}"), actions, failed=lambda _: RuntimeError(f"asset {row.id}"))


def get_asset(org_id: str, asset_id: str) -> Asset:
    """One asset. AssetNotFound."""
    row = tables.find(AssetRow, org_pk(org_id), f"asset#{asset_id}", consistent=False)
    if row is None:
        raise errors.AssetNotFound()
    return _asset(row)


def list_assets(org_id: str, *, limit: int, cursor: str | None) -> tuple[list[Asset], str | None]:
    """The newest assets of an org and the cursor of the next page. InvalidCursor."""
    start = page.decode_cursor(cursor, prefix="asset#") if cursor else None
    found = AssetRow.query(
        org_pk(org_id),
        AssetRow.sk.startswith("asset#"),
        scan_index_forward=False,
        limit=limit,
        last_evaluated_key={"pk": {"S": org_pk(org_id)}, "sk": {"S": start}} if start else None,
    )
    assets = [_asset(row) for row in found]
    last = found.last_evaluated_key
    return assets, page.encode_cursor(last["sk"]["S"]) if last else None


def list_job_assets(org_id: str, job_id: str) -> list[Asset]:
    """All assets of a job, in the order of their names. One query: their ids begin with the job's time."""
    prefix = f"asset#{domain.asset_prefix(job_id)}"
    rows = AssetRow.query(org_pk(org_id), AssetRow.sk.startswith(prefix))
    # Jobs of the same millisecond share the prefix.
    return sorted((_asset(row) for row in rows if row.job_id == job_id), key=lambda asset: asset.name)


def links(assets: Sequence[Asset], life: timedelta = API_LINKS) -> dict[str, AssetLinks]:
    """Signed addresses of each asset and its variants, by asset id; good for `life` and up to LINK_STEP more.

    About 0.5 ms of CPU per address.
    """
    until = _until(life)
    return {
        asset.id: AssetLinks(
            original=delivery.sign(asset.key, until),
            variants={variant.name: delivery.sign(variant.key, until) for variant in asset.variants},
            expires_at=until,
        )
        for asset in assets
    }


def sign(key: str, *, expires_in: timedelta) -> str:
    """The signed address of one deliverable key, good for `expires_in` and up to LINK_STEP more."""
    return delivery.sign(key, _until(expires_in))


def _until(life: timedelta) -> datetime:
    soonest = clock.epoch(clock.now() + life)
    return datetime.fromtimestamp(-(-soonest // LINK_STEP) * LINK_STEP, tz=UTC)


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
