"""The operations that the main job does not need, each called once, so that each has been seen on the whole system."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.local.demo.client import ApiError
from infrastructure.local.demo.customer import Customer, sign_up
from infrastructure.local.region import Region
from tests.e2e.orders import PICTURES, Done
from tests.support.checked_api import CheckedApi
from tests.support.region import until

OURS = {"x-requested-with": "snapforge"}
MULTIPART = 100_000_001
"""Bytes; the smallest file that is sent in parts."""


def walk(region: Region, api: CheckedApi, pictures: Done, photos: list[Path]) -> None:
    """Every operation that the two kinds of job leave out. Each answer is held against the document on the way."""
    look_around(api, pictures)
    preview_too_early(api, photos)
    upload_in_parts(api)
    cancel_and_try_again(api)
    sessions_and_keys(region, api)


def look_around(api: CheckedApi, pictures: Done) -> None:
    """The lists, and what they list."""
    assert api.get("get_health")["status"] == "ok"
    assert api.get("get_catalogue")["models"]
    assert api.get("get_deep_health")["status"] == "ok"
    job_id = pictures.job["id"]
    assert job_id in [job["id"] for job in api.call("list_jobs", query={"kind": "image"}).json["items"]]
    made = api.call("list_assets", query={"job_id": job_id}).json["items"]
    assert {asset["id"] for asset in made} == {file["asset_id"] for file in pictures.job["results"]["files"]}
    picture = next(asset for asset in made if asset["role"] == "picture")
    until(lambda: api.get("get_asset", asset_id=picture["id"])["variants"], seconds=60, every=0.3)
    assert [line["kind"] for line in api.get("list_journals")["items"]]


def preview_too_early(api: CheckedApi, photos: list[Path]) -> None:
    """A preview while photos are still on their way: it can be asked again."""
    capture_id = api.call("create_capture", body={"name": "late"}).json["id"]
    files = [{"name": "a.jpg", "bytes": photos[0].stat().st_size, "media_type": "image/jpeg"}]
    (ticket,) = api.call("presign_upload", body={"capture_id": capture_id, "files": files}).json["uploads"]
    asked = api.call("preview_job", body={"kind": "scene", "capture_id": capture_id})
    assert (asked.status, asked.json["status"]) == (202, "checking")
    api.send(photos[0], ticket)
    api.wait_for_capture(capture_id)
    assert api.get("get_upload", upload_id=ticket["id"])["state"] == "usable"
    later = api.get("get_preview", preview_id=asked.json["id"])
    assert (later["status"], later["can_start"]) == ("ready", False)


def upload_in_parts(api: CheckedApi) -> None:
    """Announced large, sent in parts, joined by S3; and then refused, since a hundred million zeros are no archive."""
    files = [{"name": "photos.zip", "bytes": MULTIPART, "media_type": "application/zip"}]
    (ticket,) = api.call("presign_upload", body={"files": files}).json["uploads"]
    parts = []
    for part in ticket["parts"]:
        sent = api.http.put(part["url"], content=bytes(part["bytes"])).raise_for_status()
        parts.append({"number": part["number"], "etag": sent.headers["etag"]})
    with pytest.raises(ApiError):
        api.call("complete_upload", upload_id=ticket["id"], body={"parts": [parts[0], parts[1] | {"etag": '"no"'}]})
    assert api.call("complete_upload", upload_id=ticket["id"], body={"parts": parts}).status == 202
    ended = {"refused", "usable", "duplicate"}
    upload = until(lambda: _upload_in(api, ticket["id"], ended), seconds=60, every=0.3)
    assert (upload["state"], upload["bytes"]) == ("refused", MULTIPART)


def _upload_in(api: CheckedApi, upload_id: str, states: set[str]) -> dict[str, Any]:
    upload: dict[str, Any] = api.get("get_upload", upload_id=upload_id)
    return upload if upload["state"] in states else {}


def cancel_and_try_again(api: CheckedApi) -> None:
    """The second run is the same job."""
    job_id = api.call("create_job", body=PICTURES | {"count": 1, "steps": 1, "seed": 3}).json["id"]
    api.call("cancel_job", job_id=job_id)
    *_, ended = api.watch(job_id)
    again: dict[str, Any] = api.call("retry_job", job_id=job_id).json
    assert (ended["run"], again["run"]) == (1, 2)
    *_, ended = api.watch(job_id, seconds=600)
    assert ended["state"] == "succeeded", ended.get("failure")


def sessions_and_keys(region: Region, api: CheckedApi) -> None:
    """Somebody else's account, since it ends with every session gone."""
    with httpx.Client(trust_env=False, timeout=60) as web:
        nobody = CheckedApi(region.api_url, "", web)
        customer = sign_up(nobody, region.mail, name="Ada")
        member = replace(nobody, token=customer.access_token)
        assert member.get("get_me")["user"]["email"] == customer.email
        (key,) = member.get("list_api_keys")["items"]
        member.call("revoke_api_key", key_id=key["id"])
        _signs_up_again(nobody, customer)
        session = _log_in(nobody, customer)
        refreshed = nobody.call("refresh_session", headers=OURS | {"cookie": session})
        nobody.call("log_out", headers=OURS | {"cookie": _cookie(refreshed.headers)})
        member.call("log_out_all_devices")


def _signs_up_again(nobody: CheckedApi, customer: Customer) -> None:
    body = {"email": customer.email, "password": customer.password, "name": "Ada"}
    nobody.call("sign_up", body=body)
    nobody.call("resend_verification", body={"email": customer.email})


def _log_in(nobody: CheckedApi, customer: Customer) -> str:
    body = {"email": customer.email, "password": customer.password}
    return _cookie(nobody.call("log_in", body=body).headers)


def _cookie(headers: httpx.Headers) -> str:
    """What a browser sends back; over plain HTTP httpx rightly would not."""
    return headers["set-cookie"].partition(";")[0]
