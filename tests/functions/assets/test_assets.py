"""The endpoints of finished assets, and the consumers that bring news and variants."""

import json
from pathlib import Path

import pytest

from snapforge.assets.store import Outbox
from snapforge.aws import bus
from snapforge.kit import clock, ids
from snapforge.kit.events import Event
from tests.support import customer as side
from tests.support import samples
from tests.support.aws import Aws
from tests.support.http import LambdaContext, call, load
from tests.support.people import Somebody
from tests.support.results import settle, unsent, verify, work

EVENTS = Path(__file__).parents[3] / "events" / "assets"


def token(person: Somebody) -> str:
    return person.opened.body.access_token


def finished(aws: Aws, org_id: str) -> tuple[str, list[str]]:
    """A job with a picture and a report; its id and its assets' ids."""
    job_id = ids.new("job")
    picture = samples.encoded(samples.scene(seed=len(job_id)), "PNG")
    prefix, files = work(
        aws,
        job_id,
        {
            "picture-00.png": ("picture", "image/png", picture),
            "report.json": ("report", "application/json", job_id.encode()),
        },
    )
    return job_id, settle(aws, org_id, job_id, prefix, files)


@pytest.mark.part("AST-4")
class TestReading:
    """GET /v1/assets and GET /v1/assets/{asset_id}"""

    def test_links_are_signed_for_an_hour(self, aws: Aws, customer: Somebody) -> None:
        _, (picture, _) = finished(aws, customer.principal.org_id)
        answered = call("assets/get_asset", path={"asset_id": picture}, token=token(customer))
        assert answered.status == 200
        told = answered.json
        assert (told["name"], told["role"], told["kind"]) == ("picture-00.png", "picture", "image")
        assert told["parameters"] == {"prompt": "a jay", "seed": 0}
        assert verify(told["original"]["url"]) == clock.epoch(clock.parse(told["links_expire_at"]))
        assert 3590 < verify(told["original"]["url"]) - clock.epoch(clock.now()) <= 3600 + 900
        assert "key" not in told

    def test_a_list_of_a_jobs_assets_and_pages_of_all(self, aws: Aws, customer: Somebody) -> None:
        job_id, made = finished(aws, customer.principal.org_id)
        of_job = call("assets/list_assets", query={"job_id": job_id}, token=token(customer)).json
        assert [asset["id"] for asset in of_job["items"]] == made
        finished(aws, customer.principal.org_id)
        first = call("assets/list_assets", query={"limit": "2"}, token=token(customer)).json
        rest = call("assets/list_assets", query={"cursor": first["next_cursor"]}, token=token(customer)).json
        seen = [asset["id"] for asset in first["items"] + rest["items"]]
        assert seen == sorted(seen, reverse=True)
        assert set(made) <= set(seen)

    def test_bad_pages_are_400_or_422(self, customer: Somebody) -> None:
        assert call("assets/list_assets", query={"cursor": "x"}, token=token(customer)).status == 400
        for query in ({"limit": "0"}, {"limit": "101"}, {"job_id": "x"}, {"unknown": "1"}):
            assert 400 <= call("assets/list_assets", query=query, token=token(customer)).status < 500

    def test_another_orgs_asset_is_404(self, aws: Aws, customer: Somebody, stranger: Somebody) -> None:
        _, (picture, _) = finished(aws, customer.principal.org_id)
        answered = call("assets/get_asset", path={"asset_id": picture}, token=token(stranger))
        assert (answered.status, answered.json["code"]) == (404, "asset_not_found")


@pytest.mark.part("AST-3")
class TestNewsToVariants:
    """Outbox → bus → queue → variants."""

    def test_the_whole_way(self, aws: Aws, customer: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
        job_id, (picture, _) = finished(aws, customer.principal.org_id)
        told: list[Event] = []
        monkeypatch.setattr(bus, "publish", told.append)
        rows = [row for shard in range(4) for row in Outbox.by_unsent.query(f"unsent#{shard}")]
        mine = [Outbox.get(row.pk, row.sk) for row in rows if job_id in (Outbox.get(row.pk, row.sk).event)]
        record = {
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:000000000000:table/snapforge-dev-assets/stream/1",
            "dynamodb": {"NewImage": mine[0].serialize(), "SequenceNumber": "1"},
        }
        answered = load("outbox/publish_outbox").handler({"Records": [record]}, LambdaContext())
        assert answered == {"batchItemFailures": []}
        assert [event.data["job_id"] for event in told] == [job_id]
        assert not [event for event in unsent(customer.principal.org_id) if event.data["job_id"] == job_id]
        message = side.as_message({"detail-type": told[0].type, "detail": told[0].model_dump(mode="json")})
        for _ in range(2):
            assert load("assets/make_variants").handler(message, LambdaContext()) == {"batchItemFailures": []}
        seen = call("assets/get_asset", path={"asset_id": picture}, token=token(customer)).json
        assert [link["name"] for link in seen["variants"]] == ["jpeg", "webp", "avif", "thumbnail"]

    def test_an_asset_that_is_not_there_yet_comes_again(self, aws: Aws) -> None:
        event = Event(type="asset.created", org_id=ids.new("org"), data={"job_id": "", "asset_ids": [ids.new("asset")]})
        message = side.as_message({"detail-type": event.type, "detail": event.model_dump(mode="json")})
        answered = load("assets/make_variants").handler(message, LambdaContext())
        assert len(answered["batchItemFailures"]) == 1

    def test_the_sample_of_the_variants_is_served(self, aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
        """It is read; its asset is not there, so that it comes again."""
        sample = json.loads((EVENTS / "make_variants.json").read_text())
        failed = [{"itemIdentifier": sample["Records"][0]["messageId"]}]
        assert load("assets/make_variants").handler(sample, LambdaContext()) == {"batchItemFailures": failed}
        assert "AssetNotFound" in caplog.text
