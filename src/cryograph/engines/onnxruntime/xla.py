"""Lowerings of XLA's ops: products, convolutions, pads, parts at places that are worked out, gathers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ...base.dtypes import FLOAT32, FLOAT64, INT64, DType
from ...base.shapes import is_known, known
from ...program.program import Step
from ...wire.xla_numbers import GatherNumbers, conv_numbers, dot_numbers, gather_numbers
from .builder import SMALL, Builder, Table
from .conv import filters_first
from .linear import einsum
from .values import Refusal, Value


def sizes_of(x: Value, op: str) -> list[int]:
    """The shape, which must be known."""
    if not is_known(x.shape):
        raise Refusal(f"{op} has a lowering for known shapes only")
    return list(known(x.shape, "x"))


# --- pads and parts


def padded(g: Builder, x: Value, value: Value, low: list[int], high: list[int], inside: list[int]) -> Value:
    """With a value before, behind and between the elements; negative numbers cut elements off."""
    sizes = sizes_of(x, "a pad")
    made = x
    for axis, gap in enumerate(inside):
        if gap < 0:
            raise Refusal("a gap between elements is negative")
        if gap and sizes[axis] > 1:
            made = _spread(g, made, value, sizes, axis, gap)
            sizes[axis] += (sizes[axis] - 1) * gap
    cuts = [(max(-a, 0), max(-b, 0)) for a, b in zip(low, high, strict=True)]
    if any(a + b > n for (a, b), n in zip(cuts, sizes, strict=True)):
        raise Refusal("more is cut off than there is")
    if any(a or b for a, b in cuts):
        starts, stops = [a for a, _ in cuts], [n - b for (_, b), n in zip(cuts, sizes, strict=True)]
        made = g.slice(made, g.ints(starts), g.ints(stops), list(range(len(sizes))))
    sizes = [n + a + b for n, a, b in zip(sizes, low, high, strict=True)]
    pads = [max(a, 0) for a in low] + [max(b, 0) for b in high]
    if any(pads):
        made = g.op("Pad", made, g.ints(pads), value, mode="constant")
    return Value(made.name, made.dtype, tuple(sizes), made.tensor)


def _spread(g: Builder, x: Value, value: Value, sizes: Sequence[int], axis: int, gap: int) -> Value:
    """Each element of an axis followed by a gap, but the last."""
    rank = len(sizes)
    pads = [0] * (2 * (rank + 1))
    pads[rank + 1 + axis + 1] = gap
    wide = g.op("Pad", g.unsqueeze(x, [axis + 1]), g.ints(pads), value, mode="constant")
    long = [n * (gap + 1) if i == axis else n for i, n in enumerate(sizes)]
    flat = g.reshape(wide, long)
    return g.slice(flat, g.ints([0]), g.ints([long[axis] - gap]), [axis])


def pad(g: Builder, step: Step, x: Value, value: Value, low: Value, high: Value, inside: Value) -> Value:
    said = [g.fixed_ints(part, "a padding") for part in (low, high, inside)]
    return padded(g, x, value, said[0], said[1], said[2])


def _inside(g: Builder, x: Value, starts: Value, sizes: list[int]) -> Value:
    """Where a part begins, moved so that it lies inside."""
    if len(sizes) != x.rank or any(n is not None and s > n for s, n in zip(sizes, x.shape or (), strict=True)):
        raise Refusal(f"a part of {sizes} does not fit")
    room = g.binary("Sub", g.shape_of(x), g.ints(sizes))
    return g.binary("Min", g.binary("Max", g.int64(starts), g.ints([0] * len(sizes))), room)


def dynamic_slice(g: Builder, step: Step, x: Value, starts: Value, sizes: Value) -> Value:
    wanted = g.fixed_ints(sizes, "the sizes")
    first = _inside(g, x, starts, wanted)
    made = g.slice(x, first, g.binary("Add", first, g.ints(wanted)), list(range(len(wanted))))
    return Value(made.name, made.dtype, tuple(wanted))


def dynamic_update_slice(g: Builder, step: Step, x: Value, update: Value, starts: Value) -> Value:
    """Element by element, at places that begin where the part does."""
    sizes = sizes_of(update, step.op)
    if not sizes or prod(sizes) > SMALL:
        raise Refusal(f"a part of {sizes} is not put element by element")
    places = np.moveaxis(np.indices(sizes), 0, -1)
    index = g.binary("Add", g.const(places, INT64), _inside(g, x, starts, sizes))
    return g.op("ScatterND", x, index, update, shape=x.shape)


def gather(
    g: Builder,
    step: Step,
    operand: Value,
    indices: Value,
    slice_sizes: Value,
    *,
    dimension_numbers: bytes,
    indices_are_sorted: bool,
) -> Value:
    """A slice for each vector of indices, moved so that it lies inside."""
    numbers, sizes = gather_numbers(dimension_numbers), g.fixed_ints(slice_sizes, "the sizes of slices")
    shape = sizes_of(operand, step.op)
    if len(sizes) != len(shape) or any(not 0 <= s <= n for s, n in zip(sizes, shape, strict=True)):
        raise Refusal(f"slices of {sizes} do not fit {shape}")
    starts, batch = starts_of(g, indices, shape, numbers)
    room = [n - s for n, s in zip(shape, sizes, strict=True)]
    first = g.binary("Min", g.binary("Max", starts, g.ints([0] * len(sizes))), g.ints(room))
    found = _slices(g, operand, first, batch, shape, sizes)
    dropped = {*numbers.without, *numbers.operand_batch}
    left = [*batch, *(s for axis, s in enumerate(sizes) if axis not in dropped)]
    made = g.reshape(found, left)
    rest = [at for at in range(len(left)) if at not in numbers.windows]
    if len(rest) != len(batch):
        raise Refusal(f"{len(numbers.windows)} dimensions of windows do not fit slices of {sizes}")
    order = np.empty(len(left), int)
    order[rest] = np.arange(len(batch))
    order[numbers.windows] = np.arange(len(batch), len(left))
    return g.transpose(made, [int(axis) for axis in order])


def _slices(g: Builder, operand: Value, first: Value, batch: list[int], shape: list[int], sizes: list[int]) -> Value:
    """(*batch, *sizes): whole rows where only one dimension is cut, else element by element."""
    cut = [axis for axis, (n, s) in enumerate(zip(shape, sizes, strict=True)) if n != s]
    if len(cut) == 1 and sizes[cut[0]] == 1:
        (axis,) = cut
        numbers = g.squeeze(g.slice(first, g.ints([axis]), g.ints([axis + 1]), [len(batch)]), [len(batch)])
        rest = (*shape[:axis], *batch, *shape[axis + 1 :])
        rows = g.op("Gather", operand, numbers, axis=axis, shape=rest)
        lead = range(axis, axis + len(batch))
        order = [*lead, *(at for at in range(len(rest)) if at not in lead)]
        return g.reshape(g.transpose(rows, order), [*batch, *sizes])
    if prod(sizes) * len(sizes) > SMALL:
        raise Refusal(f"slices of {sizes} are not taken element by element")
    offsets = np.moveaxis(np.indices(sizes), 0, -1)
    wide = g.reshape(first, [*batch, *[1] * len(sizes), len(sizes)])
    return g.op("GatherND", operand, g.binary("Add", wide, g.const(offsets, INT64)), shape=(*batch, *sizes))


def starts_of(g: Builder, indices: Value, shape: Sequence[int], numbers: GatherNumbers) -> tuple[Value, list[int]]:
    """(*batch, rank): where each slice begins, before it is moved inside."""
    sizes = sizes_of(indices, "XlaGather")
    held = g.int64(indices)
    if numbers.index_vector == len(sizes):
        held, sizes = g.unsqueeze(held, [len(sizes)]), [*sizes, 1]
    if not 0 <= numbers.index_vector < len(sizes) or sizes[numbers.index_vector] != len(numbers.counted):
        raise Refusal(f"indices of {sizes} do not count {len(numbers.counted)} dimensions")
    order = [axis for axis in range(len(sizes)) if axis != numbers.index_vector]
    batch = [sizes[axis] for axis in order]
    moved = g.transpose(held, [*order, numbers.index_vector])
    parts: list[Value] = []
    for axis in range(len(shape)):
        if axis in numbers.counted:
            place = numbers.counted.index(axis)
            parts.append(g.slice(moved, g.ints([place]), g.ints([place + 1]), [len(batch)]))
            continue
        fill = np.zeros((*batch, 1), np.int64)
        if axis in numbers.operand_batch:
            other = numbers.indices_batch[numbers.operand_batch.index(axis)]
            along = other - (other > numbers.index_vector)
            laid = [-1 if at == along else 1 for at in range(len(batch) + 1)]
            fill = fill + np.arange(batch[along]).reshape(laid)
        parts.append(g.const(fill, INT64))
    made = g.concat(parts, len(batch))
    return Value(made.name, INT64, (*batch, len(shape)), made.tensor), batch


# --- products


def dot(
    g: Builder,
    step: Step,
    left: Value,
    right: Value,
    *,
    dimension_numbers: bytes,
    precision_config: bytes,
    preferred_element_type: DType | None = None,
) -> Value:
    """(*batch, *rest of the left, *rest of the right)."""
    numbers = dot_numbers(dimension_numbers)
    kind = preferred_element_type or left.dtype
    sizes = sizes_of(left, step.op), sizes_of(right, step.op)
    rest = [
        [n for n in range(len(own)) if n not in taken]
        for own, taken in zip(
            sizes,
            (numbers.left_batch + numbers.left_summed, numbers.right_batch + numbers.right_summed),
            strict=True,
        )
    ]
    batch = [sizes[0][n] for n in numbers.left_batch]
    inner = prod(sizes[0][n] for n in numbers.left_summed)
    rows, columns = ([own[n] for n in free] for own, free in zip(sizes, rest, strict=True))
    if 0 in (*sizes[0], *sizes[1]):
        raise Refusal("a product of nothing has no form in ONNX")
    a = g.transpose(g.cast(left, kind), [*numbers.left_batch, *rest[0], *numbers.left_summed])
    b = g.transpose(g.cast(right, kind), [*numbers.right_batch, *numbers.right_summed, *rest[1]])
    flat_a = g.reshape(a, [*batch, prod(rows), inner])
    flat_b = g.reshape(b, [*batch, inner, prod(columns)])
    made = g.op("MatMul", flat_a, flat_b, dtype=kind, shape=(*batch, prod(rows), prod(columns)))
    return g.reshape(made, [*batch, *rows, *columns])


def conv(
    g: Builder,
    step: Step,
    left: Value,
    right: Value,
    window_strides: Value,
    padding: Value,
    lhs_dilation: Value,
    rhs_dilation: Value,
    feature_group_count: Value,
    *,
    dimension_numbers: bytes,
    precision_config: bytes,
    preferred_element_type: DType | None = None,
    batch_group_count: int = 1,
) -> Value:
    """With gaps in the input and in the filters, paddings that may cut off, and groups of features."""
    numbers = conv_numbers(dimension_numbers)
    kind = preferred_element_type or left.dtype
    if kind not in (FLOAT32, FLOAT64):
        raise Refusal(f"{step.op} of {kind} has no lowering to ONNX")
    rank = left.rank - 2
    steps, spread, gaps = (
        g.fixed_ints(part, "what windows do") for part in (window_strides, lhs_dilation, rhs_dilation)
    )
    pairs = g.fixed(padding, "the padding")
    (groups,) = g.fixed_ints(feature_group_count, "the groups")
    batch, features, *space = numbers.input
    x = g.transpose(g.cast(left, kind), [batch, features, *space])
    low, high = ([0, 0, *(int(n) for n in pairs[:, side])] for side in (0, 1))
    x = padded(g, x, g.const(0, kind), low, high, [0, 0, *(n - 1 for n in spread)])
    if batch_group_count > 1:  # groups of pictures become groups of features
        count, channels, *sizes = sizes_of(x, step.op)
        if count % batch_group_count:
            raise Refusal(f"{count} pictures do not make {batch_group_count} groups")
        split = g.reshape(x, [batch_group_count, count // batch_group_count, channels, *sizes])
        turned = g.transpose(split, [1, 0, *range(2, rank + 3)])
        x = g.reshape(turned, [count // batch_group_count, batch_group_count * channels, *sizes])
        groups *= batch_group_count
    inner, outer, *place = numbers.filters
    filters = g.transpose(g.cast(right, kind), [*place, inner, outer])
    kernel = sizes_of(filters, step.op)[:rank]
    if any((k - 1) * d + 1 > (x.size(axis) or 0) for axis, k, d in zip(range(2, rank + 2), kernel, gaps, strict=True)):
        raise Refusal("the windows do not fit the input")
    made = g.op(
        "Conv",
        x,
        filters_first(g, filters, rank),
        strides=steps,
        dilations=gaps,
        group=groups,
        kernel_shape=kernel,
        shape=(None,) * (rank + 2),
    )
    return g.transpose(made, [int(axis) for axis in np.argsort(numbers.output)])


# --- hints


def same(g: Builder, step: Step, *values: Value) -> list[Value]:
    return list(values)


def first(g: Builder, step: Step, x: Value, *rest: Value) -> Value:
    return x


def sharding(g: Builder, step: Step, x: Value, *, sharding: bytes = b"", unspecified_dims: Sequence[int] = ()) -> Value:
    """How a tensor is spread over devices does not change it."""
    return x


LOWERINGS: Table = {
    "XlaConv": conv,
    "XlaConvV2": conv,
    "XlaDot": dot,
    "XlaDotV2": dot,
    "XlaDynamicSlice": dynamic_slice,
    "XlaDynamicUpdateSlice": dynamic_update_slice,
    "XlaEinsum": einsum,
    "XlaGather": gather,
    "XlaOptimizationBarrier": same,
    "XlaPad": pad,
    "XlaRemoveDynamicDimensionSize": first,
    "XlaSetBound": first,
    "XlaSharding": sharding,
}
