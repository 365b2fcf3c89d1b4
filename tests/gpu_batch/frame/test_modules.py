"""The frame's modules one by one: progress, stopping, usage, logs, what an exception means."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from snapforge.contracts.reports import Done, Failed, FailureCategory, Progress
from tests.gpu_batch.frame.region import Region
from tests.gpu_batch.frame.test_attempt import work
from tests.support.aws import ROOT
from worker import signals
from worker.errors import (
    BadManifest,
    BugError,
    Canceled,
    DeadlineError,
    DiskFull,
    InputError,
    Interrupted,
    OutOfMemory,
    QualityError,
    TransientError,
    WorkerError,
    WorkerLost,
    explain,
)
from worker.progress import Reporter, Sender, Track
from worker.signals import Stop
from worker.storage import Missing
from worker.storage import explain as explain_storage
from worker.tools import JsonLines, backoff
from worker.usage import instance_type
from worker.workspace import scratch


@pytest.mark.part("JOB-5")
class TestTrack:
    def test_stages_share_the_bar_by_their_weights(self) -> None:
        """99 % is shared; the last one is Done's."""
        track = Track([("a", 3.0), ("b", 1.0)])
        assert track.at("a", 0.0)[0] == 0
        assert track.at("a", 1.0)[0] == pytest.approx(74.2, abs=0.1)
        assert track.at("b", 1.0)[0] == 99

    def test_it_never_falls_and_takes_any_number(self) -> None:
        """A stage that starts over, says too much, or says NaN."""
        track = Track([("a", 1.0), ("b", 1.0)], floor=10.0)
        seen = [track.at("a", fraction)[0] for fraction in (0.0, 0.5, 0.2, float("nan"), 7.0, -1.0, float("inf"))]
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == (10.0, 49.5)

    def test_restored_stages_do_not_count_for_the_pace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half is restored at once; 10 s for the next quarter leave 10 s."""
        now = 100.0
        monkeypatch.setattr("worker.progress.time.monotonic", lambda: now)
        track = Track([("a", 50.0), ("b", 50.0)])
        track.skip("a")
        assert track.at("b", 0.0) == (49.5, None)
        now += 10
        assert track.at("b", 0.5) == (74.2, 10)


@pytest.mark.part("JOB-5")
class TestReporter:
    def test_nothing_follows_the_final_report(self, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
        """Late progress is dropped, and there is one end only."""
        for name, value in region.environment.items():
            monkeypatch.setenv(name, value)
        job = region.job(work())
        reporter = Reporter(job.manifest.reports_queue_url, Sender.of(job.manifest, "b"))
        for stage in ("one", "two", "three"):
            reporter.progress(stage, 1.0, None, start=True)
        reporter.progress("three", 2.0, None)
        assert reporter.done("s3://b/result.json", 5.0)
        reporter.progress("four", 3.0, None, start=True)
        assert not reporter.failed(Interrupted(), None, 5.0)
        assert [type(report) for report in job.receive_reports()] == [Progress, Progress, Progress, Done]

    def test_a_long_message_is_cut(self, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
        """A queue's message has a limit; the log has it whole."""
        for name, value in region.environment.items():
            monkeypatch.setenv(name, value)
        job = region.job(work())
        reporter = Reporter(job.manifest.reports_queue_url, Sender.of(job.manifest, "b"))
        assert reporter.failed(BugError("long", "x" * 3_000_000), None, 5.0)
        assert isinstance(job.last, Failed)
        assert job.last.message == "x" * 2000

    def test_waiting_times_grow_to_a_limit(self) -> None:
        """Doubling with jitter."""
        waits = [wait for wait, _ in zip(backoff(1.0, 8.0), range(20), strict=False)]
        assert 0.5 <= waits[0] <= 1.0
        assert all(4.0 <= wait <= 8.0 for wait in waits[3:])
        assert len(set(waits)) == 20


