"""`@command`: what an operator asks for, by `aws lambda invoke` (locally `python -m infrastructure.local invoke`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from snapforge.triggers.step import Invoked


@dataclass(eq=False)
class Command(Invoked):
    """An operator's command; nothing else invokes it."""


def command(payload: type[BaseModel], answer: type[BaseModel]) -> Callable[[Callable[..., Any]], Command]:
    """Make a function an operator's command: it takes `payload` and returns `answer`."""
    return lambda function: Command(function, payload, answer)
