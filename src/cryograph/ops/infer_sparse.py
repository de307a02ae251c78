"""Shapes of sparse and ragged tensors, sets, sequences and their losses."""

from __future__ import annotations

from .facts import Call, Dims, Rule, add, merge, merge_dim, normal_axis, times
from .infer_common import Result, fixed, scalars


def _coo(rank: int | None, count: int | None = None) -> list[Dims]:
    """Indices, values and dense shape of a sparse tensor."""
    return [(count, rank), (count,), (rank,)]


def _sparse_add(call: Call) -> Result:
    return _coo(merge_dim(call.ranked(2, 1)[0], call.ranked(5, 1)[0]))


def _sparse_concat(call: Call) -> Result:
    count = call.integer("N")
    rank = None
    rows: int | None = 0
    for i in range(count):
        rows = add(rows, call.ranked(i, 2)[0])
        rank = merge_dim(rank, merge_dim(call.ranked(i, 2)[1], call.ranked(2 * count + i, 1)[0]))
    return _coo(rank, rows)


def _sparse_split(call: Call) -> Result:
    count = call.integer("num_split")
    rank = call.ranked(3, 1)[0]
    return [*[(None, rank)] * count, *[(None,)] * count, *[(rank,)] * count]


def _sparse_slice(call: Call) -> Result:
    return _coo(call.ranked(2, 1)[0])


def _sparse_reorder(call: Call) -> Result:
    return [call.ranked(0, 2), call.ranked(1, 1)]


def _sparse_reshape(call: Call) -> Result:
    rows, rank = call.ranked(0, 2)[0], call.ranked(2, 1)[0]
    return [(rows, rank), (rank,)]


def _sparse_to_dense(call: Call) -> Result:
    return [call.dims(1)]


def _fill_empty_rows(call: Call) -> Result:
    rank = merge_dim(call.ranked(0, 2)[1], call.ranked(2, 1)[0])
    rows = merge_dim(call.ranked(0, 2)[0], call.ranked(1, 1)[0])
    dims = call.dims(2)
    return [(None, rank), (None,), (dims[0] if dims else None,), (rows,)]


def _sparse_binary(call: Call) -> Result:
    """SparseSparseMaximum."""
    return [(None, call.ranked(0, 2)[1]), (None,)]


def _sparse_reduce(call: Call) -> Result:
    dims, axes = call.dims(2), call.numbers(3)
    if dims is None or axes is None:
        return [None]
    dropped = {normal_axis(axis, len(dims)) for axis in axes}
    if call.flag("keep_dims"):
        return [tuple(1 if i in dropped else size for i, size in enumerate(dims))]
    return [tuple(size for i, size in enumerate(dims) if i not in dropped)]


def _per_value(call: Call) -> Result:
    """SparseDenseCwiseMul: a value for each index."""
    return [(merge_dim(call.ranked(0, 2)[0], call.ranked(1, 1)[0]),)]


def _sparse_reduce_sparse(call: Call) -> Result:
    return [None, None, None]


def _dense_add(call: Call) -> Result:
    return [call.shape(3)]


def _sparse_softmax(call: Call) -> Result:
    return [call.ranked(1, 1)]


def _serialize(call: Call) -> Result:
    return [(3,)]


def _serialize_many(call: Call) -> Result:
    return [(None, 3)]


def _deserialize(call: Call) -> Result:
    return [(None, None), (None,), (None,)]


def _set_operation(call: Call) -> Result:
    if call.op == "DenseToDenseSetOperation":
        rank = None
        for i in (0, 1):
            shape = call.shape(i)
            rank = merge_dim(rank, None if shape is None else len(shape))
        return _coo(rank)
    if call.op == "DenseToSparseSetOperation":
        shape = call.shape(0)
        return _coo(merge_dim(None if shape is None else len(shape), call.ranked(3, 1)[0]))
    return _coo(merge_dim(call.ranked(2, 1)[0], call.ranked(5, 1)[0]))


