"""WAV of 16 bits: `RIFF`, size, `WAVE`, and chunks of name, size and data: `fmt ` first, `data` among the others."""

from __future__ import annotations

import struct

import numpy as np

from ..base.errors import FormatError
from ..base.tensors import Array

_BEFORE_FORMAT = (b"JUNK", b"bext", b"iXML", b"qlty", b"mext", b"levl", b"link", b"axml")
_UNIT = np.float32(1 << 15)


def decode(data: bytes) -> tuple[Array, int]:
    """Samples (frames, channels) as float32 in [-1, 1), and how many frames a second has."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise FormatError("this is no WAV: it does not start with RIFF and WAVE.")
    place, rate, channels = 12, 0, 0
    samples: Array | None = None
    while place < len(data) or samples is None:
        if place + 8 > len(data):
            raise FormatError(f"this WAV ends at byte {len(data)}, before or within a chunk.")
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8
        if not channels and name == b"fmt ":
            rate, channels = _format(data[place : place + size], size)
        elif not channels and name not in _BEFORE_FORMAT:
            raise FormatError(f"this WAV has a chunk {name!r} before its format.")
        elif channels and size > 0x7FFFFFFF:
            raise FormatError(f"the chunk {name!r} of this WAV is too large: {size} bytes.")
        elif channels and name == b"data":
            if samples is not None:
                raise FormatError("this WAV has more than one chunk of data.")
            size = size // (2 * channels) * 2 * channels
            if place + size > len(data):
                raise FormatError(f"this WAV ends at byte {len(data)}, within its data.")
            samples = np.frombuffer(data, "<i2", size // 2, place).reshape(-1, channels) / _UNIT
        place += size
    return samples.astype(np.float32), rate


def _format(body: bytes, size: int) -> tuple[int, int]:
    if size not in (16, 18) or len(body) < 16:
        raise FormatError(f"the format of this WAV has {size} bytes, not 16 or 18.")
    code, channels, rate, a_second, frame, bits = struct.unpack_from("<HHIIHH", body)
    if code != 1 or channels < 1 or bits != 16:
        raise FormatError(f"this WAV is not plain PCM of 16 bits: format {code}, {channels} channels, {bits} bits.")
    if frame != 2 * channels or a_second != frame * rate & 0xFFFFFFFF:
        raise FormatError(f"the format of this WAV contradicts itself: {frame} bytes a frame, {a_second} a second.")
    return rate, channels


def encode(samples: Array, rate: int) -> bytes:
    """A WAV of float32 samples (frames, channels), cut off at -1 and 1."""
    frames, channels = samples.shape
    if not 0 < rate < 1 << 32 or not 0 < channels < 1 << 16 or 44 + 2 * samples.size >= 1 << 32:
        raise FormatError(f"{frames} frames of {channels} channels at {rate} a second cannot be a WAV.")
    scaled = samples.astype(np.float32) * _UNIT
    nearest = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)  # halves away from 0
    body: bytes = np.clip(np.nan_to_num(nearest, nan=-32768), -32768, 32767).astype("<i2").tobytes()
    second = rate * 2 * channels & 0xFFFFFFFF
    form = struct.pack("<HHIIHH", 1, channels, rate, second, 2 * channels & 0xFFFF, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", len(body)) + body
