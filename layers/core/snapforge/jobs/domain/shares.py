"""Fair share between orgs: Batch takes few, alphanumeric share ids, so orgs are hashed into buckets."""

import hashlib

BUCKETS = 256


def of_org(org_id: str) -> str:
    """The share id of an org, `s00` to `sff`."""
    return f"s{hashlib.sha256(org_id.encode()).digest()[0] % BUCKETS:02x}"
