"""The warm worker with a toy engine: the protocol of tickets, micro-batches, and that one bad request fails alone."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snapforge.contracts.reports import Done, Failed, FailureCategory
from snapforge.contracts.results import Result
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM
from tests.gpu_batch.frame.region import Job, Region, wait_for
from tests.gpu_batch.frame.warm import Fleet, ago, batches, claimed_by, fleet_of, kept, put, ticket, work


@pytest.fixture
def fleet(region: Region) -> Iterator[Fleet]:
    """Queues of this test alone."""
    made = fleet_of(region)
    yield made
    made.close()


def failed(job: Job) -> Failed:
    """The final report, which must be a failure."""
    last = job.last
    assert isinstance(last, Failed), last
    return last


@pytest.mark.part("JOB-4")
@pytest.mark.part("JOB-6")
class TestDrains:
    def test_compatible_jobs_are_drawn_together_and_end_each_for_itself(self, fleet: Fleet) -> None:
        """Four jobs, one micro-batch: results, reports and receipts of their own, no message left, exit code 0."""
        jobs = [fleet.submit(prompt=f"p{number}", seed=10 * number) for number in range(4)]
        worker = fleet.run()
        assert worker.code == 0, worker.output
        assert sorted(map(sorted, batches(worker))) == [[0, 10, 20, 30]]
        assert fleet.waiting() == 0
        for job in jobs:
            assert isinstance(job.last, Done)
            assert job.last.batch_job_id == "warm-1"
            result = job.result
            assert (result.engine, result.model, result.notes) == ("toy:m", "m", ("A toy drew this.",))
            assert [file.name for file in result.files] == ["picture-00.png", "preview.jpg"]
            assert json.loads(job.read(CLAIM))["batch_job_id"] == "warm-1"
            assert json.loads(job.read(BEAT))["batch_job_id"] == "warm-1"
            stages = list(dict.fromkeys(report.stage for report in job.progress))
            assert stages == ["fetch", "load", "draw", "preview", "upload"]
        assert len({job.read("picture-00.png") for job in jobs}) == 4

    @pytest.mark.part("JOB-12")
    def test_what_the_machine_computed_is_shared_out_exactly(self, fleet: Fleet) -> None:
        """The receipts add up to the micro-batches' milliseconds; loading is reported and charged to nobody."""
        jobs = [fleet.submit(prompt=f"p{number}", count=count, guidance=0.02) for number, count in enumerate((1, 3, 2))]
        worker = fleet.run()
        computed = sum(line["milliseconds"] for line in worker.log if line["message"] == "micro-batch")
        usages = [job.result.usage for job in jobs]
        assert round(sum(usage.compute_seconds for usage in usages) * 1000) == computed > 0
        assert all({"load", "draw", "preview"} >= {stage.stage for stage in usage.stages} for usage in usages)
        drawn = [next(stage.seconds for stage in usage.stages if stage.stage == "draw") for usage in usages]
        assert drawn == [usage.compute_seconds for usage in usages]
        assert drawn[1] > drawn[0]

    def test_a_large_job_takes_several_micro_batches_and_lets_an_urgent_one_between(self, fleet: Fleet) -> None:
        """Ten pictures; a rush job that comes meanwhile does not wait for all of them."""
        large = fleet.submit("bulk", count=10, guidance=0.3, seed=100)
        worker = fleet.start()
        large.wait_for_stage("draw")
        rush = fleet.submit("rush", seed=1, width=80)
        assert worker.wait() == 0
        drawn = batches(worker)
        assert [1] in drawn[1:3]
        assert sorted(seed for batch in drawn for seed in batch if seed != 1) == list(range(100, 110))
        assert len(large.result.files) == 11
        assert isinstance(rush.last, Done)

    def test_urgent_queues_lead_and_compatible_others_are_drawn_with_them(self, fleet: Fleet) -> None:
        """Rush before standard before bulk; another size is another micro-batch."""
        first = fleet.submit("bulk", seed=0, width=96, guidance=1.0)
        worker = fleet.start()
        first.wait_for_stage("draw")
        for queue, seed in (("bulk", 3), ("standard", 2), ("rush", 1)):
            fleet.submit(queue, seed=seed, width=64 if queue != "standard" else 80)
        assert worker.wait() == 0
        assert batches(worker) == [[0], [1, 3], [2]]

    @pytest.mark.part("JOB-7")
    @pytest.mark.full
    def test_two_models_alternate_as_little_as_they_can(self, fleet: Fleet) -> None:
        """Eight jobs of two models by turns: each is loaded once."""
        jobs = [fleet.submit(model="ab"[number % 2], seed=number) for number in range(8)]
        worker = fleet.run()
        assert [line["model"] for line in worker.log if line["message"] == "loads"] in (["a", "b"], ["b", "a"])
        assert all(isinstance(job.last, Done) for job in jobs)

    def test_an_idle_worker_waits_for_its_time_then_leaves(self, fleet: Fleet) -> None:
        """A job that comes when all is done is drawn without a new start; `test_warm_idle.py` has the times."""
        worker = fleet.start(IDLE_SECONDS="3")
        first = fleet.submit(seed=1)
        # The message is deleted last of all: from here on the worker has nothing to do.
        wait_for(lambda: fleet.waiting() == 0, "the end of the first")
        assert isinstance(first.last, Done)
        second = fleet.submit(seed=2)
        assert worker.wait() == 0
        assert isinstance(second.last, Done)
        assert len([line for line in worker.log if line["message"] == "loads"]) == 1

    @pytest.mark.parametrize("broken", [{"IMAGE_QUEUE_URLS": ""}, {"MICRO_BATCH": "none"}, {"AWS_BATCH_JOB_ID": ""}])
    def test_a_wrong_setting_is_ours_to_mend(self, fleet: Fleet, broken: dict[str, str]) -> None:
        """It says what must be set."""
        worker = fleet.run(**broken)
        assert worker.code == 70
        assert "must be" in worker.log[-1]["exception"]


