"""The one place for sizes of a training that no customer chooses."""

from typing import Literal

Device = Literal["cpu", "cuda"]

MAX_SAMPLES = 4
"""Prompts of the sample grid, which has a row without and a row with the adapter."""


def batch_size(device: Device, *, reduced: bool) -> int:
    """Photos in a training batch; `reduced` after a training that did not fit into memory."""
    if reduced:
        return 1
    return 4 if device == "cpu" else 2
