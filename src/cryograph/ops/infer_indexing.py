"""Shapes of ops that pick and place: slices, gathers, scatters, segments, partitions, counts, the largest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..base.shapes import Shape
from .facts import Call, Contradiction, Dim, Dims, Fact, Rule, ceil_div, merge, merge_dim, normal_axis, sub
from .infer_common import Result, like, same_as_input, shape_attribute


def _slice(call: Call) -> Result:
    shape = call.shape(0)
    begins, sizes = call.inputs[1], call.inputs[2]
    rank = len(shape) if shape is not None else None
    for fact in (begins, sizes):
        if rank is None and fact.shape is not None and len(fact.shape) == 1:
            rank = fact.shape[0]
    if rank is None or rank > 254:
        return [None]
    dims: Dims = (None,) * rank if shape is None else shape
    begin = _items(begins, rank)
    wanted = _items(sizes, rank)
    return [tuple(map(_slice_dim, dims, begin, wanted))]


def _slice_dim(size: Dim, begin: Dim, wanted: Dim) -> Dim:
    if wanted is None:
        return None
    if wanted == -1:
        return None if begin is None or size is None else size - begin
    if size is not None and (begin or 0) + wanted > size:
        raise Contradiction(f"a slice of {wanted} from {begin} reaches past the size {size}")
    return wanted


def _items(fact: Fact, count: int) -> Sequence[Dim]:
    if fact.value is None or fact.value.size != count:
        return (None,) * count
    items: list[Dim] = fact.value.reshape(-1).tolist()
    return items


Entry = tuple[str, int, Dim, Dim, Dim]
"""What a strided slice does at one place: kind, axis, begin, end, stride. None is a bound that is left open.

