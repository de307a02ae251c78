"""JPEG as libjpeg-turbo decodes it, to the last bit: the header, chroma scaled up, and colours (ITU T.81, JFIF 1.02).

Pillow undoes the entropy coding and the cosine transform, exact or fast. It couples the fast transform with plain
scaling of chroma, where TensorFlow's default is the fast transform with smooth ("fancy") scaling; so where these two
meet, luma and chroma are fetched as they are, and scaled and converted here.

What cannot be had is chroma of the exact transform before it is smoothed, unless it is half as wide and half as high as
luma. The exact transform with plain scaling, or within a window, then takes chroma of the fast transform: up to 4 units
away in RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.errors import FormatError
from ..base.images import MAX_PIXELS, decode_jpeg
from ..base.tensors import Array

BLOCK = 8
SCALES = (1, 2, 4, 8)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
ROWS = 64
"""Rows of a picture whose colours are worked out at once, so that they stay in the cache."""
_CHROMA = np.arange(256) - 128
_HALF = 1 << 15
_RED, _BLUE = (((factor * _CHROMA + _HALF) >> 16).astype(np.int16) for factor in (91881, 116130))
_GREEN_BLUE, _GREEN_RED = (-22554 * _CHROMA + _HALF).astype(np.int32), (-46802 * _CHROMA).astype(np.int32)
"""What each value of chroma adds to luma."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the data. `sampling` is (horizontal, vertical) per component; `adobe` the colour transform of
    an Adobe marker, None without one."""

    height: int
    width: int
    identities: tuple[int, ...]
    sampling: tuple[tuple[int, int], ...]
    jfif: bool
    adobe: int | None

    @property
    def is_luma_chroma(self) -> bool:
        """Whether three components are luma and chroma, and not red, green and blue."""
        if len(self.sampling) != 3:
            return False
        if self.jfif:
            return True
        if self.adobe is not None:
            return self.adobe != 0
        return self.identities != (0x52, 0x47, 0x42)


def read_header(data: bytes) -> JpegHeader:
    """The header; FormatError when there is none."""
    if data[:2] != b"\xff\xd8":
        raise FormatError("this is no JPEG: it does not start with FF D8.")
    place, jfif, adobe = 2, False, None
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place += 1  # libjpeg skips what lies between segments
            continue
        marker = data[place + 1]
        if marker == 0xFF or marker in _ALONE or marker == 0:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):
            break
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : place + 2 + size]
        if size < 2 or len(body) != size - 2:
            break
        if marker in _FRAMES:
            return _frame(body, jfif, adobe)
        jfif |= marker == 0xE0 and body[:5] == b"JFIF\0"
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        place += 2 + size
    raise FormatError("this JPEG ends before a frame header.")


def _frame(body: bytes, jfif: bool, adobe: int | None) -> JpegHeader:
    count = body[5] if len(body) > 5 else 0
    if len(body) < 6 + 3 * count or not count:
        raise FormatError("the frame header of this JPEG is too short.")
    parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(count)]
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    sampling = tuple((part[1] >> 4, part[1] & 15) for part in parts)
    if not height or not width or any(not 1 <= s <= 4 for pair in sampling for s in pair):
        raise FormatError(f"the frame header of this JPEG makes no sense: {width} x {height}, {sampling}.")
    if height * width > MAX_PIXELS:
        raise FormatError(f"{width} x {height} pixels are more than {MAX_PIXELS}.")
    return JpegHeader(height, width, tuple(part[0] for part in parts), sampling, jfif, adobe)


def decode(
    data: bytes,
    channels: int = 0,
    ratio: int = 1,
    fancy: bool = True,
    fast: bool = True,
    window: tuple[int, int, int, int] | None = None,
) -> Array:
    """uint8 (H, W, channels), made smaller by `ratio`; `window` is (y, x, height, width) of what is wanted.

    Without `channels`, 1 for grey pictures and 3 for others.
    """
    header = read_header(data)
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise FormatError("this JPEG has no end.")
    grey = channels == 1 or (channels == 0 and len(header.sampling) == 1)
    if grey and len(header.sampling) <= 3:
        return _cut(decode_jpeg(data, "L", ratio, fast)[..., None], window)
    if grey or len(header.sampling) not in (1, 3, 4):
        raise FormatError(f"a JPEG of {len(header.sampling)} components cannot be made {channels or 3} channels.")
    if len(header.sampling) == 1:
        return np.repeat(_cut(decode_jpeg(data, "L", ratio, fast)[..., None], window), 3, -1)
    scales = _upscales(header, ratio)
    whole = all(by == (1, 1) for by in scales)
    if len(header.sampling) == 4:
        return _from_inks(_cut(decode_jpeg(data, "CMYK", ratio, fast and whole), window), header.adobe is not None)
    if whole or not header.is_luma_chroma or (fancy and not fast and window is None):
        return _cut(decode_jpeg(data, "RGB", ratio, fast and whole), window)
    planes = decode_jpeg(data, "YCbCr", ratio, fast=True)
    parts = [planes[:: by[1], :: by[0], i] for i, by in enumerate(scales)]
    if not fast:
        parts[0] = decode_jpeg(data, "L", ratio, fast=False)
        if ratio == 1 and scales[1:] == [(2, 2), (2, 2)]:  # at half the size chroma is as it is in the file
            parts[1:] = np.moveaxis(decode_jpeg(data, "YCbCr", 2, fast=False)[..., 1:], -1, 0)
    y, x, height, width = window or (0, 0, *planes.shape[:2])
    _cut(planes, window)
    # libjpeg-turbo decodes whole columns of blocks from the one that holds the window's left edge to its right edge,
    # and smooths chroma as if these were the edges of the picture.
    left = x - x % (BLOCK // ratio * max(h for h, _ in header.sampling))
    made = []
    for part, by in zip(parts, scales, strict=True):
        held = part[:, left // by[0] : -(-(x + width) // by[0])]
        roomy = by[0] == 1 or (part.shape[1] > 2 and held.shape[1] > 1)
        smooth = fancy and BLOCK // ratio > 1 and roomy
        made.append(_upscaled(held, by, smooth)[y : y + height, x - left : x - left + width])
    return _to_rgb(*made)


def _cut(picture: Array, window: tuple[int, int, int, int] | None) -> Array:
    if window is None:
        return picture
    y, x, height, width = window
    if height <= 0 or width <= 0 or y < 0 or x < 0 or y + height > len(picture) or x + width > picture.shape[1]:
        raise FormatError(f"the window {list(window)} is not inside of {len(picture)} x {picture.shape[1]} pixels.")
    return np.ascontiguousarray(picture[y : y + height, x : x + width])


def _upscales(header: JpegHeader, ratio: int) -> list[tuple[int, int]]:
    """How often (across, down) each component is scaled up after its transform, which itself gives chroma of pictures
    made smaller at a larger size where both directions allow it."""
    most = max(h for h, _ in header.sampling), max(v for _, v in header.sampling)
    least = BLOCK // ratio
    found = []
    for h, v in header.sampling:
        size = least
        while size < BLOCK and (most[0] * least) % (h * size * 2) == 0 and (most[1] * least) % (v * size * 2) == 0:
            size *= 2
        found.append((most[0] * least // (h * size), most[1] * least // (v * size)))
    return found


def _upscaled(x: Array, by: tuple[int, int], smooth: bool) -> Array:
    """A plane made larger: by triangles where libjpeg-turbo has these (2 by 1, 2 by 2, 1 by 2), else repeated."""
    if smooth and by == (2, 1):
        return _across(x.astype(np.int16), 4, (1, 2), 2)
    if smooth and by == (2, 2):
        return _across(_down(x.astype(np.int16)), 4, (8, 7), 4)
    if smooth and by == (1, 2):
        mixed = _down(x.astype(np.int16))
        mixed[0::2] += 1
        mixed[1::2] += 2
        return mixed >> 2
    return x.repeat(by[1], 0).repeat(by[0], 1)


def _down(x: Array) -> Array:
    """Twice the rows: three parts of the nearest and one of the next, not yet divided by 4."""
    around = np.pad(x, ((1, 1), (0, 0)), mode="edge")
    made = np.repeat(3 * x, 2, 0)
    made[0::2] += around[:-2]
    made[1::2] += around[2:]
    return made


def _across(x: Array, parts: int, rounding: tuple[int, int], shift: int) -> Array:
    """Twice the columns, likewise; the first and the last are those of the source."""
    around = np.pad(x, ((0, 0), (1, 1)), mode="edge")
    made = np.repeat((parts - 1) * x, 2, 1)
    made[:, 0::2] += around[:, :-2] + rounding[0]
    made[:, 1::2] += around[:, 2:] + rounding[1]
    return made >> shift


def _to_rgb(y: Array, cb: Array, cr: Array) -> Array:
    """Colours in fixed point of 16 bits (JFIF's matrix), some rows at a time."""
    made = np.empty((*y.shape, 3), np.uint8)
    for start in range(0, len(y), ROWS):
        rows = slice(start, start + ROWS)
        luma, blue, red = y[rows].astype(np.int16), cb[rows].astype(np.uint8), cr[rows].astype(np.uint8)
        parts = (_RED[red], np.asarray((_GREEN_BLUE[blue] + _GREEN_RED[red]) >> 16, np.int16), _BLUE[blue])
        for channel, part in enumerate(parts):
            part += luma
            made[rows, :, channel] = np.clip(part, 0, 255, out=part)
    return made


def _from_inks(inks: Array, inverted: bool) -> Array:
    """RGB of cyan, magenta, yellow and black, which Pillow takes to be inverted in every file; in Adobe's they are."""
    left = (255 - inks if inverted else inks).astype(np.int32)
    return np.asarray(left[..., :3] * left[..., 3:] // 255, np.uint8)


def with_density(data: bytes, unit: int, across: int, down: int) -> bytes:
    """The same file that says another density: `unit` is 1 for inches and 2 for centimetres. Its first segment must be
    JFIF's."""
    return data[:13] + bytes([unit]) + across.to_bytes(2, "big") + down.to_bytes(2, "big") + data[18:]


def with_xmp(data: bytes, packet: bytes) -> bytes:
    """The same file with a packet of metadata behind its first segment."""
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet
    if len(body) + 2 > 0xFFFF:
        raise FormatError(f"metadata of {len(packet)} bytes do not fit into a segment.")
    place = 4 + int.from_bytes(data[4:6], "big")
    return data[:place] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[place:]
