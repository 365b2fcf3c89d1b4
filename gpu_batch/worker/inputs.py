"""Fetching what an order works on to the scratch folder: the photos of a scene or a LoRA, the adapters of an image."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from snapforge.contracts.manifest import ImageWork, Photo, Work
from worker.adapters import AdapterCache, fetch_adapters
from worker.errors import InputError
from worker.storage import Missing, Storage, split

_PARALLEL = 8


def fetch(storage: Storage, work: Work, folder: Path) -> None:
    """Download the work's photos to `folder/photos/<index:03d>.<ext>`, its adapters to where `worker.adapters` says.

    Whether they are pictures is for the stages to say: one bad photo of many need not fail the job.

    Raises InputError `photo_missing` or `lora_gone` where something is gone, BugError `lora_damaged`, TransientError
    where S3 cannot be reached.
    """
    if isinstance(work, ImageWork):
        fetch_adapters(AdapterCache(storage, folder / "fetched"), work, folder)
        return
    photos = folder / "photos"
    photos.mkdir()
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda numbered: _fetch_one(storage, numbered[1], numbered[0], photos), enumerate(work.photos)))


def _fetch_one(storage: Storage, photo: Photo, index: int, photos: Path) -> None:
    suffix = PurePosixPath(split(photo.uri)[1]).suffix.lower() or ".jpg"
    to = photos / f"{index:03d}{suffix}"
    try:
        storage.download(photo.uri, to)
    except Missing as error:
        raise InputError(
            "photo_missing", f"The photo {photo.name!r} is no longer stored.", "Upload this photo again."
        ) from error
