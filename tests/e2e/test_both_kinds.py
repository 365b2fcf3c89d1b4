"""Both kinds of job, from sign-up to mail, on the local region, by a client that knows only the OpenAPI document."""

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from infrastructure.local.demo.client import Api, ApiError
from infrastructure.local.demo.customer import Customer, sign_up, wait_for_mail
from infrastructure.local.region import Region

ROOT = Path(__file__).parents[2]
PICTURES = {"kind": "image", "prompt": "a red cube", "width": 128, "height": 128, "count": 2, "seed": 11, "steps": 2}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sixteen photos of a textured object, rendered by our own code in the workers' environment."""
    folder = tmp_path_factory.mktemp("photos")
    python = ROOT / ".venvs" / "scene" / "bin" / "python"
    command = [str(python), "-m", "infrastructure.local.demo.render", str(folder / "given"), "--count", "20"]
    subprocess.run([*command, "--width", "400", "--height", "300"], cwd=ROOT, check=True, capture_output=True)
    return sorted((folder / "given").glob("*.jpg"))


@pytest.fixture(scope="module")
def customer(region: Region) -> Customer:
    return sign_up(Api(region.api_url), region.mail)


@pytest.fixture
def api(region: Region, customer: Customer) -> Api:
    return Api(region.api_url, customer.api_key)


def last(api: Api, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The final state and all states seen."""
    seen = list(api.watch(job_id))
    return seen[-1], seen


def audit(region: Region, org_id: str) -> list[str]:
    """Every ledger invariant that does not hold; none, if we are exact."""
    found: list[str] = region.invoke("snapforge-dev-audit-ledger", {"org_id": org_id})["faults"]
    return found


@pytest.mark.part("JOB-1", "JOB-3", "JOB-4", "JOB-7", "JOB-12", "NTF-1", "AST-4", "BIL-1")
def test_a_prompt_becomes_pictures_a_mail_and_a_receipt(region: Region, api: Api, customer: Customer) -> None:
    """Preview, quote, create, watch, download, mail, ledger."""
    before = api.get("get_balance")
    preview = api.call("preview_job", body=PICTURES).json
    created = api.call("create_job", body=PICTURES | {"quote": preview["quote"]})
    assert created.status == 201
    held = api.get("get_balance")
    assert held["held"] == preview["credits"]
    assert held["available"] == before["available"] - preview["credits"]

    job, seen = last(api, created.json["id"])

    assert job["state"] == "succeeded", job.get("failure")
    percents = [state["progress"]["percent"] for state in seen]
    assert percents == sorted(percents)
    assert job["receipt"]["charged"] == preview["credits"]
    assert job["receipt"]["instances"] == ["local"]
    pictures = [file for file in job["results"]["files"] if file["role"] == "picture"]
    assert [file["seed"] for file in pictures] == [11, 12]
    for file in pictures:
        with Image.open(BytesIO(httpx.get(file["url"], trust_env=False).raise_for_status().content)) as picture:
            assert picture.size == (128, 128)
    after = api.get("get_balance")
    assert (after["available"], after["held"]) == (held["available"], 0)
    mail = wait_for_mail(region.mail, customer.email, subject="pictures are ready")
    assert f"{preview['credits']} credits" in mail["text"]
    assert audit(region, customer.org_id) == []


@pytest.mark.part("AST-1", "AST-2", "JOB-2", "JOB-10")
def test_photos_become_a_model(
    region: Region, api: Api, customer: Customer, photos: list[Path], tmp_path: Path
) -> None:
    """Capture, upload, checks, preview, create, GLB and USDZ, quality report."""
    capture_id = api.call("create_capture", body={"name": "kingfisher"}).json["id"]
    api.upload(photos, capture_id=capture_id)
    capture = api.wait_for_capture(capture_id)
    assert capture["counts"]["usable"] == len(photos)
    order = {"kind": "scene", "capture_id": capture_id, "preset": "draft"}
    preview = api.call("preview_job", body=order).json
    assert preview["can_start"], preview

    job, _ = last(api, api.call("create_job", body=order | {"quote": preview["quote"]}).json["id"])

    assert job["state"] == "succeeded", job.get("failure")
    files = {file["role"]: file for file in job["results"]["files"]}
    assert {"model_glb", "model_usdz", "preview", "report"} <= set(files)
    glb, usdz = tmp_path / "model.glb", tmp_path / "model.usdz"
    api.download(files["model_glb"]["url"], glb)
    api.download(files["model_usdz"]["url"], usdz)
    assert glb.read_bytes()[:4] == b"glTF"
    assert usdz.read_bytes()[:2] == b"PK"
    quality = job["results"]["quality"]
    assert quality["photos_given"] == len(photos)
    assert quality["photos_registered"] >= len(photos) * 0.9
    assert quality["faces"] > 1000
    wait_for_mail(region.mail, customer.email, subject="model is ready")
    assert api.get("get_balance")["held"] == 0
    assert audit(region, customer.org_id) == []


@pytest.mark.part("AST-4")
def test_a_signed_address_that_was_altered_is_refused(api: Api) -> None:
    """The host verifies the very signatures that CloudFront would."""
    asset = api.call("list_assets").json["items"][0]
    url = asset["original"]["url"]
    assert httpx.get(url, trust_env=False).status_code == 200
    altered = url.replace("Expires=1", "Expires=2", 1)
    assert altered != url
    assert httpx.get(altered, trust_env=False).status_code == 403
    assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 403


@pytest.mark.part("JOB-3", "API-2")
def test_too_few_credits_is_402_and_nothing_starts(api: Api) -> None:
    """The problem names the shortfall and where to top up."""
    before = api.get("get_balance")
    order = PICTURES | {"width": 1024, "height": 1024, "count": 16, "steps": 50}
    with pytest.raises(ApiError) as refused:
        api.call("create_job", body=order)
    assert refused.value.status == 402
    assert refused.value.code == "insufficient_credits"
    assert refused.value.problem["shortfall"] > 0
    assert api.get("get_balance") == before


@pytest.mark.part("JOB-5")
def test_a_canceled_job_ends_and_its_credits_return(region: Region, api: Api, customer: Customer) -> None:
    """Cancel while it waits or runs; twice is as good as once."""
    job_id = api.call("create_job", body=PICTURES | {"steps": 50, "count": 8}).json["id"]
    api.call("cancel_job", job_id=job_id)
    api.call("cancel_job", job_id=job_id)
    job, _ = last(api, job_id)
    assert job["state"] == "canceled"
    assert job["price"]["charged"] == 0
    assert audit(region, customer.org_id) == []
