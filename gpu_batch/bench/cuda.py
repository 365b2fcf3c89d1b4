"""The GPU that `make bench-gpu` measures on."""

import importlib.util
import sys
from datetime import UTC, datetime
from typing import Any

UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h."""


def machine() -> dict[str, Any]:
    """The GPU and what computes on it.

    Raises:
        SystemExit: there is no CUDA.
    """
    import torch

    if not torch.cuda.is_available():
        sys.stderr.write(
            f"bench-gpu needs CUDA, and torch {torch.__version__} finds none here. Run it on a machine with an NVIDIA "
            "GPU, with a CUDA build of torch (the Dockerfiles in gpu_batch have it; scenes want tinycudann too).\n"
        )
        raise SystemExit(UNAVAILABLE)
    properties = torch.cuda.get_device_properties(0)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "gpu": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "tinycudann": importlib.util.find_spec("tinycudann") is not None,
    }