def _set_size(call: Call) -> Result:
    return [None]


def _count_output(call: Call) -> Result:
    shape = call.shape(0)
    if call.op == "DenseCountSparseOutput":
        # Weights are empty, a vector then, or of the values' own shape.
        weights = call.shape(1)
        shape = weights if shape is None and weights is not None and len(weights) > 1 else shape
        rank = None if shape is None else len(shape)
    elif call.op == "SparseCountSparseOutput":
        rank = merge_dim(call.ranked(2, 1)[0], call.ranked(0, 2)[1])
    else:
        call.ranked(1, 1)
        rank = 2
    return _coo(rank)


def _sparse_cross(call: Call) -> Result:
    return [(None, 2), (None,), (2,)]


def _sparse_add_grad(call: Call) -> Result:
    return [(call.ranked(1, 2)[0],), (call.ranked(2, 2)[0],)]


def _sparse_slice_grad(call: Call) -> Result:
    return [(call.ranked(1, 2)[0],)]


def _sparse_fill_grad(call: Call) -> Result:
    return [(call.ranked(0, 1)[0],), ()]


# Ragged


def _ragged_gather(call: Call) -> Result:
    count = call.integer("OUTPUT_RAGGED_RANK")
    values, indices = call.shape(len(call.inputs) - 2), call.shape(len(call.inputs) - 1)
    splits: list[Dims] = [(None,)] * count
    if indices is not None and len(indices) == 1 and count and indices[0] is not None:
        splits[0] = (indices[0] + 1,)
    return [*splits, None if values is None else (None, *values[1:])]


def _ragged_range(call: Call) -> Result:
    rows = None
    for i in range(3):
        shape = call.shape(i)
        if shape:
            rows = merge_dim(rows, shape[0])
    if all(call.shape(i) == () for i in range(3)):
        rows = 1
    return [(add(rows, 1),), (None,)]


def _ragged_to_sparse(call: Call) -> Result:
    values = call.shape(len(call.inputs) - 1)
    if values is None:
        return _coo(None)
    return _coo(len(values) + call.integer("RAGGED_RANK"), times(values))


def _ragged_to_tensor(call: Call) -> Result:
    wanted, values = call.dims(0), call.shape(1)
    if wanted is None or values is None:
        return [None]
    inner = values[1:]
    outer = wanted[: len(wanted) - len(inner)] if inner else wanted
    rest = wanted[len(outer) :]
    return [(*outer, *(merge(inner, rest) or ()))]


def _ragged_from_variant(call: Call) -> Result:
    count = call.integer("output_ragged_rank")
    return [*[(None,)] * count, None]


def _ragged_to_variant(call: Call) -> Result:
    if not call.flag("batched_input"):
        return [()]
    splits = call.shape(0)
    return [(None if not splits or splits[0] is None else splits[0] - 1,)]


def _ragged_fill(call: Call) -> Result:
    return [(None,), (None,), (call.scalar(2),), (merge_dim(call.ranked(0, 1)[0], call.ranked(1, 1)[0]),)]


def _ragged_cross(call: Call) -> Result:
    ragged, dense = len(call.attr("ragged_values_types")), len(call.attr("dense_types"))
    splits = None
    for i in range(ragged):
        splits = merge_dim(splits, call.ranked(ragged + i, 1)[0])
    for i in range(len(call.inputs) - dense, len(call.inputs)):
        splits = merge_dim(splits, add(call.ranked(i, 2)[0], 1))
    return [(None,), (splits,)]


# Sequences


def _ctc_loss(call: Call) -> Result:
    inputs = call.ranked(0, 3)
    batch = merge_dim(inputs[1], call.ranked(3, 1)[0])
    return [(batch,), (inputs[0], batch, inputs[2])]


def _ctc_greedy(call: Call) -> Result:
    inputs = call.ranked(0, 3)
    batch = merge_dim(inputs[1], call.ranked(1, 1)[0])
    return [(None, 2), (None,), (2,), (batch, 1)]


