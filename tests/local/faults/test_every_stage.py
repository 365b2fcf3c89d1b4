"""The whole matrix: the worker is killed in each stage of each kind, twice per job, and the third attempt delivers."""

import signal
import subprocess
from pathlib import Path

import pytest

from infrastructure.local.paths import ACCOUNT, REPO
from infrastructure.local.region import Region
from tests.local.faults.house import LONG, House
from tests.support.region import until

pytestmark = [pytest.mark.full, pytest.mark.part("JOB-4", "JOB-11", "BIL-1"), pytest.mark.timeout(1800)]

IMAGE = (("fetch", "load"), ("draw", "preview"), ("draw", "upload"))
SCENE = (("fetch", "check"), ("masks", "poses"), ("train", "mesh"), ("texture", "export"), ("preview", "report"))


def in_stage(house: House, job_id: str, attempt: int, stage: str) -> bool:
    """Whether the attempt's worker is in the stage, by what it leaves behind: some last only milliseconds, and the
    `stage` that customers read would come too late.
    """
    rows = house.attempt_rows(job_id)
    if len(rows) < attempt or not rows[attempt - 1].get("batch_ids"):
        return False
    if stage == "fetch":
        return bool(house.workers(job_id))
    if stage == "upload":
        prefix = f"runs/{job_id}/1/{attempt}/"
        found = house.region.client("s3").list_objects_v2(Bucket=f"snapforge-dev-assets-{ACCOUNT}", Prefix=prefix)
        names = [str(item["Key"]).removeprefix(prefix) for item in found.get("Contents", ())]
        return any(not name.startswith(("manifest", "claim", "checkpoints")) for name in names)
    log = house.region.state.logs / "batch" / f"{min(rows[attempt - 1]['batch_ids'])}.log"
    return log.exists() and f'"stage": "{stage}"' in log.read_text()


def kill_in(house: House, job_id: str, stages: tuple[str, ...]) -> None:
    """SIGKILL attempt by attempt, each in the next of the stages."""
    for attempt, stage in enumerate(stages, 1):
        until(lambda stage=stage, attempt=attempt: in_stage(house, job_id, attempt, stage), 600, every=0.005)  # type: ignore[misc]
        for process in house.workers(job_id):
            process.send_signal(signal.SIGKILL)


@pytest.mark.usefixtures("prompt_batch_news")
@pytest.mark.parametrize("stages", IMAGE, ids="-".join)
def test_image(house: House, stages: tuple[str, ...]) -> None:
    """A worker that was killed after its result was whole has succeeded: fewer attempts, never more."""
    job_id = house.order(LONG)
    kill_in(house, job_id, stages)

    job = house.settled(job_id, "succeeded", seconds=600)

    assert job["attempt"] <= 3
    house.balanced(job)


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
def test_scene(region: Region, house: House, photos: list[Path], stages: tuple[str, ...]) -> None:
    """Checkpoints carry the work from attempt to attempt; the model is whole."""
    capture_id = house.api.call("create_capture", body={"name": "faults"}).json["id"]
    house.api.upload(photos, capture_id=capture_id)
    house.api.wait_for_capture(capture_id)
    job_id = house.order({"kind": "scene", "capture_id": capture_id, "preset": "draft"})
    kill_in(house, job_id, stages)

    job = house.settled(job_id, "succeeded", seconds=1500)

    assert job["attempt"] == 3
    assert {"model_glb", "model_usdz", "preview"} <= {file["role"] for file in job["results"]["files"]}
    house.balanced(job)