@pytest.mark.part("JOB-4")
class TestFailsAlone:
    @pytest.mark.parametrize(
        ("prompt", "category", "code"),
        [("crash", "bug", "unexpected_error"), ("huge", "out_of_memory", "out_of_memory")],
    )
    def test_one_bad_among_four(self, fleet: Fleet, prompt: str, category: str, code: str) -> None:
        """The other three are drawn and paid for; the bad one is reported with its own reason."""
        bad = fleet.submit(prompt=prompt, seed=1)
        good = [fleet.submit(prompt=f"p{number}", seed=number) for number in (2, 3, 4)]
        worker = fleet.run()
        assert worker.code == 0
        assert (failed(bad).category, failed(bad).code) == (category, code)
        assert "result.json" not in bad.names()
        assert Result.model_validate_json(bad.read("partial.json")).usage.compute_seconds >= 0
        assert all(isinstance(job.last, Done) for job in good)
        assert fleet.waiting() == 0

    def test_too_many_at_once_are_drawn_in_halves_from_then_on(self, fleet: Fleet) -> None:
        """Memory for two: four fail together, two by two they succeed, and four are not tried again."""
        jobs = [fleet.submit(prompt=f"large {number}", count=4, seed=10 * number) for number in range(2)]
        worker = fleet.run()
        assert all(isinstance(job.last, Done) for job in jobs)
        assert [len(batch) for batch in batches(worker)] == [4, 2, 2, 2, 2]

    def test_an_unreadable_manifest_is_reported_and_nothing_else_suffers(self, fleet: Fleet) -> None:
        """It fails as ours to mend, by its claimant."""
        bad, good = fleet.region.job(work()), fleet.submit(seed=2)
        fields = bad.manifest.model_dump(mode="json") | {"contract": 99}
        uri = fleet.region.put(f"runs/{bad.manifest.job_id}/1/1/manifest.json", json.dumps(fields).encode())
        fleet.send(ticket(bad, uri).model_dump_json())
        assert fleet.run().code == 0
        assert failed(bad).code == "bad_manifest"
        assert json.loads(bad.read(CLAIM))["batch_job_id"] == failed(bad).batch_job_id
        assert isinstance(good.last, Done)
        assert fleet.waiting() == 0

    def test_garbage_is_left_to_the_dead_letters(self, fleet: Fleet) -> None:
        """There is nowhere to report to: it stays in the queue until SQS has given it out often enough."""
        good = fleet.submit(seed=2)
        fleet.send("no ticket")
        assert fleet.run().code == 0
        assert isinstance(good.last, Done)
        assert fleet.waiting() == 1

    @pytest.mark.part("JOB-7")
    def test_a_model_that_is_not_there_fails_its_own_jobs(self, fleet: Fleet) -> None:
        """The worker goes on with other models."""
        bad, good = fleet.submit(model="gone"), fleet.submit(model="here")
        assert fleet.run().code == 0
        assert failed(bad).code == "model_missing"
        assert isinstance(good.last, Done)

    def test_a_broken_gpu_gives_all_to_others_and_ends_the_process(self, fleet: Fleet) -> None:
        """After a device error nothing works here: each attempt ends as transient, the exit code says again."""
        jobs = [fleet.submit(prompt=prompt, seed=1) for prompt in ("wreck", "fine")]
        worker = fleet.run()
        assert worker.code == 75
        assert {(failed(job).category, failed(job).code) for job in jobs} == {(FailureCategory.transient, "gpu_broken")}


