"""What this installation offers, by its settings, and an order held against it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snapforge.aws import settings
from snapforge.jobs import errors
from snapforge.jobs.domain import pictures
from snapforge.jobs.domain.pictures import NotDrawableError, NotOfferedError
from snapforge.kit.errors import InvalidPayload


def image_models() -> tuple[str, ...]:
    """The image models on offer, the default first."""
    return pictures.offered(settings.get("IMAGE_MODELS"))


@contextmanager
def explained(**more: Any) -> Iterator[None]:
    """What the domain refuses inside, as the customer sees it: ModelNotOffered with `more`, or InvalidPayload."""
    try:
        yield
    except NotOfferedError as error:
        detail = {"pointer": "/model", "detail": str(error)}
        raise errors.ModelNotOffered(str(error), errors=[detail], **more) from error
    except NotDrawableError as error:
        raise InvalidPayload(
            f"/{error.member}: {error}", errors=[{"pointer": f"/{error.member}", "detail": str(error)}]
        ) from error
