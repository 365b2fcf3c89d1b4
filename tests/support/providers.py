"""A server on loopback that speaks the providers' documented APIs, and lies when told to.

`served.url` is the base; Together is below /together, Replicate below /replicate, Hugging Face below /huggingface, a
moderation endpoint is /moderation. Tell it what to do next with `served.next(lie, times)`: a name of LIES, or a status
with a body. What was asked lies in `served.asked`.
"""

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIES = ("hang", "drip", "garbage", "wrong_type", "wrong_size", "too_large", "cut", "busy", "broken", "policy", "key")
KEY = "a-test-key"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Served:
    """The running server."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    lies: list[Any] = field(default_factory=list)
    retry_after: str = "0"
    pause: float = 0.0
    """Seconds before each answer."""
    polls: int = 0
    """How often a prediction is still processing when it is looked for."""
    flagged: tuple[str, ...] = ()
    """Categories that the moderation model finds."""
    closing: threading.Event = field(default_factory=threading.Event)
    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def next(self, lie: Any, times: int = 1) -> None:
        """Answer so the next times; a lie, or (status, body)."""
        self.lies += [lie] * times

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [f"{one.method} {one.path}" for one in self.asked]

    def keys(self) -> dict[str, dict[str, str]]:
        """The secret `providers` that leads here."""
        return {name: {"key": KEY, "url": f"{self.url}/{name}"} for name in ("together", "replicate", "huggingface")}


def picture(width: int, height: int, seed: int, form: str = "PNG") -> bytes:
    """A picture whose colour tells its seed, with metadata that must not be passed on."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("prompt", "the prompt stands here")
    out = io.BytesIO()
    colour = (seed * 37 % 256, seed * 91 % 256, 90)  # far enough apart for a JPEG
    options: dict[str, Any] = {"pnginfo": info} if form == "PNG" else {}
    Image.new("RGB", (width, height), colour).save(out, form, **options)
    return out.getvalue()


@contextmanager
def serving() -> Iterator[Served]:
    """Serve on a free port of loopback."""
    served = Served()

    class Handler(_Handler):
        state = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        served.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: Served
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Silence."""

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method, self.path, headers, json.loads(text) if text else None)
        self.state.asked.append(asked)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        lie = self.state.lies.pop(0) if self.state.lies and not asked.path.endswith("/cancel") else None
        self.state.closing.wait(self.state.pause)
        if isinstance(lie, tuple):
            self._send_json(lie[0], lie[1])
        elif lie in {"hang", "drip", "cut", "busy", "broken", "policy", "key", "too_large"}:
            getattr(self, f"_{lie}")(asked)
        elif not asked.path.startswith("/files/") and asked.headers.get("authorization") != f"Bearer {KEY}":
            self._key(asked)
        elif asked.path.startswith("/together/"):
            self._together(asked, lie)
        elif asked.path.startswith("/replicate/"):
            self._replicate(asked, lie)
        elif asked.path.startswith("/files/"):
            _, _, width, height, seed, form = asked.path.split("/")
            self._send(200, "image/png", _drawn(int(width), int(height), int(seed), form))
        elif asked.path == "/moderation":
            scores = {name: name in self.state.flagged for name in ("sexual", "sexual/minors", "violence/graphic")}
            self._send_json(200, {"id": "modr-1", "results": [{"flagged": any(scores.values()), "categories": scores}]})
        else:
            wanted = asked.body["parameters"]
            if lie == "garbage":
                self._send_json(200, {"estimated_time": 20})
            else:
                self._send(200, "image/jpeg", _drawn(wanted["width"], wanted["height"], wanted["seed"], lie or "JPEG"))

    def _together(self, asked: Asked, lie: str | None) -> None:
        wanted = asked.body
        if lie == "garbage":
            self._send(200, "application/json", b"<html>welcome</html>")
            return
        data = _drawn(wanted["width"], wanted["height"], wanted["seed"], lie or "PNG")
        self._send_json(
            200,
            {
                "id": "oFuwv7Y-2kFHot-99170ebf9e84e0ce-SJC",
                "model": wanted["model"],
                "object": "list",
                "data": [{"index": 0, "b64_json": base64.b64encode(data).decode()}],
            },
        )

    def _replicate(self, asked: Asked, lie: str | None) -> None:
        if asked.path.endswith("/cancel"):
            self._send_json(200, {"id": asked.path.split("/")[-2], "status": "canceled"})
            return
        if asked.method == "GET":
            prediction = self.state.predictions[asked.path.rpartition("/")[2]]
            self.state.polls -= 1
            self._send_json(200, prediction if self.state.polls <= 0 else {**prediction, "status": "processing"})
            return
        wanted = asked.body["input"]
        width, height = (wanted["width"], wanted["height"]) if "width" in wanted else (1216, 832)
        prediction = {
            "id": f"pred{len(self.state.predictions)}",
            "model": asked.path.removeprefix("/replicate/models/").removesuffix("/predictions"),
            "status": "succeeded",
            "output": [f"{self.state.url}/files/{width}/{height}/{wanted['seed']}/{lie or 'PNG'}"],
            "error": None,
            "metrics": {"predict_time": 0.4},
        }
        if lie == "garbage":
            prediction["output"] = {"picture": "none"}
        self.state.predictions[prediction["id"]] = prediction
        if self.state.polls:
            prediction = {**prediction, "status": "starting", "output": None}
        self._send_json(201, prediction)

    def _hang(self, asked: Asked) -> None:
        del asked
        self.state.closing.wait(30)

    def _drip(self, asked: Asked) -> None:
        del asked
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", "100000")
        self.end_headers()
        while not self.state.closing.is_set():
            self.wfile.write(b"\x89")
            self.wfile.flush()
            time.sleep(0.05)

    def _cut(self, asked: Asked) -> None:
        del asked
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(b"\x89PNG")
        self.close_connection = True

    def _busy(self, asked: Asked) -> None:
        del asked
        self._send_json(
            429,
            {"error": {"message": "Rate limit reached", "type": "rate_limit"}, "detail": "Request was throttled."},
            {"retry-after": self.state.retry_after},
        )

    def _broken(self, asked: Asked) -> None:
        del asked
        self._send_json(500, {"error": {"message": "Internal error, see https://provider.example/trace/1"}})

    def _policy(self, asked: Asked) -> None:
        del asked
        self._send_json(422, {"error": {"message": "The request was flagged: NSFW content.", "code": "nsfw"}})

    def _key(self, asked: Asked) -> None:
        del asked
        self._send_json(401, {"error": {"message": "Invalid API key provided"}, "detail": "Unauthenticated"})

    def _too_large(self, asked: Asked) -> None:
        del asked
        self._send(200, "image/png", b"\x89" * (41 * 1024 * 1024))

    def _send_json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers)

    def _send(self, status: int, media_type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": media_type, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _drawn(width: int, height: int, seed: int, form: str) -> bytes:
    if form == "wrong_type":
        return b"%PDF-1.7 no picture at all"
    if form == "wrong_size":
        return picture(width // 2, height, seed)
    return picture(width, height, seed, form)
