"""A scene's preview waits for its pre-flight, through the real stream, bus, queue and function, and never for ever."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infrastructure.local.paths import ACCOUNT
from tests.local.faults.scenario import Scenario
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-2")

SIZE = (320, 240)


def photos(folder: Path, *, seed: int) -> list[Path]:
    """Nine photos along a relief: a near sheet of blobs before a far one, which moves half as far."""
    random = np.random.default_rng(seed)
    far = Image.fromarray(random.integers(60, 190, (40, 90), np.uint8)).resize((1200, 533), Image.Resampling.BICUBIC)
    near = Image.fromarray(random.integers(0, 255, (16, 40), np.uint8)).resize((1200, 213), Image.Resampling.BICUBIC)
    made = []
    for number in range(9):
        view = far.crop((16 * number, 0, 16 * number + SIZE[0], SIZE[1]))
        view.paste(near.crop((32 * number, 0, 32 * number + SIZE[0], 120)), (0, 120))
        body = BytesIO()
        view.save(body, "JPEG", quality=95)
        path = folder / f"view-{number}.jpg"
        path.write_bytes(body.getvalue())
        made.append(path)
    return made


def upload(scenario: Scenario, files: list[Path]) -> dict[str, Any]:
    """A capture of the files, checked to its end; returns the order of its model."""
    capture_id = scenario.api.call("create_capture", body={"name": "relief"}).json["id"]
    scenario.api.upload(files, capture_id=capture_id)
    scenario.api.wait_for_capture(capture_id)
    return {"kind": "scene", "capture_id": capture_id, "preset": "draft"}


def ready(scenario: Scenario, preview_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = scenario.api.get("get_preview", preview_id=preview_id)
    return found if found["status"] == "ready" else None


class TestPreflight:
    def test_a_preview_goes_from_checking_to_ready_and_is_known_from_then_on(
        self, scenario: Scenario, tmp_path: Path
    ) -> None:
        order = upload(scenario, photos(tmp_path, seed=1))
        asked = scenario.api.call("preview_job", body=order)
        assert (asked.status, asked.json["status"]) == (202, "checking")
        found = until(lambda: ready(scenario, asked.json["id"]), seconds=80, every=0.5)
        assert found is not None
        assert (found["predicted_registered"], found["components"]) == (9, [9])
        assert "not_examined" not in [finding["code"] for finding in found["findings"]]
        again = scenario.api.call("preview_job", body=order)
        assert (again.status, again.json["predicted_registered"]) == (200, 9)

    @pytest.mark.full
    def test_a_lost_request_costs_a_minute_and_no_more(self, scenario: Scenario, tmp_path: Path) -> None:
        """The queue holds every message back for a quarter of an hour: nobody looks at the photos in time."""
        sqs = scenario.region.client("sqs")
        url = f"{scenario.region.emulator_url}/{ACCOUNT}/snapforge-dev-preflights"
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "900"})
        try:
            order = upload(scenario, photos(tmp_path, seed=2))
            asked = scenario.api.call("preview_job", body=order).json
            found = until(lambda: ready(scenario, asked["id"]), seconds=120, every=1.0)
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
        assert found is not None
        assert found["can_start"]
        assert "not_examined" in [finding["code"] for finding in found["findings"]]
