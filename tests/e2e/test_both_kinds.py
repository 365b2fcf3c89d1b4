"""Both kinds of job, from sign-up to mail, on the local region, by a client that knows only the OpenAPI document and
holds every answer against it.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from infrastructure.local.demo.client import ApiError
from infrastructure.local.demo.customer import Customer, wait_for_mail
from infrastructure.local.region import Region
from tests.e2e.orders import PICTURES, Done, audit
from tests.support.checked_api import CheckedApi

pytestmark = pytest.mark.timeout(1500)  # A model takes a minute on two quiet cores, and many on busy ones.


class TestPictures:
    """A prompt becomes pictures, a mail and a receipt."""

    @pytest.mark.part("JOB-2", "JOB-3", "BIL-1")
    def test_the_quoted_credits_are_held_then_captured(self, pictures: Done, api: CheckedApi) -> None:
        price = pictures.preview["credits"]
        assert pictures.held["held"] == price
        assert pictures.held["available"] == pictures.before["available"] - price
        assert pictures.job["state"] == "succeeded", pictures.job.get("failure")
        assert pictures.job["receipt"]["charged"] == price
        balance = api.get("get_balance")
        assert (balance["available"], balance["held"]) == (pictures.held["available"], 0)

    @pytest.mark.part("JOB-4", "JOB-12")
    def test_progress_only_grows_and_the_receipt_names_the_machine(self, pictures: Done) -> None:
        percents = [state["progress"]["percent"] for state in pictures.states]
        assert percents == sorted(percents)
        assert pictures.job["receipt"]["instances"] == ["local"]

    @pytest.mark.part("JOB-7", "AST-4")
    def test_the_pictures_come_by_signed_links_with_their_seeds(self, pictures: Done, web: httpx.Client) -> None:
        made = [file for file in pictures.job["results"]["files"] if file["role"] == "picture"]
        assert [file["seed"] for file in made] == [11, 12]
        for file in made:
            with Image.open(BytesIO(web.get(file["url"]).raise_for_status().content)) as picture:
                assert picture.size == (128, 128)

    @pytest.mark.part("AST-4")
    def test_a_signed_address_that_was_altered_is_refused(self, pictures: Done, web: httpx.Client) -> None:
        """The host verifies the very signatures that CloudFront would."""
        url = pictures.files["picture"]["url"]
        altered = url.replace("Expires=1", "Expires=2", 1)
        assert altered != url
        assert web.get(altered).status_code == 403
        assert web.get(url.partition("?")[0]).status_code == 403

    @pytest.mark.part("NTF-1")
    def test_a_mail_says_so_with_the_price(self, region: Region, pictures: Done, customer: Customer) -> None:
        mail = wait_for_mail(region.mail, customer.email, subject="pictures are ready")
        assert f"{pictures.preview['credits']} credits" in mail["text"]

    @pytest.mark.part("BIL-1")
    def test_the_ledger_is_exact(self, region: Region, pictures: Done, customer: Customer) -> None:
        assert audit(region, customer.org_id) == []


class TestModel:
    """Photos become a textured model."""

    @pytest.mark.part("AST-1", "AST-2")
    def test_every_photo_is_checked_and_usable(self, capture: dict[str, Any], photos: list[Path]) -> None:
        assert capture["counts"]["usable"] == len(photos)

    @pytest.mark.part("JOB-10")
    def test_glb_and_usdz_can_be_downloaded(self, model: Done, api: CheckedApi, tmp_path: Path) -> None:
        assert model.job["state"] == "succeeded", model.job.get("failure")
        assert {"model_glb", "model_usdz", "preview", "report"} <= set(model.files)
        glb, usdz = tmp_path / "model.glb", tmp_path / "model.usdz"
        api.download(model.files["model_glb"]["url"], glb)
        api.download(model.files["model_usdz"]["url"], usdz)
        assert glb.read_bytes()[:4] == b"glTF"
        assert usdz.read_bytes()[:2] == b"PK"

    @pytest.mark.part("JOB-10")
    def test_the_quality_report_says_what_was_registered(self, model: Done, photos: list[Path]) -> None:
        quality = model.job["results"]["quality"]
        assert quality["photos_given"] == len(photos)
        assert quality["photos_registered"] >= len(photos) * 0.9
        assert quality["faces"] > 1000

    @pytest.mark.part("NTF-1", "BIL-1")
    def test_a_mail_says_so_and_nothing_stays_held(
        self, region: Region, model: Done, api: CheckedApi, customer: Customer
    ) -> None:
        wait_for_mail(region.mail, customer.email, subject="model is ready")
        assert api.get("get_balance")["held"] == 0
        assert audit(region, customer.org_id) == []


class TestOtherEnds:
    """Orders that do not become results."""

    @pytest.mark.part("JOB-3", "API-2")
    def test_too_few_credits_is_402_and_nothing_starts(self, api: CheckedApi, capture: dict[str, Any]) -> None:
        """The problem names the shortfall and where to top up."""
        before = api.get("get_balance")
        order = {"kind": "scene", "capture_id": capture["id"], "preset": "high"}
        with pytest.raises(ApiError) as refused:
            api.call("create_job", body=order)
        assert refused.value.status == 402
        assert refused.value.code == "insufficient_credits"
        assert refused.value.problem["shortfall"] > 0
        assert api.get("get_balance") == before

    @pytest.mark.part("JOB-5")
    def test_a_canceled_job_ends_and_its_credits_return(
        self, region: Region, api: CheckedApi, customer: Customer
    ) -> None:
        """Cancel while it waits or runs; twice is as good as once."""
        before = api.get("get_balance")["available"]
        job_id = api.call("create_job", body=PICTURES | {"steps": 50, "count": 8}).json["id"]
        api.call("cancel_job", job_id=job_id)
        api.call("cancel_job", job_id=job_id)
        *_, job = api.watch(job_id)
        assert job["state"] == "canceled"
        assert job["price"]["charged"] == 0
        assert api.get("get_balance")["available"] == before
        assert audit(region, customer.org_id) == []
