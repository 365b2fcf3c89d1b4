"""Camera poses with pycolmap: a ladder of ways, climbed only as far as needed.

Reads `photos/` and `masks/`; works in `sparse/`; the model is handed to `normalise`.
"""

from worker.engines.scene.poses.coverage import degrees_round
from worker.engines.scene.poses.features import write_masks
from worker.engines.scene.poses.ladder import RUNGS, solve
from worker.engines.scene.poses.task import Model, Solution, Task, Tick

__all__ = ["RUNGS", "Model", "Solution", "Task", "Tick", "degrees_round", "solve", "write_masks"]
