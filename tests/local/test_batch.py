"""Local Batch, through boto3's own client: what AWS Batch promises, with real processes."""

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from infrastructure.local.region import Region
from tests.local.test_events import Seen
from tests.support.region import until


class Batch:
    """A short way to submit Python code as a job, and to wait for it."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.api = region.client("batch")

    def submit(self, code: str, queue: str = "dev-rush", **more: Any) -> str:
        overrides = {"command": ["python", "-c", code], **more.pop("containerOverrides", {})}
        request = {"jobName": "test", "jobQueue": queue, "jobDefinition": "dev-plain", "containerOverrides": overrides}
        job_id: str = self.api.submit_job(**{**request, **more})["jobId"]
        return job_id

    def look(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.api.describe_jobs(jobs=[job_id])["jobs"][0]
        return job

    def until(self, job_id: str, *statuses: str, seconds: float = 20) -> dict[str, Any]:
        wanted = statuses or ("SUCCEEDED", "FAILED")

        def there() -> dict[str, Any] | None:
            job = self.look(job_id)
            return job if job["status"] in wanted else None

        return until(there, seconds) or {}

    def log(self, job_id: str) -> str:
        """What the job printed, without the headings of its attempts."""
        lines = (self.region.state_dir / "logs" / "batch" / f"{job_id}.log").read_text().splitlines()
        return "\n".join(line for line in lines if not line.startswith("--- attempt"))

    def until_it_says(self, job_id: str, word: str) -> str:
        self.until(job_id, "RUNNING")
        until(lambda: word in self.log(job_id))
        return self.log(job_id)


@pytest.fixture(scope="module")
def batch(small: Region) -> Batch:
    return Batch(small)


SLEEP = "import time; print('up', flush=True); time.sleep(60)"


def until_there(gate: Path) -> str:
    """A job that holds its machine until the test makes this file (or a minute has passed)."""
    return (
        "import pathlib, time; end = time.monotonic() + 60\n"
        f"while not pathlib.Path({str(gate)!r}).exists() and time.monotonic() < end: time.sleep(0.02)"
    )


class TestAJobsWay:
    """Submit, run, end."""

    def test_a_job_runs_its_command_and_succeeds(self, batch: Batch) -> None:
        job = batch.until(batch.submit("print('hello from the job')"))

        assert job["status"] == "SUCCEEDED"
        assert job["container"]["exitCode"] == 0
        assert job["statusReason"] == "Essential container in task exited"
        assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
        assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [0]
        assert "hello from the job" in batch.log(job["jobId"])

    def test_the_definitions_command_takes_parameters(self, batch: Batch) -> None:
        job_id = batch.api.submit_job(
            jobName="parametrised", jobQueue="dev-rush", jobDefinition="dev-plain", parameters={"what": "this one"}
        )["jobId"]

        assert batch.until(job_id)["container"]["command"] == ["python", "-c", "print('this one')"]
        assert "this one" in batch.log(job_id)

    def test_the_environment_is_the_definitions_then_the_submissions_then_batchs(self, batch: Batch) -> None:
        """Volumes are folders of the attempt, which are gone when it ends."""
        code = "import os, json; os.makedirs(os.environ['WORKSPACE']); print(json.dumps(dict(os.environ)))"
        environment = [{"name": "MINE", "value": "1"}]
        job_id = batch.submit(code, containerOverrides={"environment": environment})
        batch.until(job_id)

        seen = json.loads(batch.log(job_id).splitlines()[-1])
        assert seen["TABLE"] == "dev-further"
        assert seen["MINE"] == "1"
        assert seen["AWS_BATCH_JOB_ID"] == job_id
        assert seen["AWS_BATCH_JOB_ATTEMPT"] == "1"
        assert seen["AWS_BATCH_JQ_NAME"] == "dev-rush"
        assert seen["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert seen["WORKSPACE"].startswith(str(batch.region.state_dir))
        assert not (batch.region.state_dir / "batch" / "scratch" / f"{job_id}-1").exists()
        assert "LEAKED_FROM_OUTSIDE" not in seen

    def test_a_job_runs_at_low_priority_in_a_group_of_its_own(self, batch: Batch) -> None:
        job_id = batch.submit("import os; print(os.nice(0), os.getpid() == os.getpgrp())")
        batch.until(job_id)

        assert batch.log(job_id).splitlines()[-1] == "5 True"

    def test_an_image_without_an_environment_here_cannot_be_pulled(self, batch: Batch) -> None:
        batch.api.register_job_definition(
            jobDefinitionName="stranger",
            type="container",
            containerProperties={"image": "repo/stranger:1", "command": ["x"]},
        )
        job = batch.until(batch.submit("pass", jobDefinition="stranger"))

        assert job["status"] == "FAILED"
        assert "CannotPullContainerError" in job["attempts"][0]["container"]["reason"]

    def test_a_job_that_depends_on_another_waits_and_fails_with_it(self, batch: Batch) -> None:
        first = batch.submit("raise SystemExit(3)")
        second = batch.submit("pass", dependsOn=[{"jobId": first}])

        assert batch.until(second)["statusReason"] == "Dependent Job failed"


class TestRetries:
    """retryStrategy and evaluateOnExit."""

    def test_exit_75_is_tried_again_and_the_attempt_number_rises(self, batch: Batch) -> None:
        code = "import os; raise SystemExit(75 if os.environ['AWS_BATCH_JOB_ATTEMPT'] != '3' else 0)"
        job = batch.until(batch.submit(code))

        assert job["status"] == "SUCCEEDED"
        assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75, 75, 0]

    def test_attempts_run_out(self, batch: Batch) -> None:
        job = batch.until(batch.submit("raise SystemExit(75)"))

        assert job["status"] == "FAILED"
        assert len(job["attempts"]) == 3
        assert job["container"]["exitCode"] == 75

    def test_an_exit_condition_ends_it_at_once(self, batch: Batch) -> None:
        job = batch.until(batch.submit("raise SystemExit(65)"))

        assert (job["status"], len(job["attempts"])) == ("FAILED", 1)

    def test_without_conditions_any_failure_is_tried_again(self, batch: Batch) -> None:
        job = batch.until(batch.submit("raise SystemExit(1)", retryStrategy={"attempts": 2}))

        assert len(job["attempts"]) == 2

    def test_a_killed_process_counts_as_128_plus_the_signal(self, batch: Batch) -> None:
        job = batch.until(batch.submit("import os; os.kill(os.getpid(), 9)"))

        assert job["container"]["exitCode"] == 137
        assert len(job["attempts"]) == 1  # onExitCode "*"


class TestEnding:
    """Timeout, TerminateJob, CancelJob."""

    def test_an_attempt_past_its_duration_is_stopped_and_not_tried_again(self, batch: Batch) -> None:
        job = batch.until(batch.submit(SLEEP, timeout={"attemptDurationSeconds": 1}))

        assert job["statusReason"] == "Job attempt duration exceeded timeout"
        assert len(job["attempts"]) == 1
        assert job["container"]["exitCode"] == 143

    def test_a_terminated_job_gets_sigterm_and_fails_with_the_reason(self, batch: Batch) -> None:
        code = "import signal, time, sys; signal.signal(15, lambda *_: (print('saving'), sys.exit(75))); "
        job_id = batch.submit(code + "print('up', flush=True); time.sleep(60)")
        batch.until_it_says(job_id, "up")
        batch.api.terminate_job(jobId=job_id, reason="the customer canceled")

        job = batch.until(job_id)
        assert (job["status"], job["statusReason"]) == ("FAILED", "the customer canceled")
        assert job["isTerminated"] is True
        assert job["container"]["exitCode"] == 75
        assert len(job["attempts"]) == 1
        assert "saving" in batch.log(job_id)

    def test_one_that_does_not_listen_is_killed_with_all_it_started(self, batch: Batch) -> None:
        code = (
            "import signal, time, subprocess; signal.signal(15, signal.SIG_IGN); "
            "print('child', subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(60)"
        )
        job_id = batch.submit(code)
        child = int(batch.until_it_says(job_id, "child ").split("child ")[1].split()[0])
        batch.api.terminate_job(jobId=job_id, reason="now")

        assert batch.until(job_id)["container"]["exitCode"] == 137
        until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)

    def test_cancel_ends_what_waits_and_leaves_what_runs(self, batch: Batch, tmp_path: Path) -> None:
        running = batch.submit(until_there(tmp_path / "gate"))
        batch.until(running, "RUNNING")
        waiting = batch.submit("pass")
        for job_id in (running, waiting):
            batch.api.cancel_job(jobId=job_id, reason="changed my mind")

        assert batch.until(waiting)["statusReason"] == "changed my mind"
        (tmp_path / "gate").touch()
        assert batch.until(running)["status"] == "SUCCEEDED"

    def test_terminating_what_has_ended_changes_nothing(self, batch: Batch) -> None:
        job_id = batch.submit("pass")
        batch.until(job_id)
        batch.api.terminate_job(jobId=job_id, reason="late")

        assert batch.look(job_id)["status"] == "SUCCEEDED"


class TestQueues:
    """One slot: who is next."""

    def test_the_higher_queue_goes_first(self, batch: Batch, tmp_path: Path) -> None:
        blocker = batch.submit(until_there(tmp_path / "gate"))
        batch.until(blocker, "RUNNING")
        low = batch.submit("pass", queue="dev-standard", shareIdentifier="a")
        high = batch.submit("pass", queue="dev-rush")

        for waits in (low, high):
            batch.until(waits, "RUNNABLE")
        (tmp_path / "gate").touch()
        assert batch.until(high)["startedAt"] <= batch.until(low)["startedAt"]

    def test_shares_take_turns(self, batch: Batch, tmp_path: Path) -> None:
        """A share that has just used the machine waits behind one that has not, however long its queue."""
        blocker = batch.submit(until_there(tmp_path / "gate"), queue="dev-standard", shareIdentifier="greedy")
        batch.until(blocker, "RUNNING")
        greedy = [batch.submit("pass", queue="dev-standard", shareIdentifier="greedy") for _ in range(3)]
        modest = batch.submit("pass", queue="dev-standard", shareIdentifier="modest")
        (tmp_path / "gate").touch()

        started = batch.until(modest)["startedAt"]
        assert all(batch.until(job_id)["startedAt"] >= started for job_id in greedy)


class TestNews:
    """`Batch Job State Change` on the default bus, through a rule to a queue."""

    def test_each_change_that_the_rule_wants_arrives_as_describe_jobs_shows_it(self, batch: Batch) -> None:
        job_id = batch.submit("raise SystemExit(65)")
        batch.until(job_id)

        news = Seen(batch.region, "dev-batch-states")
        events = news.until(lambda messages: any(message["detail"]["jobId"] == job_id for message in messages))
        mine = [event for event in events if event["detail"]["jobId"] == job_id]
        assert [event["detail"]["status"] for event in mine] == ["FAILED"]
        assert mine[0]["source"] == "aws.batch"
        assert mine[0]["detail-type"] == "Batch Job State Change"
        assert mine[0]["detail"]["container"]["exitCode"] == 65
        assert mine[0]["resources"] == [mine[0]["detail"]["jobArn"]]


class TestLooking:
    """DescribeJobs, ListJobs, definitions, queues."""

    def test_list_jobs_filters_and_pages(self, batch: Batch) -> None:
        began = int(time.time() * 1000) - 1
        names = [f"listed-{n}" for n in range(3)]
        for name in names:
            batch.until(batch.submit("pass", jobName=name))

        def listed(*filters: dict[str, Any], **more: Any) -> list[str]:
            pages = batch.api.get_paginator("list_jobs").paginate(
                jobQueue="dev-rush", filters=list(filters), PaginationConfig={"PageSize": 2}, **more
            )
            return [job["jobName"] for page in pages for job in page["jobSummaryList"]]

        assert listed({"name": "JOB_NAME", "values": ["LISTED-*"]}) == names[::-1]
        assert listed({"name": "JOB_NAME", "values": ["listed-1"]}) == ["listed-1"]
        after = {"name": "AFTER_CREATED_AT", "values": [str(began)]}
        assert listed(after, {"name": "JOB_DEFINITION", "values": ["dev-pl*"]}) == names[::-1]
        assert listed({"name": "BEFORE_CREATED_AT", "values": ["1"]}) == []
        done = batch.api.list_jobs(jobQueue="dev-rush", jobStatus="SUCCEEDED")["jobSummaryList"]
        assert names[-1] in [job["jobName"] for job in done]

    def test_list_jobs_shows_running_ones_unless_told_otherwise(self, batch: Batch, tmp_path: Path) -> None:
        job_id = batch.submit(until_there(tmp_path / "gate"))
        batch.until(job_id, "RUNNING")

        assert [job["jobId"] for job in batch.api.list_jobs(jobQueue="dev-rush")["jobSummaryList"]] == [job_id]
        (tmp_path / "gate").touch()
        batch.until(job_id)

    def test_shares_can_be_listed(self, batch: Batch) -> None:
        batch.until(batch.submit("pass", queue="dev-standard", shareIdentifier="findme"))

        found = batch.api.list_jobs(
            jobQueue="dev-standard", filters=[{"name": "SHARE_IDENTIFIER", "values": ["findme"]}]
        )["jobSummaryList"]
        assert len(found) == 1

    def test_definitions_have_revisions(self, batch: Batch) -> None:
        for command in (["a"], ["b"]):
            batch.api.register_job_definition(
                jobDefinitionName="revised",
                type="container",
                containerProperties={"image": "x/plain:1", "command": command},
            )

        found = batch.api.describe_job_definitions(jobDefinitionName="revised", status="ACTIVE")["jobDefinitions"]
        assert [definition["revision"] for definition in found] == [2, 1]
        first = batch.api.describe_job_definitions(jobDefinitions=["revised:1"])["jobDefinitions"][0]
        assert first["containerProperties"]["command"] == ["a"]

    def test_the_templates_queues_and_definitions_are_there(self, batch: Batch) -> None:
        queues = {queue["jobQueueName"]: queue for queue in batch.api.describe_job_queues()["jobQueues"]}
        assert {name: queue["priority"] for name, queue in queues.items()} == {"dev-rush": 100, "dev-standard": 10}
        definition = batch.api.describe_job_definitions(jobDefinitionName="dev-plain")["jobDefinitions"][0]
        assert definition["timeout"] == {"attemptDurationSeconds": 60}
        assert definition["retryStrategy"]["evaluateOnExit"][1] == {"action": "RETRY", "onExitCode": "75"}
        assert definition["containerProperties"]["image"].endswith("/dev-plain:latest")


class TestRefusals:
    """A ClientException with AWS's reason, nothing started."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"jobName": "no spaces"}, "jobName"),
            ({"jobQueue": "nowhere"}, "Job Queue nowhere does not exist"),
            ({"jobDefinition": "nothing"}, "JobDefinition nothing does not exist"),
            ({"jobDefinition": "dev-plain:99"}, "does not exist"),
            ({"jobQueue": "dev-standard"}, "shareIdentifier must be specified"),
            ({"shareIdentifier": "a"}, "shareIdentifier cannot be specified"),
            ({"jobQueue": "dev-standard", "shareIdentifier": "a-b"}, "alphanumeric"),
            ({"timeout": {"attemptDurationSeconds": 0}}, "attemptDurationSeconds"),
            ({"retryStrategy": {"attempts": 11}}, "attempts must be between 1 and 10"),
            ({"arrayProperties": {"size": 2}}, "array"),
            ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": ""}]}}, "AWS_BATCH"),
        ],
    )
    def test_a_bad_submission_is_refused(self, batch: Batch, change: dict[str, Any], words: str) -> None:
        request = {"jobName": "bad", "jobQueue": "dev-rush", "jobDefinition": "dev-plain"}

        with pytest.raises(batch.api.exceptions.ClientException, match=words):
            batch.api.submit_job(**{**request, **change})

    def test_other_operations_refuse_what_is_not_there(self, batch: Batch) -> None:
        with pytest.raises(batch.api.exceptions.ClientException, match="does not exist"):
            batch.api.terminate_job(jobId="nobody", reason="x")
        with pytest.raises(batch.api.exceptions.ClientException, match="Job Queue"):
            batch.api.list_jobs(jobQueue="nowhere")
        with pytest.raises(batch.api.exceptions.ClientException, match="Invalid filter"):
            batch.api.list_jobs(jobQueue="dev-rush", filters=[{"name": "COLOUR", "values": ["red"]}])
        assert batch.api.describe_jobs(jobs=["nobody"])["jobs"] == []
        with pytest.raises(ClientError, match="not spoken here"):
            batch.api.deregister_job_definition(jobDefinition="dev-plain:1")


