"""Messages of XLA that say which dimensions are which."""

from __future__ import annotations

import pytest

from cryograph.base.errors import FormatError
from cryograph.wire.varint import varint
from cryograph.wire.xla_numbers import MAX_NUMBERS, conv_numbers, dot_numbers, gather_numbers, read_numbers


def test_numbers_and_lists_are_read_in_both_forms() -> None:
    data = bytes([3 << 3, 7, 6 << 3 | 2, 2, 0, 1, 6 << 3, 9, 3 << 3, 200, 1])
    assert read_numbers(data, "numbers") == {3: [7, 200], 6: [0, 1, 9]}
    assert read_numbers(b"", "numbers") == {}


def test_what_is_left_out_is_zero_or_empty() -> None:
    assert dot_numbers(b"").left_summed == []
    conv = conv_numbers(bytes([8 << 3, 3, 11 << 3 | 2, 2, 1, 2]))
    assert conv.input == [0, 3, 1, 2]
    assert conv.filters == [0, 0]
    assert gather_numbers(bytes([1 << 3 | 2, 1, 1])).index_vector == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes([1 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0]), "no message of whole numbers"),
        (bytes([1 << 3 | 2, 9, 1]), "end in the middle"),
        (bytes([1 << 3]), "end in the middle"),
        (bytes([1 << 3, 0x80]), "does not end"),
        (bytes([1 << 3 | 2]) + varint(MAX_NUMBERS + 1) + bytes(MAX_NUMBERS + 1), "more than"),
    ],
)
def test_damaged_messages_are_told(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_numbers(data, "numbers")
