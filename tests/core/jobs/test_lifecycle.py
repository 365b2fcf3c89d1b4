"""States, retries, deadlines, progress and the sweeper's decisions, without any I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snapforge.contracts.reports import FailureCategory
from snapforge.jobs.domain import deadlines, failures, lifecycle, pictures, progress, shares, trainings
from snapforge.jobs.domain.lifecycle import IllegalMoveError, JobState, Lifecycle
from snapforge.jobs.domain.observed_state import Execution, ObservedState, Work, decide
from snapforge.jobs.domain.progress import ProgressSnapshot
from snapforge.jobs.domain.requests import ImageParameters, ImageRequest, Preset, SceneParameters

NOW = datetime(2026, 11, 21, 2, 20, tzinfo=UTC)
CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
Transient, OutOfMemory = FailureCategory.transient, FailureCategory.out_of_memory


def image(**more: Any) -> ImageRequest:
    return ImageRequest(kind="image", **({"prompt": "a kingfisher"} | more))


def scene(photos: int = 36, preset: Preset = "draft") -> SceneParameters:
    return SceneParameters(capture_id=CAPTURE, capture_version=3, photos=photos, preset=preset, usdz=True, seed=0)


def drawn(**more: Any) -> ImageParameters:
    return pictures.resolve(image(**more), 5, ("flux-schnell",))


@pytest.mark.part("JOB-1")
class TestLife:
    def test_a_job_runs_and_ends_once(self) -> None:
        running = lifecycle.begin(Lifecycle())
        assert running.state is JobState.running
        for end in lifecycle.FINAL:
            ended = lifecycle.end(running, end)
            assert ended.final
            for again in lifecycle.FINAL:
                with pytest.raises(IllegalMoveError):
                    lifecycle.end(ended, again)
            with pytest.raises(IllegalMoveError):
                lifecycle.begin(ended)
            with pytest.raises(IllegalMoveError):
                lifecycle.fail_attempt(ended, Transient)
            with pytest.raises(IllegalMoveError):
                lifecycle.recover(ended)

    def test_running_is_no_end(self) -> None:
        with pytest.raises(IllegalMoveError):
            lifecycle.end(Lifecycle(), JobState.running)

    def test_only_failed_and_canceled_jobs_begin_a_new_run(self) -> None:
        tired = Lifecycle(attempt=3, reduced=True, failed=(Transient,), recovery=2)
        for state in (JobState.failed, JobState.canceled):
            assert lifecycle.restart(lifecycle.end(tired, state)) == Lifecycle(run=2)
        for state in (JobState.queued, JobState.running, JobState.succeeded):
            with pytest.raises(IllegalMoveError):
                lifecycle.restart(Lifecycle(state=state))

    def test_only_the_current_attempt_of_an_unfinished_run_counts(self) -> None:
        assert Lifecycle().awaits(1, 1)
        assert not Lifecycle(attempt=2).awaits(1, 1)
        assert not Lifecycle(run=2).awaits(1, 1)
        assert not Lifecycle(state=JobState.canceled).awaits(1, 1)

    def test_a_lost_execution_is_replaced_three_times(self) -> None:
        living: Lifecycle | None = Lifecycle()
        for count in range(3):
            assert living is not None
            assert living.recovery == count
            living = lifecycle.recover(living)
        assert living is not None
        assert lifecycle.recover(living) is None


@pytest.mark.part("JOB-4")
class TestRetries:
    def test_transient_failures_use_up_three_attempts_with_growing_waits(self) -> None:
        living, first = lifecycle.fail_attempt(Lifecycle(), Transient)
        living, second = lifecycle.fail_attempt(living, Transient)
        assert first is not None
        assert second is not None
        assert (first.wait_seconds, second.wait_seconds) == (5, 20)
        assert living.attempt == 3
        assert lifecycle.fail_attempt(living, Transient) == (living, None)

    def test_out_of_memory_is_tried_once_more_and_smaller(self) -> None:
        living, again = lifecycle.fail_attempt(Lifecycle(), OutOfMemory)
        assert again is not None
        assert living.reduced
        assert lifecycle.fail_attempt(living, OutOfMemory)[1] is None
        after, again = lifecycle.fail_attempt(living, Transient)
        assert again is not None
        assert after.reduced

    def test_out_of_memory_uses_up_none_of_the_three(self) -> None:
        living = Lifecycle()
        for category in (Transient, OutOfMemory, Transient):
            living, again = lifecycle.fail_attempt(living, category)
            assert again is not None
        assert (living.attempt, living.reduced) == (4, True)
        assert lifecycle.fail_attempt(living, Transient)[1] is None

    def test_each_wait_is_four_times_the_last(self) -> None:
        again = [failures.next_attempt((Transient,) * count, reduced=False) for count in (1, 2, 3)]
        assert again == [failures.NextAttempt(5, reduced=False), failures.NextAttempt(20, reduced=False), None]

    def test_out_of_memory_uses_up_none_of_the_transient_attempts(self) -> None:
        assert failures.next_attempt((OutOfMemory, Transient, Transient), reduced=True) == failures.NextAttempt(
            20, reduced=True
        )
        assert failures.next_attempt((Transient, Transient, OutOfMemory), reduced=False) == failures.NextAttempt(
            1, reduced=True
        )
        assert failures.next_attempt((OutOfMemory, Transient, Transient, Transient), reduced=True) is None

    def test_a_machine_that_went_away_is_told_apart_from_a_worker_that_died(self) -> None:
        assert failures.of_batch("FAILED", None, "Host EC2 (instance i-0) terminated.").code == "machine_lost"
        assert failures.of_batch("FAILED", 137, "Essential container in task exited").code == "worker_lost"

    @pytest.mark.parametrize(
        ("exit_code", "reason", "category"),
        [
            (0, "", Transient),
            (65, "", Transient),
            (70, "", Transient),
            (None, "Job attempt duration exceeded timeout", Transient),
            (137, "OutOfMemoryError: Container killed", OutOfMemory),
        ],
    )
    def test_whatever_ended_a_warm_worker_its_tickets_are_tried_again(
        self, exit_code: int | None, reason: str, category: FailureCategory
    ) -> None:
        assert failures.of_worker("FAILED", exit_code, reason).category is category

    @pytest.mark.parametrize("category", sorted(set(FailureCategory) - failures.RETRIED))
    def test_all_else_would_end_the_same_way(self, category: FailureCategory) -> None:
        assert lifecycle.fail_attempt(Lifecycle(), category) == (Lifecycle(), None)

    def test_waits_have_a_cap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(failures, "MAX_ATTEMPTS", 100)
        again = [failures.next_attempt((Transient,) * count, reduced=False) for count in (3, 4, 50)]
        assert [one.wait_seconds for one in again if one] == [80, 300, 300]

    @pytest.mark.parametrize(
        ("exit_code", "reason", "category"),
        [
            (137, "OutOfMemoryError: Container killed due to memory usage", OutOfMemory),
            (None, "Job attempt duration exceeded timeout", FailureCategory.deadline),
            (65, "Essential container in task exited", FailureCategory.input),
            (64, "", FailureCategory.bug),
            (70, "", FailureCategory.bug),
            (1, "", FailureCategory.bug),
            (63, "", FailureCategory.bug),
            (66, "", Transient),
            (75, "", Transient),
            (137, "Essential container in task exited", Transient),
            (None, "Host EC2 (instance i-0) terminated.", Transient),
            (0, "", Transient),
            (None, "CannotPullContainerError", Transient),
        ],
    )
    def test_the_exit_code_and_the_reason_tell_whose_fault_it_was(
        self, exit_code: int | None, reason: str, category: FailureCategory
    ) -> None:
        found = failures.of_batch("FAILED", exit_code, reason)
        assert found.category is category
        assert found.message

    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("Host EC2 (instance i-0) terminated.", "machine_lost"),
            ("CannotPullContainerError: Host EC2 is busy", "worker_lost"),
            ("", "worker_lost"),
        ],
    )
    def test_only_a_machine_that_went_away_is_called_lost(self, reason: str, code: str) -> None:
        assert failures.of_batch("FAILED", None, reason).code == code

    def test_what_step_functions_caught_is_a_deadline_or_transient(self) -> None:
        assert failures.of_caught("States.Timeout").category is FailureCategory.deadline
        assert failures.of_caught("Runtime.HandlerError").category is Transient

    def test_a_lost_workflow_is_ours(self) -> None:
        assert failures.lost().category is FailureCategory.bug


@pytest.mark.part("JOB-11")
class TestTruth:
    LATE = NOW - timedelta(seconds=1)
    SOON = NOW + timedelta(seconds=1)

    @pytest.mark.parametrize(
        ("execution", "work", "result", "recoveries", "late", "action"),
        [
            ("running", "working", False, True, False, "leave"),
            ("running", "none", False, True, False, "leave"),
            ("running", "waiting", False, True, False, "leave"),
            ("running", "ended", False, True, False, "report"),
            ("running", "ended", True, True, False, "report"),
            ("running", "reported", False, True, False, "report"),
            ("absent", "none", False, True, False, "start"),
            ("ended", "working", False, True, False, "restart"),
            ("ended", "reported", True, True, False, "settle_done"),
            ("ended", "none", False, False, False, "fail_lost"),
            ("running", "working", False, True, True, "fail_deadline"),
            ("running", "ended", True, True, True, "settle_done"),
            ("absent", "none", False, True, True, "fail_deadline"),
            ("ended", "reported", False, False, True, "fail_deadline"),
        ],
    )
    def test_the_sweeper_does_what_the_engines_truth_demands(
        self, execution: Execution, work: Work, result: bool, recoveries: bool, late: bool, action: str
    ) -> None:
        truth = ObservedState(execution, work, result, recoveries_left=recoveries)
        assert decide(truth, NOW, self.LATE if late else self.SOON) == action

    def test_at_its_deadline_a_job_is_late(self) -> None:
        truth = ObservedState("running", "working", result=False, recoveries_left=True)
        assert decide(truth, NOW, NOW) == "fail_deadline"

    def test_every_state_of_the_engine_has_an_answer_and_late_jobs_end(self) -> None:
        for execution in ("absent", "running", "ended"):
            for work in ("none", "waiting", "working", "ended", "reported"):
                for result in (False, True):
                    for left in (False, True):
                        truth = ObservedState(execution, work, result, recoveries_left=left)
                        decide(truth, NOW, self.SOON)
                        assert decide(truth, NOW, self.LATE) in {"settle_done", "fail_deadline"}


@pytest.mark.part("JOB-11")
class TestDeadlines:
    def test_larger_work_has_more_time(self) -> None:
        draft, standard = deadlines.limits(scene()), deadlines.limits(scene(preset="standard"))
        high = deadlines.limits(scene(preset="high"))
        assert deadlines.limits(drawn()).whole < draft.whole < standard.whole < high.whole

    def test_a_training_has_hours(self) -> None:
        found = deadlines.limits(trainings.usual("flux-schnell"))
        assert (found.queue, found.run) == (timedelta(hours=2), timedelta(hours=3))

    def test_the_sweeper_looks_soon_and_at_the_deadline_at_the_latest(self) -> None:
        assert deadlines.next_look(NOW, NOW + timedelta(hours=1)) == NOW + deadlines.LOOK_EVERY
        assert deadlines.next_look(NOW, NOW + timedelta(seconds=3)) == NOW + timedelta(seconds=3)
        assert deadlines.next_look(NOW, NOW - timedelta(hours=1)) == NOW

    def test_jobs_spread_over_all_shards(self) -> None:
        found = {deadlines.shard(f"job_{number:026d}") for number in range(100)}
        assert found == {str(number) for number in range(deadlines.SHARDS)}

    def test_orgs_are_hashed_into_alphanumeric_shares(self) -> None:
        found = {shares.of_org(f"org_{number}") for number in range(5000)}
        assert len(found) == shares.BUCKETS
        assert all(share.isalnum() for share in found)


@pytest.mark.part("JOB-1")
class TestProgress:
    def told(self, percent: int = 40, floor: int = 0, eta: int | None = 100) -> ProgressSnapshot:
        return ProgressSnapshot(attempt=1, percent=percent, floor=floor, stage="training", eta_seconds=eta, at=NOW)

    def test_the_percent_does_not_fall_when_another_attempt_begins(self) -> None:
        assert progress.floor(None) == 0
        assert progress.floor(self.told(40, 10)) == 40
        assert progress.floor(self.told(3, floor=40)) == 40
        assert progress.percent(JobState.running, self.told(3, floor=40)) == 40

    def test_only_success_is_a_hundred(self) -> None:
        assert progress.percent(JobState.running, self.told(100)) == 99
        assert progress.percent(JobState.succeeded, None) == 100
        assert progress.percent(JobState.queued, None) == 0

    def test_the_eta_is_the_workers_else_what_is_left_of_the_prediction(self) -> None:
        begun = NOW - timedelta(seconds=30)
        assert progress.eta_seconds(JobState.running, self.told(), 500, begun) == 100
        assert progress.eta_seconds(JobState.running, self.told(eta=None), 500, begun) == 470
        assert progress.eta_seconds(JobState.running, self.told(eta=None), 500, None) == 500
        assert progress.eta_seconds(JobState.queued, None, 500, None) == 500

    @pytest.mark.parametrize("state", [JobState.succeeded, JobState.failed, JobState.canceled])
    def test_what_has_ended_has_no_eta(self, state: JobState) -> None:
        assert progress.eta_seconds(state, self.told(), 500, NOW) is None
        assert progress.eta_seconds(state, None, 500, NOW) is None

    def test_what_is_queued_again_keeps_what_its_last_attempt_told(self) -> None:
        assert progress.eta_seconds(JobState.queued, self.told(eta=0), 500, NOW) == 0
        assert progress.percent(JobState.queued, self.told(3, floor=40)) == 40
        assert progress.percent(JobState.failed, self.told(98)) == 98

    def test_what_takes_longer_than_thought_has_no_eta(self) -> None:
        begun = NOW - timedelta(seconds=1000)
        assert progress.eta_seconds(JobState.running, self.told(eta=None), 1000, begun) is None
        assert progress.eta_seconds(JobState.running, self.told(eta=None), 1001, begun) == 1
        assert progress.eta_seconds(JobState.running, self.told(eta=None), 500, begun) is None
        assert progress.eta_seconds(JobState.succeeded, None, 500, NOW) is None
