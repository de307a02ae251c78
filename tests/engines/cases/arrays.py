"""Cases of ops that move elements: shapes, joins, splits, slices, pads, fills, blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT64, dtype_of
from tests.support.op_cases import (
    Array,
    Case,
    D,
    F,
    L,
    N,
    bools,
    case,
    complexes,
    floats,
    ints,
    ivec,
    kernel_types,
    refusal,
    strings,
    values,
)

NONE = np.zeros((0,), N)
KINDS = [
    *("float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool", "bfloat16", "uint16"),
    *("complex128", "float16", "uint32", "uint64", "string"),
]


def one(number: int, dtype: Any = N) -> Array:
    return np.array(number, dtype)


def rows(*pairs: Any, dtype: Any = N) -> Array:
    return np.array(pairs, dtype)


def shapes() -> Iterator[Case]:
    for kind in KINDS:
        x = values(kind, 2, 3, 4)
        yield case("Reshape", x, ivec(4, -1))
        yield case("Transpose", x, ivec(2, 0, 1))
        yield case("Identity", x)
        yield case("IdentityN", x, x[0])
        yield case("ExpandDims", x, one(1))
        yield case("Squeeze", x[:, :1], squeeze_dims=[1])
        yield case("ConcatV2", x, x[:1], one(0))
        yield case("Pack", x, x, axis=1)
        yield case("Unpack", x, num=3, axis=1)
        yield case("Split", one(2), x, num_split=2)
        yield case("SplitV", x, ivec(1, 2), one(1), num_split=2)
        yield case("Slice", x, ivec(0, 1, 0), ivec(2, 2, -1))
        if kind != "uint16":
            yield case("Tile", x, ivec(1, 2, 3))
        yield case("ReverseV2", x, ivec(0, -1))
        yield case("BroadcastTo", x[0, :1], ivec(2, 5, 4))
        yield case("Fill", ivec(2, 3), x[0, 0, 0])
        yield case("Pad", x, rows([1, 0], [0, 0], [0, 2]))
        yield case("PadV2", x, rows([1, 0], [0, 0], [0, 2]), x[0, 0, 1])
        yield case("GuaranteeConst", x)
    x = floats(2, 3, 4)
    for shape in (ivec(24), ivec(-1), ivec(2, -1, 2), ivec(1, 24, 1), ivec(4, 6, dtype=L)):
        yield case("Reshape", x, shape)
    yield case("Reshape", floats(1), NONE)
    yield case("Reshape", floats(0, 3), ivec(3, 0, 5))
    yield case("Reshape", floats(0, 3), ivec(-1, 3))
    yield refusal("Reshape", x, ivec(5, -1))
    yield refusal("Reshape", x, ivec(-1, -1))
    yield refusal("Reshape", x, ivec(2, 3))
    yield case("Reshape", floats(0, 3), ivec(-1, 0))
    yield refusal("Reshape", floats(1, 3), ivec(-1, 0))
    yield case("Transpose", floats(3), ivec(0))
    yield case("Transpose", floats(2, 3), ivec(1, 0, dtype=L))
    yield case("Transpose", np.array(3, F), NONE)
    yield case("Transpose", floats(2, 3, 1, 4, 2), ivec(4, 1, 0, 3, 2))
    yield refusal("Transpose", x, ivec(0, 0, 1))
    yield refusal("Transpose", x, ivec(0, 1))
    yield case("ConjugateTranspose", complexes(2, 3), ivec(1, 0))
    yield case("ConjugateTranspose", x, ivec(2, 1, 0))
    for axis in (-4, -1, 0, 3):
        yield case("ExpandDims", x, one(axis))
    yield case("ExpandDims", x, ivec(2, dtype=L))
    yield refusal("ExpandDims", x, one(4))
    yield case("Squeeze", floats(1, 3, 1, 1))
    yield case("Squeeze", floats(1, 3, 1, 1), squeeze_dims=[0, -1])
    yield refusal("Squeeze", floats(1, 3, 1), squeeze_dims=[1])
    yield case("EnsureShape", x, shape=(2, None, 4))
    yield case("EnsureShape", x, shape=(None, None, None))
    yield refusal("EnsureShape", x, shape=(2, None, 5))
    yield refusal("EnsureShape", x, shape=(2, None))
    for op in ("StopGradient", "PreventGradient", "Snapshot", "PlaceholderWithDefault", "DeepCopy"):
        attrs = {"shape": (2, 3, 4)} if op == "PlaceholderWithDefault" else {}
        yield case(op, x, **attrs)
    for a, b in ((ivec(1, 3), ivec(2, 1, 3)), (ivec(4), ivec(4)), (NONE, ivec(2, 3)), (ivec(0), ivec(1))):
        yield case("BroadcastArgs", a, b)
        yield case("BroadcastArgs", a.astype(L), b.astype(L))
        yield case("BroadcastGradientArgs", a, b)
    yield case("BroadcastGradientArgs", ivec(2, 1, 4, 1), ivec(3, 1, 1))
    yield refusal("BroadcastArgs", ivec(2), ivec(3))
    yield case("BroadcastTo", np.array(2, F), ivec(2, 3))
    yield case("BroadcastTo", floats(3, 1), ivec(3, 0))
    yield case("BroadcastTo", floats(1, 3), ivec(4, 2, 3, dtype=L))
    yield refusal("BroadcastTo", floats(2), ivec(3))
    yield refusal("BroadcastTo", floats(2, 2), ivec(2))


def joins() -> Iterator[Case]:
    x = floats(2, 3, 4)
    for axis in (0, 1, 2, -1, -3):
        yield case("ConcatV2", x, x, one(axis))
        yield case("Concat", one(axis), x, x)
        yield case("Pack", x, x, x, axis=axis)
        yield case("Unpack", x, num=x.shape[axis], axis=axis)
        yield case("Split", one(axis), floats(4, 4, 4), num_split=2)
    yield case("ConcatV2", floats(0, 3), floats(2, 3), one(0, L))
    yield case("ConcatV2", floats(2), floats(0), floats(3), one(0))
    yield refusal("ConcatV2", floats(2, 3), floats(2, 4), one(0))
    yield refusal("ConcatV2", floats(2, 3), floats(2, 3), one(2))
    yield case("ConcatOffset", one(1), ivec(2, 3, 4), ivec(2, 1, 4), ivec(2, 7, 4))
    yield case("ConcatOffset", one(-1), ivec(2, 3), ivec(2, 5))
    yield case("Pack", np.array(1, F), np.array(2, F))
    yield case("Pack", x, axis=3)
    yield refusal("Pack", floats(2), floats(3))
    yield refusal("Unpack", x, num=2, axis=1)
    yield case("Unpack", floats(0, 3), num=0)
    yield refusal("Split", one(1), floats(2, 3), num_split=2)
    yield case("Split", one(0), floats(0, 3), num_split=2)
    yield case("SplitV", floats(6, 2), ivec(1, -1, 2), one(0), num_split=3)
    yield case("SplitV", floats(6, 2), ivec(1, 0, 5, dtype=L), one(-2), num_split=3)
    yield refusal("SplitV", floats(6, 2), ivec(1, 2), one(0), num_split=2)
    yield refusal("SplitV", floats(6, 2), ivec(-1, -1), one(0), num_split=2)
    yield refusal("SplitV", floats(6, 2), ivec(7, -1), one(0), num_split=2)


def slices() -> Iterator[Case]:
    x = floats(3, 4, 5)
    for begin, size in (
        ((0, 0, 0), (3, 4, 5)),
        ((1, 2, 3), (-1, -1, -1)),
        ((1, 1, 1), (1, 0, 2)),
        ((3, 0, 0), (0, 4, 1)),
    ):
        yield case("Slice", x, ivec(*begin), ivec(*size))
        yield case("Slice", x, ivec(*begin, dtype=L), ivec(*size, dtype=L))
    yield refusal("Slice", x, ivec(0, 0, 0), ivec(4, 1, 1))
    yield refusal("Slice", x, ivec(-1, 0, 0), ivec(1, 1, 1))
    yield refusal("Slice", x, ivec(0, 0), ivec(1, 1))
    for kind in KINDS:
        yield case("StridedSlice", values(kind, 3, 4), ivec(0, 1), ivec(3, 4), ivec(2, 1))
    yield case("StridedSlice", x, ivec(1), ivec(2), ivec(1))
    yield case("StridedSlice", x, ivec(1), ivec(2), ivec(1), shrink_axis_mask=1)
    yield case("StridedSlice", x, ivec(-1, 4, 0), ivec(-9, -9, 5), ivec(-1, -2, 2))
    yield case("StridedSlice", x, ivec(0, 1), ivec(0, 2), ivec(1, 1), ellipsis_mask=1, shrink_axis_mask=2)
    yield case("StridedSlice", x, ivec(0, 1), ivec(0, 2), ivec(1, 1), ellipsis_mask=2, shrink_axis_mask=1)
    yield case("StridedSlice", x, ivec(0), ivec(0), ivec(1), ellipsis_mask=1)
    yield case("StridedSlice", x, ivec(0), ivec(0), ivec(1), new_axis_mask=1)
    yield case("StridedSlice", x, NONE, NONE, NONE)
    yield case("StridedSlice", floats(7), ivec(5, dtype=L), ivec(0, dtype=L), ivec(-2, dtype=L))
    yield case("StridedSlice", floats(7), ivec(-100), ivec(100), ivec(3))
    yield case("StridedSlice", floats(7), ivec(100), ivec(-100), ivec(-3))
    yield case("StridedSlice", floats(7), ivec(3), ivec(1), ivec(1))
    yield case("StridedSlice", floats(7), ivec(-2), ivec(0), ivec(1), shrink_axis_mask=1)
    yield case("StridedSlice", floats(7), ivec(-1), ivec(0), ivec(1), end_mask=1)
    yield refusal("StridedSlice", floats(7), ivec(7), ivec(8), ivec(1), shrink_axis_mask=1)
    yield refusal("StridedSlice", floats(7), ivec(0), ivec(8), ivec(0))
    yield refusal("StridedSlice", floats(7), ivec(0, 0), ivec(8, 8), ivec(1, 1))
    yield refusal("StridedSlice", floats(7), ivec(3), ivec(1), ivec(-1), shrink_axis_mask=1)
    rng = np.random.default_rng(7)
    for _ in range(250):
        shape = rng.integers(1, 5, rng.integers(1, 5))
        count = int(rng.integers(1, len(shape) + 3))
        ellipsis = int(rng.integers(0, count)) if rng.random() < 0.4 else None
        masks = [int(m) for m in rng.integers(0, 1 << count, 4)]
        used = sum(1 for i in range(count) if i != ellipsis and not masks[2] >> i & 1)
        if used > len(shape):
            continue
        strides = rng.choice([-2, -1, 1, 1, 2], count)
        begin, end = rng.integers(-5, 6, count), rng.integers(-5, 6, count)
        shrink = masks[3] if rng.random() < 0.5 else 0
        strides = np.where([shrink >> i & 1 for i in range(count)], 1, strides)
        begin = np.where([shrink >> i & 1 for i in range(count)], 0, begin)
        yield case("StridedSlice", floats(*shape), ivec(*begin), ivec(*end), ivec(*strides), begin_mask=masks[0],
                   end_mask=masks[1], ellipsis_mask=0 if ellipsis is None else 1 << ellipsis, new_axis_mask=masks[2],
                   shrink_axis_mask=shrink)  # fmt: skip
    for masks in ({}, {"shrink_axis_mask": 1}, {"new_axis_mask": 1}, {"ellipsis_mask": 1}):
        args = (ivec(0, 1), ivec(1, 3), ivec(1, 1))
        taken = {
            "shrink_axis_mask": (2, 5),
            "new_axis_mask": (1, 2, 4, 5),
            "ellipsis_mask": (3, 4, 2),
        }
        name = next(iter(masks), "")
        inner = taken.get(name, (1, 2, 5))
        yield case("StridedSliceGrad", ivec(3, 4, 5), *args, floats(*inner), **masks)
        yield case("TensorStridedSliceUpdate", x, *args, floats(*inner), **masks)
    yield case("TensorStridedSliceUpdate", x, ivec(3), ivec(-9), ivec(-2), floats(2, 4, 5))


def pads() -> Iterator[Case]:
    x = floats(2, 3, 4)
    for pairs in (rows([0, 0], [0, 0], [0, 0]), rows([1, 2], [3, 0], [0, 1]), rows([1, 1], [0, 0], [2, 2], dtype=L)):
        yield case("Pad", x, pairs)
        yield case("PadV2", x, pairs, np.array(-7, F))
    yield case("Pad", np.array(1, F), np.zeros((0, 2), N))
    yield case("Pad", floats(0, 2), rows([1, 1], [0, 0]))
    yield refusal("Pad", x, rows([0, -1], [0, 0], [0, 0]))
    yield refusal("Pad", x, rows([0, 1], [0, 0]))
    for mode in ("REFLECT", "SYMMETRIC"):
        for kind in kernel_types("MirrorPad"):
            yield case("MirrorPad", values(kind, 3, 4), rows([2, 1], [0, 3]), mode=mode)
        yield case("MirrorPad", x, rows([1, 0], [2, 2], [3, 1], dtype=L), mode=mode)
        yield case("MirrorPad", floats(3), rows([0, 0]), mode=mode)
        yield case("MirrorPadGrad", floats(6, 7), rows([2, 1], [0, 3]), mode=mode)
    yield case("MirrorPad", floats(3), rows([3, 3]), mode="SYMMETRIC")
    yield refusal("MirrorPad", floats(3), rows([3, 0]), mode="REFLECT")
    yield refusal("MirrorPad", floats(3), rows([4, 0]), mode="SYMMETRIC")
    yield case("Tile", x, ivec(1, 0, 2))
    yield case("Tile", np.array(1, F), NONE)
    yield case("Tile", floats(3), ivec(2, dtype=L))
    yield refusal("Tile", x, ivec(1, 2))
    yield refusal("Tile", x, ivec(1, -1, 1))


def makers() -> Iterator[Case]:
    yield case("Fill", NONE, np.array(3, F))
    yield case("Fill", ivec(2, 0, dtype=L), np.array(3, N))
    yield refusal("Fill", ivec(2, -1), np.array(3, F))
    for kind in kernel_types("Range", "Tidx"):
        held = dtype_of(kind).numpy
        yield case("Range", np.array(1, held), np.array(9, held), np.array(2, held))
        if not kind.startswith("u"):
            yield case("Range", np.array(9, held), np.array(-3, held), np.array(-4, held))
        yield case("Range", np.array(1, held), np.array(1, held), np.array(1, held))
        yield refusal("Range", np.array(1, held), np.array(9, held), np.array(0, held))
        if not kind.startswith("u"):
            yield refusal("Range", np.array(1, held), np.array(9, held), np.array(-1, held))
    for limit, delta in ((1, 0.1), (0.3, 0.1), (7.5, 2.5), (1, 0.3333333)):
        yield case("Range", F(0), F(limit), F(delta))
        yield case("Range", D(0), D(limit), D(delta))
    for kind in kernel_types("LinSpace"):
        for count in (1, 2, 7, 50):
            yield case("LinSpace", np.array(-1, kind), np.array(5, kind), one(count))
    yield case("LinSpace", np.array(5, F), np.array(-1, F), one(4, L))
    yield refusal("LinSpace", np.array(5, F), np.array(-1, F), one(0))
    for kind in ("float32", "int32", "string", "bool", "complex64", "float16"):
        yield case("Empty", ivec(2, 0), dtype=dtype_of(kind))
        yield case("Empty", ivec(2, 3), dtype=dtype_of(kind), init=True)


def moves() -> Iterator[Case]:
    x = floats(3, 4, 5)
    yield case("Reverse", x, bools(3))
    for axes in (NONE, ivec(0), ivec(1, 2), ivec(-1, dtype=L)):
        yield case("ReverseV2", x, axes)
    yield refusal("ReverseV2", x, ivec(0, -3))
    yield refusal("ReverseV2", x, ivec(3))
    for kind in kernel_types("ReverseSequence"):
        yield case("ReverseSequence", values(kind, 3, 4, 2), ivec(1, 4, 2, dtype=L), seq_dim=1, batch_dim=0)
    yield case("ReverseSequence", x, ivec(0, 3, 2, 1), seq_dim=0, batch_dim=1)
    yield case("ReverseSequence", x, ivec(0, 3, 4, 1, 4), seq_dim=1, batch_dim=2)
    yield refusal("ReverseSequence", x, ivec(0, 5, 1), seq_dim=1, batch_dim=0)
    for shift, axis in ((ivec(1, -2), ivec(0, 2)), (ivec(1, 1), ivec(1, 1)), (one(-7), one(1)), (ivec(9), ivec(-1))):
        yield case("Roll", x, shift, axis)
    yield case("Roll", strings(b"a", b"b", b"c"), one(1), one(0))
    yield refusal("Roll", x, one(1), one(3))
    for kind in ("float32", "uint8", "int32"):
        for order in ("NHWC", "NCHW"):
            if order == "NHWC":
                yield case("SpaceToDepth", values(kind, 2, 4, 6, 3), block_size=2)
                yield case("DepthToSpace", values(kind, 2, 2, 3, 12), block_size=2)
            elif kind == "float32":
                yield case("SpaceToDepth", values(kind, 2, 3, 4, 6), block_size=2, data_format=order, turned=True)
                yield case("DepthToSpace", values(kind, 2, 18, 2, 3), block_size=3, data_format=order, turned=True)
    yield refusal("SpaceToDepth", floats(1, 3, 4, 2), block_size=2)
    yield refusal("DepthToSpace", floats(1, 3, 4, 2), block_size=2)
    for kind in ("float32", "int64"):
        yield case("SpaceToBatchND", values(kind, 2, 4, 6, 3), ivec(2, 3), rows([0, 0], [0, 0]))
        yield case("BatchToSpaceND", values(kind, 12, 2, 2, 3), ivec(2, 3), rows([0, 1], [1, 0]))
    yield case("SpaceToBatchND", floats(2, 5, 3), ivec(3), rows([1, 0]))
    yield case("SpaceToBatchND", floats(2, 3, 4, 5, 2), ivec(2, 2, 1), rows([1, 0], [0, 0], [2, 1], dtype=L))
    yield case("SpaceToBatchND", floats(2, 3), NONE, np.zeros((0, 2), N))
    yield case("BatchToSpaceND", floats(6, 2, 3), ivec(3, dtype=L), rows([1, 2]))
    yield case("BatchToSpaceND", floats(8, 2, 3, 2), ivec(2, 2, 2), rows([0, 0], [1, 1], [0, 1]))
    yield refusal("SpaceToBatchND", floats(2, 5, 3), ivec(3), rows([0, 0]))
    yield refusal("BatchToSpaceND", floats(5, 2, 3), ivec(3), rows([0, 0]))
    yield refusal("BatchToSpaceND", floats(6, 2, 3), ivec(3), rows([4, 4]))
    yield case("SpaceToBatch", floats(2, 4, 6, 3), rows([0, 0], [1, 1]), block_size=2)
    yield case("BatchToSpace", floats(8, 2, 3, 3), rows([0, 1], [1, 1]), block_size=2)
    yield case("BatchToSpace", ints(4, 1, 1, 1), rows([0, 0], [0, 0], dtype=L), block_size=2)
    yield case("Shape", floats(2, 3), out_type=INT64)


def matrices() -> Iterator[Case]:
    for kind in ("float32", "int32", "bool", "complex64", "uint8", "float16", "bfloat16", "float64", "int64"):
        yield case("MatrixBandPart", values(kind, 2, 4, 5), one(1), one(-1))
        yield case("MatrixDiag", values(kind, 2, 3))
        yield case("MatrixDiagPart", values(kind, 2, 3, 4))
        yield case("MatrixSetDiag", values(kind, 2, 3, 4), values(kind, 2, 3, seed=1))
        if kind in kernel_types("Diag"):
            yield case("Diag", values(kind, 2, 3))
            yield case("DiagPart", values(kind, 2, 3, 2, 3))
    for low in (-1, 0, 2):
        for high in (-1, 0, 2):
            yield case("MatrixBandPart", floats(4, 5), one(low, L), one(high, L))
    yield refusal("MatrixBandPart", floats(3), one(0), one(0))
    yield refusal("DiagPart", floats(2, 3))
    yield case("MatrixDiagPart", floats(3, 3, 2))
    zero = np.array(0, F)
    for op, more in (
        ("V2", [{}]),
        ("V3", [{"align": f"{a}_{b}"} for a in ("LEFT", "RIGHT") for b in ("LEFT", "RIGHT")]),
    ):
        for attrs in more:
            for rows_in, columns in ((3, 5), (5, 3), (4, 4), (1, 4)):
                x = floats(2, rows_in, columns)
                for band in ((0,), (1,), (-1,), (-1, 1), (0, 2), (-2, 0), (-2, -1), (1, 2)):
                    if not (-rows_in < band[0] < columns and -rows_in < band[-1] < columns):
                        continue
                    k = ivec(*band) if len(band) > 1 else one(band[0])
                    yield case(f"MatrixDiagPart{op}", x, k, np.array(-7, F), **attrs)
                    count = band[-1] - band[0] + 1
                    longest = max(min(rows_in + min(d, 0), columns - max(d, 0)) for d in range(band[0], band[-1] + 1))
                    diagonal = floats(2, count, longest, seed=1) if count > 1 else floats(2, longest, seed=1)
                    yield case(f"MatrixSetDiag{op}", x, diagonal, k, **attrs)
                    sizes = (one(rows_in), one(columns))
                    yield case(f"MatrixDiag{op}", diagonal, k, *sizes, np.array(9, F), **attrs)
                    yield case(f"MatrixDiag{op}", diagonal, k, one(-1), one(-1), zero, **attrs)
    yield case("MatrixDiagV3", floats(3), one(0), one(5), one(3), zero)
    yield case("MatrixDiagV3", floats(3), one(0), one(-1), one(5), zero)
    yield refusal("MatrixDiagV3", floats(3), one(0), one(5), one(5), zero)
    yield refusal("MatrixDiagPartV3", floats(3, 3), ivec(1, 0), zero)
    yield refusal("MatrixDiagPartV3", floats(3, 3), one(3), zero)


CASES: list[Case] = [*shapes(), *joins(), *slices(), *pads(), *makers(), *moves(), *matrices()]
