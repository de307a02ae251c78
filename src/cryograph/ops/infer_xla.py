"""Shapes of XLA's ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..base.errors import FormatError
from ..base.shapes import Shape
from ..wire.xla_numbers import conv_numbers, dot_numbers, gather_numbers
from .facts import Call, Contradiction, Dim, Rule, add, merge_dim
from .infer_common import Result, every, like, same_as_input

T = TypeVar("T")


def _read(call: Call, read: Callable[[bytes], T]) -> T:
    data = call.attr("dimension_numbers")
    try:
        return read(data)
    except (FormatError, TypeError) as error:
        raise Contradiction(f"its dimension numbers make no sense ({error})") from error


def _dot(call: Call) -> Result:
    numbers = _read(call, dot_numbers)
    left, right = call.shape(0), call.shape(1)
    if left is None or right is None:
        return [None]
    batch = [merge_dim(left[a], right[b]) for a, b in zip(numbers.left_batch, numbers.right_batch, strict=True)]
    for a, b in zip(numbers.left_summed, numbers.right_summed, strict=True):
        merge_dim(left[a], right[b])
    used = {*numbers.left_batch, *numbers.left_summed}, {*numbers.right_batch, *numbers.right_summed}
    rests = [n for shape, gone in zip((left, right), used, strict=True) for at, n in enumerate(shape) if at not in gone]
    return [(*batch, *rests)]


def _conv(call: Call) -> Result:
    numbers = _read(call, conv_numbers)
    x, filters = call.shape(0), call.shape(1)
    if x is None:
        return [None]
    if filters is None or len(x) != len(filters) or len(numbers.input) != len(x):
        return [(None,) * len(x)]
    rank = len(x) - 2
    strides, padding, spread, gaps = (call.numbers(index) for index in (2, 3, 4, 5))
    if strides is None or padding is None or spread is None or gaps is None:
        return [(None,) * len(x)]
    groups = call.integer("batch_group_count") if "batch_group_count" in call.attrs else 1
    made: list[Dim] = [None] * len(x)
    batch, outer = x[numbers.input[0]], filters[numbers.filters[1]]
    made[numbers.output[0]] = None if batch is None else batch // groups
    made[numbers.output[1]] = outer
    for at in range(rank):
        size, window = x[numbers.input[2 + at]], filters[numbers.filters[2 + at]]
        around = padding[2 * at] + padding[2 * at + 1]
        made[numbers.output[2 + at]] = _count(_spread(size, spread[at]), around, window, gaps[at], strides[at])
    return [tuple(made)]


def _spread(size: Dim, gap: int) -> Dim:
    return None if size is None else max((size - 1) * gap + 1, 0) if size else 0


def _count(size: Dim, around: int, window: Dim, gap: int, stride: int) -> Dim:
    """How many windows fit."""
    if size is None or window is None:
        return None
    span = (window - 1) * gap + 1 if window else 0
    return (size + around - span) // stride + 1 if size + around >= span else 0


def _reduce_window(call: Call) -> Result:
    shape = call.shape(0)
    sizes, strides, spread, gaps, padding = (call.numbers(index) for index in (2, 3, 4, 5, 6))
    if shape is None:
        return [None]
    if sizes is None or strides is None or spread is None or gaps is None or padding is None:
        return [(None,) * len(shape)]
    return [
        tuple(
            _count(_spread(n, spread[at]), padding[2 * at] + padding[2 * at + 1], sizes[at], gaps[at], strides[at])
            for at, n in enumerate(shape)
        )
    ]


def _pad(call: Call) -> Result:
    shape = call.shape(0)
    low, high, inside = (call.numbers(index) for index in (2, 3, 4))
    if shape is None:
        return [None]
    if low is None or high is None or inside is None:
        return [(None,) * len(shape)]
    spread = [_spread(n, gap + 1) for n, gap in zip(shape, inside, strict=True)]
    sizes = [add(n, a + b) for n, a, b in zip(spread, low, high, strict=True)]
    return [tuple(None if n is None else max(n, 0) for n in sizes)]


def _dynamic_slice(call: Call) -> Result:
    sizes, shape = call.dims(2), call.shape(0)
    return [sizes if sizes is not None or shape is None else (None,) * len(shape)]


def _gather(call: Call) -> Result:
    numbers = _read(call, gather_numbers)
    indices, sizes = call.shape(1), call.numbers(2)
    if indices is None:
        return [None]
    batch = [n for at, n in enumerate(indices) if at != numbers.index_vector]
    dropped = {*numbers.without, *numbers.operand_batch}
    windows: list[Dim] = [None] * len(numbers.windows)
    if sizes is not None:
        windows = [n for at, n in enumerate(sizes) if at not in dropped]
    made: list[Dim] = []
    for at in range(len(batch) + len(numbers.windows)):
        made.append(windows.pop(0) if at in numbers.windows else batch.pop(0))
    return [tuple(made)]


def _without(shape: Shape, axes: list[int]) -> Shape:
    return None if shape is None else tuple(n for at, n in enumerate(shape) if at not in axes)


def _reduce(call: Call) -> Result:
    axes = call.ints("dimensions_to_reduce")
    return [_without(call.shape(index), axes) for index in range(len(call.outputs))]


def _sort(call: Call) -> Result:
    return [call.shape(index) for index in range(len(call.outputs))]


def _set_size(call: Call) -> Result:
    """The size that is set is known when the op runs."""
    shape, axis, size = call.shape(0), call.scalar(1), call.scalar(2)
    if shape is None:
        return [None]
    return [tuple(size if axis == at else n if axis is not None else None for at, n in enumerate(shape))]


def _broadcast_helper(call: Call) -> Result:
    left, right, axes = call.shape(0), call.shape(1), call.numbers(2)
    if left is None or right is None or axes is None:
        return [None, None]
    if not axes:
        return [left, right]
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    made: list[Dim] = [1] * len(large)
    for axis, size in zip(axes, small, strict=True):
        made[axis] = size
    return [tuple(made), large] if small is left else [large, tuple(made)]


def _random_bits(call: Call) -> Result:
    return [call.ranked(1, 1), call.dims(2)]


def _eig(call: Call) -> Result:
    shape = call.at_least(0, 2)
    return [None if shape is None else shape[:-1], shape]


def _svd(call: Call) -> Result:
    shape = call.at_least(0, 2)
    if shape is None:
        return [None, None, None]
    rows, columns = shape[-2:]
    least = None if rows is None or columns is None else min(rows, columns)
    return [(*shape[:-2], least), (*shape[:-2], rows, rows), (*shape[:-2], columns, columns)]


INFER: dict[str, Rule] = {
    **every(same_as_input, "XlaDynamicUpdateSlice XlaReducePrecision XlaRemoveDynamicDimensionSize XlaScatter"),
    **every(same_as_input, "XlaSelectAndScatter XlaSetBound XlaSort"),
    **every(_conv, "XlaConv XlaConvV2"),
    **every(_dot, "XlaDot XlaDotV2"),
    **every(_reduce, "XlaReduce XlaVariadicReduce XlaVariadicReduceV2"),
    "XlaBroadcastHelper": _broadcast_helper,
    "XlaDynamicSlice": _dynamic_slice,
    "XlaGather": _gather,
    "XlaKeyValueSort": like(0, 1),
    "XlaPad": _pad,
    "XlaReduceWindow": _reduce_window,
    "XlaRngBitGenerator": _random_bits,
    "XlaSelfAdjointEig": _eig,
    "XlaSetDynamicDimensionSize": _set_size,
    "XlaSvd": _svd,
    "XlaVariadicSort": _sort,
}
