"""Which dimensions are which: the messages of XLA that ops hold as serialized attributes.

A message is a row of fields: a varint `number << 3 | kind`, then a varint (kind 0) or a length and as many bytes (kind
2), which are varints one behind the other where the field is a list. Source: xla_data.proto (DotDimensionNumbers,
ConvolutionDimensionNumbers, GatherDimensionNumbers, ScatterDimensionNumbers).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base.errors import FormatError
from .varint import read_varint

MAX_NUMBERS = 1 << 12
"""The most numbers of one message: a tensor has far fewer dimensions."""


def read_numbers(data: bytes, what: str) -> dict[int, list[int]]:
    """The numbers of each field; FormatError for what is no message of whole numbers."""
    found: dict[int, list[int]] = {}
    position = 0
    count = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        held = found.setdefault(tag >> 3, [])
        end = position + 1
        if tag & 7 == 2:
            length, position = read_varint(data, position)
            end = position + length
        elif tag & 7:
            raise FormatError(f"the {what} of {len(data)} bytes are no message of whole numbers.")
        if end > len(data):
            raise FormatError(f"the {what} of {len(data)} bytes end in the middle of a number.")
        while position < end:
            value, position = read_varint(data, position)
            held.append(value)
            count += 1
            if count > MAX_NUMBERS:
                raise FormatError(f"the {what} of {len(data)} bytes hold more than {MAX_NUMBERS} numbers.")
    return found


@dataclass(frozen=True, slots=True)
class DotNumbers:
    """Of a product: what is summed over, and what both sides have in common."""

    left_summed: list[int]
    right_summed: list[int]
    left_batch: list[int]
    right_batch: list[int]


def dot_numbers(data: bytes) -> DotNumbers:
    """DotDimensionNumbers."""
    found = read_numbers(data, "dimension numbers")
    return DotNumbers(*(found.get(field, []) for field in (1, 2, 3, 4)))


@dataclass(frozen=True, slots=True)
class ConvNumbers:
    """Of a convolution: (batch, features, *space) of the input and of the output, (inputs, outputs, *space) of the
    filters."""

    input: list[int]
    filters: list[int]
    output: list[int]


def conv_numbers(data: bytes) -> ConvNumbers:
    """ConvolutionDimensionNumbers."""
    found = read_numbers(data, "dimension numbers")

    def order(first: int, second: int, space: int) -> list[int]:
        return [found.get(first, [0])[-1], found.get(second, [0])[-1], *found.get(space, [])]

    return ConvNumbers(order(7, 8, 11), order(3, 4, 6), order(9, 10, 12))


@dataclass(frozen=True, slots=True)
class GatherNumbers:
    """Of slices that are taken (or written): which dimensions of the result are windows, which of the operand have
    none, what each index counts, where the indices of one slice stand, and what both sides have in common."""

    windows: list[int]
    without: list[int]
    counted: list[int]
    index_vector: int
    operand_batch: list[int]
    indices_batch: list[int]


def gather_numbers(data: bytes) -> GatherNumbers:
    """GatherDimensionNumbers and ScatterDimensionNumbers, whose fields have the same numbers."""
    found = read_numbers(data, "dimension numbers")
    windows, without, counted, operand, indices = (found.get(field, []) for field in (1, 2, 3, 5, 6))
    return GatherNumbers(windows, without, counted, found.get(4, [0])[-1], operand, indices)
