"""An org that has one of everything, for tests that ask any route for any of it."""

import time
import uuid
from dataclasses import dataclass, field

from snapforge.billing.service import ledger
from tests.support import customer as camera
from tests.support import people, samples
from tests.support.aws import Aws
from tests.support.http import call
from tests.support.loras import made
from tests.support.results import settle, work

ORDER = {"kind": "image", "prompt": "a kingfisher", "count": 1}
BIG = 200 * 1024 * 1024


@dataclass
class Member:
    """Somebody whose access token is renewed before its ten minutes are over."""

    email: str
    token: str
    since: float = field(default_factory=time.monotonic)

    def bearer(self) -> str:
        """A token that is good now."""
        if time.monotonic() - self.since > 300:
            self.token, self.since = people.log_in(self.email).body.access_token, time.monotonic()
        return self.token


@dataclass(frozen=True)
class World:
    """An org that has one of everything, by the names that paths and bodies use."""

    owner: Member
    other: Member
    """Somebody else, who may be thrown out of all sessions."""
    things: dict[str, list[str]]
    org_id: str


def build(aws: Aws) -> World:
    """Photos good and bad, a multipart upload, jobs waiting and ended, a finished asset, keys, LoRAs, credits."""
    somebody = people.verified()
    org_id, token = somebody.opened.body.org_id, somebody.opened.body.access_token
    ledger.grant(org_id, credits=1_000_000, kind="admin", key="fuzz", memo="for the fuzz")
    captures = [call("assets/create_capture", body={"name": "x"}, token=token).json["id"] for _ in range(2)]
    uploads = [
        camera.bring(aws, org_id, samples.jpeg(), capture_id=captures[0]),
        camera.bring(aws, org_id, b"no photo", capture_id=captures[0]),
        camera.bring(aws, org_id, samples.jpeg(1)),
    ]
    big = {"files": [{"name": "big.zip", "bytes": BIG, "media_type": "application/zip"}]}
    uploads += [one["id"] for one in call("assets/presign_upload", body=big, token=token).json["uploads"]]
    jobs = [call("jobs/create_job", body=ORDER, token=token, key=uuid.uuid4().hex).json["id"] for _ in range(3)]
    call("jobs/cancel_job", path={"job_id": jobs[0]}, token=token)
    scene = {"kind": "scene", "capture_id": captures[0]}
    call("jobs/preview_job", body=scene, token=token)
    waiting = {"files": [{"name": "late.jpg", "bytes": 9, "media_type": "image/jpeg"}], "capture_id": captures[1]}
    call("assets/presign_upload", body=waiting, token=token)
    preview = call("jobs/preview_job", body={"kind": "scene", "capture_id": captures[1]}, token=token).json["id"]
    prefix, files = work(aws, jobs[2], {"picture-00.png": ("picture", "image/png", samples.jpeg())})
    assets = settle(aws, org_id, jobs[2], prefix, files)
    keys = [people.new_key(somebody.principal).id for _ in range(2)]
    things = {
        "capture_id": captures,
        "upload_id": uploads,
        "job_id": jobs,
        "asset_id": assets,
        "key_id": keys,
        "preview_id": [preview],
        "lora_id": [made(org_id) for _ in range(4)] + [made(org_id, trained=False)],
    }
    other = people.verified()
    return World(Member(somebody.email, token), Member(other.email, other.opened.body.access_token), things, org_id)
