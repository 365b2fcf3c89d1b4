"""CloudFront in front of the assets bucket: verifies signed URLs as CloudFront does, then streams the object."""

import base64
import binascii
import fnmatch
import http.client
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from infrastructure.local.host.aws import authorization

_SIGNING = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
_PASSED = ("range", "if-none-match", "if-modified-since", "if-match", "if-range")
_ANSWERED = (
    "content-type", "content-length", "content-range", "content-disposition", "content-encoding", "cache-control",
    "etag", "last-modified", "accept-ranges",
)  # fmt: skip
_RESPONSE_OVERRIDES = re.compile(r"^response-(content-disposition|content-type|cache-control)$")


class Denied(Exception):
    """The signed URL does not hold; the text is for the log, the viewer sees CloudFront's own words."""


@dataclass(frozen=True)
class SignedUrls:
    """Verifies against one key pair."""

    key_pair_id: str
    public_key: RSAPublicKey

    def verify(self, url: str, address: str, now: float | None = None) -> None:
        """Raise Denied unless `url` (as the viewer sent it, with scheme and host) is signed and not expired."""
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        if query.get("Key-Pair-Id") != self.key_pair_id:
            raise Denied("Missing Key-Pair-Id query parameter or unknown key pair")
        resource = _unsigned(url)
        policy = _decode(query["Policy"]) if "Policy" in query else _canned(resource, query.get("Expires", ""))
        try:
            self.public_key.verify(
                _decode(query.get("Signature", "")),
                policy,
                padding.PKCS1v15(),
                hashes.SHA1(),
            )
        except InvalidSignature:
            raise Denied("the signature does not match") from None
        _allow(policy, resource, address, time.time() if now is None else now)


def _unsigned(url: str) -> str:
    """The URL without the parameters of the signature; the others keep their order and spelling."""
    base, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part.split("=", 1)[0] not in _SIGNING]
    return base + ("?" + "&".join(kept) if kept else "")


def _canned(resource: str, expires: str) -> bytes:
    if not expires.isdigit():
        raise Denied("no Expires and no Policy")
    return (
        f'{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    ).encode()


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise Denied("not CloudFront's base64") from None


def _allow(policy: bytes, resource: str, address: str, now: float) -> None:
    try:
        statement: dict[str, Any] = json.loads(policy)["Statement"][0]
        condition = statement["Condition"]
        before = condition["DateLessThan"]["AWS:EpochTime"]
        after = condition.get("DateGreaterThan", {}).get("AWS:EpochTime", 0)
        source = condition.get("IpAddress", {}).get("AWS:SourceIp", "0.0.0.0/0")
        pattern = statement.get("Resource", "*")
    except (ValueError, KeyError, IndexError, TypeError):
        raise Denied("the policy is malformed") from None
    if not after <= now < before:
        raise Denied("expired, or not valid yet")
    if source.split("/")[0] not in ("0.0.0.0", address):
        raise Denied("another address")
    # fnmatch also knows [sets]; CloudFront does not.
    if not fnmatch.fnmatchcase(resource, pattern.replace("[", "[[]")):
        raise Denied("the policy is for another resource")


@dataclass(frozen=True)
class Origin:
    """The assets bucket behind the emulator's S3."""

    endpoint: str
    bucket: str

    def open(self, method: str, path: str, query: str, headers: list[tuple[str, str]]) -> http.client.HTTPResponse:
        """The object at `path` (the key, percent-encoded). The caller streams and closes the answer."""
        parts = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
        overrides = "&".join(
            f"{name}={quote(value)}" for name, value in parse_qsl(query) if _RESPONSE_OVERRIDES.match(name)
        )
        key = quote(unquote(path), safe="/~")
        target = f"/{self.bucket}/{key}" + (f"?{overrides}" if overrides else "")
        passed = {name: value for name, value in headers if name.lower() in _PASSED}
        # As CloudFront's origin access control does: S3 refuses overrides to strangers.
        passed["Authorization"] = authorization("s3")
        connection.request(method, target, headers=passed)
        return connection.getresponse()


def answer_headers(origin: http.client.HTTPResponse) -> list[tuple[str, str]]:
    """What a viewer gets to see of S3's headers."""
    return [(name, value) for name, value in origin.getheaders() if name.lower() in _ANSWERED]
