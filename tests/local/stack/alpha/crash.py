"""Dies without a word."""

import os
from typing import Any


def handler(event: Any, context: Any) -> Any:
    os.kill(os.getpid(), 9)
