"""A LoRA's life beside its trainings: listed, named, deleted, restored, purged."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from snapforge.aws import s3
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service.submission import naming
from snapforge.kit import clock
from snapforge.kit.permissions import Principal
from snapforge.loras import errors
from snapforge.loras.domain import RESTORABLE
from snapforge.loras.schemas import LoraChange, LoraDelete, LorasQuery
from snapforge.loras.service import library, retention, usage
from tests.core.jobs.engine import Engine
from tests.core.jobs.trained import leave_adapter, lora_of, order_lora, train

NOW = LoraDelete(now=True)
LATER = LoraDelete()


@pytest.fixture
def who(engine: Engine) -> Principal:
    return engine.customer(300)


@pytest.fixture
def versioned(engine: Engine) -> Iterator[None]:
    """The bucket keeps versions, as the template's does."""
    client, bucket = engine.aws.client("s3"), engine.aws.assets_bucket
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def weights(aws_uri: str) -> list[str]:
    """What lies in the folder of a version's file."""
    return list(s3.names(aws_uri.rpartition("/")[0] + "/"))


def kept(engine: Engine, folder: str) -> list[str]:
    """All versions of all that lies in a folder."""
    bucket, prefix = s3.split(folder + "/")
    found = engine.aws.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))]


@pytest.mark.part("JOB-9")
class TestReading:
    def test_a_list_is_newest_first_in_pages_and_without_the_deleted(self, engine: Engine, who: Principal) -> None:
        first, second, third = (train(engine, who) for _ in range(3))
        retention.delete_lora(who, second, LATER)
        page = library.list_loras(who, LorasQuery(limit=1))
        assert [one.id for one in page.items] == [third]
        rest = library.list_loras(who, LorasQuery(limit=1, cursor=page.next_cursor))
        assert ([one.id for one in rest.items], rest.next_cursor) == ([first], None)
        assert [one.id for one in library.list_loras(who, LorasQuery(deleted=True)).items] == [second]

    def test_nobody_else_sees_it(self, engine: Engine, who: Principal) -> None:
        lora_id, stranger = train(engine, who), engine.customer()
        assert library.list_loras(stranger, LorasQuery()).items == []
        for call in (
            lambda: library.get_lora(stranger, lora_id),
            lambda: naming.rename_lora(stranger, lora_id, LoraChange(name="mine")),
            lambda: retention.delete_lora(stranger, lora_id, NOW),
            lambda: retention.restore_lora(stranger, lora_id),
        ):
            with pytest.raises(errors.LoraNotFound):
                call()
        assert library.get_lora(who, lora_id).name == "A vase"

    def test_a_new_name(self, engine: Engine, who: Principal) -> None:
        lora_id = train(engine, who)
        assert naming.rename_lora(who, lora_id, LoraChange(name="The blue one")).name == "The blue one"
        assert library.get_lora(who, lora_id).name == "The blue one"


@pytest.mark.part("JOB-9", "ID-10.1")
class TestDeletion:
    def test_it_is_restorable_for_seven_days(self, engine: Engine, who: Principal) -> None:
        lora_id = train(engine, who)
        uri = usage.usable(who.org_id, lora_id).trained.uri
        retention.delete_lora(who, lora_id, LATER)
        deleted = library.get_lora(who, lora_id)
        assert deleted.deleted_at is not None
        assert deleted.restorable_until == deleted.deleted_at + RESTORABLE
        retention.purge_due(clock.now() + RESTORABLE - timedelta(minutes=1))
        assert weights(uri) == [uri]
        assert retention.restore_lora(who, lora_id).deleted_at is None
        assert usage.usable(who.org_id, lora_id).trained.uri == uri
        with pytest.raises(errors.LoraNotDeleted):
            retention.restore_lora(who, lora_id)

    def test_then_its_weights_go_and_nobody_elses(self, engine: Engine, who: Principal) -> None:
        lora_id, other = train(engine, who), train(engine, who)
        uris = [usage.usable(who.org_id, one).trained.uri for one in (lora_id, other)]
        retention.delete_lora(who, lora_id, LATER)
        assert retention.purge_due(clock.now() + RESTORABLE + timedelta(minutes=1)) >= 1
        assert [weights(uri) for uri in uris] == [[], [uris[1]]]
        with pytest.raises(errors.LoraNotFound):
            library.get_lora(who, lora_id)
        assert library.get_lora(who, other).state == "ready"

    @pytest.mark.usefixtures("versioned")
    def test_now_means_now(self, engine: Engine, who: Principal) -> None:
        """Every version that the bucket keeps, and what the training had left."""
        job = order_lora(who)
        lora_id, _ = lora_of(job)
        engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job)))
        uri = usage.usable(who.org_id, lora_id).trained.uri
        s3.put(uri, s3.get(uri) + b", written again", "application/octet-stream")
        assert len(kept(engine, uri.rpartition("/")[0])) == 2
        retention.delete_lora(who, lora_id, NOW)
        assert kept(engine, uri.rpartition("/")[0]) == []
        assert kept(engine, f"{uri.partition('/loras/')[0]}/runs/{job.id}") == []
        for ask in (
            lambda: library.get_lora(who, lora_id),
            lambda: retention.restore_lora(who, lora_id),
            lambda: usage.usable(who.org_id, lora_id),
        ):
            with pytest.raises(errors.LoraNotFound):
                ask()

    def test_a_purge_that_breaks_off_is_ended_by_the_schedule(
        self, engine: Engine, who: Principal, monkeypatch: Any
    ) -> None:
        """Half gone, it can neither be used nor restored."""
        lora_id = train(engine, who)
        uri = usage.usable(who.org_id, lora_id).trained.uri

        def killed(_: str) -> None:
            raise RuntimeError("the function was killed")

        with monkeypatch.context() as broken:
            broken.setattr(s3, "erase", killed)
            with pytest.raises(RuntimeError):
                retention.delete_lora(who, lora_id, NOW)
        with pytest.raises(errors.LoraDeleted):
            usage.usable(who.org_id, lora_id)
        with pytest.raises(errors.LoraNotFound):
            retention.restore_lora(who, lora_id)
        assert retention.purge_due(clock.now()) >= 1
        assert weights(uri) == []

    def test_while_it_is_trained_it_can_be_deleted_but_not_purged(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who)
        lora_id, _ = lora_of(job)
        with pytest.raises(errors.LoraInTraining):
            retention.delete_lora(who, lora_id, NOW)
        retention.delete_lora(who, lora_id, LATER)
        retention.purge_due(clock.now() + RESTORABLE + timedelta(minutes=1))
        engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job)))
        with pytest.raises(errors.LoraDeleted):
            usage.usable(who.org_id, lora_id)
        # The training under way had put the purge off.
        retention.purge_due(clock.now() + 2 * RESTORABLE)
        with pytest.raises(errors.LoraNotFound):
            usage.usable(who.org_id, lora_id)

    def test_a_deleted_one_is_not_trained_or_named(self, engine: Engine, who: Principal) -> None:
        lora_id = train(engine, who)
        retention.delete_lora(who, lora_id, LATER)
        retention.delete_lora(who, lora_id, LATER)
        with pytest.raises(errors.LoraDeleted):
            order_lora(who, lora_id=lora_id)
        with pytest.raises(errors.LoraDeleted):
            naming.rename_lora(who, lora_id, LoraChange(name="again"))
