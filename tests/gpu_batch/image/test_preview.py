"""The contact sheet of an image job."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from tests.gpu_batch.image.test_job import work
from worker.stages.base import Context
from worker.stages.image import preview


def sheet(folder: Path, count: int, width: int, height: int) -> tuple[Image.Image, dict[str, Any]]:
    """The preview of `count` pictures in different greys, and what was named as its result."""
    for index in range(count):
        Image.new("RGB", (width, height), (15 * index,) * 3).save(folder / f"picture-{index:02d}.png")
    named: list[tuple[Any, ...]] = []
    context = SimpleNamespace(
        work=work(count=count, width=width, height=height),
        folder=folder,
        add_result=lambda *result: named.append(result),
    )
    preview.run(cast(Context, context))
    ((path, role, media_type, *size),) = named
    with Image.open(path) as opened:
        return opened.convert("L"), {"role": role, "media_type": media_type, "size": tuple(size)}


@pytest.mark.part("JOB-8")
class TestPreview:
    @pytest.mark.parametrize(
        ("count", "width", "height", "size"),
        [
            (1, 1024, 768, (512, 384)),
            (1, 64, 64, (64, 64)),
            (2, 512, 512, (512, 254)),
            (4, 1024, 1024, (512, 512)),
            (16, 512, 512, (512, 512)),
            (3, 2048, 256, (512, 200)),
            (16, 256, 2048, (506, 490)),
        ],
    )
    def test_it_fits_512_pixels_and_is_never_enlarged(
        self, tmp_path: Path, count: int, width: int, height: int, size: tuple[int, int]
    ) -> None:
        """Columns are chosen so that the sheet is nearly square, whatever the aspect."""
        picture, named = sheet(tmp_path, count, width, height)
        assert max(picture.size) <= 512
        assert all(abs(got - wanted) <= 4 for got, wanted in zip(picture.size, size, strict=True)), picture.size
        assert named == {"role": "preview", "media_type": "image/jpeg", "size": picture.size}

    def test_pictures_stand_in_reading_order(self, tmp_path: Path) -> None:
        """Left to right, then down."""
        picture, _ = sheet(tmp_path, 4, 256, 256)
        greys = [int(str(picture.getpixel(place))) for place in ((60, 60), (400, 60), (60, 400), (400, 400))]
        assert all(abs(grey - 15 * index) <= 2 for index, grey in enumerate(greys)), greys
