"""Fetching the photos of a scene or a LoRA to the scratch folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from snapforge.contracts.manifest import ImageWork, Photo, Work
from worker.errors import InputError
from worker.storage import Missing, Storage, split

_AT_ONCE = 8


def fetch(storage: Storage, work: Work, folder: Path) -> None:
    """Download the work's photos to `folder/photos/<index:03d>.<ext>`; an image job has none.

    Whether they are pictures is for the stages to say: one bad photo of many need not fail the job.

    Raises InputError `photo_missing` where a photo is gone, TransientError where S3 cannot be reached.
    """
    if isinstance(work, ImageWork):
        return
    photos = folder / "photos"
    photos.mkdir()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
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
