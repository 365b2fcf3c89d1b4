"""The worker of a LoRA's training dies in the middle: another goes on from its checkpoint, and one version is ready."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.gpu_batch.lora.things import write
from tests.local.faults.scenario import Scenario
from tests.support.region import until

STEPS = 400
"""A training is kept every 20 s; so many steps take longer than that twice over."""
ORDER = {"kind": "lora", "rights": True, "name": "Ball", "trigger": "stripball", "subject": "toy", "steps": STEPS}


def step(job: dict[str, Any], attempt: int) -> int:
    """The step that the training has told of in this attempt; 0 before that."""
    told = re.match(rf"Step (\d+) of {STEPS}", job["progress"].get("message", ""))
    return int(told[1]) if told and job["attempt"] == attempt else 0


def order(scenario: Scenario, photos: list[Path]) -> str:
    """Photos to a capture, and a LoRA of them ordered."""
    capture_id = scenario.api.call("create_capture", body={"name": "ball"}).json["id"]
    scenario.api.upload(photos, capture_id=capture_id)
    scenario.api.wait_for_capture(capture_id)
    return scenario.order(ORDER | {"capture_id": capture_id})


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("prompt_batch_news")
@pytest.mark.part("JOB-4", "JOB-9", "BIL-1")
def test_killed_after_a_checkpoint_the_training_goes_on_from_it_elsewhere(scenario: Scenario, tmp_path: Path) -> None:
    """SIGKILL, no last word: at most what came after the checkpoint is lost, and all is paid for and told once."""
    job_id = order(scenario, write(tmp_path, 6))
    told: list[int] = []

    def kept() -> bool:
        told.append(step(scenario.job(job_id), 1))
        return "training" in scenario.resumable(job_id)

    until(kept, 300, every=0.3)
    scenario.signal_worker(job_id, signal.SIGKILL)
    goes_on = until(lambda: step(scenario.job(job_id), 2), 300, every=0.3)
    # The last that was told before the checkpoint was looked for in vain.
    assert goes_on >= told[-2] > 0

    job = scenario.settled(job_id, "succeeded", seconds=600)

    assert job["attempt"] == job["receipt"]["attempts"] == 2
    assert job["receipt"]["interruptions"] >= 1
    lora = scenario.api.get("get_lora", lora_id=job["parameters"]["lora_id"])
    assert (lora["state"], lora["version"]) == ("ready", 1)
    (version,) = lora["versions"]
    assert (version["state"], version["job_id"]) == ("ready", job_id)
    assert version["loss_after"] < version["loss_before"]
    assert [one["id"] for one in scenario.api.get("list_loras")["items"]] == [lora["id"]]
    until(lambda: scenario.mails("Your LoRA is ready"), seconds=60)
    assert len(scenario.mails("Your LoRA is ready")) == 1
    scenario.balanced(job)