class TestRestart:
    """The machine under it goes away and comes back."""

    def test_what_ran_is_lost_as_with_spot_and_tried_again_if_the_definition_says_so(self, batch: Batch) -> None:
        code = "import os, time; time.sleep(60 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 0)"
        retried = batch.submit(code)
        batch.until(retried, "RUNNING")
        waiting = batch.submit("pass")
        batch.region.restart_batch()

        job = batch.until(retried)
        assert job["status"] == "SUCCEEDED"
        assert job["attempts"][0]["statusReason"] == "Host EC2 (instance local) terminated"
        assert "exitCode" not in job["attempts"][0]["container"]
        assert batch.until(waiting)["status"] == "SUCCEEDED"

    def test_without_a_retry_it_is_failed(self, batch: Batch) -> None:
        job_id = batch.submit(SLEEP, retryStrategy={"attempts": 1})
        batch.until(job_id, "RUNNING")
        batch.region.restart_batch()

        job = batch.until(job_id)
        assert (job["status"], job["statusReason"]) == ("FAILED", "Host EC2 (instance local) terminated")

    def test_a_killed_batch_leaves_no_process_and_comes_back(self, batch: Batch) -> None:
        job_id = batch.submit(SLEEP, retryStrategy={"attempts": 1})
        batch.until(job_id, "RUNNING")
        family = psutil.Process(batch.region.batch.pid).children(True)
        psutil.Process(batch.region.batch.pid).kill()

        assert batch.until(job_id)["status"] == "FAILED"
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
