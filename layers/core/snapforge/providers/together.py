"""Together AI: one synchronous call, the picture comes as base64.

https://docs.together.ai/reference/post-images-generations
"""

import base64
import binascii
import threading
from dataclasses import dataclass

from snapforge.providers import calls, pixels
from snapforge.providers.base import Drawn, Wish, wrong_answer

URL = "https://api.together.xyz/v1"
_NAME = "Together AI"


@dataclass(frozen=True, slots=True)
class Together:
    """With an API key of ours."""

    key: str
    url: str = URL
    name: str = "together"

    def draw(self, wish: Wish, *, until: float, unwanted: threading.Event) -> Drawn:
        """See Provider. What has begun cannot be stopped, so it is waited for: then we know what is billed."""
        body = {
            "model": wish.model,
            "prompt": wish.prompt,
            "width": wish.width,
            "height": wish.height,
            "steps": wish.steps,
            "seed": wish.seed,
            "n": 1,
            "response_format": "base64",
            "output_format": "png",
        }
        if wish.guidance is not None:
            body["guidance_scale"] = wish.guidance
        if wish.negative_prompt:
            body["negative_prompt"] = wish.negative_prompt
        answer = calls.ask(
            _NAME, "POST", f"{self.url}/images/generations", key=self.key, body=body, until=until, unwanted=unwanted
        )
        try:
            body = answer.json()
            data = base64.b64decode(body["data"][0]["b64_json"], validate=True)
        except (ValueError, KeyError, IndexError, TypeError, binascii.Error) as error:
            raise wrong_answer(_NAME, f"{error!r} in {answer.text()}") from error
        return Drawn(pixels.png(_NAME, data, wish), str(body.get("id") or ""))
