"""GIF: a screen, colour tables, and frames of indices packed by LZW (the specification GIF89a)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.errors import FormatError
from ..base.images import MAX_PIXELS
from ..base.tensors import Array

_CUT = "this GIF ends within a block."


@dataclass(frozen=True, slots=True)
class Frame:
    """Indices into a colour table, and where on the screen they belong."""

    top: int
    left: int
    indices: Array
    colours: Array | None
    transparent: int | None


class _Reader:
    """Bytes from front to back; FormatError at the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        found = self.data[self.place : self.place + count]
        if len(found) != count:
            raise FormatError(_CUT)
        self.place += count
        return found

    def number(self, count: int = 1) -> int:
        return int.from_bytes(self.take(count), "little")

    def blocks(self) -> bytes:
        """What stands in blocks of at most 255 bytes, up to an empty one."""
        parts = []
        while size := self.number():
            parts.append(self.take(size))
        return b"".join(parts)

    def colours(self, flags: int) -> Array | None:
        if not flags & 0x80:
            return None
        return np.frombuffer(self.take(3 << (flags & 7) + 1), np.uint8).reshape(-1, 3)


def decode(data: bytes) -> Array:
    """All frames as uint8 (N, H, W, 3): each is drawn over the one before it, over black the first.

    As high and wide as the highest and the widest frame; of the screen's own size TensorFlow makes nothing.
    """
    reader = _Reader(data)
    if reader.take(6)[:4] != b"GIF8":
        raise FormatError("this is no GIF: its signature is missing.")
    reader.take(4)
    flags = reader.number()
    reader.take(2)
    shared = reader.colours(flags)
    frames: list[Frame] = []
    transparent: int | None = None
    while (mark := reader.number()) != 0x3B:
        if mark == 0x21:
            kind, body = reader.number(), reader.blocks()
            if kind == 0xF9 and len(body) >= 4:
                transparent = body[3] if body[0] & 1 else None
        elif mark == 0x2C:
            frames.append(_frame(reader, shared, transparent))
            transparent = None
        else:
            raise FormatError(f"this GIF has an unknown block {mark:#x}.")
    height = max((len(frame.indices) for frame in frames), default=0)
    width = max((frame.indices.shape[1] for frame in frames), default=0)
    if not height or not width:
        raise FormatError("this GIF has no frames.")
    if width * height * len(frames) > MAX_PIXELS:
        raise FormatError(f"{len(frames)} frames of {width} x {height} pixels are more than {MAX_PIXELS}.")
    made = np.zeros((len(frames), height, width, 3), np.uint8)
    for number, frame in enumerate(frames):
        _draw(frame, made, number)
    return made


def _frame(reader: _Reader, shared: Array | None, transparent: int | None) -> Frame:
    left, top, width, height = (reader.number(2) for _ in range(4))
    flags = reader.number()
    own = reader.colours(flags)
    bits = reader.number()
    if width * height > MAX_PIXELS:
        raise FormatError(f"{width} x {height} pixels are more than {MAX_PIXELS}.")
    indices = np.frombuffer(unpack(reader.blocks(), bits, width * height), np.uint8).reshape(height, width)
    if flags & 0x40:  # interlaced: every eighth row, those between, and so on
        order = np.concatenate([np.arange(start, height, step) for start, step in ((0, 8), (4, 8), (2, 4), (1, 2))])
        rows = np.empty_like(indices)
        rows[order] = indices
        indices = rows
    return Frame(top, left, indices, shared if own is None else own, transparent)


def _draw(frame: Frame, made: Array, number: int) -> None:
    if number:
        made[number] = made[number - 1]
    rows, columns = frame.indices.shape
    part = made[number, frame.top : frame.top + rows, frame.left : frame.left + columns]
    indices = frame.indices[: part.shape[0], : part.shape[1]]
    if frame.colours is None or (indices.size and indices.max() >= len(frame.colours)):
        raise FormatError("a frame of this GIF uses colours that its table does not hold.")
    shown = np.ones(indices.shape, bool) if frame.transparent is None else indices != frame.transparent
    part[shown] = frame.colours[indices[shown]]


def unpack(data: bytes, bits: int, count: int) -> bytes:
    """`count` bytes from LZW codes of `bits` + 1 bits and more."""
    if not 1 <= bits <= 8:
        raise FormatError(f"this GIF has codes of {bits} bits.")
    clear, end = 1 << bits, (1 << bits) + 1
    start = [bytes([i]) for i in range(clear)] + [b"", b""]
    table, width, last = start.copy(), bits + 1, b""
    held, have, place, made = 0, 0, 0, bytearray()
    while len(made) < count:
        while have < width:
            if place >= len(data):
                raise FormatError(_CUT)
            held |= data[place] << have
            have += 8
            place += 1
        code = held & ((1 << width) - 1)
        held >>= width
        have -= width
        if code == clear:
            table, width, last = start.copy(), bits + 1, b""
            continue
        if code == end or code > len(table) or (code == len(table) and not last):
            raise FormatError("a frame of this GIF is damaged: a code says nothing.")
        entry = table[code] if code < len(table) else last + last[:1]
        made += entry
        if last and len(table) < 4096:
            table.append(last + entry[:1])
        if len(table) == 1 << width and width < 12:
            width += 1
        last = entry
    return bytes(made[:count])
