"""Cases of pictures as bytes: decoded and encoded.

The files are data/pictures.json, base64 by name: drawn once from seeded noise and waves, JPEG, WebP and most GIF by
Pillow, PNG by hand in every kind, depth and filter. They are data so that they never change with a library.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from cryograph.wire import jpeg, png
from tests.support.op_cases import FORMS, Array, Case, case, ints, ivec, refusal, strings

FILES: dict[str, bytes] = {
    name: base64.b64decode(text)
    for name, text in json.loads((Path(__file__).parent / "data" / "pictures.json").read_text()).items()
}
UINT8, UINT16, FLOAT = (dtype_of(name) for name in ("uint8", "uint16", "float32"))


def held(data: bytes) -> Array:
    """One string."""
    return np.array(data, object)


def named(start: str) -> list[Array]:
    return [held(data) for name, data in FILES.items() if name.startswith(start)]


def _each(found: Sequence[Array], decode: Any) -> list[Array]:
    return [np.stack([decode(item) for item in array.ravel()]) for array in found]


def _pixels(case: Case, found: Sequence[Array]) -> Sequence[Array]:
    """What a PNG shows: the bytes are equal too with the same zlib, but not with every one."""
    wide = case.inputs[0].dtype == np.uint16
    return _each(found, lambda item: png.decode(item, 0, wide))


def _alike_pixels(case: Case, found: Sequence[Array]) -> Sequence[Array]:
    """What a JPEG shows, and its first segment: the bytes are equal too with the same libjpeg-turbo."""
    pixels = _each(found, lambda item: jpeg.decode(item, fast=False).astype(np.float32))
    return [*pixels, *(np.frombuffer(item[:20], np.uint8) for array in found for item in array.ravel())]


FORMS["png"] = _pixels
FORMS["jpeg"] = _alike_pixels


def jpegs() -> Iterator[Case]:
    for data in named("jpeg"):
        yield case("DecodeJpeg", data)
        yield case("ExtractJpegShape", data)
        yield case("ExtractJpegShape", data, output_type=dtype_of("int64"))
        yield case("DecodeJpeg", data, channels=3)
        is_inks = data.item() in (FILES["jpeg_inks"], FILES["jpeg_plain_inks"])
        yield refusal("DecodeJpeg", data, channels=1) if is_inks else case("DecodeJpeg", data, channels=1)
    for name in ("420", "422", "440", "411", "progressive", "grey", "1x1", "3x2", "5x1", "inks"):
        data = held(FILES[f"jpeg_{name}"])
        for ratio in (1, 2, 4, 8):
            for fancy in (True, False):
                for method in ("INTEGER_FAST", "INTEGER_ACCURATE"):
                    if method == "INTEGER_ACCURATE" and not fancy and ratio == 1 and name in ("422", "440", "411"):
                        # Pillow cannot pair these: chroma is that of the fast transform.
                        attrs: dict[str, Any] = {"fancy_upscaling": fancy, "dct_method": method}
                        yield case("DecodeJpeg", data, **attrs, form="near", tolerance=4 / 255)
                        continue
                    yield case("DecodeJpeg", data, ratio=ratio, fancy_upscaling=fancy, dct_method=method)
    data = FILES["jpeg_420"]
    yield case("DecodeJpeg", held(data[:-2]), try_recover_truncated=True)
    yield case("DecodeJpeg", held(data), try_recover_truncated=True, acceptable_fraction=0.5)
    yield case("DecodeJpeg", held(data + b"more"))
    yield refusal("DecodeJpeg", held(data[:-2]))
    yield refusal("DecodeJpeg", held(data[:-2] + b"--"))
    yield refusal("DecodeJpeg", held(data[: len(data) // 2]), acceptable_fraction=0.1)
    yield refusal("DecodeJpeg", held(data[:30]))
    yield refusal("DecodeJpeg", held(b""))
    yield refusal("DecodeJpeg", held(b"no picture"))
    yield refusal("DecodeJpeg", strings(data, data))
    yield refusal("DecodeJpeg", held(data), channels=4)
    yield refusal("DecodeJpeg", held(data), channels=2)
    yield refusal("DecodeJpeg", held(data), ratio=3)
    yield refusal("DecodeJpeg", held(data), dct_method="FLOAT")
    yield refusal("ExtractJpegShape", held(data[:10]))
    yield refusal("ExtractJpegShape", held(FILES["png_rgb8"]))
    for name in ("420", "422", "444", "440", "grey", "inks", "progressive"):
        data = held(FILES[f"jpeg_{name}"])
        for window in ((0, 0, 7, 9), (2, 3, 7, 5), (1, 8, 5, 3), (0, 9, 9, 2), (8, 0, 1, 11)):
            yield case("DecodeAndCropJpeg", data, ivec(*window))
            yield case("DecodeAndCropJpeg", data, ivec(*window), fancy_upscaling=False)
    data = held(FILES["jpeg_420"])
    yield case("DecodeAndCropJpeg", data, ivec(3, 4, 5, 6), ratio=2, dct_method="INTEGER_ACCURATE")
    yield case("DecodeAndCropJpeg", data, ivec(3, 17, 18, 8), dct_method="INTEGER_ACCURATE")
    for window in ((0, 0, 22, 5), (-1, 0, 3, 3), (0, 0, 0, 3), (0, 20, 3, 8)):
        yield refusal("DecodeAndCropJpeg", data, ivec(*window))
    yield refusal("DecodeAndCropJpeg", data, ivec(0, 0, 2))
    yield refusal("DecodeAndCropJpeg", held(FILES["png_rgb8"]), ivec(0, 0, 2, 2))


FORMS["near"] = lambda case, found: [array.astype(np.float32) for array in found]


def pngs() -> Iterator[Case]:
    for data in named("png"):
        for channels in (0, 1, 3, 4):
            for dtype in (UINT8, UINT16):
                yield case("DecodePng", data, channels=channels, dtype=dtype)
        yield case("DecodeImage", data, dtype=FLOAT)
    data = FILES["png_rgb8"]
    yield refusal("DecodePng", held(data), channels=2)
    yield refusal("DecodePng", held(data[:-20]))
    yield refusal("DecodePng", held(data[:40]))
    yield refusal("DecodePng", held(data.replace(b"tEXt", b"t-Xt")))
    yield refusal("DecodePng", held(data.replace(b"tEXt", b"TEXt")))
    yield case("DecodePng", held(data.replace(b"tEXt", b"tEXz")))
    key = FILES["png_rgb8_key"]
    yield case("DecodePng", held(key.replace(b"tRNS\0\xc8", b"tRNS\0\xc9")), channels=4)
    yield refusal("DecodePng", held(data[:50] + b"x" + data[51:]))
    for channels in (1, 2, 3, 4):
        for dtype in (np.uint8, np.uint16):
            for level in (-1, 0, 9):
                picture = ints(9, 14, channels, low=0, high=np.iinfo(dtype).max, dtype=dtype)
                yield case("EncodePng", picture, compression=level, form="png")
    slope = np.add.outer(np.arange(40), np.arange(50))[..., None] * [1, 2, 3]
    yield case("EncodePng", slope.astype(np.uint8), form="png")
    yield case("EncodePng", ints(2, 3, 4, 5, 3, low=0, high=255, dtype=np.uint8), form="png")
    yield case("EncodePng", np.zeros((0, 4, 5, 3), np.uint8))
    yield refusal("EncodePng", ints(4, 5, 5, dtype=np.uint8))
    yield refusal("EncodePng", np.zeros((0, 5, 3), np.uint8))
    yield refusal("EncodePng", ints(4, 5, dtype=np.uint8))
    yield refusal("EncodePng", ints(4, 5, 3, dtype=np.uint8), compression=10)


def others() -> Iterator[Case]:
    for data in named("gif"):
        if data.item() != FILES["gif_no_table"]:
            yield case("DecodeGif", data)
            yield case("DecodeImage", data, dtype=UINT16, channels=3)
            yield case("DecodeImage", data, expand_animations=False)
    for data in (*named("gif_one"), *named("gif_laced")):
        yield case("DecodePng", data)
        yield case("DecodeJpeg", data)
    yield refusal("DecodePng", held(FILES["gif_frames"]))
    yield refusal("DecodeGif", held(FILES["gif_no_table"]))
    yield refusal("DecodeImage", held(FILES["gif_one"]), channels=1)
    yield refusal("DecodeGif", held(FILES["gif_one"][:20]))
    for data in named("bmp"):
        for channels in (0, 3, 4):
            yield case("DecodeBmp", data, channels=channels)
        yield case("DecodeImage", data)
        yield refusal("DecodeBmp", data, channels=1)
        yield refusal("DecodePng", data)
    yield refusal("DecodeBmp", held(FILES["bmp_rgb"][:-1]))
    yield refusal("DecodeBmp", held(FILES["png_rgb8"]))
    yield refusal("DecodeBmp", held(FILES["jpeg_420"]))
    for data in named("webp"):
        yield case("DecodeWebP", data)
        yield case("DecodeImage", data, expand_animations=False)
    yield case("DecodeWebP", held(FILES["webp_lossy"]), channels=3)
    yield refusal("DecodeWebP", held(FILES["webp_lossy"]), channels=4)
    yield refusal("DecodeWebP", held(FILES["webp_lossy"]), channels=1)
    yield refusal("DecodeWebP", held(FILES["webp_lossy"][:-60]))
    yield refusal("DecodeImage", held(FILES["webp_lossy"]), dtype=FLOAT)
    yield refusal("DecodeJxl", held(FILES["jxl"]))
    yield refusal("DecodeImage", held(FILES["jxl"]))
    for name in ("jpeg_420", "png_rgb8", "png_palette8_key", "bmp_rgb"):
        for dtype in (UINT8, UINT16, FLOAT):
            for expand in (False, True):
                yield case("DecodeImage", held(FILES[name]), dtype=dtype, expand_animations=expand)
    for name in ("webp_lossy", "webp_frames"):
        for op in ("DecodeBmp", "DecodeJpeg", "DecodePng", "DecodeGif"):
            if (op, name) != ("DecodeGif", "webp_frames"):
                yield case(op, held(FILES[name]))
    yield refusal("DecodeGif", held(FILES["webp_frames"]))  # it asks for 3 channels, and what is animated has 4
    for name in ("gif_one", "bmp_rgb"):
        yield refusal("DecodeAndCropJpeg", held(FILES[name]), ivec(0, 0, 2, 2))
    yield case("DecodeJpeg", held(FILES["png_rgb8"]), channels=4)
    yield case("DecodePng", held(FILES["jpeg_420"]), dtype=UINT16, channels=1)
    yield case("DecodePng", held(FILES["gif_one"]), dtype=UINT16)
    yield refusal("DecodePng", held(FILES["gif_one"]), channels=4)
    yield refusal("DecodePng", held(FILES["webp_lossy"]), dtype=UINT16)
    for name in ("jpeg_420", "png_rgb8"):
        for op in ("DecodeJpeg", "DecodePng", "DecodeGif", "DecodeWebP"):
            yield case(op, held(FILES[name]))


ATTRS: tuple[dict[str, Any], ...] = (
    {},
    {"quality": 40},
    {"quality": 100, "chroma_downsampling": False},
    {"quality": 1, "progressive": True},
    {"optimize_size": True, "density_unit": "cm", "x_density": 72, "y_density": 70},
    {"xmp_metadata": "<x/>"},
    {"format": "rgb"},
)


def encoded() -> Iterator[Case]:
    y, x = np.mgrid[0:19, 0:23]
    picture = np.stack([np.sin(x / 3) * 80 + 128, np.cos(y / 4) * 90 + 120, x * y % 200], -1).astype(np.uint8)
    for attrs in ATTRS:
        yield case("EncodeJpeg", picture, **attrs, form="jpeg")
    for form in ("", "grayscale"):
        yield case("EncodeJpeg", picture[..., :1], format=form, form="jpeg")
    yield refusal("EncodeJpeg", picture, format="grayscale")
    yield refusal("EncodeJpeg", picture[..., :1], format="rgb")
    yield refusal("EncodeJpeg", picture[..., :2])
    yield refusal("EncodeJpeg", picture, quality=101)
    for quality in (0, 30, 95, 100):
        yield case("EncodeJpegVariableQuality", picture, np.int32(quality), form="jpeg")
        yield case("EncodeJpegVariableQuality", picture[..., :1], np.int32(quality), form="jpeg")
    yield refusal("EncodeJpegVariableQuality", picture, np.int32(101))
    yield refusal("EncodeJpegVariableQuality", picture, ivec(50))


CASES: list[Case] = [*jpegs(), *pngs(), *others(), *encoded()]
