"""The frame with toy stages: light, slow on demand and failing on demand, so that each end of an attempt can be seen.

The fields of the work order are used as the toy needs them:
`steps` numbers are counted (`guidance` seconds each), `count` pictures are made, `prompt` names an exception to end
with, and the largest file has `height` MiB.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from snapforge.contracts.manifest import ImageWork
from worker.errors import InputError, QualityError
from worker.run import main
from worker.stages.base import Context, Stage


class OutOfMemoryError(RuntimeError):
    """Named as torch names it."""


ENDS: dict[str, Callable[[], Exception]] = {
    "input": lambda: InputError("too_plain", "There is nothing to see.", "Take other photos."),
    "quality": lambda: QualityError("too_rough", "The result is too rough.", "Take more photos."),
    "memory": MemoryError,
    "cuda": lambda: OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    "network": lambda: ConnectionResetError("reset by peer"),
    "bug": lambda: ZeroDivisionError("division by zero"),
}


def _work(context: Context) -> ImageWork:
    assert isinstance(context.work, ImageWork)
    return context.work


def count(context: Context) -> None:
    """Write the digests of the numbers up to `steps`, a checkpoint after each fifth."""
    work = _work(context)
    path = context.folder / "numbers.txt"
    context.restore("numbers", path)
    have = path.read_text().splitlines() if path.exists() else []
    for number in range(len(have), work.steps):
        time.sleep(work.guidance)
        have.append(hashlib.sha256(f"{work.seed} {number}".encode()).hexdigest())
        path.write_text("\n".join(have))
        context.progress((number + 1) / work.steps, f"number {number + 1}")
        if context.interrupted.is_set() or number % 5 == 4:
            context.state["counted"] = number + 1
            context.checkpoint("numbers", path)
        context.check_interrupted()
    context.state["counted"] = work.steps
    context.checkpoint("numbers", path)


def counted(context: Context) -> bool:
    return context.state.get("counted") == _work(context).steps and context.restore(
        "numbers", context.folder / "numbers.txt"
    )


def render(context: Context) -> None:
    """Make a folder of `count` pictures, kept as a whole; then end as `prompt` says."""
    work = _work(context)
    folder = context.folder / "pictures"
    if not context.restore("pictures", folder):
        folder.mkdir()
    for index in range(work.count):
        path = folder / f"picture-{index:02d}.bin"
        if not path.exists():
            time.sleep(work.guidance)
            seed = hashlib.sha256((context.folder / "numbers.txt").read_bytes() + bytes([index])).digest()
            path.write_bytes(seed * 4096)
            context.checkpoint("pictures", folder)
        context.progress((index + 1) / work.count)
        context.check_interrupted()
    if work.prompt in ENDS:
        context.add_result(folder / "picture-00.bin", "picture", "application/octet-stream")
        raise ENDS[work.prompt]()


def pack(context: Context) -> None:
    """Name the results: the pictures, and one file that is big enough to go in parts."""
    work = _work(context)
    context.progress(float("nan"))
    time.sleep(10 * work.guidance)
    for index in range(work.count):
        path = context.folder / "pictures" / f"picture-{index:02d}.bin"
        context.add_result(path, "picture", "application/octet-stream", 64, 32, work.seed + index)
    big = context.folder / "big.bin"
    big.write_bytes(Path(context.folder / "numbers.txt").read_bytes()[:64].ljust(64) * (work.height << 14))
    context.add_result(big, "report", "application/x-big")
    context.note("A toy drew this.")
    context.note("A toy drew this.")


def look(context: Context) -> None:
    """The scene toy: one result that lists the photos as the frame laid them out."""
    listing = context.folder / "listing.txt"
    photos = sorted((context.folder / "photos").iterdir())
    listing.write_text("\n".join(f"{path.name} {path.stat().st_size}" for path in photos))
    context.add_result(listing, "report", "text/plain")


STAGES: tuple[Stage, ...] = (Stage("count", 60, count, counted), Stage("render", 30, render), Stage("pack", 10, pack))


def describe(context: Context) -> tuple[str, str]:
    return "toy", f"toy-{context.manifest.work.kind}"


if __name__ == "__main__":
    sys.exit(main({"image": "tests.gpu_batch.frame.toy_worker", "scene": "tests.gpu_batch.frame.toy_scene"}))
