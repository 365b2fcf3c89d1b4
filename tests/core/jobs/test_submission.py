"""Create, quotes and retry, on a real DynamoDB."""

from datetime import timedelta
from typing import Any

import pytest

from snapforge.aws import secrets
from snapforge.aws.idempotency import KeyReused, Replay
from snapforge.billing.errors import InsufficientCredits
from snapforge.billing.service import audits, ledger
from snapforge.jobs import errors, schemas
from snapforge.jobs.domain import deadlines, quotes
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.quotes import Quote
from snapforge.jobs.domain.requests import fingerprint
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import settlement
from snapforge.jobs.service.submission import previews, quote_tokens, submit
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal
from tests.core.jobs.captures import counted
from tests.core.jobs.engine import Engine, idempotency_key


def image(**more: Any) -> schemas.ImageCreate:
    return schemas.ImageCreate.model_validate({"kind": "image", "prompt": "a kingfisher", "count": 2} | more)


@pytest.mark.part("JOB-3")
class TestCreate:
    def test_job_hold_and_news_are_one_transaction_of_two_calls(self, engine: Engine) -> None:
        who = engine.customer()
        with counted() as calls:
            job = submit.create_job(who, image(), idempotency_key(who, "k"))
        assert calls == ["GetItem", "TransactWriteItems"]
        assert (job.state, job.price.credits, job.price.held, job.run, job.attempt) == (JobState.queued, 2, 2, 1, 1)
        assert job.progress.eta_seconds == job.predicted_seconds
        balance = ledger.balance(who.org_id)
        assert (balance.available, balance.held) == (98, 2)
        assert engine.news(who) == ["job.submitted"]

    def test_the_same_key_answers_the_same_job(self, engine: Engine) -> None:
        who = engine.customer()
        job = submit.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(Replay) as replay:
            submit.create_job(who, image(), idempotency_key(who, "k"))
        assert (replay.value.status, replay.value.headers) == (201, {"location": f"/v1/jobs/{job.id}"})
        assert replay.value.body == job.model_dump_json(exclude_none=True)
        assert ledger.balance(who.org_id).held == 2

    def test_another_body_under_the_same_key_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        submit.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(KeyReused):
            submit.create_job(who, image(count=3), idempotency_key(who, "k", "another"))

    def test_the_first_answer_is_replayed_though_its_credits_are_gone(self, engine: Engine) -> None:
        who = engine.customer(2)
        job = submit.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(Replay) as replay:
            submit.create_job(who, image(), idempotency_key(who, "k"))
        assert job.id in replay.value.body
        with pytest.raises(KeyReused):
            submit.create_job(who, image(count=3), idempotency_key(who, "k", "another"))

    def test_too_few_credits_start_nothing_and_name_the_shortfall(self, engine: Engine) -> None:
        who = engine.customer(1)
        with pytest.raises(InsufficientCredits) as refused:
            submit.create_job(who, image(), idempotency_key(who, "k"))
        assert refused.value.extra["shortfall"] == 1
        assert queries.list_jobs(who, schemas.JobsQuery()).items == []
        assert engine.news(who) == []

    def test_a_refused_key_works_once_there_are_credits(self, engine: Engine) -> None:
        who = engine.customer(1)
        with pytest.raises(InsufficientCredits):
            submit.create_job(who, image(), idempotency_key(who, "k"))
        ledger.grant(who.org_id, credits=5, kind="pack", key="more", memo="Pack")
        assert submit.create_job(who, image(), idempotency_key(who, "k")).state == JobState.queued

    def test_a_random_seed_is_drawn_and_told(self, engine: Engine) -> None:
        who = engine.customer()
        seeds = set()
        for number in range(3):
            made = submit.create_job(who, image(), idempotency_key(who, f"k{number}")).parameters
            assert made.kind == "image"
            seeds.add(made.seed)
        assert len(seeds) == 3


