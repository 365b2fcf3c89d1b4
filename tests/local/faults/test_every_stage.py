"""The whole matrix: the worker is killed in each stage of each kind, mostly twice a job; the next attempt delivers."""

import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from infrastructure.local.paths import REPO
from infrastructure.local.region import Region
from tests.local.faults.scenario import LONG, Scenario, processes
from tests.support.region import until

pytestmark = [pytest.mark.full, pytest.mark.part("JOB-4", "JOB-11", "BIL-1"), pytest.mark.timeout(1800)]

IMAGE = (("claim", "load"), ("draw", "upload"), ("report",))
SCENE = (("fetch", "check"), ("masks", "poses"), ("train", "mesh"), ("texture", "export"), ("preview", "report"))
OFTEN = 0.005
"""Seconds between two looks: some stages last only milliseconds."""


@pytest.fixture
def cold(region: Region) -> None:
    """No warm worker is left of earlier tests."""
    batch, queue = region.client("batch"), "snapforge-dev-images"

    def running() -> list[str]:
        return [job["jobId"] for job in batch.list_jobs(jobQueue=queue, jobStatus="RUNNING")["jobSummaryList"]]

    for batch_id in running():
        batch.terminate_job(jobId=batch_id, reason="the next test wants a fresh one")
    until(lambda: not running(), seconds=60)


def wait_for_picture_stage(scenario: Scenario, job_id: str, attempt: int, stage: str) -> None:
    """Return while the warm worker that has claimed the attempt is in the stage, by what it tells or leaves behind."""
    match stage:
        case "claim":
            return
        case "load":
            scenario.when(job_id, "load", attempt=attempt)
        case "draw":
            until(lambda: scenario.kept(job_id, attempt), 300, every=OFTEN)
        case "upload":
            until(lambda: any(name.endswith(".png") for name in scenario.left_in_s3(job_id, attempt)), 300, every=OFTEN)
        case "report":
            until(lambda: "result.json" in scenario.left_in_s3(job_id, attempt), 300, every=OFTEN)


@pytest.mark.usefixtures("prompt_batch_news", "cold")
@pytest.mark.parametrize("stages", IMAGE, ids="-".join)
def test_image(scenario: Scenario, stages: tuple[str, ...]) -> None:
    """SIGKILL attempt by attempt, each in the next of the stages; each worker is another one.

    A worker that was killed after its result was whole has succeeded: fewer attempts, never more.
    """
    job_id = scenario.order(LONG)
    killed = set()
    for attempt, stage in enumerate(stages, 1):
        worker = until(partial(scenario.claimant, job_id, attempt), 600, every=OFTEN)
        assert worker is not None
        hit = processes({worker})
        wait_for_picture_stage(scenario, job_id, attempt, stage)
        assert hit
        for process in hit:
            process.send_signal(signal.SIGKILL)
        killed.add(worker)

    job = scenario.settled(job_id, "succeeded", seconds=600)

    kills = len(stages)
    assert job["attempt"] in {"upload": (kills, kills + 1), "report": (kills,)}.get(stages[-1], (kills + 1,))
    assert len(killed) == kills
    assert job["attempt"] == kills or scenario.claimant(job_id, job["attempt"]) not in killed
    scenario.balanced(job)


@pytest.mark.usefixtures("prompt_batch_news")
def test_image_whose_ticket_was_read_and_nothing_more(scenario: Scenario) -> None:
    """It lay in the killed worker's hands behind another: it costs no attempt, and comes back when its time is over."""
    first = scenario.order(LONG | {"count": 16})
    scenario.when(first, "draw")
    second = scenario.order(LONG | {"count": 1, "width": 160})
    until(lambda: scenario.sent(second) and scenario.tickets(in_hand=False) == 0, seconds=60)
    scenario.signal_worker(first, signal.SIGKILL)
    assert scenario.claimant(second) is None

    ended = [scenario.settled(job_id, "succeeded", seconds=600) for job_id in (first, second)]

    assert [job["attempt"] for job in ended] == [2, 1]
    scenario.balanced(*ended)


def in_stage(scenario: Scenario, job_id: str, attempt: int, stage: str) -> bool:
    """Whether the Batch job of a scene's attempt is in the stage, by its log: some last only milliseconds, and the
    `stage` that customers read would come too late.
    """
    rows = scenario.attempt_rows(job_id)
    if len(rows) < attempt or not rows[attempt - 1].get("batch_ids"):
        return False
    if stage == "fetch":
        return bool(scenario.workers(job_id))
    log = scenario.region.state.logs / "batch" / f"{min(rows[attempt - 1]['batch_ids'])}.log"
    return log.exists() and f'"stage": "{stage}"' in log.read_text()


def kill_in(scenario: Scenario, job_id: str, stages: tuple[str, ...]) -> None:
    """SIGKILL attempt by attempt, each in the next of the stages."""
    for attempt, stage in enumerate(stages, 1):
        until(partial(in_stage, scenario, job_id, attempt, stage), 600, every=OFTEN)
        for process in scenario.workers(job_id):
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty small photos of a textured object."""
    folder = tmp_path_factory.mktemp("photos") / "given"
    python = str(REPO / ".venvs" / "scene" / "bin" / "python")
    command = [python, "-m", "infrastructure.local.demo.render", str(folder), "--count", "20"]
    subprocess.run([*command, "--width", "400", "--height", "300"], cwd=REPO, check=True, capture_output=True)
    return sorted(folder.glob("*.jpg"))


@pytest.mark.usefixtures("prompt_batch_news")
@pytest.mark.parametrize("stages", SCENE, ids="-".join)
def test_scene(region: Region, scenario: Scenario, photos: list[Path], stages: tuple[str, ...]) -> None:
    """Checkpoints carry the work from attempt to attempt; the model is whole."""
    capture_id = scenario.api.call("create_capture", body={"name": "faults"}).json["id"]
    scenario.api.upload(photos, capture_id=capture_id)
    scenario.api.wait_for_capture(capture_id)
    job_id = scenario.order({"kind": "scene", "capture_id": capture_id, "preset": "draft"})
    kill_in(scenario, job_id, stages)

    job = scenario.settled(job_id, "succeeded", seconds=1500)

    assert job["attempt"] == 3
    assert {"model_glb", "model_usdz", "preview"} <= {file["role"] for file in job["results"]["files"]}
    scenario.balanced(job)
