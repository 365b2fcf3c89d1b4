"""An attempt's own locations: its prefix in S3 (claim, checkpoints) and its scratch folder on this machine."""

import contextlib
import json
import logging
import os
import shutil
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from snapforge.contracts.manifest import Manifest
from snapforge.contracts.results import StageTime
from snapforge.contracts.tickets import CLAIM
from worker.storage import Missing, Storage
from worker.tools import sha256

_logger = logging.getLogger(__name__)
_JSON = "application/json"
Claim = Literal["first", "resumed", "not_owner"]


def claim(storage: Storage, output_uri: str, batch_job_id: str, batch_attempt: str) -> Claim:
    """Take the attempt's prefix for this Batch job, once and for all.

    Returns `first` where nobody was here, `resumed` where this Batch job was (Batch retried it), `not_owner` where
    another one owns the prefix: Dispatch ran twice, and this process has to end without a report.
    """
    entry = uuid.uuid4().hex
    own = {
        "batch_job_id": batch_job_id,
        "batch_attempt": batch_attempt,
        "entry": entry,
        "at": datetime.now(UTC).isoformat(),
    }
    uri = output_uri + CLAIM
    if storage.write_first(uri, json.dumps(own).encode(), _JSON):
        return "first"
    standing = json.loads(storage.read(uri))
    if standing.get("batch_job_id") != batch_job_id:
        return "not_owner"
    # The put may have worked and only its answer been lost; then boto's own retry found our claim.
    return "first" if standing.get("entry") == entry else "resumed"


class StoredCheckpoint(BaseModel):
    """One checkpoint: where it lies (an earlier attempt's too), its digest, and whether it is a packed folder."""

    uri: str
    sha256: str
    folder: bool


class SavedState(BaseModel):
    """The content of checkpoints/state.json: all that a later entry needs to go on."""

    state: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    files: dict[str, StoredCheckpoint] = {}
    percent: float = 0.0
    interruptions: int = 0
    compute_seconds: float = 0.0
    started_at: datetime | None = None
    stages: tuple[StageTime, ...] = ()


class Checkpoints:
    """The checkpoints of an attempt. `saved` is what the last entry left, or what this one has stored since."""

    def __init__(self, storage: Storage, manifest: Manifest, spare: Path) -> None:
        self._storage = storage
        self._prefix = manifest.output_uri + "checkpoints/"
        self._resume = manifest.resume_uri and manifest.resume_uri + "checkpoints/"
        self._spare = spare
        self.saved = SavedState()

    def load(self) -> None:
        """Read what an earlier entry of this attempt kept, else what the attempt named by `resume_uri` kept.

        From another attempt the times and the progress do not count; its interruption does.
        """
        own = self._read(self._prefix)
        if own:
            self.saved = own
        elif self._resume and (other := self._read(self._resume)):
            self.saved = SavedState(
                state=other.state, notes=other.notes, files=other.files, interruptions=other.interruptions + 1
            )

    def _read(self, prefix: str) -> SavedState | None:
        try:
            return SavedState.model_validate_json(self._storage.read(prefix + "state.json"))
        except Missing:
            return None
        except ValidationError:
            # Written by a worker of another release: starting over is slower, never wrong.
            _logger.warning("unreadable checkpoints are passed over", extra={"prefix": prefix})
            return None

    def save(self, saved: SavedState) -> None:
        """Store the state; it names the checkpoint files, so it is what makes them count."""
        self._storage.write(self._prefix + "state.json", saved.model_dump_json().encode(), _JSON)
        self.saved = saved

    def keep(self, name: str, path: Path) -> StoredCheckpoint:
        """Upload a file or a folder as checkpoint `name`. It counts from the next `save` on."""
        folder = path.is_dir()
        packed = self._pack(path) if folder else path
        try:
            digest = sha256(packed)
            # The digest in the key: the older checkpoint stays whole until `save` names the new one.
            kept = StoredCheckpoint(uri=f"{self._prefix}{name}-{digest[:16]}", sha256=digest, folder=folder)
            if self.saved.files.get(name) != kept:
                self._storage.upload(packed, kept.uri, "application/octet-stream", digest)
        finally:
            if folder:
                packed.unlink()
        return kept

    def forget(self, kept: StoredCheckpoint) -> None:
        """Delete a checkpoint that was replaced; another attempt's are left to it."""
        if kept.uri.startswith(self._prefix):
            self._storage.delete(kept.uri)

    def restore(self, name: str, to: Path) -> bool:
        """Bring checkpoint `name` to the path `to`. False where there is none, or its file is gone or damaged."""
        kept = self.saved.files.get(name)
        if kept is None:
            return False
        to.parent.mkdir(parents=True, exist_ok=True)
        arrived = self._spare / uuid.uuid4().hex
        try:
            self._storage.download(kept.uri, arrived)
            if sha256(arrived) != kept.sha256:
                _logger.warning("a damaged checkpoint is passed over", extra={"uri": kept.uri})
                return False
            self._place(arrived, to, folder=kept.folder)
        except Missing:
            _logger.warning("a checkpoint is gone", extra={"uri": kept.uri})
            return False
        finally:
            arrived.unlink(missing_ok=True)
        return True

    def _pack(self, folder: Path) -> Path:
        packed = self._spare / f"{uuid.uuid4().hex}.tar"
        with tarfile.open(packed, "w") as tar:
            # Sorted and without owners and times: the same content has the same digest and is not sent again.
            for path in sorted(folder.rglob("*")):
                tar.add(path, str(path.relative_to(folder)), recursive=False, filter=_plain)
        return packed

    def _place(self, arrived: Path, to: Path, *, folder: bool) -> None:
        if not folder:
            arrived.replace(to)
            return
        unpacked = self._spare / uuid.uuid4().hex
        with tarfile.open(arrived) as tar:
            tar.extractall(unpacked, filter="data")
        unpacked.mkdir(exist_ok=True)
        if to.exists():
            shutil.rmtree(to)
        unpacked.replace(to)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


@contextlib.contextmanager
def scratch(batch_job_id: str) -> Iterator[Path]:
    """An empty folder under WORKSPACE (else the system's temporary folder), removed at the end.

    It is named after the Batch job, so that what a killed entry left on this machine goes too.
    """
    base = Path(os.environ.get("WORKSPACE") or tempfile.gettempdir())
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in batch_job_id)
    folder = base / f"attempt-{safe}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