@pytest.mark.part("JOB-4")
class TestDeliveredTwice:
    def test_twice_to_one_worker_is_drawn_once(self, fleet: Fleet) -> None:
        """Two messages of one attempt, together and after its end."""
        job = fleet.submit(guidance=0.3)
        fleet.submit(job=job)
        worker = fleet.start(IDLE_SECONDS="3")
        wait_for(lambda: "result.json" in job.names(), "the result")
        fleet.submit(job=job)
        assert worker.wait() == 0
        assert len(batches(worker)) == 1
        assert isinstance(job.last, Done)
        assert fleet.waiting() <= 1

    def test_while_the_owner_lives_another_worker_puts_it_back_for_later(self, fleet: Fleet) -> None:
        """A claim with a fresh beat: no word, no drawing, and the message waits."""
        job = fleet.submit()
        claimed_by(job, "warm-0", ago_s=300)
        put(job, BEAT, {"batch_job_id": "warm-0", "at": ago(30)})
        worker = fleet.run()
        assert worker.code == 0
        assert batches(worker) == []
        assert job.receive_reports() == []
        assert (fleet.waiting(), fleet.visible()) == (1, 0)

    @pytest.mark.parametrize("beaten", [True, False])
    def test_a_silent_owner_is_reported_as_lost(self, fleet: Fleet, beaten: bool) -> None:
        """No beat for 90 s: transient, in the other worker's own name, and the ticket is gone."""
        job = fleet.submit()
        claimed_by(job, "warm-0", ago_s=300)
        if beaten:
            put(job, BEAT, {"batch_job_id": "warm-0", "at": ago(91)})
        assert fleet.run().code == 0
        last = failed(job)
        assert (last.category, last.code, last.batch_job_id) == ("transient", "worker_lost", "warm-1")
        assert fleet.waiting() == 0

    @pytest.mark.full
    def test_a_finished_attempt_is_reported_again_as_its_owner(self, fleet: Fleet) -> None:
        """The owner wrote its result and died before it could report it."""
        job = fleet.submit()
        fleet.run("warm-0")
        job.clear_reports()
        fleet.submit(job=job)
        worker = fleet.run()
        assert batches(worker) == []
        assert isinstance(job.last, Done)
        assert job.last.batch_job_id == "warm-0"
        assert fleet.waiting() == 0


