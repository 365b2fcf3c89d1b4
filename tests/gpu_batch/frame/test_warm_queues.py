"""Messages and claims of a warm worker against queues and a store in memory: what it receives, keeps and puts back."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from snapforge.contracts.base import CONTRACT
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM, LOST_SECONDS, RESULT, Ticket
from tests.gpu_batch.frame.test_modules import never
from tests.gpu_batch.frame.test_warm_batching import manifest
from worker.errors import BugError, TransientError, WorkerError
from worker.kinds import Kind
from worker.signals import Stop
from worker.storage import Missing, Storage, StoredObject
from worker.warm import queues as warm_queues
from worker.warm import ticket_receiver
from worker.warm.in_flight_job import InFlightJob, InFlightJobs
from worker.warm.queues import Message, Queues
from worker.warm.settings import Settings
from worker.warm.ticket_receiver import TicketReceiver

URLS = ("rush", "standard", "bulk")
PREFIX = "s3://bucket/runs/j/1/1/"


class Sqs:
    """Queues by their address, each a list of bodies; notes what it was asked."""

    def __init__(self, **bodies: int) -> None:
        self.bodies = {url: [f"{url}-{number}" for number in range(bodies.get(url, 0))] for url in URLS}
        self.asked: list[tuple[str, int, int, int]] = []
        self.changed: list[tuple[str, int, int]] = []
        self.deleted: list[str] = []
        self.fails = 0
        self.out_of_reach: Exception | None = None

    def receive_message(self, **how: Any) -> dict[str, Any]:
        if self.out_of_reach:
            raise self.out_of_reach
        url, max_count = how["QueueUrl"], how["MaxNumberOfMessages"]
        assert 1 <= max_count <= 10
        self.asked.append((url, max_count, how["WaitTimeSeconds"], how["VisibilityTimeout"]))
        given, self.bodies[url] = self.bodies[url][:max_count], self.bodies[url][max_count:]
        return {"Messages": [{"MessageId": body, "Body": body, "ReceiptHandle": f"r-{body}"} for body in given]}

    def change_message_visibility_batch(self, **how: Any) -> dict[str, Any]:
        if self.out_of_reach:
            raise self.out_of_reach
        entries = how["Entries"]
        assert 1 <= len(entries) <= 10
        assert len({entry["Id"] for entry in entries}) == len(entries)
        self.changed += [(how["QueueUrl"], len(entries), entry["VisibilityTimeout"]) for entry in entries[:1]]
        return {}

    def delete_message(self, **how: Any) -> None:
        if self.out_of_reach:
            raise self.out_of_reach
        if self.fails:
            self.fails -= 1
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "DeleteMessage")
        self.deleted.append(how["ReceiptHandle"])


def message(url: str = "standard", number: int = 0, body: str = "{}") -> Message:
    return Message(f"{url}-{number}", body, f"r-{url}-{number}", url, URLS.index(url))


def queues(sqs: Sqs) -> Queues:
    return Queues(sqs, URLS)


@pytest.mark.part("JOB-6")
class TestReceiving:
    def test_urgent_queues_are_emptied_first_and_no_more_is_taken_than_wanted(self) -> None:
        taken = queues(Sqs(rush=2, standard=3, bulk=9)).take(6)
        assert [(item.queue_url, item.priority) for item in taken] == [
            ("rush", 0), ("rush", 0), ("standard", 1), ("standard", 1), ("standard", 1), ("bulk", 2),
        ]  # fmt: skip

    def test_with_enough_taken_the_other_queues_are_not_asked(self) -> None:
        sqs = Sqs(rush=2, standard=3)
        assert len(queues(sqs).take(2)) == 2
        assert [url for url, *_ in sqs.asked] == ["rush"]

    def test_in_the_others_turn_the_least_urgent_come_first(self) -> None:
        taken = queues(Sqs(rush=2, bulk=3)).take(4, urgent_last=True)
        assert [item.queue_url for item in taken] == ["bulk", "bulk", "bulk", "rush"]

    @pytest.mark.parametrize(("than", "asked"), [(0, []), (1, ["rush"]), (2, ["rush", "standard"])])
    def test_only_what_is_more_urgent_is_asked_for_with_enough_in_flight(self, than: int, asked: list[str]) -> None:
        sqs = Sqs()
        assert queues(sqs).take(4, more_urgent_than=than) == []
        assert [url for url, *_ in sqs.asked] == asked

    def test_a_message_is_ours_for_two_minutes_and_ten_come_at_once(self) -> None:
        """Taking does not wait: there are jobs to draw."""
        sqs = Sqs(rush=40)
        assert len(queues(sqs).take(32)) == 10
        assert sqs.asked[0] == ("rush", 10, 0, 120)

    def test_an_idle_worker_waits_on_all_queues_together(self) -> None:
        """What another queue had to give comes with the next look, and is not lost at the end."""
        sqs = Sqs(standard=1, bulk=1)
        made = queues(sqs)
        got = made.wait(10, 2)
        while len(got) < 2:
            got += made.wait(10, 2)
        assert sorted(item.queue_url for item in got) == ["bulk", "standard"]
        assert {(url, seconds) for url, _, seconds, _ in sqs.asked} == {(url, 2) for url in URLS}
        assert made.close() == []

    def test_a_more_urgent_queue_that_answers_a_moment_later_is_heard_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Within a twentieth of a second; one that does not answer is not waited for."""
        sqs = Sqs(rush=1, standard=1)
        receive, wait = sqs.receive_message, warm_queues.wait
        answers = {"rush": threading.Event(), "standard": threading.Event(), "bulk": threading.Event()}
        answers["standard"].set()
        moments: list[float] = []

        def slow(**how: Any) -> dict[str, Any]:
            answers[how["QueueUrl"]].wait(5.0)
            return receive(**how)

        def waiting(polls: Any, **how: Any) -> Any:
            if "timeout" in how:
                moments.append(how["timeout"])
                answers["rush"].set()
                return wait([made._polls["rush"]])
            return wait(polls, **how)

        monkeypatch.setattr(sqs, "receive_message", slow)
        monkeypatch.setattr(warm_queues, "wait", waiting)
        made = queues(sqs)
        assert {item.queue_url for item in made.wait(10, 2)} == {"rush", "standard"}
        assert len(moments) == 1
        assert 0 < moments[0] <= 0.1
        answers["bulk"].set()
        assert made.close() == []

    def test_of_a_queue_that_is_being_polled_nothing_is_taken_besides(self) -> None:
        """Its answer is on the way."""
        sqs = Sqs(rush=1)
        made = queues(sqs)
        made._polls["rush"] = Future()
        assert made.take(4) == []
        assert [url for url, *_ in sqs.asked] == ["standard", "bulk"]


