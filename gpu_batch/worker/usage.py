"""What an attempt uses: seconds and peak memory by stage, the device, the instance type."""

import contextlib
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snapforge.contracts.results import StageTime, Usage
from worker.workspace import SavedState

_IMDS = "http://169.254.169.254"
_IMDS_TIMEOUT_S = 1.0


class Meter:
    """Counts on from what earlier entries of the attempt used (`before`). One stage at a time.

    The machine is the attempt's own from here to the end, unless `shared`: then only what is charged is computing.
    """

    def __init__(self, before: SavedState, *, shared: bool = False) -> None:
        self.started_at = before.started_at or datetime.now(UTC)
        self._entered = None if shared else time.monotonic()
        self._compute_before = before.compute_seconds
        self._charged_ms = 0
        self._stages = {stage.stage: stage for stage in before.stages}
        self._current: tuple[str, float] | None = None

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the body's time and peak memory under `name`."""
        if self._entered is not None:
            _reset_peak()  # where attempts share the process, the peak is the process's
        self._current = (name, time.monotonic())
        try:
            yield
        finally:
            self._stages = {stage.stage: stage for stage in self.stages}
            self._current = None

    def charge(self, stage: str, milliseconds: int) -> None:
        """Count this attempt's share of what a shared machine computed."""
        self._charged_ms += milliseconds
        self.add(stage, milliseconds / 1000)

    def add(self, stage: str, seconds: float) -> None:
        """Note time under `stage` that is not charged, as the loading of a model that many share."""
        before = self._stages.get(stage, StageTime(stage=stage, seconds=0.0, peak_mib=0))
        self._stages[stage] = StageTime(
            stage=stage, seconds=round(before.seconds + seconds, 3), peak_mib=max(before.peak_mib, _peak_mib())
        )

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """All stages so far, the running one with what it has used up to now."""
        if self._current is None:
            return tuple(self._stages.values())
        name, since = self._current
        before = self._stages.get(name, StageTime(stage=name, seconds=0.0, peak_mib=0))
        now = StageTime(
            stage=name,
            seconds=round(before.seconds + time.monotonic() - since, 3),
            peak_mib=max(before.peak_mib, _peak_mib()),
        )
        return tuple((self._stages | {name: now}).values())

    @property
    def compute_seconds(self) -> float:
        """Seconds of all entries of the attempt."""
        own = 0.0 if self._entered is None else time.monotonic() - self._entered
        return round(self._compute_before + own + self._charged_ms / 1000, 3)

    def usage(self, interruptions: int) -> Usage:
        """The receipt as of now."""
        return Usage(
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            compute_seconds=self.compute_seconds,
            device=device_name(),
            instance_type=instance_type(),
            interruptions=interruptions,
            stages=self.stages,
        )


def device_name() -> str:
    """The GPU's name where a stage has computed on one, else `cpu`."""
    cuda = _cuda()
    return str(cuda.get_device_name()) if cuda else "cpu"


def instance_type() -> str:
    """The EC2 type by IMDSv2; `local` outside of EC2, `unknown` where the metadata service does not answer."""
    on_ec2 = os.environ.get("AWS_EXECUTION_ENV") == "AWS_ECS_EC2" or "ECS_CONTAINER_METADATA_URI_V4" in os.environ
    if not on_ec2:
        return "local"
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _IMDS).rstrip("/")
    try:
        token = _ask(f"{base}/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        return _ask(f"{base}/latest/meta-data/instance-type", "GET", {"X-aws-ec2-metadata-token": token})
    except OSError:
        return "unknown"


def _ask(url: str, method: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - the metadata service speaks http
    # The link-local address must never go through a proxy.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=_IMDS_TIMEOUT_S) as answer:
        return str(answer.read().decode().strip())


def _cuda() -> Any:
    """`torch.cuda` where a stage has initialised it. The frame itself never imports torch."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda and cuda.is_initialized() else None


def _reset_peak() -> None:
    cuda = _cuda()
    if cuda:
        cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        # proc(5): 5 resets VmHWM, the peak resident size, to the present one.
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> int:
    cuda = _cuda()
    if cuda:
        return int(cuda.max_memory_allocated()) >> 20
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) >> 10
    return 0
