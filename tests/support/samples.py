"""Pictures and files as customers send them, made by code: good, odd and bad."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from snapforge.assets.pictures import opening

GPS_MARK = b"51.4778N-SECRET"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene(width: int = 960, height: int = 720, seed: int = 0) -> Image.Image:
    """A textured disc on plain ground; another seed is another view."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (max(2, height // 12), max(2, width // 12), 3), dtype=np.uint8)
    texture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    y, x = np.mgrid[0:height, 0:width]
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) * 0.4) ** 2
    pixels = np.full((height, width, 3), 205, dtype=np.uint8)
    pixels[inside] = texture[inside]
    return Image.fromarray(pixels)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    """The file's bytes."""
    opening.prepare()
    out = io.BytesIO()
    image.save(out, form, **({"quality": 92} | options if form == "JPEG" else options))
    return out.getvalue()


def jpeg(seed: int = 0, **options: Any) -> bytes:
    """A plain photo."""
    return encoded(scene(seed=seed), **options)


def exif(
    *,
    orientation: int = 1,
    focal_35: int | None = 26,
    plane: tuple[float, int | None] | None = None,
    sensor_width: int | None = None,
    zoom: float | None = None,
    taken: str = "2026:05:01 12:00:00",
    offset: str = "+02:00",
) -> bytes:
    """EXIF of a phone, its position included."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112] = "Snap", "Phone 9", orientation
    sub = tags.get_ifd(0x8769)
    sub[0x9003], sub[0x9011], sub[0x920A] = taken, offset, 5.7
    if focal_35 is not None:
        sub[0xA405] = focal_35
    if sensor_width is not None:
        sub[0xA002] = sensor_width
    if zoom is not None:
        sub[0xA404] = zoom
    if plane is not None:
        sub[0xA20E] = plane[0]
        if plane[1] is not None:
            sub[0xA210] = plane[1]
    place = tags.get_ifd(0x8825)
    place[0x0001], place[0x0002], place[0x001D] = "N", (51.0, 28.0, 40.0), GPS_MARK.decode()
    return tags.tobytes()


def bomb_png(side: int = 60_000) -> bytes:
    """A PNG whose header claims side by side pixels; a few bytes of data."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 4096))
        + _chunk(b"IEND", b"")
    )


def bomb_jpeg(side: int = 60_000) -> bytes:
    """A JPEG whose frame header is rewritten to claim side by side pixels."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def animated(form: str) -> bytes:
    """Three frames as GIF, WEBP, PNG or AVIF."""
    frames = [scene(160, 120, seed) for seed in range(3)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def sixteen_bit_grey() -> bytes:
    """A 16-bit PNG: a ramp from black to white."""
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (128, 1))
    return encoded(Image.fromarray(ramp), "PNG")


def sixteen_bit_rgb() -> bytes:
    """A 16-bit RGB PNG of one colour (R 200, G 100, B 50 in 8 bits), written by hand: Pillow writes 8."""
    row = b"\0" + struct.pack(">HHH", 200 * 257, 100 * 257, 50 * 257) * 128
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 128, 128, 16, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(row * 128))
        + _chunk(b"IEND", b"")
    )


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...], tolerance: int) -> None:
    found = image.getpixel(place)
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= tolerance, (found, colour)
