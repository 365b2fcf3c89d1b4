"""A client that knows only the OpenAPI document: it looks up each operation's method and path there."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
BATCH = 100
"""Files announced per presign call."""


class ApiError(RuntimeError):
    """The API refused: its problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        fix = problem.get("fix")
        super().__init__(f"{problem.get('detail', problem)}" + (f" {fix}" if fix else ""))
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", ""))


@dataclass
class Answer:
    """An answer with its JSON body (None for 204 and 304)."""

    status: int
    headers: httpx.Headers
    json: Any


@dataclass
class Api:
    """The API at a base address. `token` is an access token or API key, sent with every call."""

    base_url: str
    token: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))
    operations: dict[str, tuple[str, str, dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the document."""
        document = self.http.get(f"{self.base_url}/openapi.json").raise_for_status().json()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                self.operations[operation["operationId"]] = (method.upper(), path, operation)

    def call(
        self,
        operation: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        **path: str,
    ) -> Answer:
        """Call an operation by its id. An Idempotency-Key is made where the document asks for one and none is given.

        Raises ApiError for any status of 400 and above; 429 and retryable 503 are waited out a few times.
        """
        method, route, described = self.operations[operation]
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        if any(parameter["name"] == "Idempotency-Key" for parameter in described.get("parameters", ())):
            sent["idempotency-key"] = key or str(uuid.uuid4())
        sent |= headers or {}
        for _ in range(6):
            answered = self.http.request(
                method, self.base_url + route.format(**path), json=body, params=query, headers=sent
            )
            if answered.status_code not in {429, 503}:
                break
            time.sleep(min(5, int(answered.headers.get("retry-after", "1"))))
        read = answered.json() if answered.content else None
        if answered.status_code >= 400:
            raise ApiError(answered.status_code, read or {"detail": f"HTTP {answered.status_code}"})
        return Answer(answered.status_code, answered.headers, read)

    def get(self, operation: str, **path: str) -> Any:
        """The JSON of an operation without body."""
        named: dict[str, Any] = dict(path)
        return self.call(operation, **named).json

    # The steps of the main job, in the words of the API.

    def upload(self, photos: list[Path], *, capture_id: str, done: Callable[[int], None] = lambda _: None) -> list[str]:
        """Send photos to a capture; returns upload ids in order. `done` gets each photo's bytes."""
        ids: list[str] = []
        for start in range(0, len(photos), BATCH):
            part = photos[start : start + BATCH]
            files = [
                {
                    "name": photo.name,
                    "bytes": photo.stat().st_size,
                    "media_type": MEDIA_TYPES.get(photo.suffix.lower(), "application/octet-stream"),
                }
                for photo in part
            ]
            tickets = self.call("presign_upload", body={"capture_id": capture_id, "files": files}).json["uploads"]
            for photo, ticket in zip(part, tickets, strict=True):
                self.send(photo, ticket)
                ids.append(ticket["id"])
                done(photo.stat().st_size)
        return ids

    def send(self, photo: Path, ticket: dict[str, Any]) -> None:
        """Send one file as its ticket says."""
        post = ticket["post"]
        with photo.open("rb") as stream:
            answered = self.http.post(post["url"], data=post["fields"], files={"file": (photo.name, stream)})
        if answered.status_code >= 300:
            raise ApiError(answered.status_code, {"detail": f"S3 refused {photo.name}: {answered.text[:300]}"})

    def wait_for_capture(self, capture_id: str, *, seconds: float = 300) -> dict[str, Any]:
        """Poll until every photo is checked (TimeoutError)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            capture: dict[str, Any] = self.get("get_capture", capture_id=capture_id)
            if capture["counts"]["checked"] >= capture["counts"]["expected"] > 0:
                return capture
            time.sleep(0.5)
        raise TimeoutError(f"capture {capture_id} is not checked after {seconds:.0f} s")

    def watch(self, job_id: str, *, seconds: float = 1800, pause: float = 0.5) -> Iterator[dict[str, Any]]:
        """Poll a job by ETag, yielding each new state; ends with the final one (TimeoutError)."""
        deadline, etag = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            answered = self.call("get_job", job_id=job_id, headers={"if-none-match": etag} if etag else {})
            if answered.json is not None:
                etag = answered.headers.get("etag", "")
                yield answered.json
                if answered.json["state"] in {"succeeded", "failed", "canceled"}:
                    return
            time.sleep(pause)
        raise TimeoutError(f"job {job_id} has not ended after {seconds:.0f} s")

    def download(self, url: str, to: Path) -> None:
        """Fetch a signed address into a file."""
        with self.http.stream("GET", url) as answered:
            answered.raise_for_status()
            with to.open("wb") as out:
                for chunk in answered.iter_bytes():
                    out.write(chunk)
