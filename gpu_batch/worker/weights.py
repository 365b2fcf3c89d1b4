"""Where models lie: a folder of this machine, or an S3 prefix that is copied to one first.

WEIGHTS_URI is a path, a `file://` or an `s3://` address; below it lies one folder a model. S3 models are copied to
WEIGHTS_CACHE (the instance's NVMe; else the user's cache folder) once, and compared by size and ETag at each job.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from worker.errors import BugError
from worker.storage import Storage, StoredObject

_PARALLEL = 4
OnProgress = Callable[[float], None]
"""Called with the share (0 to 1) of the bytes that are here."""


def model_folder(model: str, on_progress: OnProgress) -> Path:
    """The local folder of `model`, complete. Raises BugError with what to put where, TransientError where S3 fails."""
    base = os.environ.get("WEIGHTS_URI", "")
    if not base:
        raise BugError(
            "weights_not_configured",
            "WEIGHTS_URI is not set. Set it to a folder or an s3:// prefix that holds one folder for each model.",
        )
    if PurePosixPath(model).name != model or model in ("", ".", ".."):
        raise BugError("model_name", f"{model!r} cannot be the name of a model's folder.")
    if base.startswith("s3://"):
        prefix = base.rstrip("/") + f"/{model}/"
        synced = _synced(prefix, model, "model_index.json", on_progress)
        if synced is None:
            raise BugError("model_missing", missing_text(model, prefix))
        return synced
    folder = _local(base) / model
    if not folder.is_dir():
        raise BugError("model_missing", missing_text(model, str(folder)))
    return folder


def find_model(model: str, index: str, on_progress: OnProgress) -> Path | None:
    """As `model_folder`, for a model that an installation may do without: None where there is no file `index` in it."""
    base = os.environ.get("WEIGHTS_URI", "")
    if base.startswith("s3://"):
        return _synced(base.rstrip("/") + f"/{model}/", model, index, on_progress)
    folder = _local(base) / model
    return folder if base and (folder / index).is_file() else None


def _local(base: str) -> Path:
    parts = urlsplit(base)
    return Path(unquote(parts.path) if parts.scheme == "file" else base).expanduser()


def missing_text(model: str, location: str) -> str:
    """What an operator has to do when there is no model at `location`."""
    return (
        f"There are no weights for the model {model!r} at {location}. Put a diffusers folder there (model_index.json, "
        "scheduler/, transformer/, vae/, text encoders and tokenizers, weights as safetensors: a snapshot of FLUX.1), "
        "or point WEIGHTS_URI to where it lies."
    )


def _synced(prefix: str, model: str, index: str, on_progress: OnProgress) -> Path | None:
    """The copy of what lies under `prefix`; None where no file `index` lies there."""
    storage = Storage()
    wanted = {
        name: found
        for found in storage.find(prefix)
        if (name := found.uri.removeprefix(prefix)) and not name.endswith("/")
    }
    if index not in wanted:
        return None
    cache = Path(os.environ.get("WEIGHTS_CACHE") or Path.home() / ".cache" / "snapforge" / "weights")
    folder = cache / model
    folder.mkdir(parents=True, exist_ok=True)
    # Workers of one machine share the cache: one copies, the others wait and then find it complete.
    with (cache / f".{model}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _copy(storage, wanted, folder, cache / f".{model}.json", on_progress)
    return folder


def _copy(
    storage: Storage, wanted: dict[str, StoredObject], folder: Path, index: Path, on_progress: OnProgress
) -> None:
    have: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
    stale = {name: found for name, found in wanted.items() if not _same(have.get(name), found, folder / name)}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    whole = sum(found.bytes for found in stale.values()) or 1
    arrived = 0

    def fetch(item: tuple[str, StoredObject]) -> tuple[str, StoredObject]:
        name, found = item
        part = index.parent / f"{index.name}.{name.replace('/', '.')}.part"
        storage.download(found.uri, part)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        part.replace(folder / name)
        return name, found

    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        for name, found in pool.map(fetch, stale.items()):
            have[name] = found.etag
            arrived += found.bytes
            _write(index, {name: etag for name, etag in have.items() if name in wanted})
            on_progress(arrived / whole)
    finally:
        # `on_progress` may stop the copying: what has not begun must not be waited for.
        pool.shutdown(cancel_futures=True)


def _same(etag: str | None, found: StoredObject, path: Path) -> bool:
    return etag == found.etag and path.is_file() and path.stat().st_size == found.bytes


def _write(index: Path, have: dict[str, str]) -> None:
    fresh = index.with_suffix(".new")
    fresh.write_text(json.dumps(have))
    shutil.move(fresh, index)
