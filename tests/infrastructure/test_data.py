"""Data stays, whatever happens to a stack."""

import pytest

from tests.support.templates import (
    everything,
)


class TestData:
    @pytest.mark.parametrize("name", everything("AWS::DynamoDB::Table"))
    def test_tables_survive_and_can_be_restored(self, name: str) -> None:
        """Kept when the stack goes, point-in-time recovery, encrypted, on demand."""
        table = everything("AWS::DynamoDB::Table")[name]
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
        properties = table["Properties"]
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["SSESpecification"]["SSEEnabled"] is True
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        if "StreamSpecification" in properties:
            assert properties["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
            assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}

    @pytest.mark.parametrize("name", everything("AWS::S3::Bucket"))
    def test_buckets_survive_and_are_closed(self, name: str) -> None:
        """Kept, encrypted, nothing public, half-sent uploads swept after a day; TLS is test_resource_policies'."""
        bucket = everything("AWS::S3::Bucket")[name]
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert properties["BucketEncryption"]
        rules = properties["LifecycleConfiguration"]["Rules"]
        assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]

    def test_originals_are_versioned_and_never_expire(self) -> None:
        """What a customer sent stays until they delete it."""
        uploads = everything("AWS::S3::Bucket")["buckets.UploadsBucket"]["Properties"]
        assert uploads["VersioningConfiguration"] == {"Status": "Enabled"}
        expiring = [r["Prefix"] for r in uploads["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in r]
        assert expiring == ["incoming/"]

    def test_results_never_expire(self) -> None:
        """Nothing that was paid for disappears by itself: of the assets bucket only runs/ does."""
        assets = everything("AWS::S3::Bucket")["buckets.AssetsBucket"]["Properties"]
        expiring = [r["Prefix"] for r in assets["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in r]
        assert expiring == ["runs/"]
