"""The context that stages get: one attempt with its manifest, checkpoints, progress and results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snapforge.contracts.manifest import Manifest, Work
from snapforge.contracts.results import LoraQuality, Result, ResultFile, Role, SceneQuality
from worker.errors import BugError
from worker.progress import Reporter, Track
from worker.signals import Stopping
from worker.stages.base import Device
from worker.storage import Storage
from worker.tools import sha256
from worker.usage import Meter
from worker.workspace import Checkpoints, SavedState


class Attempt:
    """Implements `worker.stages.base.Context`; see there for what stages may ask."""

    def __init__(
        self,
        manifest: Manifest,
        folder: Path,
        storage: Storage,
        reporter: Reporter,
        stop: Stopping,
        *,
        stages: Sequence[tuple[str, float]],
        resumed: bool,
        shared: bool = False,
    ) -> None:
        """`stages` are (name, weight) of all that shows as progress; `resumed` says that this is a re-entry.

        `shared` says that other attempts use the machine at the same time (see `Meter`).
        """
        self.manifest = manifest
        self.folder = folder / "work"
        self.folder.mkdir()
        spare = folder / "spare"
        spare.mkdir()
        self.quality: SceneQuality | None = None
        self.lora: LoraQuality | None = None
        self.interrupted = stop.event
        self._stop = stop
        self._storage = storage
        self._reporter = reporter
        self._checkpoints = Checkpoints(storage, manifest, spare)
        self._checkpoints.load()
        saved = self._checkpoints.saved
        self.state: dict[str, Any] = dict(saved.state)
        self._notes = list(saved.notes)
        self._files = dict(saved.files)
        self._interruptions = saved.interruptions + (1 if resumed else 0)
        self.meter = Meter(saved, shared=shared)
        self._track = Track(stages, saved.percent)
        self._stage = stages[0][0]
        self._results: dict[str, tuple[Path, Role, str, int | None, int | None, int | None]] = {}

    @property
    def work(self) -> Work:
        return self.manifest.work

    @property
    def device(self) -> Device:
        from worker.engines.base import device

        return device()

    @property
    def reduced(self) -> bool:
        return self.manifest.reduced

    def progress(self, fraction: float, message: str = "") -> None:
        percent, eta = self._track.at(self._stage, fraction)
        self._reporter.progress(self._stage, percent, eta, message)

    def checkpoint(self, name: str, path: Path) -> None:
        before = self._files.get(name)
        kept = self._checkpoints.keep(name, path)
        self._files[name] = kept
        self.save()
        if before and before.uri != kept.uri:
            self._checkpoints.forget(before)

    def restore(self, name: str, to: Path) -> bool:
        return self._checkpoints.restore(name, to)

    def add_result(
        self,
        path: Path,
        role: Role,
        media_type: str,
        width: int | None = None,
        height: int | None = None,
        seed: int | None = None,
    ) -> None:
        self._results[path.name] = (path, role, media_type, width, height, seed)

    def note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def check_interrupted(self) -> None:
        self._stop.check()

    def begin(self, stage: str) -> None:
        """Make `stage` the one that progress is about, and report it."""
        self._stage = stage
        percent, eta = self._track.at(stage, 0.0)
        self._reporter.progress(stage, percent, eta, start=True)

    def skip(self, stage: str) -> None:
        """Count a stage whose outputs were restored."""
        self._track.skip(stage)

    def save(self) -> None:
        """Store state, notes and times, so that the next entry goes on from here."""
        self._checkpoints.save(
            SavedState(
                state=self.state,
                notes=tuple(self._notes),
                files=dict(self._files),
                percent=self._track.percent,
                interruptions=self._interruptions,
                compute_seconds=self.meter.compute_seconds,
                started_at=self.meter.started_at,
                stages=self.meter.stages,
            )
        )

    def upload_results(self) -> tuple[ResultFile, ...]:
        """Upload the files that stages named, in their order."""
        files = []
        for position, (name, (path, role, media_type, width, height, seed)) in enumerate(self._results.items()):
            if not path.is_file():
                raise BugError("result_missing", f"A stage named {name} as a result but did not write it.")
            digest = sha256(path)
            self._storage.upload(path, self.manifest.output_uri + name, media_type, digest)
            files.append(
                ResultFile(
                    name=name, role=role, media_type=media_type, bytes=path.stat().st_size, sha256=digest,
                    width=width, height=height, seed=seed,
                )
            )  # fmt: skip
            self.progress((position + 1) / len(self._results))
        return tuple(files)

    def write_result(self, name: str, files: tuple[ResultFile, ...], engine: str, model: str) -> str:
        """Write the attempt's `Result` as `name` under its prefix; returns its address."""
        result = Result(
            job_id=self.manifest.job_id,
            run=self.manifest.run,
            attempt=self.manifest.attempt,
            engine=engine,
            model=model,
            files=files,
            usage=self.meter.usage(self._interruptions),
            quality=self.quality,
            lora=self.lora,
            notes=tuple(self._notes),
        )
        uri = self.manifest.output_uri + name
        self._storage.write(uri, result.model_dump_json().encode(), "application/json")
        return uri
