"""A LoRA, from a capture to pictures that it changes, and to its end."""

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from infrastructure.local.demo.client import ApiError
from infrastructure.local.demo.customer import Customer, wait_for_mail
from infrastructure.local.region import Region
from tests.e2e.orders import Done, audit, place
from tests.support.checked_api import CheckedApi

pytestmark = pytest.mark.timeout(1500)

LORA = {"kind": "lora", "rights": True, "name": "Kingfisher", "trigger": "kfisher", "subject": "toy", "steps": 40}
PICTURE = {"kind": "image", "prompt": "a kfisher toy", "width": 128, "height": 128, "seed": 11, "steps": 4}


@pytest.fixture(scope="module")
def training(api: CheckedApi, capture: dict[str, Any]) -> Done:
    """The order of a LoRA, done; from the very photos of the model."""
    return place(api, LORA | {"capture_id": capture["id"]})


@pytest.fixture(scope="module")
def lora(api: CheckedApi, training: Done) -> dict[str, Any]:
    assert training.job["state"] == "succeeded", training.job.get("failure")
    found: dict[str, Any] = api.get("get_lora", lora_id=training.job["parameters"]["lora_id"])
    return found


def picture(api: CheckedApi, web: httpx.Client, loras: list[dict[str, Any]]) -> Any:
    """The pixels that an order with these LoRAs is drawn with."""
    done = place(api, PICTURE | {"loras": loras})
    assert done.job["state"] == "succeeded", done.job.get("failure")
    with Image.open(BytesIO(web.get(done.files["picture"]["url"]).raise_for_status().content)) as drawn:
        return np.asarray(drawn)


@pytest.mark.part("JOB-9")
class TestLora:
    def test_it_is_trained_and_told(
        self,
        api: CheckedApi,
        region: Region,
        training: Done,
        lora: dict[str, Any],
        customer: Customer,
        web: httpx.Client,
    ) -> None:
        assert (lora["state"], lora["version"]) == ("ready", 1)
        (version,) = lora["versions"]
        assert version["loss_after"] < version["loss_before"]
        with Image.open(BytesIO(web.get(version["samples_url"]).raise_for_status().content)) as grid:
            assert grid.width > grid.height > 128
        assert training.job["receipt"]["charged"] == training.preview["credits"]
        assert "kfisher" in wait_for_mail(region.mail, customer.email, subject="Your LoRA is ready")["text"]
        assert lora["id"] in [one["id"] for one in api.get("list_loras")["items"]]

    @pytest.mark.part("JOB-6")
    def test_it_changes_pictures_by_its_weight(self, api: CheckedApi, lora: dict[str, Any], web: httpx.Client) -> None:
        plain = picture(api, web, [])
        assert np.array_equal(picture(api, web, [{"id": lora["id"], "weight": 0}]), plain)
        assert not np.array_equal(picture(api, web, [{"id": lora["id"]}]), plain)

    def test_deleted_it_is_refused_and_restored_it_draws(self, api: CheckedApi, lora: dict[str, Any]) -> None:
        named = api.call("rename_lora", lora_id=lora["id"], body={"name": "Bird"}).json
        assert named["name"] == "Bird"
        api.call("delete_lora", lora_id=lora["id"])
        with pytest.raises(ApiError, match="deleted"):
            api.call("create_job", body=PICTURE | {"loras": [{"id": lora["id"]}]})
        api.call("restore_lora", lora_id=lora["id"])
        assert api.call("preview_job", body=PICTURE | {"loras": [{"id": lora["id"]}]}).json["can_start"]

    def test_and_in_the_end_nothing_of_it_is_left(
        self, api: CheckedApi, region: Region, lora: dict[str, Any], customer: Customer
    ) -> None:
        api.call("delete_lora", lora_id=lora["id"], query={"now": "true"})
        with pytest.raises(ApiError, match="no such LoRA"):
            api.get("get_lora", lora_id=lora["id"])
        assert audit(region, customer.org_id) == []
