"""Shapes of ops that arrange elements anew: reshape, join, cut up, pad, repeat, turn round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.shapes import Shape
from .facts import (
    MAX_VALUES,
    Call,
    Contradiction,
    Dim,
    Dims,
    Fact,
    Rule,
    add,
    broadcast,
    ceil_div,
    merge,
    merge_dim,
    merge_rank,
    mul,
    normal_axis,
    of_items,
    sub,
    times,
)
from .infer_common import Result, like, nothing_known, same_as_input, scalars, shape_input


def _shape_value(call: Call, shape: Shape, index: int = 0) -> Fact:
    """A vector that holds a shape."""
    dtype = call.outputs[index]
    if shape is None:
        return Fact(dtype, (None,))
    return Fact(dtype, (len(shape),), of_items(shape, (len(shape),), dtype))


def _shape(call: Call) -> Result:
    return [_shape_value(call, call.shape(0))]


def _shape_n(call: Call) -> Result:
    return [_shape_value(call, fact.shape, i) for i, fact in enumerate(call.inputs)]


def _size(call: Call) -> Result:
    shape = call.shape(0)
    size = None if shape is None else times(shape)
    return [Fact(call.outputs[0], (), None if size is None else of_items([size], (), call.outputs[0]))]


def _rank(call: Call) -> Result:
    shape = call.shape(0)
    return [Fact(call.outputs[0], (), None if shape is None else of_items([len(shape)], (), call.outputs[0]))]


def reshaped(shape: Shape, wanted: Sequence[Dim] | None) -> Shape:
    """A shape after Reshape. `wanted` is the target, with None for unknown and -1 for what is left over.

    One size that is open is computed where the number of elements is known.
    """
    if wanted is None:
        return None
    result = [None if size == -1 else size for size in wanted]
    if shape is None:
        return tuple(result)
    unknown = [i for i, size in enumerate(result) if size is None]
    total = times(shape)
    if not unknown:
        if total is not None and times(result) != total:
            raise Contradiction(f"{shape} has not as many elements as {tuple(result)}")
        return tuple(result)
    if len(unknown) > 1:
        return tuple(result)
    rest = times([size for size in result if size is not None])
    if total is not None and rest:
        if total % rest:
            raise Contradiction(f"the elements of {shape} cannot be arranged as {tuple(wanted)}")
        result[unknown[0]] = total // rest
    return tuple(result)


def _reshape(call: Call) -> Result:
    fact = call.inputs[1]
    if fact.value is not None and fact.value.ndim == 1:
        wanted: Sequence[Dim] | None = fact.value.tolist()
        if wanted is not None and sum(size == -1 for size in wanted) > 1:
            raise Contradiction(f"more than one size is -1 in {wanted}")
        return [reshaped(call.shape(0), wanted)]
    return [reshaped(call.shape(0), call.dims(1))]


def _squeeze(call: Call) -> Result:
    shape = call.shape(0)
    axes = call.ints("squeeze_dims")
    if shape is None:
        return [None]
    if not axes:
        return [None if None in shape else tuple(size for size in shape if size != 1)]
    drop = {normal_axis(axis, len(shape)) for axis in axes}
    for axis in drop:
        if shape[axis] not in (1, None):
            raise Contradiction(f"axis {axis} has the size {shape[axis]}, where 1 was expected")
    return [tuple(size for i, size in enumerate(shape) if i not in drop)]


def _expand_dims(call: Call) -> Result:
    shape = call.shape(0)
    axis = call.scalar(1)
    if shape is None:
        return [None]
    if axis is None:
        return [(None,) * (len(shape) + 1)]
    axis = normal_axis(axis, len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def _pack(call: Call) -> Result:
    shape: Shape = None
    for fact in call.inputs:
        shape = merge(shape, fact.shape)
    if shape is None:
        return [None]
    axis = normal_axis(call.integer("axis"), len(shape) + 1)
    return [(*shape[:axis], len(call.inputs), *shape[axis:])]


def _parallel_concat(call: Call) -> Result:
    return [call.shape_attr("shape")]


def _unpack(call: Call) -> Result:
    shape = call.shape(0)
    if shape is None:
        return [None] * len(call.outputs)
    axis = normal_axis(call.integer("axis"), len(shape))
    merge_dim(shape[axis], len(call.outputs))
    return [shape[:axis] + shape[axis + 1 :]] * len(call.outputs)


def concatenated(shapes: Sequence[Shape], axis: int | None) -> Shape:
    """The shape of tensors set one after the other along an axis, which may be unknown."""
    known = [shape for shape in shapes if shape is not None]
    if not known:
        return None
    rank = len(known[0])
    if any(len(shape) != rank for shape in known):
        raise Contradiction(f"tensors of {sorted({len(s) for s in known})} dimensions cannot be joined")
    if axis is None:
        return (None,) * rank
    axis = normal_axis(axis, rank)
    total: Dim = 0
    others: Shape = (None,) * rank
    for shape in shapes:
        shape = (None,) * rank if shape is None else shape
        total = add(total, shape[axis])
        others = merge(others, (*shape[:axis], None, *shape[axis + 1 :]))
    return None if others is None else (*others[:axis], total, *others[axis + 1 :])


def _concat(call: Call) -> Result:
    return [concatenated([fact.shape for fact in call.inputs[1:]], call.scalar(0))]


def _concat_v2(call: Call) -> Result:
    return [concatenated([fact.shape for fact in call.inputs[:-1]], call.scalar(len(call.inputs) - 1))]


def _concat_offset(call: Call) -> Result:
    return [fact.shape for fact in call.inputs[1:]]


def _split(call: Call) -> Result:
    shape, axis = call.shape(1), call.scalar(0)
    count = len(call.outputs)
    if shape is None:
        return [None] * count
    if axis is None:
        return [(None,) * len(shape)] * count
    axis = normal_axis(axis, len(shape))
    size = shape[axis]
    if size is not None and size % count:
        raise Contradiction(f"the size {size} cannot be split in {count}")
    part: Dims = (*shape[:axis], None if size is None else size // count, *shape[axis + 1 :])
    return [part] * count


def _split_v(call: Call) -> Result:
    shape, axis = call.shape(0), call.scalar(2)
    count = len(call.outputs)
    if shape is None:
        return [None] * count
    if axis is None:
        return [shape if count == 1 else (None,) * len(shape)] * count
    axis = normal_axis(axis, len(shape))
    value = call.inputs[1].value
    sizes: list[Dim] = [None] * count if value is None or value.size != count else list(value.reshape(-1).tolist())
    open_ones = [i for i, size in enumerate(sizes) if size == -1]
    if len(open_ones) == 1 and not any(size is None for size in sizes):
        used = sum(size for size in sizes if size is not None and size != -1)
        sizes[open_ones[0]] = sub(shape[axis], used)
    sizes = [None if size is not None and size < 0 else size for size in sizes]
    if count == 1 and sizes[0] is None:
        sizes = [shape[axis]]
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _transpose(call: Call) -> Result:
    shape, order = call.shape(0), call.numbers(1)
    rank = len(shape) if shape is not None else len(order) if order is not None else None
    if rank is None:
        length = call.ranked(1, 1)[0]
        return [None if length is None or length > MAX_VALUES else (None,) * length]
    if order is None:
        return [shape if rank < 2 else (None,) * rank]
    if sorted(axis % rank if rank else axis for axis in order) != list(range(rank)):
        raise Contradiction(f"{order} is not an order of {rank} dimensions")
    return [(None,) * rank if shape is None else tuple(shape[axis] for axis in order)]


def _pad(call: Call) -> Result:
    shape = call.shape(0)
    paddings = call.inputs[1]
    rows = paddings.shape[0] if paddings.shape is not None and len(paddings.shape) == 2 else None
    if shape is None:
        return [None if rows is None or rows > MAX_VALUES else (None,) * rows]
    if rows is not None and rows != len(shape):
        raise Contradiction(f"{rows} rows of paddings came for {len(shape)} dimensions")
    value = paddings.value
    if value is None or value.shape != (len(shape), 2):
        return [(None,) * len(shape)]
    return [tuple(add(size, add(before, after)) for size, (before, after) in zip(shape, value.tolist(), strict=True))]


def _tile(call: Call) -> Result:
    shape, repeats = call.shape(0), call.dims(1)
    if repeats is None:
        return [None if shape is None else (None,) * len(shape)]
    return [tuple(map(mul, merge_rank(shape, len(repeats)), repeats))]


def _broadcast_to(call: Call) -> Result:
    shape, wanted = call.shape(0), call.dims(1)
    if wanted is None:
        return [None]
    if shape is not None:
        if len(shape) > len(wanted):
            raise Contradiction(f"{shape} cannot be stretched to {wanted}")
        if None not in wanted:
            broadcast(shape, wanted)
    # A size that is known and not 1 is kept.
    padded = (1,) * (len(wanted) - len(shape)) + tuple(shape) if shape is not None else (None,) * len(wanted)
    sizes = zip(wanted, padded, strict=True)
    return [tuple(size if size is not None else had if had not in (None, 1) else None for size, had in sizes)]


def _broadcast_args(call: Call) -> Result:
    lengths = [call.ranked(0, 1)[0], call.ranked(1, 1)[0]]
    if None in lengths:
        return [(None,)]
    length = max(size for size in lengths if size is not None)
    a, b = call.dims(0), call.dims(1)
    shape = broadcast(a, b) if a is not None and b is not None and len(a) + len(b) <= MAX_VALUES else None
    value = None if shape is None else of_items(shape, (length,), call.outputs[0])
    return [Fact(call.outputs[0], (length,), value)]


def _broadcast_gradient_args(call: Call) -> Result:
    a, b = call.numbers(0), call.numbers(1)
    if a is None or b is None:
        return [(None,), (None,)]
    rank = max(len(a), len(b))
    reduced = []
    for dtype, sizes in zip(call.outputs, (a, b), strict=True):
        padded = [1] * (rank - len(sizes)) + sizes
        axes = [] if a == b else [axis for axis in range(rank) if padded[axis] == 1]
        reduced.append(Fact(dtype, (len(axes),), of_items(axes, (len(axes),), dtype)))
    return reduced


def _fill(call: Call) -> Result:
    return [call.dims(0)]


def _range(call: Call) -> Result:
    values = [call.value(i) for i in range(3)]
    if any(value is None for value in values):
        return [(None,)]
    # In the dtype's own arithmetic: in float32, 1 / 0.1 is a little below 10.
    start, limit, delta = (value.reshape(-1)[0] for value in values if value is not None)
    if delta == 0 or (limit != start and (delta > 0) != (limit > start)):
        raise Contradiction(f"a range from {start} to {limit} cannot be made by steps of {delta}")
    if start.dtype.kind in "iu":
        return [(ceil_div(abs(int(limit) - int(start)), abs(int(delta))),)]
    return [(int(np.ceil(np.abs((limit - start) / delta))),)]


def _lin_space(call: Call) -> Result:
    return [(call.scalar(2),)]


def _one_hot(call: Call) -> Result:
    shape, depth = call.shape(0), call.scalar(1)
    if shape is None:
        return [None]
    axis = call.integer("axis")
    axis = len(shape) if axis == -1 else normal_axis(axis, len(shape) + 1)
    return [(*shape[:axis], depth, *shape[axis:])]


def _reverse(call: Call) -> Result:
    return [call.shape(0)]


def _reverse_sequence(call: Call) -> Result:
    shape, lengths = call.shape(0), call.ranked(1, 1)[0]
    if shape is None:
        return [None]
    axis = normal_axis(call.integer("batch_dim"), len(shape))
    return [(*shape[:axis], merge_dim(shape[axis], lengths), *shape[axis + 1 :])]


def _invert_permutation(call: Call) -> Result:
    return [call.ranked(0, 1)]


def _where(call: Call) -> Result:
    shape, value = call.shape(0), call.value(0)
    if value is not None:
        found = np.argwhere(value)
        return [Fact(None, found.shape, found)]
    return [(None, None if shape is None else len(shape))]


def _list_diff(call: Call) -> Result:
    values, others = call.value(0), call.value(1)
    if values is None or others is None:
        return [(None,), (None,)]
    kept = np.flatnonzero(~np.isin(values, others))
    return [Fact(None, kept.shape, values[kept]), Fact(None, kept.shape, kept)]


def _meshed(call: Call) -> Result:
    """UnravelIndex: the coordinates of indices."""
    indices, dims = call.shape(0), call.ranked(1, 1)[0]
    if indices is None:
        return [None]
    if len(indices) == 0:
        return [(dims,)]
    return [(dims, times(indices))]


def _mirror_pad_grad(call: Call) -> Result:
    paddings = call.inputs[1]
    rows = paddings.shape[0] if paddings.shape is not None and len(paddings.shape) == 2 else None
    value = paddings.value
    shape: Shape = merge(call.shape(0), None if rows is None or rows > MAX_VALUES else (None,) * rows)
    if shape is None:
        return [None]
    if value is None or value.shape != (len(shape), 2):
        return [(None,) * len(shape)]
    return [tuple(sub(size, add(before, after)) for size, (before, after) in zip(shape, value.tolist(), strict=True))]


def _edit_distance(call: Call) -> Result:
    a, b = call.numbers(2), call.numbers(5)
    if a is None or b is None:
        return [None]
    return [tuple(max(x, y) for x, y in zip(a[:-1], b[:-1], strict=True))]


def _vec_permute(call: Call) -> Result:
    return [call.shape(0)]


INFER: dict[str, Rule] = {
    "BroadcastArgs": _broadcast_args,
    "BroadcastGradientArgs": _broadcast_gradient_args,
    "BroadcastTo": _broadcast_to,
    "Concat": _concat,
    "ConcatOffset": _concat_offset,
    "ConcatV2": _concat_v2,
    "DataFormatVecPermute": _vec_permute,
    "EditDistance": _edit_distance,
    "Empty": shape_input(0),
    "ExpandDims": _expand_dims,
    "Fill": _fill,
    "InplaceAdd": same_as_input,
    "InplaceSub": same_as_input,
    "InplaceUpdate": same_as_input,
    "InvertPermutation": _invert_permutation,
    "LinSpace": _lin_space,
    "ListDiff": _list_diff,
    "MirrorPad": _pad,
    "MirrorPadGrad": _mirror_pad_grad,
    "OneHot": _one_hot,
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
    "ParallelConcat": _parallel_concat,
    "Range": _range,
    "Rank": _rank,
    "Reshape": _reshape,
    "Reverse": _reverse,
    "ReverseSequence": _reverse_sequence,
    "ReverseV2": _reverse,
    "Roll": like(0),
    "Shape": _shape,
    "ShapeN": _shape_n,
    "Size": _size,
    "Split": _split,
    "SplitV": _split_v,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TileGrad": nothing_known,
    "Timestamp": scalars,
    "Transpose": _transpose,
    "ConjugateTranspose": _transpose,
    "UnravelIndex": _meshed,
    "Unpack": _unpack,
    "Where": _where,
}
