"""peft's warnings that do not apply here."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignore_second_adapter() -> Iterator[None]:
    """Without peft's warning that a model gets another adapter: here that is what is wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield
