"""Tells whether a deployment would change anything, without the weight of the transform."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def of(roots: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """Covers the settings, every template and state machine beside or below a root, and the deployment's own code."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    folders = {root.parent for root in roots}
    files = {
        file for folder in folders for pattern in ("*.yaml", "infrastructure/*.yaml") for file in folder.glob(pattern)
    }
    files |= {
        file for f in folders for p in ("state_machines/*", "infrastructure/state_machines/*") for file in f.glob(p)
    }
    files |= set(Path(__file__).parent.glob("*.py"))
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def stands(deployed: Path, fingerprint: str) -> bool:
    """Whether this is what was deployed last. The file goes when the emulator loses its state."""
    return deployed.exists() and json.loads(deployed.read_text()).get("fingerprint") == fingerprint
