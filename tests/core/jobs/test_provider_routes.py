"""Dispatch to providers: the first route, the next one after a failure, and the cost of both on the receipt."""

from collections.abc import Iterator
from typing import Any

import pytest

from snapforge.aws import s3, secrets
from snapforge.contracts.manifest import ImageWork, Manifest
from snapforge.contracts.reports import REPORT
from snapforge.contracts.tickets import Ticket
from snapforge.jobs import schemas, store
from snapforge.jobs.domain.catalogue.styles import styled
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.fleet import autoscaling, provider_jobs
from snapforge.jobs.service.runs import attempts, reports, settlement
from snapforge.kit.permissions import Principal
from snapforge.providers import calls
from tests.core.jobs.engine import Engine, exact
from tests.support.providers import Served, serving

EACH = -(-2_700 * 1024 * 1024 // 1_000_000)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The providers, with keys in the secret; other secrets as they are."""
    read = secrets.read
    monkeypatch.setattr(calls, "FIRST_WAIT_SECONDS", 0.001)
    with serving() as running:
        monkeypatch.setattr(
            secrets, "read", lambda name, **more: running.keys() if name == "providers" else read(name, **more)
        )
        yield running


@pytest.fixture(autouse=True)
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of ours is ready."""
    monkeypatch.setattr(autoscaling, "is_cold", lambda: False)


class Scenario:
    """A customer's order on its way, with the queues between."""

    def __init__(self, engine: Engine, **more: Any) -> None:
        self.engine = engine
        self.who: Principal = engine.customer()
        self.job: schemas.Job = engine.order(self.who, **more)
        engine.aws.messages("providers")

    def dispatch(self, attempt: int = 1) -> store.AttemptRow:
        """The step; returns the attempt's row."""
        if attempt == 1:
            self.token = self.engine.start(self.who, self.job)
        self.engine.dispatch(self.who, self.job, self.token, attempt=attempt)
        row = store.find_attempt(self.job.id, 1, attempt)
        assert row is not None
        return row

    def draw(self) -> None:
        """The function takes the next ticket, and on_report what it tells."""
        (ticket,) = self.engine.aws.messages("providers")
        provider_jobs.draw_ticket(Ticket.model_validate(ticket), message_id="m1", seconds=60)
        self.hear()

    def hear(self) -> None:
        """on_report."""
        while found := self.engine.aws.messages("reports"):
            for report in found:
                if report["job_id"] == self.job.id:
                    reports.take_report(REPORT.validate_python(report))

    def outcome(self, attempt: int) -> Outcome:
        """How it ended."""
        row = store.find_attempt(self.job.id, 1, attempt)
        assert row is not None
        assert row.outcome is not None
        return row.outcome


@pytest.mark.part("JOB-7", "JOB-12")
class TestRoutes:
    def test_a_provider_draws_the_order_and_the_receipt_names_it(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together,own")
        house = Scenario(engine, style="watercolour")
        row = house.dispatch()
        assert row.route == "provider:together"
        assert row.sent_at is not None
        assert not row.batch_ids
        house.draw()
        assert all(asked.body["prompt"] == styled("a kingfisher", "", "watercolour")[0] for asked in served.asked)
        engine.settle(house.who, house.job, house.outcome(1))
        done = queries.get_job(house.who, house.job.id)
        assert done.state == "succeeded"
        assert done.parameters.kind == "image"
        assert (done.parameters.prompt, done.parameters.style) == ("a kingfisher", "watercolour")
        assert done.results is not None
        assert done.results.engine == "provider:together"
        assert sum(file.role == "picture" for file in done.results.files) == 2
        # Links lead to our own delivery; nothing of the provider's is in the answer.
        assert served.url not in done.model_dump_json()
        assert done.receipt is not None
        assert (done.receipt.providers, done.receipt.instances) == (["together"], [])
        assert done.receipt.cost_micro_usd == 2 * EACH
        exact(house.who, available=98)

    def test_a_failed_provider_is_followed_by_the_next_route_and_both_are_paid_for(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together,huggingface,own")
        house = Scenario(engine, count=1)
        house.dispatch()
        served.next("broken")
        house.draw()
        failed = house.outcome(1)
        assert failed.failure is not None
        assert failed.failure.category == "transient"
        assert engine.classify(house.who, house.job, failed).next == "retry"
        assert house.dispatch(attempt=2).route == "provider:huggingface"
        house.draw()
        engine.settle(house.who, house.job, house.outcome(2), attempt=2)
        done = queries.get_job(house.who, house.job.id)
        assert done.state == "succeeded"
        assert done.receipt is not None
        assert done.receipt.providers == ["huggingface", "together"]
        assert done.receipt.cost_micro_usd == EACH + -(-3_000 * 1024 * 1024 // 1_000_000)

    def test_their_content_policy_ends_the_job_and_costs_the_customer_nothing(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together")
        house = Scenario(engine, count=1)
        house.dispatch()
        served.next("policy")
        house.draw()
        assert engine.classify(house.who, house.job, house.outcome(1)).next == "settle"
        engine.settle(house.who, house.job, house.outcome(1))
        failed = queries.get_job(house.who, house.job.id)
        assert failed.failure is not None
        assert (failed.failure.code, failed.failure.retryable) == ("prompt_refused_by_provider", False)
        exact(house.who, available=100)

    def test_an_order_that_nobody_can_draw_says_so(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together")
        house = Scenario(engine, model="flux2-klein", count=1)
        engine.dispatch(house.who, house.job, engine.start(house.who, house.job))
        heard = engine.heard(house.job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.code == "nobody_draws_this"
        assert served.asked == []

    def test_a_canceled_order_is_not_begun_by_a_provider(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together")
        house = Scenario(engine)
        house.dispatch()
        settlement.cancel_job(house.who, house.job.id)
        engine.publish(house.who)
        house.draw()
        assert served.asked == []
        exact(house.who, available=100)

    @pytest.mark.parametrize(("cold", "route"), [(False, "own"), (True, "provider:together")])
    def test_while_no_worker_is_ready_a_provider_takes_what_our_own_would(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch, cold: bool, route: str
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "own,together")
        monkeypatch.setattr(autoscaling, "is_cold", lambda: cold)
        monkeypatch.setattr("snapforge.jobs.service.runs.dispatch.images.hand_over", lambda job, row: None)
        row = Scenario(engine).dispatch()
        assert row.route == route
        assert (row.place is None) == (route != "own")
        del served

    def test_the_work_order_at_the_attempts_prefix_is_a_workers(
        self, engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_ROUTES", "together")
        house = Scenario(engine)
        house.dispatch()
        text = s3.get(attempts.prefix_uri(house.job.id, 1, 1) + "manifest.json")
        work = Manifest.model_validate_json(text).work
        assert isinstance(work, ImageWork)
        assert work.count == 2
        del served
