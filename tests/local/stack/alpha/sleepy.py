"""Sleeps."""

import os
import sys
import time
from typing import Any


def handler(event: Any, context: Any) -> Any:
    sys.stdout.write("going to sleep\n")
    time.sleep(float(os.environ.get("SECONDS", "30")))
    return {"pid": os.getpid()}
