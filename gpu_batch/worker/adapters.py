"""LoRA adapters on this machine: fetched from S3 once, kept by content in a bounded folder, linked to attempts."""

import logging
import threading
from collections import OrderedDict
from pathlib import Path

from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.manifest import ImageWork
from worker.errors import BugError, InputError
from worker.storage import Missing, Storage
from worker.tools import sha256

_logger = logging.getLogger(__name__)
MAX_CACHE_BYTES = 8 << 30
"""Some thirty adapters of FLUX.1 at the highest rank."""


class AdapterCache:
    """A folder with the adapters that were used last, `max_bytes` of them (the newest at any rate). Thread-safe.

    It is one process's own and goes with it: what a customer deletes must not outlive the worker on its disk.
    """

    def __init__(self, storage: Storage, folder: Path, max_bytes: int = MAX_CACHE_BYTES) -> None:
        folder.mkdir(parents=True)
        self._storage = storage
        self._folder = folder
        self._max_bytes = max_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        """Bytes of each content (sha256) in the folder, the one used last at the end."""
        # One for all: who asks at the same time is of one micro-batch, and wants the same adapters.
        self._lock = threading.Lock()

    def link(self, ref: AdapterRef, to: Path) -> None:
        """Put the adapter's file at `to`, on the same disk. There it stays, whatever leaves the cache.

        Raises InputError `lora_gone` where S3 does not have it any more, though it be here: deleted is deleted;
        BugError `lora_damaged` where S3 has another content; TransientError where S3 cannot be reached.
        """
        exists = self._storage.exists(ref.uri)
        with self._lock:
            if not exists:
                self._drop(ref.sha256)
                raise _gone(ref)
            if ref.sha256 not in self._sizes:
                self._fetch(ref)
            self._sizes.move_to_end(ref.sha256)
            to.hardlink_to(self._folder / ref.sha256)
            while len(self._sizes) > 1 and sum(self._sizes.values()) > self._max_bytes:
                self._drop(next(iter(self._sizes)))

    def _fetch(self, ref: AdapterRef) -> None:
        arriving = self._folder / "arriving"
        try:
            self._storage.download(ref.uri, arriving)
            if (found := sha256(arriving)) != ref.sha256:
                raise BugError("lora_damaged", f"The LoRA {name_of(ref)} has sha256 {found}, not {ref.sha256}.")
            # Named by what was found in it: the order's word is never a path.
            arriving.replace(self._folder / found)
            size = self._sizes[found] = (self._folder / found).stat().st_size
            _logger.info("adapter", extra={"lora": ref.id, "version": ref.version, "bytes": size})
        except Missing as error:
            raise _gone(ref) from error
        finally:
            arriving.unlink(missing_ok=True)

    def _drop(self, content: str) -> None:
        if self._sizes.pop(content, None) is not None:
            (self._folder / content).unlink()


def working(work: ImageWork) -> tuple[AdapterRef, ...]:
    """The adapters that change a picture, by content: weight 0 is as if left out."""
    return tuple(sorted((ref for ref in work.adapters if ref.weight != 0), key=lambda ref: (ref.sha256, ref.weight)))


def fetch_adapters(cache: AdapterCache, work: ImageWork, folder: Path) -> None:
    """Put the work's adapters below an attempt's folder (see `path_of`). Raises what `AdapterCache.link` raises."""
    for ref in {ref.sha256: ref for ref in working(work)}.values():
        to = path_of(ref, folder)
        to.parent.mkdir(exist_ok=True)
        cache.link(ref, to)


def path_of(ref: AdapterRef, folder: Path) -> Path:
    """Where an attempt's folder has an adapter."""
    return folder / "adapters" / f"{ref.sha256}.safetensors"


def name_of(ref: AdapterRef) -> str:
    """An adapter in messages."""
    return f"{ref.id} (version {ref.version})"


def _gone(ref: AdapterRef) -> InputError:
    return InputError(
        "lora_gone", f"The LoRA {name_of(ref)} does not exist any more.", "Choose another LoRA or train it again."
    )
