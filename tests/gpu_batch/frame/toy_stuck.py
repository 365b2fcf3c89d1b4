"""A toy whose only stage sleeps and never looks at `interrupted`, run with a short grace."""

import sys
import time

from tests.gpu_batch.frame.toy_worker import describe
from worker import run, signals
from worker.stages.base import Context, Stage


def sleep(context: Context) -> None:
    """Sleep on, whatever happens."""
    del context
    time.sleep(600)


STAGES = (Stage("sleep", 1, sleep),)
__all__ = ["STAGES", "describe"]

if __name__ == "__main__":
    signals.GRACE_S = 0.3
    sys.exit(run.main({"image": "tests.gpu_batch.frame.toy_stuck"}))