@pytest.mark.part("JOB-2")
class TestQuotes:
    def test_a_quote_is_honoured_whatever_the_price_is_now(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        preview = previews.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2))
        assert (preview.status, preview.can_start, preview.credits) == ("ready", True, 2)
        assert preview.money == schemas.Money(amount=2, currency="EUR")
        monkeypatch.setattr("snapforge.jobs.domain.pricing.MEGAPIXEL", 2**19)
        dear = submit.create_job(who, image(), idempotency_key(who, "k1"))
        quoted = submit.create_job(who, image(quote=preview.quote), idempotency_key(who, "k2"))
        assert (quoted.price.credits, quoted.price.quoted) == (2, True)
        assert dear.price.credits > 2
        assert not dear.price.quoted

    def test_a_quote_of_another_order_or_org_or_of_yesterday_does_not_count(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        other = previews.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=1)).quote
        strangers = previews.preview_job(
            engine.customer(), schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2)
        ).quote
        mine = previews.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2)).quote
        for number, quote in enumerate((other, strangers, "nonsense")):
            job = submit.create_job(who, image(quote=quote), idempotency_key(who, f"k{number}"))
            assert (job.price.credits, job.price.quoted) == (2, False)
        later = clock.now() + quotes.VALID
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert not submit.create_job(who, image(quote=mine), idempotency_key(who, "late")).price.quoted

    def test_quotes_are_signed_with_the_new_key_and_those_of_the_old_one_hold(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        old, new, now = "old-" * 10, "new-" * 10, clock.now()
        order = image()
        promise = Quote(org=who.org_id, kind="image", request=fingerprint(order), credits=1)
        monkeypatch.setattr(secrets, "read", lambda name: {"current": new, "previous": old})
        assert quotes.read(quote_tokens.sign(promise, now), [new], now) == promise
        for key in (old, new):
            job = submit.create_job(
                who, image(quote=quotes.sign(promise, key, now)), idempotency_key(who, ids.new("event"))
            )
            assert (job.price.credits, job.price.quoted) == (1, True)
        monkeypatch.setattr(secrets, "read", lambda name: {"current": new, "previous": None})
        job = submit.create_job(who, image(quote=quotes.sign(promise, old, now)), idempotency_key(who, "late"))
        assert (job.price.credits, job.price.quoted) == (2, False)

    def test_a_preview_costs_no_call_for_pictures(self, engine: Engine) -> None:
        who = engine.customer()
        with counted() as calls:
            previews.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher"))
        assert calls == []


@pytest.mark.part("JOB-5")
class TestRetry:
    def ended(self, engine: Engine, state: str) -> tuple[Principal, schemas.Job]:
        who = engine.customer()
        job = engine.order(who)
        batch_id = engine.working(who, job)
        if state == "canceled":
            settlement.cancel_job(who, job.id)
        else:
            engine.failed(job, batch_id, "bug")
            heard = engine.heard(job)
            assert isinstance(heard, Outcome)
            engine.settle(who, job, heard)
        return who, job

    @pytest.mark.parametrize("state", ["failed", "canceled"])
    def test_a_new_run_has_a_new_hold_and_can_succeed(self, engine: Engine, state: str) -> None:
        who, job = self.ended(engine, state)
        again = submit.retry_job(who, job.id, idempotency_key(who, "again"))
        assert (again.state, again.run, again.attempt, again.failure) == (JobState.queued, 2, 1, None)
        assert again.parameters == job.parameters
        assert ledger.balance(who.org_id).held == 2
        assert engine.news(who)[-1] == "job.retried"
        batch_id = engine.working(who, again, run=2)
        engine.done(again, batch_id, run=2)
        heard = engine.heard(again, run=2)
        assert heard is not None
        engine.settle(who, again, heard, run=2)
        assert queries.get_job(who, job.id).state == JobState.succeeded
        assert (ledger.balance(who.org_id).available, audits.audit(who.org_id)) == (98, [])

    @pytest.mark.parametrize("state", ["failed", "canceled"])
    def test_nothing_of_the_last_run_is_left_on_the_new_one(
        self, engine: Engine, state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its deadline is counted from now; end, failure, charge, receipt and what was spent are gone."""
        who, job = self.ended(engine, state)
        later = clock.now() + timedelta(hours=5)
        monkeypatch.setattr(clock, "now", lambda: later)
        again = submit.retry_job(who, job.id, idempotency_key(who, "again"))
        row = engine.row(who, again)
        assert row.deadline == later + deadlines.limits(row.parameters).queue
        assert row.deadline_at == deadlines.next_look(later, row.deadline)
        assert row.deadline_at is not None
        assert later < row.deadline_at <= row.deadline
        assert row.deadline_shard == deadlines.shard(job.id)
        assert row.queued_at == later
        left: list[object] = [row.started_at, row.ended_at, row.charged, row.failure, row.results, row.receipt]
        assert left == [None] * 6
        assert row.spent == []
        assert (again.results, again.receipt, again.ended_at, again.started_at) == (None,) * 4

    def test_reports_of_the_first_run_do_not_reach_the_second(self, engine: Engine) -> None:
        who, job = self.ended(engine, "canceled")
        submit.retry_job(who, job.id, idempotency_key(who, "again"))
        stale = engine.worker(job)
        engine.progress(job, stale, 90)
        engine.done(job, stale)
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.progress.percent) == (JobState.queued, 0)
        assert engine.settle(who, job, Outcome(outcome="done", result_uri="s3://a/b")).state == "queued"

    def test_the_same_key_answers_the_same_run(self, engine: Engine) -> None:
        who, job = self.ended(engine, "failed")
        again = submit.retry_job(who, job.id, idempotency_key(who, "again"))
        with pytest.raises(Replay) as replay:
            submit.retry_job(who, job.id, idempotency_key(who, "again"))
        assert replay.value.body == again.model_dump_json(exclude_none=True)

    def test_what_is_under_way_cannot_be_retried(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        with pytest.raises(errors.JobNotRetryable):
            submit.retry_job(who, job.id, idempotency_key(who, "again"))

    def test_a_strangers_job_is_not_found(self, engine: Engine) -> None:
        who, stranger = engine.customer(), engine.customer()
        job = engine.order(who)
        for job_id in (job.id, "job_", ids.new("job")):
            with pytest.raises(errors.JobNotFound):
                submit.retry_job(stranger, job_id, idempotency_key(stranger, "again"))
            with pytest.raises(errors.JobNotFound):
                settlement.cancel_job(stranger, job_id)
            with pytest.raises(errors.JobNotFound):
                queries.get_job(stranger, job_id)