Kinds: `new` (a dimension of size 1), `index` (one position, the dimension goes), `range`, `unknown` (a range of which
a bound or the stride is not known).
"""


def strided_entries(call: Call, rank: int, first: int = 1) -> list[Entry]:
    """What StridedSlice does to a tensor of `rank` dimensions, its masks resolved; input `first` holds the begins."""
    begin, end, stride = (call.inputs[first + i] for i in range(3))
    count = max((f.shape[0] or 0 for f in (begin, end, stride) if f.shape is not None and len(f.shape) == 1), default=0)
    if not count and any(f.shape is None or None in f.shape for f in (begin, end, stride)):
        raise LookupError
    begins, ends, strides = (_items(fact, count) for fact in (begin, end, stride))
    masks = {name: call.integer(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    ellipses = [i for i in range(count) if masks["ellipsis"] >> i & 1]
    if len(ellipses) > 1:
        raise Contradiction("a slice has more than one ellipsis")
    ellipsis_at = ellipses[0] if ellipses else count
    behind = sum(1 for i in range(ellipsis_at + 1, count) if not masks["new_axis"] >> i & 1)
    entries: list[Entry] = []
    axis = 0
    for i in range(count):
        if i == ellipsis_at:
            entries += [("range", a, None, None, 1) for a in range(axis, rank - behind)]
            axis = max(axis, rank - behind)
        elif masks["new_axis"] >> i & 1:
            entries.append(("new", -1, None, None, None))
        else:
            open_begin, open_end = (bool(masks[name] >> i & 1) for name in ("begin", "end"))
            unknown = (begins[i] is None and not open_begin) or (ends[i] is None and not open_end)
            kind = "unknown" if unknown or strides[i] is None else "range"
            kind = "index" if masks["shrink_axis"] >> i & 1 else kind
            entries.append((kind, axis, None if open_begin else begins[i], None if open_end else ends[i], strides[i]))
            axis += 1
    if axis > rank:
        raise Contradiction(f"a slice over {axis} dimensions of a tensor of {rank}")
    return [*entries, *(("range", a, None, None, 1) for a in range(axis, rank))]


def _strided_slice(call: Call) -> Result:
    shape = call.shape(0)
    if shape is None:
        return [None]
    try:
        entries = strided_entries(call, len(shape))
    except LookupError:  # not even the number of begins is known
        return [None]
    result: list[Dim] = []
    for kind, axis, begin, end, stride in entries:
        if kind == "range":
            result.append(_range_size(shape[axis], begin, end, stride))
        elif kind != "index":
            result.append(1 if kind == "new" else None)
    return [tuple(result)]


def _range_size(size: Dim, begin: Dim, end: Dim, stride: Dim) -> Dim:
    if stride == 0:
        raise Contradiction("a slice has the stride 0")
    if stride is None:
        return None
    if size is None:
        if begin is not None and end is not None and stride == 1 and begin >= 0 and 0 <= end <= begin:
            return 0
        return None
    return len(range(*slice(begin, end, stride).indices(size)))


def _strided_slice_grad(call: Call) -> Result:
    return [call.dims(0)]


def _gather(call: Call) -> Result:
    params, indices = call.at_least(0, 1), call.shape(1)
    return [None if params is None or indices is None else (*indices, *params[1:])]


def _gather_v2(call: Call) -> Result:
    params, indices = call.at_least(0, 1), call.shape(1)
    axis, batch = call.scalar(2), call.integer("batch_dims")
    if params is None or indices is None:
        return [None]
    if batch < 0:
        batch += len(indices)
    if axis is None:
        return [(None,) * (len(params) + len(indices) - 1 - batch)]
    axis = normal_axis(axis, len(params))
    if not 0 <= batch <= min(axis, len(indices)):
        raise Contradiction(f"{batch} batch dimensions do not fit the axis {axis}")
    before = merge(params[:batch], indices[:batch]) or ()
    return [(*before, *params[batch:axis], *indices[batch:], *params[axis + 1 :])]


def _gather_nd(call: Call) -> Result:
    params, indices = call.shape(0), call.at_least(1, 1)
    if params is None or indices is None or indices[-1] is None:
        return [None]
    if indices[-1] > len(params):
        raise Contradiction(f"indices of {indices[-1]} dimensions into a tensor of {len(params)}")
    return [(*indices[:-1], *params[indices[-1] :])]


def _scatter_nd(call: Call) -> Result:
    return [call.dims(2)]


def _segment(call: Call) -> Result:
    data, ids = call.at_least(0, 1), call.ranked(1, 1)
    if data is None:
        return [None]
    merge_dim(data[0], ids[0])
    value = call.numbers(1)
    return [(value[-1] + 1 if value else None, *data[1:])]


def _sparse_segment(call: Call) -> Result:
    data = call.at_least(0, 1)
    return [None if data is None else (None, *data[1:])]


def _sparse_segment_with_count(call: Call) -> Result:
    data = call.at_least(0, 1)
    return [None if data is None else (call.scalar(3), *data[1:])]


def _sparse_segment_grad(call: Call) -> Result:
    data = call.at_least(0, 1)
    return [None if data is None else (call.scalar(3), *data[1:])]


def _sparse_segment_grad_v2(call: Call) -> Result:
    data = call.at_least(0, 1)
    return [None if data is None else (None, *data[1:]), (None,)]


def _unsorted_segment(call: Call) -> Result:
    data, ids, count = call.shape(0), call.shape(1), call.scalar(2)
    if data is None or ids is None:
        return [None]
    if len(ids) > len(data):
        raise Contradiction(f"segment ids of {len(ids)} dimensions came for data of {len(data)}")
    merge(data[: len(ids)], ids)
    return [(count, *data[len(ids) :])]


def _dynamic_partition(call: Call) -> Result:
    data, partitions = call.shape(0), call.shape(1)
    if data is None or partitions is None:
        return [None] * len(call.outputs)
    merge(data[: len(partitions)], partitions)
    return [(None, *data[len(partitions) :])] * len(call.outputs)


def _dynamic_stitch(call: Call) -> Result:
    count = len(call.inputs) // 2
    indices = [call.inputs[i] for i in range(count)]
    rest: Shape = None
    for i in range(count):
        ids, data = indices[i].shape, call.inputs[count + i].shape
        if ids is not None and data is not None:
            rest = merge(rest, data[len(ids) :])
    values = [call.numbers(i) for i in range(count)]
    largest = max((max(value, default=-1) for value in values if value is not None), default=-1)
    first = largest + 1 if all(value is not None for value in values) else None
    return [None if rest is None else (first, *rest)]


def _top_k(call: Call) -> Result:
    shape = call.at_least(0, 1)
    k = call.integer("k") if call.op == "TopK" else call.scalar(1)
    return [None if shape is None else (*shape[:-1], k)] * 2


def _approx_top_k(call: Call) -> Result:
    shape = call.at_least(0, 1)
    if shape is None:
        return [None, None]
    axis = normal_axis(call.integer("reduction_dimension"), len(shape))
    size = call.integer("k") if call.flag("aggregate_to_topk") else _approximate_size(call, shape[axis], len(shape))
    return [(*shape[:axis], size, *shape[axis + 1 :])] * 2


def _approximate_size(call: Call, size: Dim, rank: int) -> Dim:
    """How many candidates are left when the largest `k` are sought in blocks. Source: approx_topk_shape.cc of XLA."""
    if size is None:
        return None
    k, recall, block = call.integer("k"), call.attr("recall_target"), 1024 if rank == 1 else 128
    if size <= block:
        return size
    if k == 1:
        return block
    whole = call.integer("reduction_input_size_override")
    whole = size if whole < 0 else whole
    least = min(max(int((1 - k) / math.log(recall)), block), size) if recall < 1 else size
    halvings = min((whole // least).bit_length() - 1, (ceil_div(size, block) - 1).bit_length())
    return size if halvings <= 0 else ceil_div(ceil_div(size, block), 1 << halvings) * block


def _nth_element(call: Call) -> Result:
    shape = call.at_least(0, 1)
    return [None if shape is None else shape[:-1]]


def _in_top_k(call: Call) -> Result:
    return [(merge_dim(call.ranked(0, 2)[0], call.ranked(1, 1)[0]),)]


def _unique(call: Call) -> Result:
    call.ranked(0, 1)
    return [(None,), call.shape(0), (None,)][: len(call.outputs)]


def _unique_v2(call: Call) -> Result:
    shape, axes = call.shape(0), call.numbers(1)
    along: Dim = None
    values: Shape = None
    if shape is not None:
        if axes:
            axis = normal_axis(axes[0], len(shape))
            values, along = (*shape[:axis], None, *shape[axis + 1 :]), shape[axis]
        elif axes is not None and len(shape) == 1:
            values, along = (None,), shape[0]
        else:
            values = (None,) * len(shape)
    return [values, (along,), (None,)][: len(call.outputs)]


def _bincount(call: Call) -> Result:
    return [(call.scalar(1),)]


def _dense_bincount(call: Call) -> Result:
    shape, size = call.shape(0), call.scalar(1)
    if shape is None:
        return [None]
    return [(size,) if len(shape) < 2 else (shape[0], size)]


def _sparse_bincount(call: Call) -> Result:
    dims = call.numbers(2)
    size = call.scalar(3)
    if dims is None:
        length = call.ranked(2, 1)[0]
        return [None if length is None else (size,) if length == 1 else (None, size)]
    return [(size,) if len(dims) == 1 else (dims[0], size)]


def _ragged_bincount(call: Call) -> Result:
    splits = call.ranked(0, 1)[0]
    return [(sub(splits, 1), call.scalar(2))]


def _histogram(call: Call) -> Result:
    return [(call.scalar(2),)]


def _bounds(call: Call) -> Result:
    return [call.ranked(1, 2)]


INFER: dict[str, Rule] = {
    "ApproxTopK": _approx_top_k,
    "Bincount": _bincount,
    "DenseBincount": _dense_bincount,
    "DynamicPartition": _dynamic_partition,
    "DynamicStitch": _dynamic_stitch,
    "Gather": _gather,
    "GatherNd": _gather_nd,
    "GatherV2": _gather_v2,
    "HistogramFixedWidth": _histogram,
    "InTopK": _in_top_k,
    "InTopKV2": _in_top_k,
    "LowerBound": _bounds,
    "NthElement": _nth_element,
    "ParallelDynamicStitch": _dynamic_stitch,
    "RaggedBincount": _ragged_bincount,
    "ScatterNd": _scatter_nd,
    "ScatterNdNonAliasingAdd": same_as_input,
    "SegmentMax": _segment,
    "SegmentMaxV2": _unsorted_segment,
    "SegmentMean": _segment,
    "SegmentMin": _segment,
    "SegmentMinV2": _unsorted_segment,
    "SegmentProd": _segment,
    "SegmentProdV2": _unsorted_segment,
    "SegmentSum": _segment,
    "SegmentSumV2": _unsorted_segment,
    "Slice": _slice,
    "SparseBincount": _sparse_bincount,
    "SparseSegmentMean": _sparse_segment,
    "SparseSegmentMeanGrad": _sparse_segment_grad,
    "SparseSegmentMeanGradV2": _sparse_segment_grad_v2,
    "SparseSegmentMeanWithNumSegments": _sparse_segment_with_count,
    "SparseSegmentSqrtN": _sparse_segment,
    "SparseSegmentSqrtNGrad": _sparse_segment_grad,
    "SparseSegmentSqrtNGradV2": _sparse_segment_grad_v2,
    "SparseSegmentSqrtNWithNumSegments": _sparse_segment_with_count,
    "SparseSegmentSum": _sparse_segment,
    "SparseSegmentSumGrad": _sparse_segment_grad,
    "SparseSegmentSumGradV2": _sparse_segment_grad_v2,
    "SparseSegmentSumWithNumSegments": _sparse_segment_with_count,
    "StridedSlice": _strided_slice,
    "StridedSliceGrad": _strided_slice_grad,
    "StridedSliceAssign": like(0),
    "TensorScatterAdd": like(0),
    "TensorScatterMax": like(0),
    "TensorScatterMin": like(0),
    "TensorScatterSub": like(0),
    "TensorScatterUpdate": like(0),
    "TensorStridedSliceUpdate": like(0),
    "TopK": _top_k,
    "TopKV2": _top_k,
    "Unique": _unique,
    "UniqueV2": _unique_v2,
    "UniqueWithCounts": _unique,
    "UniqueWithCountsV2": _unique_v2,
    "UnsortedSegmentJoin": _unsorted_segment,
    "UnsortedSegmentMax": _unsorted_segment,
    "UnsortedSegmentMin": _unsorted_segment,
    "UnsortedSegmentProd": _unsorted_segment,
    "UnsortedSegmentSum": _unsorted_segment,
    "UpperBound": _bounds,
    "_ParallelConcatStart": shape_attribute("shape"),
    "_ParallelConcatUpdate": like(0),
    "ImmutableConst": shape_attribute("shape"),
}
