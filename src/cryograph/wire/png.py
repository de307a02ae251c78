"""PNG: 8-byte signature; chunks of length, name, data, CRC-32; rows filtered and deflated (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..base.errors import FormatError
from ..base.images import MAX_PIXELS
from ..base.tensors import Array

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
# (first column, first row, step across, step down) of the seven passes of an interlaced picture.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_LUMA = (9797, 19234, 3737)
"""Weights of red, green and blue in grey, of 32768 (0.299, 0.587, 0.114)."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """Samples (H, W, samples) as they are in the file."""

    samples: Array
    depth: int
    kind: int
    palette: Array | None
    transparent: bytes | None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise FormatError("this is no PNG: its signature is missing.")
    place = len(SIGNATURE)
    while True:
        if place + 12 > len(data):
            raise FormatError(f"this PNG ends at byte {len(data)}, within a chunk.")
        size = int.from_bytes(data[place : place + 4], "big")
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        if place + 12 + size > len(data):
            raise FormatError(f"this PNG ends at byte {len(data)}, within a chunk {name!r}.")
        if not name.isalpha():
            raise FormatError(f"this PNG has a chunk {name!r}, which is no name.")
        found = int.from_bytes(data[place + 8 + size : place + 12 + size], "big")
        if found == zlib.crc32(name + body):
            yield name, body
        elif name[:1].isupper():  # what is not needed is passed over when it is damaged
            raise FormatError(f"the chunk {name!r} of this PNG is damaged: its checksum differs.")
        if name == b"IEND":
            return
        place += 12 + size


def _read(data: bytes) -> _Picture:
    head, palette, transparent, parts = b"", None, None, []
    for name, body in _chunks(data):
        if name == b"IHDR":
            head = body
        elif name == b"PLTE":
            palette = np.frombuffer(body[: len(body) // 3 * 3], np.uint8).reshape(-1, 3)
        elif name == b"tRNS":
            transparent = body
        elif name == b"IDAT":
            parts.append(body)
    if len(head) != 13:
        raise FormatError("this PNG has no header.")
    width, height, depth, kind, compression, filters, interlaced = struct.unpack(">IIBBBBB", head)
    if depth not in _DEPTHS.get(kind, ()) or compression or filters or interlaced > 1 or not width or not height:
        raise FormatError(f"the header of this PNG makes no sense: {width} x {height}, depth {depth}, kind {kind}.")
    if width * height > MAX_PIXELS:
        raise FormatError(f"{width} x {height} pixels are more than {MAX_PIXELS}.")
    if kind == PALETTE and palette is None:
        raise FormatError("this PNG has no palette.")
    bits = _SAMPLES[kind] * depth
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(height - row) // down), -(-(width - column) // across)) for column, row, across, down in passes]
    total = sum(rows * (1 + (columns * bits + 7) // 8) for rows, columns in sizes if rows > 0 and columns > 0)
    lines = _inflate(b"".join(parts), total)
    samples = np.zeros((height, width, _SAMPLES[kind]), np.uint16 if depth == 16 else np.uint8)
    place = 0
    for (column, row, across, down), (rows, columns) in zip(passes, sizes, strict=True):
        if rows <= 0 or columns <= 0:
            continue
        stride = (columns * bits + 7) // 8
        block = np.frombuffer(lines, np.uint8, rows * (1 + stride), place).reshape(rows, 1 + stride)
        place += block.size
        plain = _unfiltered(block, max(1, bits // 8))
        samples[row::down, column::across] = _unpacked(plain, columns, _SAMPLES[kind], depth)
    return _Picture(samples, depth, kind, palette, transparent)


def _inflate(data: bytes, total: int) -> bytes:
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(data, total)
    except zlib.error as error:
        raise FormatError(f"the pixels of this PNG cannot be inflated: {error}.") from error
    if len(found) != total:
        raise FormatError(f"this PNG holds {len(found)} bytes of pixels where {total} are expected.")
    return found


def _unfiltered(lines: Array, step: int) -> Array:
    """Rows without their filters, one diagonal at a time: what a byte needs is left of it, above, and both."""
    kinds, rows = lines[:, 0], lines[:, 1:]
    if (kinds > 4).any():
        raise FormatError(f"a row of this PNG has the unknown filter {int(kinds.max())}.")
    if not kinds.any():
        return rows
    height, stride = rows.shape
    width = -(-stride // step)
    raw = np.zeros((height, width * step), np.int16)
    raw[:, :stride] = rows
    raw = raw.reshape(height, width, step)
    made = np.zeros((height + 1, width + 1, step), np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, above, both = made[y + 1, x], made[y, x + 1], made[y, x]
        to_left, to_above, to_both = abs(above - both), abs(left - both), abs(left + above - 2 * both)
        paeth = np.where((to_left <= to_above) & (to_left <= to_both), left, np.where(to_above <= to_both, above, both))
        guess = np.choose(kinds[y][:, None], [np.zeros_like(left), left, above, (left + above) >> 1, paeth])
        made[y + 1, x + 1] = (raw[y, x] + guess) & 255
    return made[1:, 1:].reshape(height, -1)[:, :stride].astype(np.uint8)


def _unpacked(rows: Array, width: int, samples: int, depth: int) -> Array:
    if depth == 16:
        return np.ascontiguousarray(rows).view(">u2").reshape(len(rows), width, samples)
    if depth < 8:
        bits = np.unpackbits(rows, axis=1).reshape(len(rows), -1, depth)[:, :width]
        rows = bits @ (1 << np.arange(depth - 1, -1, -1)).astype(np.uint8)
    return rows.reshape(len(rows), width, samples)


def decode(data: bytes, channels: int = 0, wide: bool = False) -> Array:
    """(H, W, channels) as uint8, or uint16 when `wide`; as many channels as the file has without `channels`.

    Grey with alpha is 2 channels. Alpha that the file lacks is opaque; grey from colours weighs these as TV did.
    """
    picture = _read(data)
    values, alpha, depth = _with_alpha(picture)
    if channels == 0:
        has_alpha = picture.kind in (GREY_ALPHA, RGB_ALPHA) or (picture.kind == PALETTE and alpha is not None)
        channels = values.shape[-1] + has_alpha
    if channels < 3 and values.shape[-1] == 3:
        values = _grey(values)
    elif channels >= 3 and values.shape[-1] == 1:
        values = values.repeat(3, -1)
    if channels % 2 == 0:
        if alpha is None:
            # libpng fills up with all bits of the file's own depth, even where it has widened the samples.
            alpha = np.full_like(values[..., :1], (1 << picture.depth) - 1)
        values = np.concatenate([values, alpha.astype(values.dtype)], -1)
    if wide:
        return values.astype(np.uint16) * 257 if depth == 8 else values.astype(np.uint16)
    return (values >> 8).astype(np.uint8) if depth == 16 else values.astype(np.uint8)


def _with_alpha(picture: _Picture) -> tuple[Array, Array | None, int]:
    """Grey or RGB samples of 8 or 16 bits, their alpha, and how many bits they have."""
    samples, key = picture.samples, picture.transparent
    if picture.kind == PALETTE:
        found = picture.palette if picture.palette is not None else np.zeros((0, 3), np.uint8)
        table = np.zeros((256, 3), np.uint8)
        table[: min(256, len(found))] = found[:256]
        opacity = np.full(256, 255, np.uint8)
        if key:
            opacity[: min(256, len(key))] = np.frombuffer(key[:256], np.uint8)
        return table[samples[..., 0]], opacity[samples] if key else None, 8
    count = 3 if picture.kind in (RGB, RGB_ALPHA) else 1
    alpha: Array | None = samples[..., count:] if samples.shape[-1] > count else None
    values = samples[..., :count]
    most = 65535 if picture.depth == 16 else 255
    if alpha is None and key is not None and len(key) >= 2 * count:
        mark = np.frombuffer(key, ">u2", count)
        alpha = np.where((values == mark).all(-1, keepdims=True), 0, most).astype(samples.dtype)
    if picture.depth < 8:
        values = values * np.uint8(255 // ((1 << picture.depth) - 1))
    return values, alpha, max(8, picture.depth)


def _grey(values: Array) -> Array:
    mixed = values.astype(np.int64) @ np.array(_LUMA)
    if values.dtype == np.uint16:
        mixed = mixed + (1 << 14)
    return np.asarray(mixed >> 15, values.dtype)[..., None]


def encode(pixels: Array, level: int = -1) -> bytes:
    """A PNG of (H, W, 1..4) pixels of uint8 or uint16; each row gets the filter that leaves the smallest numbers."""
    height, width, channels = pixels.shape
    kind = (GREY, GREY_ALPHA, RGB, RGB_ALPHA)[channels - 1]
    depth = 8 * pixels.dtype.itemsize
    step = channels * pixels.dtype.itemsize
    rows = np.ascontiguousarray(pixels.astype(f">u{pixels.dtype.itemsize}")).view(np.uint8).reshape(height, -1)
    machine = zlib.compressobj(level, zlib.DEFLATED, _window(rows.size + height), 9, zlib.Z_FILTERED)
    packed = machine.compress(_filtered(rows, step).tobytes()) + machine.flush()
    if rows.size + height <= 256:  # zlib has no such window, but the header may say that a smaller one is enough
        packed = b"\x08" + bytes([_checked(0x08, packed[1])]) + packed[2:]
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = [(b"IHDR", head), *((b"IDAT", packed[i : i + 8192]) for i in range(0, len(packed), 8192)), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        len(part).to_bytes(4, "big") + name + part + zlib.crc32(name + part).to_bytes(4, "big") for name, part in body
    )


def _checked(first: int, second: int) -> int:
    """The second byte of a zlib stream, which makes both a multiple of 31."""
    kept = second & 0xE0
    return kept + (31 - (first * 256 + kept) % 31) % 31


def _window(size: int) -> int:
    """The bits of the smallest window that holds everything."""
    return max(9, min(15, (size - 1).bit_length()))


def _filtered(rows: Array, step: int) -> Array:
    wide = rows.astype(np.int16)
    left = np.pad(wide, ((0, 0), (step, 0)))[:, : wide.shape[1]]
    above = np.pad(wide, ((1, 0), (0, 0)))[:-1]
    both = np.pad(left, ((1, 0), (0, 0)))[:-1]
    to_left, to_above, to_both = abs(above - both), abs(left - both), abs(left + above - 2 * both)
    paeth = np.where((to_left <= to_above) & (to_left <= to_both), left, np.where(to_above <= to_both, above, both))
    guesses = (np.zeros_like(wide), left, above, (left + above) >> 1, paeth)
    tried = np.stack([(wide - guess) & 255 for guess in guesses], 1)
    best = np.minimum(tried, 256 - tried).sum(-1).argmin(-1)
    chosen = np.take_along_axis(tried, best[:, None, None], 1)[:, 0]
    return np.concatenate([best[:, None], chosen], 1).astype(np.uint8)