@pytest.mark.part("JOB-4")
class TestStop:
    def test_sigterm_sets_the_event_and_check_raises(self) -> None:
        """Both SIGTERM and SIGINT; the handlers of before are back afterwards."""
        before = signal.getsignal(signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGINT):
            with Stop(datetime.now(UTC) + timedelta(hours=1), never) as stop:
                stop.check()
                os.kill(os.getpid(), number)
                assert stop.event.wait(10)
                with pytest.raises(Interrupted):
                    stop.check()
        assert signal.getsignal(signal.SIGTERM) is before

    def test_the_deadline_sets_the_event_and_check_raises(self) -> None:
        """As SIGTERM does, with its own reason; a deadline years away is none."""
        with Stop(datetime.now(UTC) + timedelta(seconds=0.1), never) as stop:
            assert stop.event.wait(10)
            with pytest.raises(DeadlineError):
                stop.check()
        with Stop(datetime.now(UTC) + timedelta(days=36500), never) as stop:
            stop.check()

    def test_who_does_not_stop_in_time_is_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The watch calls `on_stuck` with the reason."""
        monkeypatch.setattr(signals, "GRACE_S", 0.05)
        stuck: list[WorkerError] = []
        called = threading.Event()

        def on_stuck(error: WorkerError) -> None:
            stuck.append(error)
            called.set()

        with Stop(datetime.now(UTC), on_stuck):
            assert called.wait(10)
        assert isinstance(stuck[0], DeadlineError)

    def test_a_stage_that_does_not_notice_is_ended_from_outside(self, region: Region, tmp_path: Path) -> None:
        """In a real process: SIGTERM while it sleeps; Failed is reported, the scratch folder is gone."""
        job = region.job(work())
        worker = job.start(module="tests.gpu_batch.frame.toy_stuck", WORKSPACE=str(tmp_path))
        job.wait_for_stage("sleep")
        assert worker.terminate() == 75
        assert isinstance(job.last, Failed)
        assert job.last.code == "interrupted"
        assert list(tmp_path.iterdir()) == []


def never(error: WorkerError) -> None:
    """Must not be called."""
    raise AssertionError(error)


def _client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "GetObject")


class _Chained(RuntimeError):
    def __init__(self, cause: BaseException) -> None:
        super().__init__("a library's own error")
        self.__cause__ = cause


@pytest.mark.part("JOB-4")
class TestMeaning:
    @pytest.mark.parametrize(
        ("error", "category", "code"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "transient", "disk_full"),
            (OSError(errno.EFBIG, "File too large"), "transient", "disk_full"),
            (OSError(errno.EDQUOT, "Disk quota exceeded"), "transient", "disk_full"),
            (ValueError("No space left on device"), "bug", "unexpected_error"),
            (OSError("[Errno 28] No space left on device: 'x'"), "transient", "disk_full"),
            (RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/3"), "transient", "disk_full"),
            (_Chained(OSError(errno.ENOSPC, "full")), "transient", "disk_full"),
            (MemoryError(), "out_of_memory", "out_of_memory"),
            (
                RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
                "out_of_memory",
                "out_of_memory",
            ),
            (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", "out_of_memory"),
            (RuntimeError("CUDA error: out of memory"), "out_of_memory", "out_of_memory"),
            (RuntimeError("CUDA error: device-side assert triggered"), "bug", "unexpected_error"),
            (_Chained(MemoryError()), "out_of_memory", "out_of_memory"),
            (_Chained(_Chained(MemoryError())), "out_of_memory", "out_of_memory"),
            (EndpointConnectionError(endpoint_url="x"), "transient", "network"),
            (TimeoutError("slow"), "transient", "network"),
            (ConnectionResetError("reset by peer"), "transient", "network"),
            (QualityError("rough", "m", "f"), "insufficient_quality", "rough"),
            (KeyError("x"), "bug", "unexpected_error"),
            (PermissionError(errno.EACCES, "denied"), "bug", "unexpected_error"),
        ],
    )
    def test_an_exception_has_its_category(self, error: Exception, category: str, code: str) -> None:
        """Also where a library wrapped it or kept the text alone."""
        meaning = explain(error)
        assert (meaning.category, meaning.code) == (FailureCategory(category), code)

    def test_what_was_being_handled_counts_unless_it_was_put_aside(self) -> None:
        """`raise … from None` says that the first error is no cause; a circle of causes ends."""

        def raised(*, aside: bool) -> Exception:
            try:
                try:
                    raise MemoryError
                except MemoryError:
                    if aside:
                        raise KeyError("x") from None
                    raise KeyError("x")  # noqa: B904 - this is what is tested
            except KeyError as error:
                return error

        assert explain(raised(aside=False)).category == "out_of_memory"
        assert explain(raised(aside=True)).category == "bug"
        circle = KeyError("x")
        circle.__cause__ = other = KeyError("y")
        other.__cause__ = circle
        assert explain(circle).code == "unexpected_error"

    @pytest.mark.parametrize(
        ("error", "exit_code"),
        [
            (InputError("c", "m", "f"), 65),
            (QualityError("c", "m", "f"), 65),
            (TransientError("c", "m"), 75),
            (DiskFull(), 75),
            (OutOfMemory("m"), 75),
            (Interrupted(), 75),
            (WorkerLost(), 75),
            (Canceled(), 65),
            (DeadlineError(), 65),
            (BugError("c", "m"), 70),
            (BadManifest("m"), 64),
        ],
    )
    def test_only_what_may_work_next_time_is_entered_again(self, error: WorkerError, exit_code: int) -> None:
        """Batch enters a job again at 75 alone: not what was canceled, is too late, or ends the same way each time."""
        assert error.exit == exit_code

    def test_torchs_own_memory_error_is_known_by_name(self) -> None:
        """The frame does not import torch."""
        assert explain(type("OutOfMemoryError", (RuntimeError,), {})("x")).category == "out_of_memory"
        assert "torch" not in vars(sys.modules["worker.errors"])

    def test_storage_errors_are_missing_refused_or_transient(self) -> None:
        """A refusal is a policy of ours that is wrong: trying again does not help."""
        assert isinstance(explain_storage(_client_error("NoSuchKey"), "u"), Missing)
        assert isinstance(explain_storage(_client_error("AccessDenied"), "u"), BugError)
        assert isinstance(explain_storage(_client_error("SlowDown"), "u"), TransientError)
        assert isinstance(explain_storage(EndpointConnectionError(endpoint_url="x"), "u"), TransientError)


@pytest.mark.part("JOB-12")
class TestInstanceType:
    def test_outside_of_ec2_it_is_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No request is made."""
        monkeypatch.delenv("AWS_EXECUTION_ENV", raising=False)
        monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4", raising=False)
        assert instance_type() == "local"

    def test_on_ec2_it_comes_from_imdsv2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A token first, then the type; unknown where nothing answers."""
        monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_ECS_EC2")
        with metadata_service() as url:
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
            assert instance_type() == "g6e.xlarge"
        assert instance_type() == "unknown"


@contextmanager
def metadata_service() -> Iterator[str]:
    """An instance metadata service, version 2 only."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200 if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else 400, b"token")

        def do_GET(self) -> None:
            granted = self.headers["X-aws-ec2-metadata-token"] == "token"
            known = self.path == "/latest/meta-data/instance-type"
            self._answer(200 if granted and known else 401, b"g6e.xlarge\n")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.part("ADM-5")
