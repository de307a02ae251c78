"""CRC-32C and its masked form: published values, streams, views."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.wire.crc import crc32c, crc32c_of, mask, masked_bytes, unmask

# RFC 3720, B.4.
PUBLISHED = [
    (b"\x00" * 32, 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
    (b"123456789", 0xE3069283),
    (b"", 0),
]


@pytest.mark.parametrize(("data", "crc"), PUBLISHED)
def test_published_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert crc32c(memoryview(data)) == crc
    assert crc32c_of(data[i : i + 1] for i in range(len(data))) == crc
    for at in range(len(data)):
        assert crc32c(data[at:], crc32c(memoryview(data)[:at])) == crc


def test_views_of_arrays() -> None:
    array = np.arange(1000, dtype=np.float32)
    assert crc32c(array.view(np.uint8).data) == crc32c(array.tobytes())
    assert crc32c(array.view(np.uint8).data[3:77]) == crc32c(array.tobytes()[3:77])


def test_masks() -> None:
    # LevelDB's: the mask of a value is another value, and masking twice is not undone by unmasking once.
    crc = crc32c(b"foo")
    assert mask(crc) != crc
    assert unmask(mask(crc)) == crc
    assert unmask(unmask(mask(mask(crc)))) == crc
    assert mask(0) == 0xA282EAD8
    assert masked_bytes(0) == b"\xd8\xea\x82\xa2"
    for value in (0, 1, 0x7FFF, 0x8000, 0xFFFFFFFF, 0xA282EAD8):
        assert unmask(mask(value)) == value
