"""Signed URLs: what CloudFront accepts and refuses, made by botocore's own signer."""

import datetime
import json
from collections.abc import Callable

import httpx
import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infrastructure.local.region import Region

BODY = bytes(range(256)) * 40
BUCKET = "snapforge-dev-assets-000000000000"
Sign = Callable[..., str]


def signer(key_pair_id: str, private: rsa.RSAPrivateKey) -> CloudFrontSigner:
    return CloudFrontSigner(key_pair_id, lambda message: private.sign(message, padding.PKCS1v15(), hashes.SHA1()))


def at(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def cloudfront(small: Region) -> CloudFrontSigner:
    secret = small.client("secretsmanager").get_secret_value(SecretId="snapforge/dev/delivery-key")["SecretString"]
    key = json.loads(secret)
    private = load_pem_private_key(key["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return signer(key["key_pair_id"], private)


@pytest.fixture(scope="module")
def url(small: Region) -> str:
    """An object's unsigned address."""
    small.client("s3").put_object(
        Bucket=BUCKET,
        Key="assets/ab/pic ture.png",
        Body=BODY,
        ContentType="image/png",
        CacheControl="private, max-age=60",
        ContentDisposition='attachment; filename="a.png"',
    )
    return f"{small.api_url}/assets/ab/pic%20ture.png"


@pytest.mark.part("AST-4")
class TestSignedUrls:
    """GET and HEAD under /assets/."""

    def test_a_canned_policy_delivers_the_object_with_its_headers(self, cloudfront: CloudFrontSigner, url: str) -> None:
        answer = httpx.get(cloudfront.generate_presigned_url(url, date_less_than=at(60)), trust_env=False)

        assert (answer.status_code, answer.content) == (200, BODY)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "private, max-age=60"
        assert answer.headers["content-disposition"] == 'attachment; filename="a.png"'
        assert not [name for name in answer.headers if name.startswith("x-amz")]

    def test_a_custom_policy_with_a_wildcard_holds_for_its_resources(
        self, cloudfront: CloudFrontSigner, small: Region, url: str
    ) -> None:
        policy = cloudfront.build_policy(f"{small.api_url}/assets/ab/*", at(60), date_greater_than=at(-5))
        assert httpx.get(cloudfront.generate_presigned_url(url, policy=policy), trust_env=False).status_code == 200

        elsewhere = cloudfront.build_policy(f"{small.api_url}/assets/cd/*", at(60))
        refused = httpx.get(cloudfront.generate_presigned_url(url, policy=elsewhere), trust_env=False)
        assert refused.status_code == 403

    def test_a_range_and_a_head_are_answered(self, cloudfront: CloudFrontSigner, url: str) -> None:
        signed = cloudfront.generate_presigned_url(url, date_less_than=at(60))

        part = httpx.get(signed, headers={"range": "bytes=10-19"}, trust_env=False)
        assert (part.status_code, part.content) == (206, BODY[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(BODY)}"
        head = httpx.head(signed, trust_env=False)
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(BODY)), b"")
        etag = head.headers["etag"]
        assert httpx.get(signed, headers={"if-none-match": etag}, trust_env=False).status_code == 304

    def test_an_override_of_the_name_is_part_of_what_is_signed(self, cloudfront: CloudFrontSigner, url: str) -> None:
        wanted = url + "?response-content-disposition=attachment%3B%20filename%3Db.png"
        signed = cloudfront.generate_presigned_url(wanted, date_less_than=at(60))

        assert httpx.get(signed, trust_env=False).headers["content-disposition"] == "attachment; filename=b.png"
        assert httpx.get(signed.replace("b.png", "c.png"), trust_env=False).status_code == 403

    def test_expired_altered_foreign_and_unsigned_are_refused(self, cloudfront: CloudFrontSigner, url: str) -> None:
        """Each with CloudFront's 403 and nothing of the object."""
        signed = cloudfront.generate_presigned_url(url, date_less_than=at(60))
        expires = signed.split("Expires=")[1].split("&")[0]
        stranger = signer(cloudfront.key_id, rsa.generate_private_key(65537, 2048))
        bad = {
            "unsigned": url,
            "expired": cloudfront.generate_presigned_url(url, date_less_than=at(-1)),
            "longer": signed.replace(expires, str(int(expires) + 1000)),
            "other object": signed.replace("pic%20ture", "other"),
            "other key id": signed.replace(cloudfront.key_id, "KOTHER"),
            "stranger": stranger.generate_presigned_url(url, date_less_than=at(60)),
            "garbled": signed.replace("Signature=", "Signature=A!"),
            "not yet": cloudfront.generate_presigned_url(
                url, policy=cloudfront.build_policy(url, at(60), date_greater_than=at(30))
            ),
        }

        statuses = {name: httpx.get(each, trust_env=False).status_code for name, each in bad.items()}

        assert statuses == dict.fromkeys(bad, 403)

    def test_a_signed_address_of_nothing_is_not_delivered(self, cloudfront: CloudFrontSigner, url: str) -> None:
        signed = cloudfront.generate_presigned_url(url.replace(".png", ".gif"), date_less_than=at(60))

        assert httpx.get(signed, trust_env=False).status_code in (403, 404)

    def test_only_reading_is_possible(self, cloudfront: CloudFrontSigner, url: str) -> None:
        signed = cloudfront.generate_presigned_url(url, date_less_than=at(60))

        assert httpx.put(signed, content=b"x", trust_env=False).status_code == 403
