"""Hugging Face: its own inference behind the router, or a dedicated endpoint; the picture is the answer's body.

https://huggingface.co/docs/inference-providers/tasks/text-to-image
"""

import threading
from dataclasses import dataclass
from typing import Any

from snapforge.providers import calls, pixels
from snapforge.providers.base import Drawn, Wish, wrong_answer

URL = "https://router.huggingface.co/hf-inference"
_NAME = "Hugging Face"


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """With an access token of ours."""

    key: str
    url: str = URL
    name: str = "huggingface"

    def draw(self, wish: Wish, *, until: float, unwanted: threading.Event) -> Drawn:
        """See Provider. What has begun cannot be stopped, so it is waited for: then we know what is billed."""
        parameters: dict[str, Any] = {
            "width": wish.width,
            "height": wish.height,
            "num_inference_steps": wish.steps,
            "seed": wish.seed,
        }
        if wish.guidance is not None:
            parameters["guidance_scale"] = wish.guidance
        if wish.negative_prompt:
            parameters["negative_prompt"] = wish.negative_prompt
        answer = calls.ask(
            _NAME,
            "POST",
            f"{self.url}/models/{wish.model}",
            key=self.key,
            body={"inputs": wish.prompt, "parameters": parameters},
            headers={"accept": "image/png"},
            until=until,
            unwanted=unwanted,
        )
        if not answer.media_type.startswith("image/"):
            raise wrong_answer(_NAME, f"{answer.media_type}: {answer.text()}")
        return Drawn(pixels.png(_NAME, answer.body, wish), answer.headers.get("x-request-id", ""))
