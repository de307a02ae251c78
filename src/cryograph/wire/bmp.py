"""BMP without compression: offset of the pixels at byte 10, width at 18, height at 22, bits a pixel at 28.

Rows are of whole words, from the bottom up unless the height is negative.
"""

from __future__ import annotations

import struct

import numpy as np

from ..base.errors import FormatError
from ..base.images import MAX_PIXELS
from ..base.tensors import Array

LEAST = 32
"""Bytes that a file has at least."""


def decode(data: bytes, channels: int = 0) -> Array:
    """uint8 (H, W, channels): as many channels as the file has without `channels`. Palettes are not looked at."""
    if len(data) < LEAST or data[:2] != b"BM":
        raise FormatError("this is no BMP, or it has no header.")
    offset, width, height = (struct.unpack_from("<i", data, at)[0] for at in (10, 18, 22))
    held = struct.unpack_from("<h", data, 28)[0] // 8
    if held not in (1, 3, 4) or width <= 0 or height == 0 or offset < 0 or width * abs(height) > MAX_PIXELS:
        raise FormatError(f"the header of this BMP makes no sense: {width} x {height} pixels of {held} bytes.")
    stride = (held * width + 3) // 4 * 4
    if len(data) != offset + stride * abs(height):
        raise FormatError(f"this BMP has {len(data)} bytes where {offset + stride * abs(height)} are expected.")
    rows = np.frombuffer(data, np.uint8, stride * abs(height), offset).reshape(abs(height), stride)
    pixels = rows[:, : held * width].reshape(abs(height), width, held)[:: 1 if height < 0 else -1]
    if held > 1:
        pixels = pixels[..., [2, 1, 0, 3][:held]]
    channels = channels or held
    if held == 1 and channels > 1:
        pixels = pixels.repeat(3, -1)
    if channels == 4 and pixels.shape[-1] == 3:
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)
    return np.ascontiguousarray(pixels[..., :channels])
