"""Sharpness, exposure and looks, pixel by pixel: held against the same said in plain loops."""

from itertools import product
from statistics import fmean, pvariance

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from snapforge.assets.pictures import measures

Luma = NDArray[np.float32]
Mask = NDArray[np.bool_]


def noise(height: int, width: int, seed: int = 1) -> Luma:
    """Luma of which no two rows or columns are alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)


def all_opaque(luma: Luma) -> Mask:
    return np.ones(luma.shape, dtype=bool)


def sharpness_in_loops(luma: Luma, opaque: Mask, step: int) -> float:
    """Of each tile the variance of the Laplacian where a pixel and its four neighbours are opaque, if that is half of
    a tile at least; of these the sharpest tenth."""
    height, width = luma.shape
    tiles: dict[tuple[int, int], list[float]] = {}
    for y, x in product(range(1, height - 1), range(1, width - 1)):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        if opaque[y, x] and all(opaque[place] for place in around):
            value = sum(float(luma[place]) for place in around) - 4 * float(luma[y, x])
            tiles.setdefault(((y - 1) // step, (x - 1) // step), []).append(value)
    found = sorted((pvariance(values) for values in tiles.values() if len(values) >= step * step // 2), reverse=True)
    return fmean(found[: max(1, round(len(found) / 10))]) if found else 0.0


@pytest.mark.part("AST-2")
class TestSharpness:
    @pytest.mark.parametrize(
        ("height", "width", "step"), [(50, 66, 8), (66, 50, 8), (130, 110, 8), (100, 160, 10), (172, 100, 10)]
    )
    def test_it_is_the_variance_of_the_sharpest_tenth_of_the_tiles(self, height: int, width: int, step: int) -> None:
        """Sixteen tiles along the longest side, of eight pixels at least."""
        luma = noise(height, width)
        luma[: height // 2] = luma[: height // 2] // 4 + 60
        expected = sharpness_in_loops(luma, all_opaque(luma), step)
        assert measures._sharpness(luma, all_opaque(luma)) == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize("seed", range(4))
    def test_what_is_transparent_and_its_edge_do_not_count(self, seed: int) -> None:
        luma = noise(60, 80, seed)
        opaque = noise(60, 80, seed + 10) > 12
        opaque[:20] = True
        assert measures._sharpness(luma, opaque) == pytest.approx(sharpness_in_loops(luma, opaque, 8), rel=1e-4)

    @pytest.mark.parametrize(("rows", "counts"), [(4, True), (3, False)])
    def test_a_tile_counts_from_half_of_it_on(self, rows: int, counts: bool) -> None:
        """Of ten by ten pixels one tile has eight by eight."""
        luma = noise(10, 10)
        opaque = np.zeros((10, 10), dtype=bool)
        opaque[: rows + 2] = True
        assert (measures._sharpness(luma, opaque) > 0) == counts

    def test_plain_ground_has_none(self) -> None:
        luma = np.full((40, 40), 128, dtype=np.float32)
        assert measures._sharpness(luma, all_opaque(luma)) == 0
        assert measures._sharpness(luma, ~all_opaque(luma)) == 0

    def test_it_is_measured_at_1024_pixels(self) -> None:
        """A larger picture is reduced first, so that resolution does not count as sharpness; none is enlarged."""
        luma = noise(64, 1024)
        image = Image.fromarray(luma.astype(np.uint8)).convert("RGB")
        expected = round(measures._sharpness(luma, all_opaque(luma)), 2)
        for seen in (image, image.resize((2048, 128), Image.Resampling.NEAREST)):
            assert measures.measure(seen).sharpness == expected

    def test_a_very_long_picture_keeps_a_row(self) -> None:
        found = measures.measure(Image.new("RGB", (4000, 1), (90, 90, 90)))
        assert (found.sharpness, found.mean) == (0, 90)


@pytest.mark.part("AST-2")
class TestExposure:
    @pytest.mark.parametrize(("height", "width"), [(40, 60), (41, 63), (7, 5)])
    def test_the_middle_half_each_way_counts(self, height: int, width: int) -> None:
        luma = noise(height, width)
        expected = [
            float(luma[y, x])
            for y, x in product(range(height // 4, height - height // 4), range(width // 4, width - width // 4))
        ]
        assert measures._middle(luma, all_opaque(luma)).ravel().tolist() == expected

    def test_of_a_transparent_middle_the_whole_counts(self) -> None:
        luma, opaque = noise(40, 40), np.ones((40, 40), dtype=bool)
        opaque[10:30, 10:30] = False
        assert measures._middle(luma, opaque).size == luma.size
        opaque[20, 20] = True
        assert measures._middle(luma, opaque).tolist() == [luma[20, 20]]

    def test_up_to_four_is_dark_and_from_251_on_burnt_out(self) -> None:
        """As shares of the middle, to a ten-thousandth; the mean to a tenth."""
        pixels = np.full((40, 40, 3), 100, dtype=np.uint8)
        pixels[10, 10:13] = 4
        pixels[11, 10:15] = 5
        pixels[12, 10:17] = 251
        pixels[13, 10:19] = 250
        found = measures.measure(Image.fromarray(pixels))
        assert (found.clipped_dark, found.clipped_bright) == (3 / 400, 7 / 400)
        total = 100 * (400 - 24) + 3 * 4 + 5 * 5 + 7 * 251 + 9 * 250
        assert found.mean == round(total / 400, 1)

    def test_shares_are_told_to_a_ten_thousandth(self) -> None:
        pixels = np.full((42, 42, 3), 100, dtype=np.uint8)
        pixels[20, 20:22] = 0
        pixels[21, 20] = 255
        found = measures.measure(Image.fromarray(pixels))
        assert (found.clipped_dark, found.clipped_bright) == (0.0041, 0.0021)

    @pytest.mark.parametrize(("alpha", "counts"), [(251, True), (250, False)])
    def test_a_pixel_that_shines_through_does_not_count(self, alpha: int, counts: bool) -> None:
        image = Image.new("RGBA", (40, 40), (100, 100, 100, 255))
        image.paste((0, 0, 0, alpha), (10, 10, 20, 30))
        assert (measures.measure(image).mean < 100) == counts


def grid(values: Luma) -> Image.Image:
    """A picture whose cells of the hash's grid have these grey levels."""
    assert values.shape == (16, 17)
    return Image.fromarray(values.astype(np.uint8)).resize((17 * 8, 16 * 8), Image.Resampling.NEAREST).convert("RGB")


