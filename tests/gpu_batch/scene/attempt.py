"""A stand-in for the frame: the context of one entry, with checkpoints in a folder that outlives it."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

from snapforge.contracts.manifest import Manifest, Photo, SceneWork
from snapforge.contracts.results import Role, SceneQuality
from worker.errors import Interrupted
from worker.stages.base import Device, Stage
from worker.stages.scene import STAGES

MANIFEST = {
    "job_id": "job_1",
    "run": 1,
    "attempt": 1,
    "deadline": "2099-01-01T00:00:00Z",
    "reports_queue_url": "q",
    "output_uri": "s3://b/p/",
}


class Entry:
    """One process's view of an attempt: an empty folder with the photos, and what earlier entries kept."""

    def __init__(self, folder: Path, kept: Path, work: SceneWork, photos: list[Path]) -> None:
        self.manifest = Manifest.model_validate({**MANIFEST, "work": work.model_dump()})
        self.folder = folder
        (folder / "photos").mkdir(parents=True)
        for index, photo in enumerate(photos):
            shutil.copy(photo, folder / "photos" / f"{index:03d}{photo.suffix}")
        self._kept = kept
        kept.mkdir(exist_ok=True)
        state = kept / "state.json"
        self.state: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}
        self.quality: SceneQuality | None = None
        self.interrupted = threading.Event()
        self.device: Device = "cpu"
        self.reduced = False
        self.results: dict[str, tuple[Path, Role, str]] = {}
        self.notes: list[str] = []
        self.progress_reports: list[tuple[str, float]] = []
        self.ran: list[str] = []
        self._stage = ""

    @property
    def work(self) -> SceneWork:
        assert isinstance(self.manifest.work, SceneWork)
        return self.manifest.work

    def progress(self, fraction: float, message: str = "") -> None:
        self.progress_reports.append((self._stage, fraction))

    def checkpoint(self, name: str, path: Path) -> None:
        target = self._kept / name
        if path.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(path, target)
        else:
            shutil.copy(path, target)
        self.save()

    def save(self) -> None:
        (self._kept / "state.json").write_text(json.dumps(self.state))

    def restore(self, name: str, to: Path) -> bool:
        source = self._kept / name
        if not source.exists():
            return False
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            shutil.copy(source, to)
        return True

    def add_result(
        self,
        path: Path,
        role: Role,
        media_type: str,
        width: int | None = None,
        height: int | None = None,
        seed: int | None = None,
    ) -> None:
        assert path.is_file()
        self.results[path.name] = (path, role, media_type)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def check_interrupted(self) -> None:
        if self.interrupted.is_set():
            raise Interrupted

    def go(self, until: str = "", stages: tuple[Stage, ...] = STAGES) -> None:
        """Run the stages as the frame does, up to and with `until`."""
        for stage in stages:
            self._stage = stage.name
            if not (stage.done and stage.done(self)):
                self.ran.append(stage.name)
                stage.run(self)
                self.save()
            if stage.name == until:
                return


def work_of(photos: list[Path], size: tuple[int, int], focal: float | None, **more: Any) -> SceneWork:
    """The work order for photos of one size."""
    given = tuple(
        Photo(uri=f"s3://b/{path.name}", name=path.name, width=size[0], height=size[1], focal_px=focal)
        for path in photos
    )
    return SceneWork(photos=given, preset="draft", **more)
