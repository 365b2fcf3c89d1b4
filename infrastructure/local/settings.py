"""What the region's processes are told at their start, as files in the state folder."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infrastructure.local.batch.engine import Limits
from infrastructure.local.keys import DeliveryKey
from infrastructure.local.paths import REGION, REPO, State

_BASE = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": ":UTC",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What Lambda and a container have besides the author's own."""


@dataclass(frozen=True)
class Addresses:
    """Origins of the parts."""

    site: str
    emulator: str
    batch: str
    recorder: str | None
    """Where every AWS call goes instead, if calls are recorded."""

    def endpoints(self) -> dict[str, str]:
        """The standard variables by which an AWS SDK finds the region."""
        return {
            "AWS_ENDPOINT_URL": self.recorder or self.emulator,
            "AWS_ENDPOINT_URL_BATCH": self.recorder or self.batch,
        }


def for_host(state: State, addresses: Addresses, key: DeliveryKey, watched: Iterable[Path]) -> dict[str, Any]:
    """The functions host's. `watched` folders have it take changes; none, and it does not look."""
    return {
        "functions": str(state.functions),
        "asynchronous": str(state.root / "asynchronous"),
        "tasks": str(state.root / "tasks"),
        "logs": str(state.logs),
        "layers": [str(REPO / "layers" / "core")],
        "base": {**_BASE, "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "HOME": "/tmp"},
        "endpoints": addresses.endpoints(),
        "domain": addresses.site.removeprefix("http://"),
        "emulator": addresses.emulator,
        "delivery": {"key_pair_id": key.key_pair_id, "public_key": key.public_key},
        "watched": [str(folder) for folder in watched if folder.exists()],
    }


def for_batch(
    state: State,
    addresses: Addresses,
    pythons: Mapping[str, str],
    forced: Mapping[str, str],
    more: Mapping[str, str],
    limits: Limits,
) -> dict[str, Any]:
    """Local Batch's. `forced` wins over the job definitions' variables, `more` is for every job."""
    keys = {"AWS_ACCESS_KEY_ID": "JOB_worker", "AWS_SECRET_ACCESS_KEY": "local"}
    return {
        "folder": str(state.batch),
        "logs": str(state.logs / "batch"),
        "pythons": dict(pythons),
        "base": {**_BASE, **addresses.endpoints(), **keys, **more},
        "forced": dict(forced),
        "emulator": addresses.emulator,
        "limits": asdict(limits),
    }
