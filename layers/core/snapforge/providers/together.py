"""Together AI: one synchronous call, the picture comes as base64.

https://docs.together.ai/reference/post-images-generations
"""

import base64
import binascii
import threading
from dataclasses import dataclass

from snapforge.providers import calls, pixels
from snapforge.providers.base import Drawn, PictureRequest, wrong_answer

URL = "https://api.together.xyz/v1"
_NAME = "Together AI"


@dataclass(frozen=True, slots=True)
class Together:
    """With an API key of ours."""

    key: str
    url: str = URL
    name: str = "together"

    def draw(self, request: PictureRequest, *, until: float, unwanted: threading.Event) -> Drawn:
        """See Provider. What has begun cannot be stopped, so it is waited for: then we know what is billed."""
        body = {
            "model": request.model,
            "prompt": request.prompt,
            "width": request.width,
            "height": request.height,
            "steps": request.steps,
            "seed": request.seed,
            "n": 1,
            "response_format": "base64",
            "output_format": "png",
        }
        if request.guidance is not None:
            body["guidance_scale"] = request.guidance
        if request.negative_prompt:
            body["negative_prompt"] = request.negative_prompt
        answer = calls.ask(
            _NAME, "POST", f"{self.url}/images/generations", key=self.key, body=body, until=until, unwanted=unwanted
        )
        try:
            body = answer.json()
            data = base64.b64decode(body["data"][0]["b64_json"], validate=True)
        except (ValueError, KeyError, IndexError, TypeError, binascii.Error) as error:
            raise wrong_answer(_NAME, f"{error!r} in {answer.text()}") from error
        return Drawn(pixels.png(_NAME, data, request), str(body.get("id") or ""))
