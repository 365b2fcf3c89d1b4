"""What an attempt keeps and counts for its stages, without a process: checkpoints, notes, results, usage."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from snapforge.contracts.results import Result
from tests.gpu_batch.frame.region import BUCKET, Job, Region
from tests.gpu_batch.frame.test_attempt import work
from tests.gpu_batch.frame.test_modules import never
from worker.attempt import Attempt
from worker.errors import BugError
from worker.progress import Reporter
from worker.signals import Stop
from worker.storage import Storage
from worker.usage import Meter
from worker.workspace import SavedState

STAGES = [("one", 1.0), ("two", 1.0)]


class Shown:
    """A reporter that keeps the progress it is given."""

    def __init__(self) -> None:
        self.progressed: list[tuple[str, float, bool]] = []

    def progress(self, stage: str, percent: float, eta: int | None, message: str = "", *, start: bool = False) -> None:
        del eta, message
        self.progressed.append((stage, percent, start))


@pytest.fixture
def job(region: Region, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name, value in region.environment.items():
        monkeypatch.setenv(name, value)
    return region.job(work())


def entry(job: Job, folder: Path, *, resumed: bool = False) -> tuple[Attempt, Shown]:
    """An entry of the job's attempt with an empty folder."""
    folder.mkdir()
    shown = Shown()
    attempt = Attempt(
        job.manifest, folder, Storage(), cast(Reporter, shown), Stop(None, never), stages=STAGES, resumed=resumed
    )
    return attempt, shown


@pytest.mark.part("JOB-4")
class TestEntries:
    def test_the_next_entry_has_state_notes_files_and_percent_of_the_one_before(self, job: Job, tmp_path: Path) -> None:
        first, _ = entry(job, tmp_path / "1")
        first.begin("two")
        first.state["n"] = 1
        first.note("once")
        (tmp_path / "f").write_text("x")
        first.checkpoint("f", tmp_path / "f")
        second, shown = entry(job, tmp_path / "2", resumed=True)
        second.begin("one")
        assert (second.state, shown.progressed) == ({"n": 1}, [("one", 49.5, True)])
        assert second.restore("f", tmp_path / "back")
        second.note("once")
        second.note("twice")
        uri = second.write_result("result.json", (), "e", "m")
        result = Result.model_validate_json(
            job.region.client("s3").get_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
        )
        assert (result.notes, result.usage.interruptions) == (("once", "twice"), 1)

    def test_each_entry_counts_once(self, job: Job, tmp_path: Path) -> None:
        """Saved as soon as it is known, for an entry may die before its first checkpoint."""
        for number in range(3):
            attempt, _ = entry(job, tmp_path / str(number), resumed=number > 0)
            attempt.save()
        assert attempt._interruptions == 2

    def test_a_replaced_checkpoint_is_removed_and_the_same_one_is_not(self, job: Job, tmp_path: Path) -> None:
        attempt, _ = entry(job, tmp_path / "1")
        path = tmp_path / "f"
        for content in ("x", "x", "y"):
            path.write_text(content)
            attempt.checkpoint("f", path)
            assert len([name for name in job.names() if name.startswith("checkpoints/f-")]) == 1
        assert attempt.restore("f", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "y"


@pytest.mark.part("JOB-4")
class TestResults:
    def test_they_are_uploaded_in_their_order_and_progress_counts_each(self, job: Job, tmp_path: Path) -> None:
        """Named again, a file keeps its place and has the newer description."""
        attempt, shown = entry(job, tmp_path / "1")
        attempt.begin("two")
        for name in ("b", "a", "b"):
            (tmp_path / name).write_text(name)
            attempt.add_result(tmp_path / name, "picture", "text/plain", seed=len(attempt._results))
        files = attempt.upload_results()
        assert [(file.name, file.seed, file.bytes) for file in files] == [("b", 2, 1), ("a", 1, 1)]
        assert [percent for _, percent, start in shown.progressed if not start] == [74.2, 99.0]

    def test_one_that_was_not_written_is_a_bug(self, job: Job, tmp_path: Path) -> None:
        attempt, _ = entry(job, tmp_path / "1")
        attempt.add_result(tmp_path / "nowhere", "picture", "text/plain")
        with pytest.raises(BugError) as caught:
            attempt.upload_results()
        assert caught.value.code == "result_missing"


@pytest.mark.part("JOB-12")
class TestMeter:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """A clock that the test moves."""
        clock = SimpleNamespace(now=100.0)
        clock.monotonic = lambda: clock.now
        monkeypatch.setattr("worker.usage.time", clock)
        return clock

    def test_a_machine_of_its_own_is_paid_for_from_the_beginning(self, clock: SimpleNamespace) -> None:
        """Between stages too, and on top of what earlier entries used."""
        meter = Meter(SavedState(compute_seconds=7.0))
        clock.now += 1
        with meter.stage("one"):
            clock.now += 2
        clock.now += 4
        assert meter.compute_seconds == 14.0
        assert [(stage.stage, stage.seconds) for stage in meter.stages] == [("one", 2.0)]

    def test_on_a_shared_machine_only_what_is_charged_is_paid_for(self, clock: SimpleNamespace) -> None:
        meter = Meter(SavedState(compute_seconds=7.0), shared=True)
        with meter.stage("one"):
            clock.now += 2
        meter.charge("draw", 250)
        meter.charge("draw", 251)
        meter.add("load", 9.0)
        assert meter.compute_seconds == 7.501
        assert {stage.stage: stage.seconds for stage in meter.stages} == {"one": 2.0, "draw": 0.501, "load": 9.0}

    def test_a_stage_goes_on_counting_where_an_earlier_entry_stopped(self, clock: SimpleNamespace) -> None:
        """A stage that is under way counts up to now; one that fails counts as well."""
        first = Meter(SavedState())
        with suppress(KeyError), first.stage("one"):
            clock.now += 3
            raise KeyError
        second = Meter(SavedState(stages=first.stages, started_at=first.started_at))
        with second.stage("one"):
            clock.now += 4
            assert second.stages[0].seconds == 7.0
        assert second.started_at == first.started_at