@pytest.mark.part("AST-2")
class TestLooks:
    def test_a_bit_is_a_cell_that_is_clearly_brighter_than_its_left_neighbour(self) -> None:
        """By more than three grey levels: row by row, the first cell's in the highest bit."""
        cells = np.random.default_rng(3).integers(0, 8, (16, 17)) * 3 + 100
        expected = "".join("1" if cells[y, x + 1] - cells[y, x] > 3 else "0" for y, x in product(range(16), range(16)))
        assert measures._hash(grid(cells.astype(np.float32))) == f"{int(expected, 2):064x}"

    def test_plain_ground_is_all_zeros(self) -> None:
        noisy = 128 + np.random.default_rng(4).integers(0, 4, (16, 17))
        assert measures._hash(grid(noisy.astype(np.float32))) == "0" * 64

    def test_what_is_transparent_is_a_middle_grey(self) -> None:
        """So that it looks the same whatever colour lies under it."""
        image = Image.new("RGBA", (170, 160), (255, 0, 0, 0))
        image.paste((131, 131, 131, 255), (80, 0, 90, 160))
        assert measures._hash(image) == "0" * 64
        image.paste((132, 132, 132, 255), (80, 0, 90, 160))
        assert measures._hash(image) == "0100" * 16
        image.paste((124, 124, 124, 255), (80, 0, 90, 160))
        assert measures._hash(image) == "0080" * 16
