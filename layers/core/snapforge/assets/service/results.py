"""Results of jobs as assets: published under content-addressed keys, registered in the job's own transaction."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snapforge.assets import domain, events
from snapforge.assets.store import AssetRow, Outbox
from snapforge.aws import outbox, s3, settings
from snapforge.aws.tables import org_pk
from snapforge.contracts.results import ResultFile
from snapforge.kit import clock

if TYPE_CHECKING:
    from snapforge.aws.tables import Transaction

IMMUTABLE = "public, max-age=31536000, immutable"
"""A key names its content, so that what lies there never changes."""


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

    Takes one part per file and one for the event. Ids follow from job, prefix and name, and what is there already stays
    as it is, so a second settle changes nothing. `parameters` is what made the result (JSON), the file's seed is added.
    """
    now = clock.now()
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
    given = {name: value for name, value in row.attribute_values.items() if value is not None and name != "cls"}
    attributes = AssetRow.get_attributes()
    actions = [attributes[name].set(attributes[name] | value) for name, value in given.items()]
    actions.append(AssetRow.cls.set(AssetRow.cls | AssetRow))
    tx.update(AssetRow(org_pk(org_id), f"asset#{row.id}"), actions, failed=lambda _: RuntimeError(f"asset {row.id}"))
