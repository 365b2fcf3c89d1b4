"""A model that judges prompts, behind the moderation API that OpenAI made common and many servers speak.

https://platform.openai.com/docs/api-reference/moderations
"""

import time
from dataclasses import dataclass
from typing import Protocol

from snapforge.providers import base, calls

SECONDS = 4.0
"""A customer waits for it."""
_NAME = "The moderation model"


class Judge(Protocol):
    """Reads a prompt."""

    def judge(self, prompt: str) -> tuple[str, ...]:
        """The categories that it falls into, none for an ordinary one. Raises ProviderError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`POST url` with `{"input": prompt}`; `key` where it wants one."""

    url: str
    key: str | None = None

    def judge(self, prompt: str) -> tuple[str, ...]:
        """See Judge."""
        answer = calls.ask(
            _NAME,
            "POST",
            self.url,
            key=self.key,
            body={"input": prompt},
            until=time.monotonic() + SECONDS,
            seconds=SECONDS,
            limit=64 * 1024,
        )
        try:
            (result,) = answer.json()["results"]
            flagged, categories = bool(result["flagged"]), dict(result["categories"])
        except (ValueError, KeyError, TypeError) as error:
            raise base.wrong_answer(_NAME, repr(error)) from error
        found = tuple(sorted(str(name) for name, said in categories.items() if said))
        return (found or ("other",)) if flagged else ()
