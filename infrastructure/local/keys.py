"""The RSA key pair that signs delivery URLs, made at the first start."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class DeliveryKey:
    """PEM texts; the id has CloudFront's form."""

    key_pair_id: str
    private_key: str
    public_key: str


def delivery_key(path: Path) -> DeliveryKey:
    """Read the pair from `path`, or make it there (readable by its owner only)."""
    if path.exists():
        return DeliveryKey(**json.loads(path.read_text()))
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = DeliveryKey(
        key_pair_id="K" + secrets.token_hex(7).upper()[:13],
        private_key=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        public_key=private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(key)))
    return key
