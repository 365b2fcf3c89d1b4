"""Pictures that others draw: a ticket becomes pictures, a result and reports, whatever the provider does."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from snapforge.aws import s3, secrets
from snapforge.contracts.manifest import ImageWork, Manifest
from snapforge.contracts.reports import REPORT, Done, Failed, FailureCategory, Progress
from snapforge.contracts.results import Result
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM, LOST_SECONDS, Ticket
from snapforge.jobs.domain import receipts
from snapforge.jobs.service.fleet import provider_jobs
from snapforge.jobs.service.fleet.provider_jobs import claims
from snapforge.jobs.service.fleet.provider_jobs.gallery import Gallery
from snapforge.kit import clock, ids
from snapforge.providers import calls
from snapforge.providers.base import Drawn, ProviderError
from tests.support.aws import Aws
from tests.support.http import LambdaContext, load
from tests.support.providers import Served, serving

WORK = ImageWork(
    model="flux-schnell",
    prompt="a kingfisher",
    width=512,
    height=384,
    steps=4,
    guidance=0.0,
    seed=40,
    count=3,
)


class Scenario:
    """An attempt's order, and what came of it."""

    def __init__(self, aws: Aws, queue_url: str, work: ImageWork, provider: str) -> None:
        self.job_id = ids.new("job")
        self.prefix = f"s3://{aws.assets_bucket}/runs/{self.job_id}/1/1/"
        self.message_id = ids.new("event")
        self._sqs, self._queue_url = aws.client("sqs"), queue_url
        manifest = Manifest(
            job_id=self.job_id,
            run=1,
            attempt=1,
            deadline=clock.now() + timedelta(hours=1),
            reports_queue_url=queue_url,
            output_uri=self.prefix,
            work=work,
        )
        s3.put(self.prefix + "manifest.json", manifest.model_dump_json().encode(), "application/json")
        self.ticket = Ticket(
            job_id=self.job_id,
            run=1,
            attempt=1,
            manifest_uri=self.prefix + "manifest.json",
            group="",
            pictures=work.count,
            provider=provider,
        )

    def draw(self, seconds: float = 60.0) -> None:
        """The function's deed."""
        provider_jobs.draw_ticket(self.ticket, message_id=self.message_id, seconds=seconds)

    def reports(self) -> list[Progress | Done | Failed]:
        """All reports of it so far."""
        found = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
                report = REPORT.validate_json(message["Body"])
                found += [report] if report.job_id == self.job_id else []
        return sorted(found, key=lambda report: report.at)

    def result(self, name: str = "result.json") -> Result:
        """What lies there."""
        return Result.model_validate_json(s3.get(self.prefix + name))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The providers, with keys in the secret; waits are short."""
    monkeypatch.setattr(calls, "FIRST_WAIT_SECONDS", 0.001)
    with serving() as running:
        monkeypatch.setattr(secrets, "read", lambda name: running.keys() if name == "providers" else {})
        yield running


@pytest.fixture(scope="module")
def reports_url(aws: Aws) -> str:
    """A queue of our own: no other test reads it."""
    return str(aws.client("sqs").create_queue(QueueName="reports-of-drawing")["QueueUrl"])


@pytest.fixture
def make(aws: Aws, served: Served, reports_url: str) -> Any:
    """Make an order: `make(provider, count=…)`."""
    del served

    def order(provider: str = "together", **more: Any) -> Scenario:
        return Scenario(aws, reports_url, WORK.model_copy(update=more), provider)

    return order


@pytest.mark.part("JOB-7", "JOB-8", "JOB-12")
class TestDraw:
    @pytest.mark.parametrize("provider", ["together", "huggingface"])
    def test_a_ticket_becomes_pictures_a_preview_a_result_and_reports(self, make: Any, provider: str) -> None:
        house = make(provider)
        house.draw()
        result = house.result()
        pictures = [file for file in result.files if file.role == "picture"]
        assert [(file.name, file.seed) for file in pictures] == [
            ("picture-00.png", 40),
            ("picture-01.png", 41),
            ("picture-02.png", 42),
        ]
        for file in result.files:
            body = s3.get(house.prefix + file.name)
            assert len(body) == file.bytes
            with Image.open(io.BytesIO(body)) as opened:
                assert opened.size == (file.width, file.height)
        assert len({file.sha256 for file in pictures}) == 3
        assert result.files[-1].role == "preview"
        assert (result.engine, result.model) == (f"provider:{provider}", "flux-schnell")
        told = house.reports()
        assert isinstance(told[-1], Done)
        assert told[-1].batch_job_id == json.loads(s3.get(house.prefix + CLAIM))["batch_job_id"]
        percents = [report.percent for report in told if isinstance(report, Progress)]
        assert percents == sorted(percents)
        assert percents[0] == 0

    def test_what_it_cost_is_the_providers_price_by_pictures(self, make: Any) -> None:
        house = make("together")
        house.draw()
        usage = house.result().usage
        each = -(-2_700 * 512 * 384 // 1_000_000)
        assert (usage.provider, usage.cost_micro_usd, usage.compute_seconds) == ("together", 3 * each, 0.0)
        receipt = receipts.total([receipts.of_usage(1, usage)], attempts=1, credits=3, charged=3)
        assert (receipt.providers, receipt.instances, receipt.cost_micro_usd) == (["together"], [], 3 * each)
        assert receipt.gpu_seconds == 0

    def test_a_native_size_is_drawn_by_its_aspect_ratio(self, make: Any, served: Served) -> None:
        make("replicate", count=1, width=1216, height=832).draw()
        assert served.asked[0].body["input"]["aspect_ratio"] == "3:2"

    def test_a_negative_prompt_that_is_not_known_there_is_left_out_and_told(self, make: Any, served: Served) -> None:
        house = make("together", count=1, negative_prompt="snow")
        house.draw()
        assert "negative_prompt" not in served.asked[0].body
        assert house.result().notes == ("This model knows no negative prompt; it was left out.",)


@pytest.mark.part("JOB-7", "JOB-12")
class TestFailures:
    def test_a_provider_that_breaks_fails_the_attempt_as_transient_with_its_cost(
        self, make: Any, served: Served
    ) -> None:
        house = make("together", count=1)
        served.next("broken")
        house.draw()
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.category, failed.code) == (FailureCategory.transient, "provider_unavailable")
        assert failed.result_uri == house.prefix + "partial.json"
        # A 500 may have been drawn and billed.
        assert house.result("partial.json").usage.cost_micro_usd == -(-2_700 * 512 * 384 // 1_000_000)

    def test_pictures_that_came_before_the_failure_are_paid_for_too(self, make: Any, served: Served) -> None:
        house = make("together", count=3)
        served.next("wrong_size")
        house.draw()
        partial = house.result("partial.json")
        kept = sum(file.role == "picture" for file in partial.files)
        assert partial.usage.cost_micro_usd == (kept + 1) * -(-2_700 * 512 * 384 // 1_000_000)

    def test_a_policy_refusal_ends_the_job_with_what_to_do(self, make: Any, served: Served) -> None:
        house = make("together", count=1)
        served.next("policy")
        house.draw()
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.category, bool(failed.fix)) == (FailureCategory.input, True)

    def test_the_log_has_what_they_said_without_the_prompt(
        self, make: Any, served: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        served.next((400, {"error": {"message": "bad size for: a kingfisher", "param": "width"}}))
        make("together", count=1).draw()
        assert "bad size" in caplog.text
        assert "kingfisher" not in caplog.text

    def test_a_provider_without_a_key_leaves_the_order_to_others(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = make("together")
        monkeypatch.setattr(secrets, "read", lambda name: {})
        house.draw()
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.category, failed.code) == (FailureCategory.transient, "provider_refused_us")

    def test_an_order_that_is_not_served_there_is_never_sent(self, make: Any, served: Served) -> None:
        house = make("replicate", steps=12)
        house.draw()
        assert isinstance(house.reports()[-1], Failed)
        assert served.asked == []

    def test_a_provider_that_hangs_is_told_before_the_functions_time_is_over(self, make: Any, served: Served) -> None:
        house = make("together", count=1)
        served.next("hang")
        house.draw(seconds=provider_jobs.RESERVE_SECONDS + 0.3)
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert failed.code == "provider_timeout"


@pytest.mark.part("JOB-7")
class TestDeliveredAgain:
    def test_the_same_message_again_tells_again_and_draws_nothing(
        self, make: Any, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = make()
        house.draw()
        house.reports()
        asked = len(served.asked)
        _later(monkeypatch)
        house.draw()
        assert [report.type for report in house.reports()] == ["done"]
        assert len(served.asked) == asked

    def test_a_message_that_comes_while_it_is_worked_on_changes_nothing(self, make: Any, served: Served) -> None:
        house = make()
        assert claims.take(house.prefix, f"together-{house.message_id}")
        house.draw()
        assert (house.reports(), served.asked) == ([], [])

    def test_a_strangers_claim_stands(self, make: Any, served: Served) -> None:
        house = make()
        s3.put(house.prefix + CLAIM, b'{"batch_job_id": "another"}', "application/json")
        house.draw()
        assert (house.reports(), served.asked) == ([], [])

    def test_after_a_death_it_goes_on_with_the_pictures_that_are_missing(
        self, make: Any, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = make()
        house.draw()
        s3.delete(house.prefix + "result.json")
        s3.delete(house.prefix + "picture-01.png")
        served.asked.clear()
        _later(monkeypatch)
        house.draw()
        assert [asked.body["seed"] for asked in served.asked] == [41]
        assert house.result().usage.cost_micro_usd == 3 * -(-2_700 * 512 * 384 // 1_000_000)

    def test_what_nobody_wants_is_not_begun(self, make: Any, served: Served) -> None:
        house = make()
        s3.put(house.prefix + CANCELED, b"{}", "application/json")
        house.draw()
        assert (house.reports(), served.asked) == ([], [])
        assert not s3.exists(house.prefix + CLAIM)

    @pytest.mark.part("JOB-5")
    def test_a_cancel_under_way_stops_before_the_next_picture(
        self, make: Any, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was asked for cannot be called back: its answer is not kept, and its price is told."""
        monkeypatch.setattr(claims, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr("snapforge.jobs.service.fleet.provider_jobs.gallery.AT_ONCE", 1)
        house = make(count=16)
        original = calls.ask

        def ask(*arguments: Any, **more: Any) -> Any:
            if len(served.asked) == 1:
                s3.put(house.prefix + CANCELED, b"{}", "application/json")
                assert more["unwanted"].wait(20), "nobody looked for the cancel"
            return original(*arguments, **more)

        monkeypatch.setattr(calls, "ask", ask)
        house.draw()
        assert len(served.asked) == 2
        assert not s3.exists(house.prefix + "result.json")
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert failed.category is FailureCategory.canceled
        partial = house.result("partial.json")
        kept = [file for file in partial.files if file.role == "picture"]
        assert partial.usage.cost_micro_usd == len(served.asked) * -(-2_700 * 512 * 384 // 1_000_000)
        assert len(kept) < len(served.asked)
        assert not s3.exists(f"{house.prefix}picture-{len(served.asked) - 1:02d}.png")
        assert s3.exists(house.prefix + BEAT)

    @pytest.mark.part("JOB-5")
    def test_once_nobody_wants_it_no_picture_is_begun_and_nothing_is_charged(self, make: Any) -> None:
        gallery = Gallery(make().prefix, WORK, "together", 2_700)
        gallery.unwanted.set()
        begun: list[int] = []

        def draw_one(seed: int) -> Drawn:
            begun.append(seed)
            raise AssertionError("a picture was begun")

        with pytest.raises(ProviderError) as caught:
            gallery.draw(draw_one, lambda _: None)
        assert (caught.value.category, caught.value.charged, begun) == (FailureCategory.canceled, False, [])

    @pytest.mark.part("JOB-5")
    def test_a_cancel_ends_the_work_at_replicate_that_waits_there(
        self, make: Any, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "LOOK_SECONDS", 0.01)
        served.polls = 10_000
        house = make("replicate", count=1, width=1216, height=832)
        original = calls.ask

        def ask(name: str, method: str, url: str, **more: Any) -> Any:
            if method == "GET":
                s3.put(house.prefix + CANCELED, b"{}", "application/json")
            return original(name, method, url, **more)

        monkeypatch.setattr(calls, "ask", ask)
        house.draw()
        assert served.paths()[-1].endswith("/cancel")
        failed = house.reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.category, failed.result_uri) == (FailureCategory.canceled, house.prefix + "partial.json")
        assert not s3.exists(house.prefix + "picture-00.png")


def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was at work has not beaten for too long."""
    now = clock.now() + timedelta(seconds=LOST_SECONDS + 1)
    monkeypatch.setattr(clock, "now", lambda: now)


@pytest.mark.part("JOB-7")
class TestFunction:
    def test_a_ticket_that_is_none_goes_back_to_the_queue_and_the_next_is_drawn(self, make: Any) -> None:
        house = make(count=1)
        records = [
            {"messageId": "m1", "body": "{}"},
            {"messageId": house.message_id, "body": house.ticket.model_dump_json()},
        ]

        class Context(LambdaContext):
            def get_remaining_time_in_millis(self) -> int:
                return 60_000

        answered = load("jobs/draw_with_provider").handler({"Records": records}, Context())
        assert answered == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
        assert house.result().files
