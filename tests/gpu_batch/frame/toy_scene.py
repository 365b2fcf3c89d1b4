"""The toy of kind `scene`."""

from tests.gpu_batch.frame.toy_worker import describe, look
from worker.stages.base import Stage

STAGES = (Stage("look", 1, look),)
__all__ = ["STAGES", "describe"]
