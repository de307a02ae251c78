"""CRC-32C as TensorFlow stores it: masked, so that a checksum of data that holds checksums stays a good one.

Layout: 4 bytes, little-endian: ((crc >> 15 | crc << 17) + 0xa282ead8) mod 2^32. Source: LevelDB's crc32c.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import google_crc32c
import numpy as np

MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | memoryview, crc: int = 0) -> int:
    """The CRC-32C of `data`, going on from `crc`. Nothing is copied."""
    if isinstance(data, memoryview):  # the C code takes bytes and arrays only
        return int(google_crc32c.extend(crc, np.frombuffer(data, np.uint8))) if len(data) else crc
    return int(google_crc32c.extend(crc, data))


def crc32c_of(pieces: Iterable[bytes | memoryview], crc: int = 0) -> int:
    """The CRC-32C of pieces one after the other, going on from `crc`."""
    for piece in pieces:
        crc = crc32c(piece, crc)
    return crc


def mask(crc: int) -> int:
    """The form in which a checksum is stored."""
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """The checksum of a stored form."""
    rotated = (masked - MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def masked_bytes(crc: int) -> bytes:
    """The 4 bytes that are stored for a checksum."""
    return struct.pack("<I", mask(crc))
