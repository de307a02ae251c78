"""Lowerings of ops that cut tensors up, put them together, pad, repeat and turn them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, INT64
from ...program.program import Step
from .builder import Builder, Table
from .faults import REVERSE_NONE, is_right
from .values import Refusal, Value

LAST = np.iinfo(np.int64).max
FIRST = np.iinfo(np.int64).min


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def strided_slice(
    g: Builder,
    step: Step,
    x: Value,
    begin: Value,
    end: Value,
    strides: Value,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Value:
    """Constant strides; begin and end may be values. Cases: 1. ellipsis, 2. new axis, 3. shrink, 4. range."""
    steps = g.fixed_ints(strides, "strides")
    count = len(steps)
    ellipses = [i for i in _bits(ellipsis_mask) if i < count]
    if len(ellipses) > 1:
        raise Refusal("a slice has more than one ellipsis")
    new = [i for i in _bits(new_axis_mask) if i < count and i not in ellipses]
    shrink = [i for i in _bits(shrink_axis_mask) if i < count and i not in ellipses and i not in new]
    taken = count - len(new) - len(ellipses)
    rest = x.rank - taken if ellipses else 0
    if rest < 0:
        raise Refusal(f"a slice of {taken} dimensions does not fit rank {x.rank}")
    begins = None if begin.array is None else g.fixed_ints(begin, "begin")
    ends = None if end.array is None else g.fixed_ints(end, "end")
    axes: list[int] = []
    low: list[int | Value] = []
    high: list[int | Value] = []
    by: list[int] = []
    squeezed: list[int] = []
    fresh: list[int] = []
    axis = result = 0
    for i, stride in enumerate(steps):
        if i in ellipses:  # 1
            axis += rest
            result += rest
            continue
        if i in new:  # 2
            fresh.append(result)
            result += 1
            continue
        if stride == 0:
            raise Refusal("a stride is 0")
        if i in shrink:  # 3
            if stride < 0:
                raise Refusal("a single element is taken with a negative stride")
            axes.append(axis)
            start = _item(g, begin, begins, i)
            low.append(start)
            high.append(_after(g, start))
            by.append(1)
            squeezed.append(axis)
        else:  # 4
            free_begin, free_end = bool(begin_mask >> i & 1), bool(end_mask >> i & 1)
            if stride < 0 and not free_begin:
                _check_start(x, axis, begins, i)
            if not (free_begin and free_end and stride == 1):
                axes.append(axis)
                low.append((LAST if stride < 0 else 0) if free_begin else _item(g, begin, begins, i))
                high.append((FIRST if stride < 0 else LAST) if free_end else _item(g, end, ends, i))
                by.append(stride)
            result += 1
        axis += 1
    made = x
    if axes and squeezed == axes and len(axes) == 1 and isinstance(low[0], int):
        # One element along one axis: Gather drops the axis by itself.
        made = g.op("Gather", x, g.const(low[0], INT64), axis=axes[0], shape=_without(x, axes))
        return g.unsqueeze(made, fresh)
    if axes:
        stepped = g.ints(by) if any(step != 1 for step in by) else None
        made = g.slice(x, _vector(g, low), _vector(g, high), axes, stepped)
        made = Value(made.name, made.dtype, None if x.shape is None else _sliced(x.shape, axes, squeezed))
    return g.unsqueeze(g.squeeze(made, squeezed), fresh)


def _check_start(x: Value, axis: int, begins: Sequence[int] | None, i: int) -> None:
    """Backwards from before the first element is nothing in TensorFlow, and the first element in ONNX."""
    size = x.size(axis)
    if begins is None or (begins[i] < -1 and (size is None or begins[i] < -size)):
        raise Refusal("a slice backwards needs a start that is known to lie inside")


def _without(x: Value, axes: Sequence[int]) -> tuple[int | None, ...] | None:
    return None if x.shape is None else tuple(size for i, size in enumerate(x.shape) if i not in axes)


def _sliced(shape: tuple[int | None, ...], axes: Sequence[int], squeezed: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(1 if i in squeezed else None if i in axes else size for i, size in enumerate(shape))


def _item(g: Builder, vector: Value, known: Sequence[int] | None, index: int) -> int | Value:
    """One number of a vector: itself when it is known, else a vector of that one item."""
    if known is not None:
        return known[index]
    return g.slice(g.int64(vector), g.ints([index]), g.ints([index + 1]), [0])


def _after(g: Builder, start: int | Value) -> int | Value:
    """Where a slice of the one element at `start` ends: after it, at the very end when that is -1."""
    if isinstance(start, int):
        return LAST if start == -1 else start + 1
    last = g.op("Equal", start, g.ints([-1]), dtype=BOOL, shape=(1,))
    return g.where(last, g.ints([LAST]), g.op("Add", start, g.ints([1])), (1,))


def _vector(g: Builder, items: Sequence[int | Value]) -> Value:
    if all(isinstance(item, int) for item in items):
        return g.ints([item for item in items if isinstance(item, int)])
    return g.concat([g.ints([item]) if isinstance(item, int) else item for item in items], 0)


def slice_(g: Builder, step: Step, x: Value, begin: Value, size: Value) -> Value:
    """`size` of -1 goes to the end."""
    starts, sizes = g.int64(begin), g.int64(size)
    length = starts.size(0) if starts.size(0) is not None else sizes.size(0)
    if length is None:
        length = x.rank
    if begin.array is not None and size.array is not None:
        first, many = g.fixed_ints(begin, "begin"), g.fixed_ints(size, "size")
        axes = [i for i in range(len(first)) if first[i] or (many[i] != -1 and many[i] != x.size(i))]
        if not axes:
            return x
        ends = [LAST if many[i] == -1 else first[i] + many[i] for i in axes]
        return g.slice(x, g.ints([first[i] for i in axes]), g.ints(ends), axes)
    until = g.op("Add", starts, sizes)
    open_ = g.op("Equal", sizes, g.ints([-1]), dtype=BOOL, shape=(length,))
    return g.slice(x, starts, g.where(open_, g.ints([LAST]), until, (length,)), list(range(length)))


def split(g: Builder, step: Step, axis: Value, x: Value, *, num_split: int) -> list[Value]:
    (where,) = g.axes(axis, x.rank)
    size = x.size(where)
    if size is not None and size % num_split:
        raise Refusal(f"{size} does not divide into {num_split} parts")
    part = None if size is None else size // num_split
    shape = None if x.shape is None else tuple(part if i == where else s for i, s in enumerate(x.shape))
    if num_split == 1:
        return [x]
    return g.ops(
        "Split", x, dtypes=[x.dtype] * num_split, shapes=[shape] * num_split, axis=where, num_outputs=num_split
    )


def split_v(g: Builder, step: Step, x: Value, sizes: Value, axis: Value, *, num_split: int) -> list[Value]:
    (where,) = g.axes(axis, x.rank)
    parts = g.fixed_ints(sizes, "size_splits")
    if parts.count(-1) > 1:
        raise Refusal("more than one size of a split is left open")
    if -1 in parts:
        size = x.size(where)
        if size is None:
            raise Refusal("a split with an open size needs a known dimension")
        parts[parts.index(-1)] = size - sum(part for part in parts if part != -1)
    if num_split == 1:
        return [x]
    return g.ops("Split", x, g.ints(parts), dtypes=[x.dtype] * num_split, axis=where)


def concat_v2(g: Builder, step: Step, *inputs: Value) -> Value:
    return _concat(g, inputs[:-1], inputs[-1])


def concat(g: Builder, step: Step, axis: Value, *inputs: Value) -> Value:
    return _concat(g, inputs, axis)


def _concat(g: Builder, parts: Sequence[Value], axis: Value) -> Value:
    (where,) = g.fixed_ints(axis, "the axis")
    ranks = {len(part.shape) for part in parts if part.shape is not None}
    if where < 0 and ranks:
        where += ranks.pop()
    shape = None
    if all(part.shape is not None for part in parts):
        sizes = [part.size(where) for part in parts]
        whole = None if None in sizes else sum(size or 0 for size in sizes)
        shapes = [part.shape or () for part in parts]
        shape = tuple(
            whole if i == where else next((s[i] for s in shapes if s[i] is not None), None)
            for i in range(len(shapes[0]))
        )
    return g.concat(parts, where, shape)


def pack(g: Builder, step: Step, *inputs: Value, axis: int = 0) -> Value:
    rank = next((len(x.shape) for x in inputs if x.shape is not None), None)
    if rank is None:
        if axis < 0:
            raise Refusal("the rank of an input is not known")
        where = axis
    else:
        where = axis % (rank + 1)
    return g.concat([g.unsqueeze(x, [where]) for x in inputs], where)


def unpack(g: Builder, step: Step, x: Value, *, num: int, axis: int = 0) -> list[Value]:
    where = axis % x.rank
    if num == 0:
        return []
    if num == 1:
        return [g.squeeze(x, [where])]
    shape = None if x.shape is None else tuple(1 if i == where else s for i, s in enumerate(x.shape))
    parts = g.ops("Split", x, dtypes=[x.dtype] * num, shapes=[shape] * num, axis=where, num_outputs=num)
    return [g.squeeze(part, [where]) for part in parts]


def _pads(g: Builder, paddings: Value, rank: int | None) -> Value:
    """ONNX's pads, all begins then all ends, of TensorFlow's (rank, 2)."""
    if paddings.array is not None:
        return g.ints([int(p) for p in paddings.array.reshape(-1, 2).T.reshape(-1)])
    turned = g.transpose(g.int64(paddings), [1, 0])
    return g.reshape(turned, [-1 if rank is None else 2 * rank])


def pad(g: Builder, step: Step, x: Value, paddings: Value) -> Value:
    if paddings.array is not None and not paddings.array.any():
        return x
    return g.op("Pad", x, _pads(g, paddings, paddings.size(0)), mode="constant")


def pad_v2(g: Builder, step: Step, x: Value, paddings: Value, value: Value) -> Value:
    return g.op("Pad", x, _pads(g, paddings, paddings.size(0)), value, mode="constant")


def mirror_pad(g: Builder, step: Step, x: Value, paddings: Value, *, mode: bytes) -> Value:
    """REFLECT leaves the edge out; SYMMETRIC repeats it, which ONNX has no mode for: concatenated mirrored slices."""
    if mode == b"REFLECT":
        return g.op("Pad", x, _pads(g, paddings, paddings.size(0)), mode="reflect")
    rank = x.rank
    pairs = g.fixed(paddings, "paddings").reshape(-1, 2).tolist()
    made = x
    for axis in range(rank):
        before, after = pairs[axis]
        parts = [made]
        back = g.ints([-1])
        if before:
            first = g.slice(made, g.ints([before - 1]), g.ints([FIRST]), [axis], back)
            parts.insert(0, first)
        if after:
            parts.append(g.slice(made, g.ints([-1]), g.ints([-after - 1]), [axis], back))
        made = g.concat(parts, axis)
    return made


def tile(g: Builder, step: Step, x: Value, multiples: Value) -> Value:
    shape = None
    if multiples.array is not None and x.shape is not None:
        many = g.fixed_ints(multiples, "multiples")
        if all(times == 1 for times in many):
            return x
        shape = tuple(None if s is None else s * times for s, times in zip(x.shape, many, strict=True))
    return g.op("Tile", x, g.int64(multiples), shape=shape)


def reverse_v2(g: Builder, step: Step, x: Value, axis: Value) -> Value:
    return _reverse(g, x, sorted(set(g.axes(axis, x.rank))))


def reverse(g: Builder, step: Step, x: Value, dims: Value) -> Value:
    """The first version: a flag for each dimension."""
    return _reverse(g, x, [i for i, flag in enumerate(g.fixed(dims, "dims").reshape(-1)) if flag])


def _reverse(g: Builder, x: Value, axes: Sequence[int]) -> Value:
    if not axes:
        return x
    many = len(axes)
    made = g.slice(x, g.ints([-1] * many), g.ints([FIRST] * many), axes, g.ints([-1] * many))
    return Value(made.name, made.dtype, x.shape)


def reversed_along(g: Builder, x: Value, axis: int) -> Value:
    """`x` turned around along one axis."""
    return _reverse(g, x, [axis])


def roll(g: Builder, step: Step, x: Value, shift: Value, axis: Value) -> Value:
    made = x
    shifts = g.fixed_ints(shift, "shift")
    for by, where in zip(shifts, g.axes(axis, x.rank), strict=True):
        size = x.size(where)
        if size is None:
            raise Refusal("rolling needs a known dimension")
        by %= size or 1
        if by:
            tail = g.slice(made, g.ints([-by]), g.ints([LAST]), [where])
            made = g.concat([tail, g.slice(made, g.ints([0]), g.ints([-by]), [where])], where, x.shape)
    return made


def reverse_sequence(g: Builder, step: Step, x: Value, lengths: Value, *, seq_dim: int, batch_dim: int = 0) -> Value:
    rank = x.rank
    seq, batch = seq_dim % rank, batch_dim % rank
    if {batch, seq} != {0, 1}:
        if seq == batch:
            raise Refusal("sequences are reversed along another dimension than that of the batch")
        order = [batch, seq, *(axis for axis in range(rank) if axis not in (batch, seq))]
        turned = reverse_sequence(g, step, g.transpose(x, order), lengths, seq_dim=1, batch_dim=0)
        return g.transpose(turned, [order.index(axis) for axis in range(rank)])
    counts = g.int64(lengths)
    if not is_right(REVERSE_NONE):
        counts = g.op("Max", counts, g.ints([1]), shape=lengths.shape)  # one element reversed is itself
    return g.op("ReverseSequence", x, counts, batch_axis=batch, time_axis=seq, shape=x.shape)


LOWERINGS: Table = {
    "Concat": concat,
    "ConcatV2": concat_v2,
    "MirrorPad": mirror_pad,
    "Pack": pack,
    "Pad": pad,
    "PadV2": pad_v2,
    "Reverse": reverse,
    "ReverseSequence": reverse_sequence,
    "ReverseV2": reverse_v2,
    "Roll": roll,
    "Slice": slice_,
    "Split": split,
    "SplitV": split_v,
    "StridedSlice": strided_slice,
    "Tile": tile,
    "Unpack": unpack,
}
