"""Delivery by CloudFront: signed URLs with a canned policy (RSA, SHA-1, as CloudFront defines it).

The object `assets/<path>` of the assets bucket is delivered at `<DELIVERY_URL>/assets/<path>`: CloudFront passes the
path on to S3 as it is. Who fetched what stands in CloudFront's access logs.
"""

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from snapforge.aws import secrets, settings
from snapforge.kit import clock

if TYPE_CHECKING:
    from botocore.signers import CloudFrontSigner

PREFIX = "assets/"


@lru_cache(maxsize=2)
def _signer(key_pair_id: str, private_key: str) -> "CloudFrontSigner":
    from botocore.signers import CloudFrontSigner
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("CloudFront signs with an RSA key; the secret delivery-key holds another kind")

    def sign(message: bytes) -> bytes:
        # CloudFront verifies RSA-SHA1 and nothing else; the policy it signs is ours, so collisions gain nothing.
        return key.sign(message, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303

    return CloudFrontSigner(key_pair_id, sign)


def url(key: str) -> str:
    """The unsigned address of a deliverable object. ValueError for a key outside `assets/`."""
    if not key.startswith(PREFIX):
        raise ValueError(f"{key!r} is not deliverable: only objects below {PREFIX} are")
    return f"{settings.get('DELIVERY_URL').rstrip('/')}/{key}"


def sign(key: str, expires_at: datetime) -> str:
    """The address of `key`, good until `expires_at` (aware, whole seconds)."""
    pair = secrets.read("delivery-key")
    signer = _signer(pair["key_pair_id"], pair["private_key"])
    return signer.generate_presigned_url(
        url(key), date_less_than=datetime.fromtimestamp(clock.epoch(expires_at), tz=expires_at.tzinfo)
    )
