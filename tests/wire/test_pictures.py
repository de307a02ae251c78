"""Files of pictures and sound that are damaged, that lie, or that would need too much memory."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cryograph.base.errors import Error, FormatError
from cryograph.base.images import decode_webp
from cryograph.wire import bmp, gif, jpeg, png, wav
from tests.engines.cases.media import FILES

HUGE = 70_000


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png_of(width: int, height: int, pixels: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png.SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def test_more_pixels_than_the_header_says_are_not_inflated() -> None:
    assert png.decode(png_of(1, 1, b"\0abc" + bytes(10_000_000))).tolist() == [[[97, 98, 99]]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png_of(HUGE, HUGE, b""), "are more than 200000000"),
        (png_of(0, 3, b""), "makes no sense"),
        (png_of(2, 2, b"\0abc"), "4 bytes of pixels where 14 are expected"),
        (png_of(1, 1, b"\7abc"), "unknown filter 7"),
        (FILES["png_rgb8"][:-12], "within a chunk"),
        (FILES["png_rgb8"].replace(b"IDAT", b"IDAX", 1), "is damaged: its checksum differs"),
        (FILES["png_palette8"].replace(b"PLTE", b"plte", 1), "has no palette"),
    ],
)
def test_damaged_png(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        png.decode(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (FILES["gif_one"].replace(struct.pack("<HH", 9, 7), b"\xff" * 4), "65535 x 65535 pixels are more"),
        (FILES["gif_one"][:40], "ends within a block"),
        (b"GIF89a" + bytes(7) + b"\x3b", "has no frames"),
        (b"GIF89a" + bytes(7) + b"\x77", "unknown block 0x77"),
    ],
)
def test_damaged_gif(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        gif.decode(data)


def test_codes_that_say_nothing() -> None:
    with pytest.raises(FormatError, match="a code says nothing"):
        gif.unpack(b"\xff\xff", 3, 5)


@pytest.mark.parametrize("name", ["jpeg_420", "jpeg_progressive", "png_laced8", "gif_frames", "bmp_rgb", "webp_lossy"])
def test_cut_files_are_refused_in_our_words(name: str) -> None:
    data = FILES[name]
    decode = {"jpeg": jpeg, "png": png, "gif": gif, "bmp": bmp}.get(name.split("_")[0])
    for size in range(0, len(data) - 2, 7):
        with pytest.raises(Error):
            decode.decode(data[:size]) if decode else decode_webp(data[:size])


def test_sizes_in_a_jpeg_that_no_memory_holds() -> None:
    data = bytearray(FILES["jpeg_420"])
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(FormatError, match="65535 x 65535 pixels are more than"):
        jpeg.decode(bytes(data))


def test_density_and_metadata_are_read_by_others() -> None:
    made = jpeg.with_xmp(jpeg.with_density(FILES["jpeg_420"], 2, 70, 80), b"<x:xmpmeta/>")
    image = Image.open(io.BytesIO(made))
    assert image.info["jfif_unit"] == 2
    assert image.info["jfif_density"] == (70, 80)
    assert b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>" in (body for _, body in image.applist)
    assert np.array_equal(jpeg.decode(made), jpeg.decode(FILES["jpeg_420"]))
    with pytest.raises(FormatError, match="do not fit into a segment"):
        jpeg.with_xmp(made, bytes(70_000))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png_there_and_back(channels: int, kind: type[np.uint8] | type[np.uint16]) -> None:
    pixels = np.random.default_rng(channels).integers(0, np.iinfo(kind).max, (13, 17, channels)).astype(kind)
    pixels[3:9] = np.arange(17 * channels).reshape(17, channels)
    data = png.encode(pixels)
    assert np.array_equal(png.decode(data, wide=kind is np.uint16), pixels)
    if kind is np.uint8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))).reshape(pixels.shape), pixels)


def test_wav_there_and_back() -> None:
    samples = (np.arange(-20, 20).reshape(20, 2) / 32).astype(np.float32)
    found, rate = wav.decode(wav.encode(samples, 22050))
    assert rate == 22050
    assert np.array_equal(found, samples)