@pytest.mark.part("JOB-5")
class TestCanceled:
    def test_before_it_is_begun_nothing_is_drawn(self, fleet: Fleet) -> None:
        """canceled.json lies there when the ticket is taken up; its neighbour is drawn."""
        unwanted, wanted = fleet.submit(seed=1), fleet.submit(seed=2)
        put(unwanted, CANCELED, {})
        worker = fleet.run()
        assert failed(unwanted).category == FailureCategory.canceled
        assert isinstance(wanted.last, Done)
        assert batches(worker) == [[2]]
        assert fleet.waiting() == 0

    def test_while_it_is_drawn_it_leaves_and_the_others_stay(self, fleet: Fleet) -> None:
        """It ends long before its neighbour, and pays for its steps alone."""
        unwanted, wanted = fleet.submit(seed=1, guidance=0.2, steps=40), fleet.submit(seed=2, guidance=0.2, steps=40)
        worker = fleet.start()
        unwanted.wait_for_stage("draw")
        put(unwanted, CANCELED, {})
        assert worker.wait() == 0
        assert failed(unwanted).category == FailureCategory.canceled
        assert isinstance(wanted.last, Done)
        assert wanted.last.at - failed(unwanted).at > timedelta(seconds=1)
        paid = Result.model_validate_json(unwanted.read("partial.json")).usage.compute_seconds
        assert paid < wanted.result.usage.compute_seconds / 2

    @pytest.mark.full
    def test_past_its_deadline_it_leaves_alone(self, fleet: Fleet) -> None:
        """Its neighbour has more time."""
        short = fleet.region.job(
            work(guidance=0.1, steps=40, seed=1), deadline=datetime.now(UTC) + timedelta(seconds=3)
        )
        fleet.submit(job=short)
        long = fleet.submit(seed=2, guidance=0.1, steps=40)
        assert fleet.run().code == 0
        assert failed(short).code == "deadline"
        assert isinstance(long.last, Done)


@pytest.mark.part("JOB-4")
class TestTakenAway:
    def test_sigterm_ends_what_is_begun_and_puts_back_what_is_not(self, fleet: Fleet) -> None:
        """Claimed ones fail as `interrupted` with their pictures kept; another worker has the rest at once."""
        begun = fleet.submit(seed=10, count=6, guidance=0.4)
        other = fleet.submit("bulk", seed=50, count=2, width=80)
        worker = fleet.start()
        wait_for(lambda: kept(begun) == 4, "the first micro-batch")
        assert worker.terminate() == 75
        assert (failed(begun).category, failed(begun).code) == (FailureCategory.transient, "interrupted")
        assert CLAIM not in other.names()
        assert other.receive_reports() == []
        assert fleet.visible() == fleet.waiting() == 1
        next_attempt = resumed(fleet, begun)
        second = fleet.run("warm-2")
        assert isinstance(next_attempt.last, Done)
        assert isinstance(other.last, Done)
        drawn = [seed for batch in batches(second) for seed in batch]
        assert len(next_attempt.result.files) == 7
        assert set(drawn) - {50, 51} == {14, 15}
        assert next_attempt.result.usage.interruptions == 1

    def test_killed_half_done_the_resumed_attempt_draws_only_the_rest(self, fleet: Fleet) -> None:
        """SIGKILL within the second micro-batch: the attempt that follows restores the first one's pictures."""
        job = fleet.submit(seed=10, count=8, guidance=0.8)
        left = killed_half_done(fleet, job)
        next_attempt = resumed(fleet, job)
        second = fleet.run("warm-2")
        assert isinstance(next_attempt.last, Done)
        assert sorted(seed for batch in batches(second) for seed in batch) == left
        assert len(next_attempt.result.files) == 9

    @pytest.mark.full
    def test_a_batch_retry_of_the_same_worker_goes_on_with_its_own_claim(self, fleet: Fleet) -> None:
        """The same Batch job id in a new container: its claims are still its own."""
        job = fleet.submit(seed=10, count=8, guidance=0.8)
        left = killed_half_done(fleet, job)
        fleet.submit(job=job)  # as SQS gives it out again when its time is over
        second = fleet.run(AWS_BATCH_JOB_ATTEMPT="2")
        assert isinstance(job.last, Done)
        assert sorted(seed for batch in batches(second) for seed in batch) == left
        assert job.result.usage.interruptions == 1


def killed_half_done(fleet: Fleet, job: Job) -> list[int]:
    """Kill a worker when it has kept four pictures or a few more of eight; returns the seeds of the others."""
    worker = fleet.start()
    wait_for(lambda: kept(job) >= 4, "four kept")
    worker.kill()
    assert kept(job) < 8
    return list(range(10 + kept(job), 18))


def resumed(fleet: Fleet, job: Job, **fields: Any) -> Job:
    """The next attempt of a job, dispatched to go on from the first one's checkpoints."""
    manifest = job.manifest.model_copy(
        update={
            "attempt": 2,
            "output_uri": job.manifest.output_uri.replace("/1/1/", "/1/2/"),
            "resume_uri": job.manifest.output_uri,
            **fields,
        }
    )
    job.clear_reports()
    return fleet.submit(job=Job(fleet.region, manifest))
