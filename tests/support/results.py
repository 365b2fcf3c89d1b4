"""What a worker leaves behind and what becomes of it: results registered as assets, their news, their signed links."""

import base64
import hashlib
import json
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from snapforge.assets.service import results
from snapforge.assets.store import Outbox
from snapforge.aws import secrets
from snapforge.aws.tables import Transaction
from snapforge.contracts.results import ResultFile, Role
from snapforge.kit.events import Event
from tests.support.aws import Aws


def work(aws: Aws, job_id: str, files: dict[str, tuple[Role, str, bytes]]) -> tuple[str, list[ResultFile]]:
    """What a worker leaves behind: the prefix and its files."""
    prefix = f"runs/{job_id}/1/1/"
    made = []
    for seed, (name, (role, media_type, body)) in enumerate(files.items()):
        aws.client("s3").put_object(Bucket=aws.assets_bucket, Key=prefix + name, Body=body)
        digest = hashlib.sha256(body).hexdigest()
        made.append(
            ResultFile(
                name=name,
                role=role,
                media_type=media_type,
                bytes=len(body),
                sha256=digest,
                width=960,
                height=720,
                seed=seed,
            )
        )
    return f"s3://{aws.assets_bucket}/{prefix}", made


def settle(aws: Aws, org_id: str, job_id: str, prefix: str, files: list[ResultFile]) -> list[str]:
    """Publish and register, as settling a job does."""
    results.publish_results(files, prefix)
    tx = Transaction()
    made = results.register_results(
        tx, org_id=org_id, job_id=job_id, kind="image", files=files, prefix_uri=prefix, parameters={"prompt": "a jay"}
    )
    tx.commit()
    return made


def unsent(org_id: str) -> list[Event]:
    """This org's news that nobody published."""
    rows = [row for shard in range(4) for row in Outbox.by_unsent.query(f"unsent#{shard}")]
    events = [Event.model_validate_json(found.event) for row in rows if (found := Outbox.get(row.pk, row.sk))]
    return [event for event in events if event.org_id == org_id]


def public_key() -> RSAPublicKey:
    key = load_pem_private_key(secrets.read("delivery-key")["private_key"].encode(), password=None).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def verify(url: str) -> int:
    """Check the signature as CloudFront does, by its documentation; the epoch second at which the link ends."""
    resource, _, query = url.partition("?")
    values = {name: found[0] for name, found in parse_qs(query).items()}
    policy = {
        "Statement": [{"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": int(values["Expires"])}}}]
    }
    public_key().verify(
        _unsafe(values["Signature"]),
        json.dumps(policy, separators=(",", ":")).encode(),
        padding.PKCS1v15(),
        hashes.SHA1(),
    )
    assert values["Key-Pair-Id"] == "KTEST"
    return int(values["Expires"])


def _unsafe(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"))
