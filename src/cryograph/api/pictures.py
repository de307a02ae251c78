"""Pictures as users have them (files, bytes, arrays) into arrays as networks take them, with TensorFlow's kernels."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..base.dtypes import UINT8
from ..base.errors import Error, FileError, InputError, MissingExtraError
from ..base.files import Path, exists, is_dir, join, list_dir, open_file
from ..base.images import IMAGE_SUFFIXES, decode_any, encode_png, is_picture_name, orientation
from ..base.tensors import Array
from ..engines.engines import fold
from ..ops.networks import Levels
from ..ops.picture_inputs import PictureInput
from ..program.program import Step

Picture = Path | bytes | Array
"""A file, the bytes of one, or pixels: uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""


def picture_files(paths: Sequence[Path]) -> Iterator[str]:
    """The files of pictures that are named, and those below named directories (by their suffix, in order).

    FileError for what does not exist, before any is given, and for a directory without pictures.
    """
    names = [os.fspath(path) for path in paths]
    for name in names:
        if not exists(name):
            raise FileError(f"{name} does not exist; a picture or a directory of pictures was expected.")
    return itertools.chain.from_iterable(_pictures_below(name) if is_dir(name) else (name,) for name in names)


def _pictures_below(directory: str) -> Iterator[str]:
    waiting, found = [directory], False
    seen: set[str] = set()  # links may lead round in a circle
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        inner = []
        for entry in sorted(list_dir(folder)):
            path = join(folder, entry)
            if is_picture_name(entry):
                found = True
                yield path
            elif not entry.startswith(".") and is_dir(path):
                inner.append(path)
        waiting += reversed(inner)
    if not found:
        raise FileError(f"{directory} holds no pictures ({', '.join(IMAGE_SUFFIXES)}).")


def pixels_of(picture: Picture, channels: int) -> Array:
    """A picture as uint8 (H, W, channels), upright. FormatError for what is not a picture.

    What TensorFlow decodes is decoded as TensorFlow does it, to the bit; then it is turned as its EXIF data say.
    """
    if isinstance(picture, np.ndarray):
        return _of_array(picture, channels)
    data, name = _bytes_of(picture)
    try:
        pixels = _decoded(data, channels)
    except MissingExtraError:
        raise
    except Error:  # no format that TensorFlow knows, or not with these channels
        pixels = decode_any(data, name, channels)
    return _upright(pixels, orientation(data))


def encoded_of(picture: Picture) -> bytes:
    """A picture as the bytes of a file that TensorFlow's DecodeJpeg and its kin take, upright."""
    if not isinstance(picture, np.ndarray):
        data, _ = _bytes_of(picture)
        if data.startswith((b"\xff\xd8\xff", b"\x89PNG")) and orientation(data) == 1:
            return data
    return encode_png(pixels_of(picture, 3))


def fitted_picture(picture: Picture, target: PictureInput) -> Array:
    """One picture as the target wants it, without a batch: a string, or (H, W, C) scaled in size and levels, (C, H, W)
    or one row where that is wanted.

    Sizes are scaled bilinearly, as TensorFlow's own examples do it (`ResizeBilinear`).
    """
    if target.encoded:
        return np.array(encoded_of(picture), dtype=object)
    pixels = pixels_of(picture, target.channels)
    if target.size is None or pixels.shape[:2] == target.size:
        scaled = pixels.astype(np.float32)
    else:
        step = Step("resize", "ResizeBilinear", ("x", "size"), ("y",), {"T": UINT8})
        (made,) = fold(step, [pixels[None], np.array(target.size, np.int32)])
        scaled = np.asarray(made[0], np.float32)
    if target.bgr:
        scaled = scaled[..., ::-1]
    scaled = np.asarray((scaled - _levels(target.mean)) / _levels(target.std), np.float32)
    wanted = target.dtype.numpy
    if wanted is None:
        raise InputError(f"{target.tensor} is {target.dtype}, which pictures cannot be made.")
    if target.channels_first:
        scaled = np.ascontiguousarray(scaled.transpose(2, 0, 1))
    if target.flat:
        scaled = scaled.reshape(-1)
    if target.dtype.is_floating:
        return scaled.astype(wanted)
    limits = np.iinfo(wanted)
    return np.rint(scaled).clip(limits.min, limits.max).astype(wanted)


def _levels(levels: Levels) -> Array:
    return np.array(levels, np.float32)


def _bytes_of(picture: Path | bytes) -> tuple[bytes, str]:
    if isinstance(picture, bytes):
        return picture, "the picture"
    if not isinstance(picture, str | os.PathLike):
        raise InputError(
            f"A {type(picture).__name__} is no picture: a path, the bytes of a file or a uint8 array was expected. Of"
            " Pillow's images np.asarray(image.convert('RGB')) makes one."
        )
    name = os.fspath(picture)
    return open_file(name).span().read(), name


def _decoded(data: bytes, channels: int) -> Array:
    attrs: dict[str, Any] = {"channels": channels, "dtype": UINT8, "expand_animations": False}
    (pixels,) = fold(Step("picture", "DecodeImage", ("contents",), ("image",), attrs), [np.array(data, dtype=object)])
    return pixels


def _upright(pixels: Array, turned: int) -> Array:
    """Undoes an EXIF orientation (1 to 8)."""
    if turned in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if turned in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _of_array(pixels: Array, channels: int) -> Array:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[-1] not in (1, 3, 4):
        raise InputError(
            f"An array of {pixels.dtype} {list(pixels.shape)} is no picture: uint8 (H, W), (H, W, 1), (H, W, 3) or"
            " (H, W, 4) was expected."
        )
    if pixels.shape[-1] == channels:
        return pixels
    return decode_any(encode_png(pixels), "the array", channels)
