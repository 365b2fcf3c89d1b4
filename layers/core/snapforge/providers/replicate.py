"""Replicate: a prediction is created, waited for, and its file fetched from their delivery host.

https://replicate.com/docs/reference/http
"""

import math
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from snapforge.providers import base, calls, pixels
from snapforge.providers.base import Drawn, PictureRequest, ProviderError

URL = "https://api.replicate.com/v1"
DELIVERY = ".replicate.delivery"
"""Files lie on hosts below it. Nothing else is fetched: an answer must not make us call where it likes."""
WAIT_SECONDS = 5
"""How long a creation stays open for its result: FLUX schnell takes a second or two. Who waits longer learns of a
cancel later, because only the answer tells the id that is canceled by.
"""
POLL_SECONDS = 1.0
_NAME = "Replicate"
_ENDED = frozenset({"succeeded", "failed", "canceled", "aborted"})


@dataclass(frozen=True, slots=True)
class Replicate:
    """With an API token of ours."""

    key: str
    url: str = URL
    name: str = "replicate"

    def draw(self, request: PictureRequest, *, until: float, unwanted: threading.Event) -> Drawn:
        """See Provider. What does not end in time, or is not wanted any more, is canceled: it costs no more then."""
        prediction = self._begin(request, until, unwanted)
        address = f"{self.url}/predictions/{prediction['id']}"
        try:
            while prediction["status"] not in _ENDED:
                if time.monotonic() + POLL_SECONDS >= until:
                    raise base.timed_out(_NAME, f"{prediction['id']} is {prediction['status']}")
                if unwanted.wait(POLL_SECONDS):
                    # They bill what ran until then.
                    raise base.nobody_wants(charged=True)
                prediction = _read(calls.ask(_NAME, "GET", address, key=self.key, until=until, seconds=20))
        except ProviderError:
            self._cancel(address)
            raise
        return Drawn(pixels.png(_NAME, self._file(_output(prediction), until), request), prediction["id"])

    def _begin(self, request: PictureRequest, until: float, unwanted: threading.Event) -> dict[str, Any]:
        answer = calls.ask(
            _NAME,
            "POST",
            f"{self.url}/models/{request.model}/predictions",
            key=self.key,
            body={"input": _input(request)},
            headers={"prefer": f"wait={WAIT_SECONDS}", "cancel-after": f"{_lifetime(until)}s"},
            until=until,
            unwanted=unwanted,
        )
        return _read(answer)

    def _cancel(self, address: str) -> None:
        try:
            calls.ask(_NAME, "POST", f"{address}/cancel", key=self.key, until=time.monotonic() + 5, seconds=5)
        except ProviderError:
            return  # what is told is why it was canceled

    def _file(self, link: str, until: float) -> bytes:
        at, own = urlsplit(link), urlsplit(self.url)
        delivered = at.scheme == "https" and (at.hostname or "").endswith(DELIVERY)
        if not delivered and (at.scheme, at.netloc) != (own.scheme, own.netloc):
            raise base.wrong_answer(_NAME, f"a file elsewhere: {link}")
        try:
            # Without our token: the file's host has no need of it.
            return calls.ask(_NAME, "GET", link, until=until, seconds=60).body
        except ProviderError as error:
            error.charged = True
            raise


def _lifetime(until: float) -> int:
    """Whole seconds after which they end a prediction by themselves, should we not be there any more to do it."""
    return max(WAIT_SECONDS, math.ceil(until - time.monotonic()))


def _input(request: PictureRequest) -> dict[str, Any]:
    """By the model's documented schema: FLUX takes an aspect ratio, Z-Image its sides."""
    wanted: dict[str, Any] = {
        "prompt": request.prompt,
        "seed": request.seed,
        "num_inference_steps": request.steps,
        "output_format": "png",
    }
    if "flux" in request.model:
        # Fast mode draws something else each time, whatever the seed.
        return wanted | {"aspect_ratio": request.aspect, "megapixels": "1", "num_outputs": 1, "go_fast": False}
    if request.guidance is not None:
        wanted["guidance_scale"] = request.guidance
    return wanted | {"width": request.width, "height": request.height}


def _read(answer: calls.Answer) -> dict[str, Any]:
    try:
        body = answer.json()
        return {
            "id": str(body["id"]),
            "status": str(body["status"]),
            "output": body.get("output"),
            "error": body.get("error"),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise base.wrong_answer(_NAME, f"{error!r} in {answer.text()}") from error


def _output(prediction: dict[str, Any]) -> str:
    """The file's link. ProviderError where the prediction did not succeed."""
    if prediction["status"] != "succeeded":
        said = f"{prediction['id']} {prediction['status']}: {prediction['error']}"
        if calls.is_policy(str(prediction["error"])):
            raise base.prompt_refused(_NAME, said)
        raise base.unavailable(_NAME, said, charged=True)
    output = prediction["output"]
    link = output[0] if isinstance(output, list) and output else output
    if not isinstance(link, str):
        raise base.wrong_answer(_NAME, f"{prediction['id']} has the output {str(output)[:200]}")
    return link