OUTAGES = [
    ClientError({"Error": {"Code": "ServiceUnavailable"}}, "ReceiveMessage"),
    EndpointConnectionError(endpoint_url="http://sqs"),
]


@pytest.mark.part("JOB-4")
@pytest.mark.parametrize("outage", OUTAGES, ids=["refused", "unreachable"])
class TestOutOfReach:
    """Whether SQS says no or does not answer."""

    def test_a_queue_counts_as_empty_until_the_next_poll(
        self, outage: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        sqs = Sqs(rush=1)
        sqs.out_of_reach = outage
        made = queues(sqs)
        assert made.take(4) == []
        assert made.wait(4, 0) == []
        assert "a queue could not be read" in caplog.messages
        sqs.out_of_reach = None
        assert len(made.take(4)) == 1

    def test_a_visibility_that_cannot_be_changed_ends_nothing(
        self, outage: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The message comes again by itself."""
        sqs = Sqs()
        sqs.out_of_reach = outage
        queues(sqs).extend([message()])
        assert caplog.messages == ["visibility could not be changed"]

    def test_a_message_that_cannot_be_deleted_ends_nothing(
        self, outage: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.warm.queues.time", SimpleNamespace(sleep=lambda seconds: None))
        sqs = Sqs()
        sqs.out_of_reach = outage
        queues(sqs).delete(message())
        assert sqs.deleted == []


@pytest.mark.part("JOB-4")
class TestKeeping:
    def test_visibility_changes_go_by_queue_and_ten_at_a_time(self) -> None:
        """SQS refuses larger batches as a whole."""
        sqs = Sqs()
        queues(sqs).put_back([message("rush", at) for at in range(23)] + [message("bulk")], 7)
        assert sqs.changed == [("rush", 10, 7), ("rush", 10, 7), ("rush", 3, 7), ("bulk", 1, 7)]

    def test_extending_is_for_two_minutes_and_putting_back_for_none(self) -> None:
        sqs = Sqs()
        queues(sqs).extend([message()])
        queues(sqs).put_back([message()])
        assert [seconds for *_, seconds in sqs.changed] == [120, 0]

    @pytest.mark.parametrize(("fails", "deleted"), [(0, 1), (2, 1), (3, 0)])
    def test_deleting_is_tried_three_times_with_a_pause_between(
        self, monkeypatch: pytest.MonkeyPatch, fails: int, deleted: int
    ) -> None:
        """After three failures the message comes again, and nobody waits for that."""
        pauses: list[float] = []
        monkeypatch.setattr("worker.warm.queues.time", SimpleNamespace(sleep=pauses.append))
        sqs = Sqs()
        sqs.fails = fails
        queues(sqs).delete(message())
        assert sqs.deleted == ["r-standard-0"] * deleted
        assert (sqs.fails, len(pauses)) == (0, min(fails, 2))
        assert pauses == sorted(pauses)
        assert all(0.1 <= pause <= 0.4 for pause in pauses)


class MemoryStorage:
    """S3 in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.out_of_reach = False

    def write(self, uri: str, body: bytes, media_type: str) -> None:
        del media_type
        self.objects[uri] = body

    def write_first(self, uri: str, body: bytes, media_type: str) -> bool:
        if self.out_of_reach:
            raise TransientError("storage_unavailable", uri)
        if uri in self.objects:
            return False
        self.write(uri, body, media_type)
        return True

    def read(self, uri: str) -> bytes:
        if uri not in self.objects:
            raise Missing(uri)
        return self.objects[uri]

    def find(self, prefix: str) -> Iterator[StoredObject]:
        return (StoredObject(uri, "e", 1) for uri in self.objects if uri.startswith(prefix))


class Reports:
    """The queue of reports: what was sent, in order."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def send_message(self, **how: Any) -> None:
        self.bodies.append(json.loads(how["MessageBody"]))


class Scenario:
    """A receiver of the worker `warm-1`, with one job whose ticket it has opened."""

    def __init__(self, folder: Path) -> None:
        self.storage, self.sqs, self.reports, self.in_flight = MemoryStorage(), Sqs(), Reports(), InFlightJobs()
        self.failed: list[str] = []
        self.stop = Stop(None, never)
        self.receiver = TicketReceiver(
            Settings(URLS, 0, 4, "warm-1", "1"), cast(Storage, self.storage), queues(self.sqs), self.in_flight,
            self.stop,
            folder=folder, kind=Kind((), lambda context: ("", "")), adapters=cast(Any, None), sqs=self.reports,
            failed=self._fail,
        )  # fmt: skip
        self.open(message())

    def _fail(self, job: InFlightJob, error: WorkerError) -> None:
        self.failed.append(error.code)

    def open(self, one: Message) -> None:
        """The ticket of job `j`, in a message."""
        self.storage.objects[f"{PREFIX}manifest.json"] = manifest().model_dump_json().encode()
        uri = f"{PREFIX}manifest.json"
        one.body = Ticket(job_id="j", run=1, attempt=1, manifest_uri=uri, group="g", pictures=1).model_dump_json()
        self.receiver.open(one)

    def claimed_by(self, owner: str, ago_s: float) -> None:
        self._leave(CLAIM, owner, ago_s)

    def beaten_by(self, owner: str, ago_s: float) -> None:
        self._leave(BEAT, owner, ago_s)

    def _leave(self, name: str, owner: str, ago_s: float) -> None:
        at = (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()
        self.storage.objects[PREFIX + name] = json.dumps({"batch_job_id": owner, "at": at}).encode()

    @property
    def job(self) -> InFlightJob:
        found = self.in_flight.find(PREFIX)
        assert found is not None
        return found


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path)


def reporting() -> list[str]:
    """Threads of reporters that are still there."""
    return [thread.name for thread in threading.enumerate() if thread.name == "reports"]


@pytest.mark.part("JOB-4")
class TestAnothersAttempt:
    @pytest.fixture(autouse=True)
    def _no_thread_is_left(self) -> Iterator[None]:
        """A worker meets thousands of such messages in its life."""
        before = len(reporting())
        yield
        assert len(reporting()) <= before

    def test_it_is_looked_at_again_when_the_owner_would_count_as_lost(self, scenario: Scenario) -> None:
        """Thirty seconds of silence leave sixty: a second more, and not sooner."""
        scenario.claimed_by("warm-0", 300)
        scenario.beaten_by("warm-0", 30)
        assert not scenario.receiver.claim(scenario.job)
        ((url, _, seconds),) = scenario.sqs.changed
        assert url == "standard"
        assert seconds == LOST_SECONDS - 30 + 1
        assert (scenario.sqs.deleted, scenario.reports.bodies, scenario.in_flight.all()) == ([], [], [])

    @pytest.mark.parametrize(("silent_s", "lost"), [(LOST_SECONDS - 2, False), (LOST_SECONDS + 1, True)])
    def test_it_is_lost_after_the_contracts_seconds_of_silence(
        self, scenario: Scenario, silent_s: float, lost: bool
    ) -> None:
        """By the beat, not by the claim; reported in our own name."""
        scenario.claimed_by("warm-0", 3000)
        scenario.beaten_by("warm-0", silent_s)
        assert not scenario.receiver.claim(scenario.job)
        reported = [(report["code"], report["batch_job_id"]) for report in scenario.reports.bodies]
        assert reported == ([("worker_lost", "warm-1")] if lost else [])
        assert scenario.sqs.deleted == (["r-standard-0"] if lost else [])

    def test_a_finished_one_is_reported_in_its_owners_name_however_long_ago(self, scenario: Scenario) -> None:
        scenario.claimed_by("warm-0", 3000)
        scenario.storage.objects[PREFIX + RESULT] = b"{}"
        assert not scenario.receiver.claim(scenario.job)
        assert [(report["type"], report["batch_job_id"]) for report in scenario.reports.bodies] == [("done", "warm-0")]
        assert scenario.sqs.deleted == ["r-standard-0"]

    @pytest.mark.parametrize("finished", [True, False])
    def test_its_end_is_told_for_twenty_seconds(
        self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch, finished: bool
    ) -> None:
        """The jobs that are being drawn wait meanwhile; told or not, the message stays until it is."""
        tried: list[float] = []

        def unheard(self: Any, told: Any, *more: Any) -> bool:
            tried.append(more[-1])
            return not self.close()

        monkeypatch.setattr(ticket_receiver.Reporter, "done", unheard)
        monkeypatch.setattr(ticket_receiver.Reporter, "failed", unheard)
        scenario.claimed_by("warm-0", 3000)
        if finished:
            scenario.storage.objects[PREFIX + RESULT] = b"{}"
        assert not scenario.receiver.claim(scenario.job)
        assert (tried, scenario.sqs.deleted) == ([20.0], [])

    def test_a_canceled_one_is_dropped_without_a_report(self, scenario: Scenario) -> None:
        scenario.claimed_by("warm-0", 3000)
        scenario.storage.objects[PREFIX + CANCELED] = b"{}"
        assert not scenario.receiver.claim(scenario.job)
        assert (scenario.reports.bodies, scenario.sqs.deleted) == ([], ["r-standard-0"])

    def test_a_store_out_of_reach_is_tried_again_in_ten_seconds(self, scenario: Scenario) -> None:
        scenario.storage.out_of_reach = True
        assert not scenario.receiver.claim(scenario.job)
        assert scenario.sqs.changed == [("standard", 1, 10)]
        assert (scenario.in_flight.all(), scenario.failed, scenario.stop.event.is_set()) == ([], [], False)


@pytest.mark.part("JOB-4")
class TestOwnAttempt:
    def test_claiming_writes_the_first_beat_before_anything_is_fetched(self, scenario: Scenario) -> None:
        """Others hold a claim without a beat against its own age."""
        assert scenario.receiver.claim(scenario.job)
        assert json.loads(scenario.storage.objects[PREFIX + BEAT])["batch_job_id"] == "warm-1"
        assert scenario.job.missing == [0]

    def test_the_customer_hears_that_it_has_begun(self, scenario: Scenario) -> None:
        assert scenario.receiver.claim(scenario.job)
        _, reporter = scenario.job.claimed_attempt()
        reporter.close()
        assert [(report["type"], report["stage"]) for report in scenario.reports.bodies] == [("progress", "fetch")]

    def test_files_that_another_entry_left_are_no_pictures_of_this_one(
        self, scenario: Scenario, tmp_path: Path
    ) -> None:
        """The process before died, on the same disk."""
        left = tmp_path / "j-1-1"
        left.mkdir()
        (left / "picture-00.png").write_bytes(b"half a picture")
        assert scenario.receiver.claim(scenario.job)
        assert (scenario.job.missing, scenario.failed) == ([0], [])

    @pytest.mark.part("JOB-5")
    def test_a_canceled_one_is_not_begun(self, scenario: Scenario) -> None:
        """It ends as canceled; nothing is fetched for it."""
        scenario.storage.objects[PREFIX + CANCELED] = b"{}"
        assert not scenario.receiver.claim(scenario.job)
        assert scenario.failed == ["canceled"]
        assert scenario.job.canceled.is_set()

    def test_of_an_entry_before_this_one_its_pictures_are_kept_and_the_interruption_counted(
        self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At once, in case this one dies before its first checkpoint. A first entry has nothing to count."""
        entries: list[bool] = []
        attempt = ticket_receiver.Attempt

        def noting(*of: Any, **how: Any) -> Any:
            entries.append(how["resumed"])
            return attempt(*of, **how)

        monkeypatch.setattr(ticket_receiver, "Attempt", noting)
        monkeypatch.setattr(attempt, "save", lambda self: entries.append(True))
        scenario.claimed_by("warm-1", 300)
        assert scenario.receiver.claim(scenario.job)
        assert entries == [True, True]

    def test_a_first_entry_has_nothing_to_count(self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
        saved: list[int] = []
        monkeypatch.setattr(ticket_receiver.Attempt, "save", lambda self: saved.append(1))
        assert scenario.receiver.claim(scenario.job)
        assert saved == []

    def test_one_of_whose_pictures_some_are_here_draws_the_others(
        self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ticket_receiver.draw, "missing", lambda context: [])
        assert scenario.receiver.claim(scenario.job)
        assert (scenario.job.missing, scenario.job.to_draw, scenario.job.all_drawn) == ([], 0, True)

    def test_one_that_cannot_be_set_up_fails_as_its_claimant(self, scenario: Scenario) -> None:
        """Its claim stands: put back, it would wait for beats that do not come."""
        write = scenario.storage.write

        def out_of_reach(uri: str, body: bytes, media_type: str) -> None:
            if uri.endswith(BEAT):
                raise TransientError("storage_unavailable", uri)
            write(uri, body, media_type)

        scenario.storage.write = cast(Any, out_of_reach)
        assert not scenario.receiver.claim(scenario.job)
        assert (scenario.failed, scenario.sqs.changed) == (["storage_unavailable"], [])

    def test_a_second_message_of_it_is_a_duplicate(self, scenario: Scenario) -> None:
        """The same delivery again gives the newer receipt; another message is deleted, also after the end."""
        again = message()
        again.receipt = "newer"
        scenario.open(again)
        assert (scenario.job.message.receipt, scenario.sqs.deleted) == ("newer", [])
        scenario.open(message(number=1))
        assert scenario.sqs.deleted == ["r-standard-1"]
        scenario.in_flight.remove(scenario.job, ended=True)
        scenario.open(message(number=2))
        assert scenario.sqs.deleted == ["r-standard-1", "r-standard-2"]
        assert scenario.in_flight.all() == []

    def test_one_that_was_put_back_is_taken_when_it_comes_again(self, scenario: Scenario) -> None:
        scenario.in_flight.remove(scenario.job)
        scenario.open(message())
        assert len(scenario.in_flight.all()) == 1

    def test_a_thousand_ends_are_remembered(self, scenario: Scenario) -> None:
        """More than come within a message's visibility, and no more than a process can hold."""
        job = scenario.job
        for number in range(1001):
            job.prefix = f"p{number}"
            scenario.in_flight.remove(job, ended=True)
        assert [scenario.in_flight.recently_ended(f"p{number}") for number in (0, 1, 1000)] == [False, True, True]


def opened(scenario: Scenario, body: str, number: int = 1) -> list[tuple[str, int, int]]:
    """What became of a message with this body: the changes of its visibility."""
    scenario.sqs.changed.clear()
    scenario.receiver.open(message(number=number, body=body))
    return scenario.sqs.changed


def ticket(**more: Any) -> str:
    """A ticket of another job."""
    fields = {"job_id": "k", "run": 1, "attempt": 1, "group": "g", "pictures": 1}
    return Ticket.model_validate(
        fields | {"manifest_uri": "s3://bucket/runs/k/1/1/manifest.json"} | more
    ).model_dump_json()


@pytest.mark.part("JOB-4")
class TestTickets:
    """Which are read, and what becomes of the others."""

    @pytest.mark.parametrize(
        "body",
        [
            "no ticket",
            "{}",
            ticket(contract=CONTRACT + 1),
            ticket(contract=CONTRACT - 2),
            ticket(manifest_uri="https://bucket/manifest.json"),
        ],
    )
    def test_one_that_no_release_of_ours_reads_is_put_back_at_once(self, scenario: Scenario, body: str) -> None:
        """After five receives it is a dead letter, and the control plane fails it."""
        assert opened(scenario, body) == [("standard", 1, 0)]
        assert (scenario.sqs.deleted, scenario.reports.bodies) == ([], [])

    @pytest.mark.parametrize("contract", [CONTRACT, CONTRACT - 1])
    def test_this_releases_and_the_one_befores_are_read(self, scenario: Scenario, contract: int) -> None:
        """While a deployment is under way both are sent."""
        uri = "s3://bucket/runs/k/1/1/manifest.json"
        scenario.storage.objects[uri] = manifest().model_dump_json().encode()
        assert opened(scenario, ticket(contract=contract)) == []
        assert scenario.in_flight.find("s3://bucket/runs/k/1/1/") is not None

    def test_a_long_text_is_not_logged_whole(self, scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
        """Five hundred characters tell whose it is."""
        body = ticket(contract=CONTRACT + 1, group="x" * 2000)
        opened(scenario, body)
        shown = 500 - body.index("xxx")
        assert "x" * shown in caplog.text
        assert "x" * (shown + 1) not in caplog.text

    def test_a_manifest_that_says_nobody_is_put_back(self, scenario: Scenario) -> None:
        """There is nowhere to report to."""
        scenario.storage.objects["s3://bucket/runs/k/1/1/manifest.json"] = b"{}"
        assert opened(scenario, ticket()) == [("standard", 1, 0)]
        assert (scenario.sqs.deleted, scenario.reports.bodies) == ([], [])

    def unreadable(self, scenario: Scenario) -> None:
        """A manifest that still says whose it is."""
        whose = {"job_id": "k", "run": 1, "attempt": 1, "reports_queue_url": "q"}
        scenario.storage.objects["s3://bucket/runs/k/1/1/manifest.json"] = json.dumps(whose).encode()

    def test_a_manifest_that_is_no_work_order_fails_its_attempt_as_its_claimant(self, scenario: Scenario) -> None:
        self.unreadable(scenario)
        assert opened(scenario, ticket()) == []
        assert [(report["code"], report["job_id"]) for report in scenario.reports.bodies] == [("bad_manifest", "k")]
        assert scenario.sqs.deleted == ["r-standard-1"]
        assert "s3://bucket/runs/k/1/1/" + CLAIM in scenario.storage.objects

    def test_that_of_another_worker_is_his_to_tell(self, scenario: Scenario) -> None:
        self.unreadable(scenario)
        owner = {"batch_job_id": "warm-0", "at": datetime.now(UTC).isoformat(), "batch_attempt": "1", "entry": "e"}
        scenario.storage.objects["s3://bucket/runs/k/1/1/" + CLAIM] = json.dumps(owner).encode()
        assert opened(scenario, ticket()) == []
        assert (scenario.reports.bodies, scenario.sqs.deleted) == ([], ["r-standard-1"])

    def test_it_is_told_later_where_the_store_cannot_be_reached_for_the_claim(self, scenario: Scenario) -> None:
        self.unreadable(scenario)
        scenario.storage.out_of_reach = True
        assert opened(scenario, ticket()) == [("standard", 1, 10)]
        assert (scenario.reports.bodies, scenario.sqs.deleted) == ([], [])


@pytest.mark.part("JOB-4")
class TestSettings:
    def test_defaults_are_five_minutes_and_four_pictures(self) -> None:
        read = Settings.read({"IMAGE_QUEUE_URLS": " a , b,", "AWS_BATCH_JOB_ID": "w"})
        assert read == Settings(("a", "b"), 300.0, 4, "w", "1")

    @pytest.mark.parametrize("wrong", [{"IDLE_SECONDS": "-1"}, {"MICRO_BATCH": "0"}, {"IMAGE_QUEUE_URLS": " , "}])
    def test_what_cannot_work_is_refused(self, wrong: dict[str, str]) -> None:
        with pytest.raises(BugError, match="must be set"):
            Settings.read({"IMAGE_QUEUE_URLS": "a", "AWS_BATCH_JOB_ID": "w"} | wrong)

    def test_zero_idle_seconds_and_one_picture_are_allowed(self) -> None:
        one = {"IMAGE_QUEUE_URLS": "a", "AWS_BATCH_JOB_ID": "w", "IDLE_SECONDS": "0", "MICRO_BATCH": "1"}
        assert Settings.read(one).micro_batch == 1
