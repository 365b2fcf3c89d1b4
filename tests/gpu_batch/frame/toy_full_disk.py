"""The toy's warm worker on a disk that has no room for another folder, as a full file system refuses one."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from tests.gpu_batch.frame.toy_warm import ToyModels
from worker.warm.worker import main

_mkdir = Path.mkdir


def mkdir(path: Path, *arguments: Any, **more: Any) -> None:
    """Refuses attempts' folders; what the worker made at its start stands."""
    if path.name.startswith("job_"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    _mkdir(path, *arguments, **more)


if __name__ == "__main__":
    Path.mkdir = mkdir  # type: ignore[method-assign]
    sys.exit(main(ToyModels))
