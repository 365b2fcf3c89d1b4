"""Sleeps."""

import os
import time


def handler(event, context):
    print("going to sleep")
    time.sleep(float(os.environ.get("SECONDS", "30")))
    return {"pid": os.getpid()}