class TestLog:
    def test_a_record_is_one_json_line_with_its_fields(self) -> None:
        """Fields for all, fields of this one, and the traceback."""
        try:
            raise ValueError("two\nlines")
        except ValueError:
            record = logging.makeLogRecord(
                {"name": "n", "levelname": "ERROR", "msg": "x %s", "args": ("y",), "exc_info": sys.exc_info()}
            )
        record.uri = Path("p")
        line = JsonLines(job="j").format(record)
        assert "\n" not in line
        fields = json.loads(line)
        assert (fields["message"], fields["job"], fields["uri"], fields["level"]) == ("x y", "j", "p", "ERROR")
        assert "ValueError: two\nlines" in fields["exception"]


@pytest.mark.part("JOB-4")
class TestScratch:
    def test_it_is_empty_and_goes_even_after_a_kill(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a killed entry of the same Batch job left is cleared; a job id cannot lead elsewhere."""
        monkeypatch.setenv("WORKSPACE", str(tmp_path / "base"))
        with scratch("a:1/../x") as folder:
            assert folder.parent == tmp_path / "base"
            (folder / "left").touch()
            with scratch("a:1/../x") as again:
                assert again == folder
                assert list(again.iterdir()) == []
        assert list((tmp_path / "base").iterdir()) == []

    def test_no_location_for_it_is_reported(self, region: Region, tmp_path: Path) -> None:
        """WORKSPACE is a file: ours to mend, and the job hears it."""
        (tmp_path / "file").touch()
        job = region.job(work())
        assert job.run(WORKSPACE=str(tmp_path / "file")).code == 70
        assert isinstance(job.last, Failed)
        assert job.last.category == "bug"


def test_the_frame_starts_without_engines() -> None:
    """Importing the frame loads neither torch nor PIL nor numpy: a bad manifest costs a third of a second."""
    code = "import sys, worker.run; print([n for n in ('torch', 'PIL', 'numpy', 'diffusers') if n in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert shown.stdout.strip() == "[]"
