"""Dispatch on a real DynamoDB, S3, SQS and Step Functions: to Batch, and to the queues of tickets."""

from datetime import timedelta

import pytest

from snapforge.aws import batch, s3
from snapforge.contracts.manifest import ImageWork, Manifest, SceneWork
from snapforge.contracts.tickets import BEAT, CANCELED
from snapforge.jobs import schemas, store
from snapforge.jobs.domain import locations, shares
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts, reconciler, reports, settlement
from snapforge.kit import clock
from tests.core.jobs.engine import Engine, Made, exact

GONE = Outcome(outcome="gone")


@pytest.mark.part("JOB-4")
class TestToBatch:
    """A scene is a Batch job of its own."""

    def test_the_work_order_says_all_that_a_worker_needs(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, engine.start(who, job))
        (submitted,) = engine.batch.of(job.id)
        asked = submitted["asked"]
        assert asked["jobQueue"] == "snapforge-dev-standard"
        assert asked["jobDefinition"] == "snapforge-dev-scene"
        assert asked["shareIdentifier"].isalnum()
        environment = {pair["name"]: pair["value"] for pair in asked["containerOverrides"]["environment"]}
        manifest = Manifest.model_validate_json(s3.get(environment["MANIFEST_URI"]))
        assert (manifest.job_id, manifest.run, manifest.attempt) == (job.id, 1, 1)
        assert manifest.output_uri == attempts.prefix_uri(job.id, 1, 1)
        assert isinstance(manifest.work, SceneWork)
        assert len(manifest.work.photos) == 24
        assert manifest.deadline > job.created_at

    def test_a_doubled_dispatch_submits_once_and_the_later_token_is_answered(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, "an-older-token")
        engine.dispatch(who, job, engine.start(who, job))
        assert len(engine.batch.of(job.id)) == 1
        batch_id = engine.claim(job)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "done"

    def test_a_dispatch_that_died_before_it_submitted_is_finished_by_the_next(
        self, engine: Engine, scene: Made
    ) -> None:
        who, job = scene
        engine.dispatch(who, job, "an-older-token")
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        row.batch_ids = None
        row.save()
        engine.dispatch(who, job, engine.start(who, job))
        assert len(engine.batch.of(job.id)) == 2
        batch_id = engine.claim(job)
        engine.done(job, batch_id)
        assert engine.heard(job) is not None

    def test_what_claimed_the_attempt_counts_though_its_id_was_never_noted(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, engine.start(who, job))
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        row.batch_ids = {"another"}
        row.save()
        batch_id = engine.claim(job)
        engine.done(job, batch_id)
        assert engine.heard(job) is not None

    def test_of_two_batch_jobs_the_one_that_leaves_ends_nothing(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        batch_id = engine.working(who, job)
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        engine.batch.jobs["stranger"] = {"jobId": "stranger", "status": "SUCCEEDED", "jobName": f"{job.id}-1-1"}
        engine.batch.end("stranger", "SUCCEEDED", 0)
        store.change_open_attempt(row, store.AttemptRow.batch_ids.add({"stranger"}))
        engine.batch_event("stranger")
        assert engine.heard(job) is None
        engine.batch.end(batch_id, "FAILED", 137, "Host EC2 (instance i-1) terminated.")
        engine.batch_event(batch_id)
        heard = engine.heard(job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.code == "machine_lost"

    def test_a_canceled_job_is_not_dispatched(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        token = engine.start(who, job)
        settlement.cancel_job(who, job.id)
        engine.dispatch(who, job, token)
        assert engine.batch.of(job.id) == []
        assert engine.heard(job) == GONE

    def test_a_dispatch_after_the_end_of_the_attempt_answers_with_that_end(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, "a-token-of-a-lost-execution")
        batch_id = engine.claim(job)
        engine.done(job, batch_id)
        engine.dispatch(who, job, engine.start(who, job))
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "done"

    def test_a_recovered_execution_learns_of_work_that_ended_in_silence(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, "a-token-of-a-lost-execution")
        batch_id = engine.claim(job)
        engine.batch.end(batch_id, "FAILED", 70)
        engine.dispatch(who, job, engine.start(who, job))
        heard = engine.heard(job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.category == "bug"

    def test_the_queue_is_that_of_its_priority_and_rush_costs_twice(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order_scene(who, priority="rush")
        assert job.price.credits == 40
        engine.dispatch(who, job, engine.start(who, job))
        assert engine.batch.of(job.id)[0]["asked"]["jobQueue"] == "snapforge-dev-rush"


def prefix(job: schemas.Job, attempt: int = 1) -> str:
    """Where the attempt's files lie."""
    return attempts.prefix_uri(job.id, 1, attempt)


def attempt_of(job: schemas.Job, attempt: int = 1) -> store.AttemptRow:
    """The attempt's row."""
    row = store.find_attempt(job.id, 1, attempt)
    assert row is not None
    return row


def is_in(place: str, job: schemas.Job) -> bool:
    """Whether the job's attempt is there, by the index."""
    return store.attempt_pk(job.id) in {row.pk for row in store.in_place(place, limit=500)}


@pytest.mark.part("JOB-4", "JOB-6")
class TestToWarmWorkers:
    """A job of pictures is a ticket."""

    def test_the_ticket_leads_to_the_work_order(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        ((queue, ticket, group),) = engine.tickets(job)
        assert (queue, group) == ("images-standard", shares.of_org(who.org_id))
        assert (ticket.run, ticket.attempt, ticket.pictures) == (1, 1, 2)
        assert ticket.group == "flux-schnell:1024x1024:4:0"
        manifest = Manifest.model_validate_json(s3.get(ticket.manifest_uri))
        assert (manifest.job_id, manifest.output_uri) == (job.id, prefix(job))
        assert isinstance(manifest.work, ImageWork)
        assert manifest.work.count == 2
        assert engine.batch.of(job.id) == []

    @pytest.mark.parametrize(("priority", "credits"), [("rush", 4), ("standard", 2), ("bulk", 2)])
    def test_each_priority_has_its_queue_and_only_rush_costs_more(
        self, engine: Engine, priority: str, credits: int
    ) -> None:
        who = engine.customer()
        job = engine.order(who, priority=priority)
        assert job.price.credits == credits
        engine.dispatch(who, job, engine.start(who, job))
        assert [sent[0] for sent in engine.tickets(job)] == [f"images-{priority}"]
        worker = engine.claim(job)
        engine.done(job, worker)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        receipt = queries.get_job(who, job.id).receipt
        assert receipt is not None
        assert (receipt.priority, receipt.charged) == (priority, credits)
        exact(who, available=100 - credits)

    def test_a_doubled_dispatch_sends_once_and_the_later_token_is_answered(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, "an-older-token")
        engine.dispatch(who, job, engine.start(who, job))
        assert len(engine.tickets(job)) == 1
        engine.done(job, engine.claim(job))
        assert engine.heard(job) is not None

    def test_a_dispatch_that_died_before_it_noted_the_ticket_is_finished_by_the_next(
        self, engine: Engine, made: Made
    ) -> None:
        """Two tickets then; the claim decides."""
        who, job = made
        engine.dispatch(who, job, "an-older-token")
        row = attempt_of(job)
        row.sent_at = None
        row.save()
        engine.dispatch(who, job, engine.start(who, job))
        assert len(engine.tickets(job)) == 2
        worker = engine.claim(job)
        engine.progress(job, "another-worker", 90)
        assert queries.get_job(who, job.id).progress.percent == 10
        engine.done(job, worker)
        assert engine.heard(job) is not None

    def test_a_ticket_that_was_never_sent_is_given_up_and_tried_again(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        row = attempt_of(job)
        row.sent_at = None
        row.save()
        assert reconciler.reconcile(engine.row(who, job)) == "leave"
        later = clock.now() + timedelta(minutes=3)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert reconciler.reconcile(engine.row(who, job)) == "report"
        assert engine.classify(who, job, engine.heard(job)).next == "retry"

    def test_a_canceled_job_is_not_dispatched(self, engine: Engine, made: Made) -> None:
        who, job = made
        token = engine.start(who, job)
        settlement.cancel_job(who, job.id)
        engine.dispatch(who, job, token)
        assert engine.tickets(job) == []
        assert engine.heard(job) == GONE


@pytest.mark.part("JOB-5", "JOB-6")
class TestPlaces:
    """Where an attempt is, by the index, and what its customer reads of it."""

    def test_it_waits_then_is_with_its_worker_then_nowhere(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        assert is_in("images-standard", job)
        worker = engine.claim(job)
        assert not is_in("images-standard", job)
        assert is_in(locations.worker(worker), job)
        engine.done(job, worker)
        assert not is_in(locations.worker(worker), job)

    def test_a_job_that_waits_knows_its_position_and_when_its_turn_comes(self, engine: Engine) -> None:
        """At its own priority; those that were begun or canceled count no more."""
        who = engine.customer()
        before = len(store.in_place("images-bulk", limit=500))
        made = [engine.order(who, priority="bulk", count=16) for _ in range(3)]
        for job in made:
            engine.dispatch(who, job, engine.start(who, job))
        seen = [queries.get_job(who, job.id).progress for job in made]
        assert [one.queue_position for one in seen] == [before + 1, before + 2, before + 3]
        assert seen[2].eta_seconds is not None
        assert seen[2].eta_seconds > made[2].predicted_seconds
        engine.claim(made[0])
        settlement.cancel_job(who, made[1].id)
        engine.publish(who)
        assert queries.get_job(who, made[2].id).progress.queue_position == before + 1
        assert queries.get_job(who, made[0].id).progress.queue_position is None
        assert queries.get_job(who, made[1].id).progress.queue_position is None

    def test_a_second_attempt_stands_where_it_came_in(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        engine.failed(job, worker, "transient")
        engine.classify(who, job, engine.heard(job))
        assert queries.get_job(who, job.id).progress.queue_position is None
        engine.dispatch(who, job, "token", attempt=2)
        position = queries.get_job(who, job.id).progress.queue_position
        assert position == len(store.in_place("images-standard", limit=500))


@pytest.mark.part("JOB-4", "JOB-11")
class TestEndsOfWorkers:
    def test_all_that_a_dead_worker_had_begun_is_given_to_others(self, engine: Engine) -> None:
        who = engine.customer()
        made = [engine.order(who) for _ in range(2)]
        worker = engine.working(who, made[0])
        engine.dispatch(who, made[1], engine.start(who, made[1]))
        s3.put(prefix(made[1]) + "claim.json", f'{{"batch_job_id": "{worker}"}}'.encode(), "application/json")
        engine.progress(made[1], worker, 20)
        engine.results(made[1])
        engine.batch.end(worker, "FAILED", 137, "Essential container in task exited")
        engine.batch_event(worker)
        lost, done = engine.heard(made[0]), engine.heard(made[1])
        assert lost is not None
        assert lost.failure is not None
        assert (lost.failure.category, lost.failure.code) == ("transient", "worker_lost")
        assert done is not None
        assert done.outcome == "done"
        assert engine.classify(who, made[0], lost).next == "retry"

    def test_a_bug_that_ends_a_worker_is_nobodys_fault_in_particular(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        engine.batch.end(worker, "FAILED", 70)
        assert reconciler.reconcile(engine.row(who, job)) == "report"
        assert engine.classify(who, job, engine.heard(job)).next == "retry"

    def test_a_claim_whose_owner_fell_silent_is_lost_though_its_batch_job_runs(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger's word alone is not believed; after 90 seconds without a beat it is true."""
        who, job = made
        worker = engine.working(who, job)
        s3.put(prefix(job) + BEAT, b"{}", "application/json")
        engine.failed(job, "a-stranger", "transient")
        assert engine.heard(job) is None
        later = clock.now() + timedelta(seconds=95)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        engine.failed(job, "a-stranger", "bug")
        heard = engine.heard(job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.code == "worker_lost"
        found = batch.describe(worker)
        assert found is not None
        assert not found.ended

    def test_a_worker_that_cannot_end_a_picture_in_its_time_is_ended(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        row = engine.row(who, job)
        row.deadline = row.deadline_at = clock.now() - timedelta(seconds=1)
        row.save()
        assert reconciler.reconcile(row) == "fail_deadline"
        engine.publish(who)
        assert engine.batch.jobs[worker]["terminated"]
        exact(who, available=100)


@pytest.mark.part("JOB-5")
class TestCancel:
    def test_whoever_has_the_ticket_or_gets_it_is_told_and_a_warm_worker_goes_on(
        self, engine: Engine, made: Made
    ) -> None:
        who, job = made
        worker = engine.working(who, job)
        settlement.cancel_job(who, job.id)
        engine.publish(who)
        assert s3.exists(prefix(job) + CANCELED)
        assert engine.batch.jobs[worker]["status"] == "RUNNING"
        assert engine.heard(job) == GONE
        assert not is_in(locations.worker(worker), job)
        exact(who, available=100)

    def test_an_attempt_that_another_one_follows_is_told_too(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.failed(job, engine.working(who, job), "transient")
        engine.classify(who, job, engine.heard(job))
        assert s3.exists(prefix(job) + CANCELED)


@pytest.mark.part("JOB-4")
class TestDeadTickets:
    def test_a_ticket_that_nobody_began_fails_its_attempt_and_in_the_end_the_job_for_free(
        self, engine: Engine, made: Made
    ) -> None:
        who, job = made
        engine.start(who, job)
        for attempt in (1, 2, 3):
            engine.dispatch(who, job, "token", attempt=attempt)
            ((_, ticket, _),) = engine.tickets(job, attempt)
            for _ in range(2):
                reports.take_dead_ticket(ticket)
            outcome = attempt_of(job, attempt).outcome
            assert outcome is not None
            answer = engine.classify(who, job, outcome, attempt=attempt)
            assert answer.next == ("retry" if attempt < 3 else "settle")
        engine.settle(who, job, answer.outcome, attempt=3)
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert (failure.code, failure.charged, failure.retryable) == ("ticket_undelivered", 0, True)
        exact(who, available=100)

    def test_a_double_of_a_ticket_that_somebody_is_at_changes_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        ((_, ticket, _),) = engine.tickets(job)
        reports.take_dead_ticket(ticket)
        assert attempt_of(job).outcome is None
        engine.done(job, worker)
        reports.take_dead_ticket(ticket)
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "done"
