"""The pictures of an attempt below its prefix: which are there, drawing the others, what they cost, and the result."""

import hashlib
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from snapforge.aws import s3
from snapforge.contracts.manifest import ImageWork
from snapforge.contracts.results import Result, ResultFile, Role, Usage
from snapforge.jobs.service.fleet.provider_jobs.reporting import Teller
from snapforge.kit import clock
from snapforge.kit.sheets import contact_sheet
from snapforge.providers.base import Drawn, ProviderError, nobody_wants

AT_ONCE = 4
"""Pictures of an attempt that are asked for side by side."""


class Gallery:
    """An attempt's pictures. `each_micro_usd` is the provider's price of one."""

    def __init__(self, prefix: str, work: ImageWork, provider: str, each_micro_usd: int) -> None:
        self.unwanted = threading.Event()
        """Set when the order is canceled: nothing is begun, and what still comes is not kept."""
        self._failing = threading.Event()
        """Set by the first failure: nothing is begun, what still comes is kept."""
        self._prefix = prefix
        self._work = work
        self._provider = provider
        self._each = each_micro_usd
        self._charged = 0
        self._pictures: dict[int, bytes] = {}
        self._started = clock.now()

    def draw(self, draw_one: Callable[[int], Drawn], on_progress: Callable[[int], None]) -> None:
        """Draw what is not there yet, picture i with seed + i; `told` gets the number of those that are there.

        Each is in S3 as soon as it is drawn. Raises the first ProviderError; pictures that are under way then are
        waited for and kept, others are not begun. Where the order is canceled meanwhile, that is such an error.
        """
        first: ProviderError | None = None
        on_progress(0)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            under_way: list[Future[None]] = [
                pool.submit(self._one, index, draw_one) for index in range(self._work.count)
            ]
            for done in as_completed(under_way):
                try:
                    done.result()
                except ProviderError as error:
                    self._failing.set()
                    self._charged += error.charged
                    first = first or error
                else:
                    on_progress(len(self._pictures))
        if first is None and self.unwanted.is_set():
            first = nobody_wants(charged=False)
        if first is not None:
            raise first

    def write(self, name: str, teller: Teller, notes: Sequence[str]) -> str:
        """Write the preview and, as `name`, the result with what it all cost; returns the result's address."""
        files = [
            self._file(_name(index), "picture", "image/png", body, self._work.width, self._work.height, index)
            for index, body in sorted(self._pictures.items())
        ]
        if files:
            sheet, width, height = contact_sheet([io.BytesIO(body) for _, body in sorted(self._pictures.items())])
            s3.put(self._prefix + "preview.jpg", sheet, "image/jpeg")
            files.append(self._file("preview.jpg", "preview", "image/jpeg", sheet, width, height, None))
        manifest = teller.manifest
        result = Result(
            job_id=manifest.job_id,
            run=manifest.run,
            attempt=manifest.attempt,
            engine=f"provider:{self._provider}",
            model=self._work.model,
            files=tuple(files),
            usage=Usage(
                started_at=self._started,
                ended_at=clock.now(),
                compute_seconds=0.0,
                device="provider",
                instance_type="none",
                provider=self._provider,
                cost_micro_usd=self._each * (len(self._pictures) + self._charged),
            ),
            notes=tuple(notes),
        )
        s3.put(self._prefix + name, result.model_dump_json().encode(), "application/json")
        return self._prefix + name

    def _one(self, index: int, draw_one: Callable[[int], Drawn]) -> None:
        uri = self._prefix + _name(index)
        # A delivery of the same message that was lost may have drawn it.
        body = s3.find(uri)
        if body is None:
            if self._failing.is_set() or self.unwanted.is_set():
                return
            body = draw_one(self._work.seed + index).png
            if self.unwanted.is_set():
                raise nobody_wants(charged=True)
            s3.put(uri, body, "image/png")
        self._pictures[index] = body

    def _file(
        self, name: str, role: Role, media_type: str, body: bytes, width: int, height: int, index: int | None
    ) -> ResultFile:
        return ResultFile(
            name=name,
            role=role,
            media_type=media_type,
            bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            width=width,
            height=height,
            seed=None if index is None else self._work.seed + index,
        )


def _name(index: int) -> str:
    return f"picture-{index:02d}.png"
