"""Hugging Face: its own inference behind the router, or a dedicated endpoint; the picture is the answer's body.

https://huggingface.co/docs/inference-providers/tasks/text-to-image
"""

import threading
from dataclasses import dataclass
from typing import Any

from snapforge.providers import calls, pixels
from snapforge.providers.base import Drawn, PictureRequest, wrong_answer

URL = "https://router.huggingface.co/hf-inference"
_NAME = "Hugging Face"


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """With an access token of ours."""

    key: str
    url: str = URL
    name: str = "huggingface"

    def draw(self, request: PictureRequest, *, until: float, unwanted: threading.Event) -> Drawn:
        """See Provider. What has begun cannot be stopped, so it is waited for: then we know what is billed."""
        parameters: dict[str, Any] = {
            "width": request.width,
            "height": request.height,
            "num_inference_steps": request.steps,
            "seed": request.seed,
        }
        if request.guidance is not None:
            parameters["guidance_scale"] = request.guidance
        if request.negative_prompt:
            parameters["negative_prompt"] = request.negative_prompt
        answer = calls.ask(
            _NAME,
            "POST",
            f"{self.url}/models/{request.model}",
            key=self.key,
            body={"inputs": request.prompt, "parameters": parameters},
            headers={"accept": "image/png"},
            until=until,
            unwanted=unwanted,
        )
        if not answer.media_type.startswith("image/"):
            raise wrong_answer(_NAME, f"{answer.media_type}: {answer.text()}")
        return Drawn(pixels.png(_NAME, answer.body, request), answer.headers.get("x-request-id", ""))
