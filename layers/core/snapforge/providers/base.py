"""What every provider of pictures can do, and how it fails."""

import threading
from dataclasses import dataclass
from typing import Protocol

from snapforge.contracts.reports import FailureCategory


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """One picture. `model` is the provider's own name of the model."""

    model: str
    prompt: str
    negative_prompt: str
    """Empty where the provider does not know one."""
    width: int
    height: int
    aspect: str | None
    """`3:2`, where the size is the model's native one for that aspect ratio."""
    steps: int
    guidance: float | None
    """None: the model's own."""
    seed: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that was checked: RGB, of the wished size, written anew without metadata."""

    png: bytes
    provider_id: str
    """The provider's id of the work, for their support; empty where they give none."""


class ProviderError(Exception):
    """The picture did not come. The message is for customers; what the provider said is in `said`, for the log only:
    it may hold links, keys or the prompt.
    """

    def __init__(
        self,
        category: FailureCategory,
        code: str,
        message: str,
        *,
        fix: str = "",
        said: str = "",
        retry_after: float | None = None,
        charged: bool = False,
    ) -> None:
        """`charged`: it may have drawn and billed the picture all the same. `retry_after`: seconds that it asks for."""
        super().__init__(message)
        self.category = category
        self.code = code
        self.fix = fix
        self.said = said[:500]
        self.retry_after = retry_after
        self.charged = charged


class Provider(Protocol):
    """Draws pictures."""

    @property
    def name(self) -> str:
        """As routes, results and receipts call it."""

    def draw(self, request: PictureRequest, *, until: float, unwanted: threading.Event) -> Drawn:
        """Draw one picture before `until` (of time.monotonic()). Raises ProviderError.

        Once `unwanted` is set, whoever can stop the work does, and raises `nobody_wants`; others return the picture.
        """


def unavailable(name: str, said: str, *, retry_after: float | None = None, charged: bool = False) -> ProviderError:
    """Too busy, broken or unreachable now: another attempt, elsewhere or later, can succeed."""
    return ProviderError(
        FailureCategory.transient,
        "provider_unavailable",
        f"{name} could not draw the picture just now.",
        said=said,
        retry_after=retry_after,
        charged=charged,
    )


def timed_out(name: str, said: str) -> ProviderError:
    """No whole answer in time. It may have drawn all the same, and bill it."""
    return ProviderError(
        FailureCategory.transient, "provider_timeout", f"{name} did not answer in time.", said=said, charged=True
    )


def misconfigured(name: str, said: str) -> ProviderError:
    """Our key, our balance or our request is refused. Others may draw it, so it is no end for the job."""
    return ProviderError(
        FailureCategory.transient, "provider_refused_us", f"{name} does not take our requests just now.", said=said
    )


def wrong_answer(name: str, said: str) -> ProviderError:
    """An answer that is not what they document; it was drawn, and billed."""
    return ProviderError(
        FailureCategory.transient,
        "provider_answer_wrong",
        f"{name} sent something that is no picture of this order.",
        said=said,
        charged=True,
    )


def nobody_wants(*, charged: bool) -> ProviderError:
    """The order was canceled before the picture was here."""
    return ProviderError(FailureCategory.canceled, "canceled", "The job was canceled.", charged=charged)


def prompt_refused(name: str, said: str) -> ProviderError:
    """Its content policy forbids the prompt, or what was drawn from it. Trying again changes nothing."""
    return ProviderError(
        FailureCategory.input,
        "prompt_refused_by_provider",
        f"{name}, who draws this model, does not draw this prompt: its content policy forbids it.",
        fix="Change the prompt and order again.",
        said=said,
    )