def _ctc_beam(call: Call) -> Result:
    inputs = call.ranked(0, 3)
    batch = merge_dim(inputs[1], call.ranked(1, 1)[0])
    count = call.integer("top_paths")
    return [*[(None, 2)] * count, *[(None,)] * count, *[(2,)] * count, (batch, count)]


def _gather_tree(call: Call) -> Result:
    return [merge(call.ranked(0, 3), call.ranked(1, 3))]


def _isotonic(call: Call) -> Result:
    return [call.shape(0), call.shape(0)]


def _nearest(call: Call) -> Result:
    rows, k = call.ranked(0, 2)[0], call.scalar(2)
    return [(rows, k), (rows, k)]


def _kmeans(call: Call) -> Result:
    return [(call.scalar(1), call.ranked(0, 2)[1])]


INFER: dict[str, Rule] = {
    "AddManySparseToTensorsMap": fixed((None,)),
    "AddSparseToTensorsMap": scalars,
    "Addons>GatherTree": _gather_tree,
    "CTCBeamSearchDecoder": _ctc_beam,
    "CTCGreedyDecoder": _ctc_greedy,
    "CTCLoss": _ctc_loss,
    "CTCLossV2": _ctc_loss,
    "DenseCountSparseOutput": _count_output,
    "DenseToDenseSetOperation": _set_operation,
    "DenseToSparseSetOperation": _set_operation,
    "DeserializeManySparse": fixed((None, None), (None,), (None,)),
    "DeserializeSparse": _deserialize,
    "GatherTree": _gather_tree,
    "IsotonicRegression": _isotonic,
    "KmeansPlusPlusInitialization": _kmeans,
    "NearestNeighbors": _nearest,
    "RaggedCountSparseOutput": _count_output,
    "RaggedCross": _ragged_cross,
    "RaggedFillEmptyRows": _ragged_fill,
    "RaggedFillEmptyRowsGrad": _sparse_fill_grad,
    "RaggedGather": _ragged_gather,
    "RaggedRange": _ragged_range,
    "RaggedTensorFromVariant": _ragged_from_variant,
    "RaggedTensorToSparse": _ragged_to_sparse,
    "RaggedTensorToTensor": _ragged_to_tensor,
    "RaggedTensorToVariant": _ragged_to_variant,
    "SerializeManySparse": _serialize_many,
    "SerializeSparse": _serialize,
    "SetSize": _set_size,
    "SparseAdd": _sparse_add,
    "SparseAddGrad": _sparse_add_grad,
    "SparseConcat": _sparse_concat,
    "SparseCountSparseOutput": _count_output,
    "SparseCross": _sparse_cross,
    "SparseCrossHashed": _sparse_cross,
    "SparseCrossV2": _sparse_cross,
    "SparseDenseCwiseAdd": _per_value,
    "SparseDenseCwiseDiv": _per_value,
    "SparseDenseCwiseMul": _per_value,
    "SparseFillEmptyRows": _fill_empty_rows,
    "SparseFillEmptyRowsGrad": _sparse_fill_grad,
    "SparseReduceMax": _sparse_reduce,
    "SparseReduceMaxSparse": _sparse_reduce_sparse,
    "SparseReduceSum": _sparse_reduce,
    "SparseReduceSumSparse": _sparse_reduce_sparse,
    "SparseReorder": _sparse_reorder,
    "SparseReshape": _sparse_reshape,
    "SparseSlice": _sparse_slice,
    "SparseSliceGrad": _sparse_slice_grad,
    "SparseSoftmax": _sparse_softmax,
    "SparseSparseMaximum": _sparse_binary,
    "SparseSparseMinimum": _sparse_binary,
    "SparseSplit": _sparse_split,
    "SparseTensorDenseAdd": _dense_add,
    "SparseToDense": _sparse_to_dense,
    "SparseToSparseSetOperation": _set_operation,
    "TakeManySparseFromTensorsMap": fixed((None, None), (None,), (None,)),
}
