"""Cases of sparse and ragged tensors, sets, counts and random numbers that ONNX Runtime must take, with open sizes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, F, L, N, case, floats, ints, ivec, strings, values

PLACES = ivec([0, 1], [0, 3], [2, 0], [2, 4], dtype=L)
SHAPE = ivec(4, 5, dtype=L)
OTHERS = ivec([0, 0], [0, 3], [3, 4], dtype=L)
NONE = np.zeros((0, 2), L)


def sparse() -> list[Case]:
    made = []
    for kind in ("float32", "int8", "float64", "int64"):
        x, y = values(kind, 4), values(kind, 3, seed=1)
        number = np.array(7, x.dtype)
        made += [
            case("SparseReorder", PLACES[::-1].copy(), x, SHAPE, sizes="known"),
            case("SparseSlice", PLACES, x, SHAPE, ivec(0, 1, dtype=L), ivec(3, 9, dtype=L), sizes="known"),
            case("SparseConcat", PLACES, OTHERS, x, y, SHAPE, SHAPE, concat_dim=-1, N=2, sizes="known"),
            case("SparseFillEmptyRows", PLACES, x, SHAPE, number, sizes="known"),
            case("SparseAdd", PLACES, x, SHAPE, OTHERS, y, SHAPE, number, sizes="known"),
            case("SparseTensorDenseAdd", PLACES, x, SHAPE, values(kind, 4, 5), sizes="known"),
            case("SparseSparseMaximum", PLACES, x, SHAPE, OTHERS, y, SHAPE, sizes="known"),
        ]
        for axes, keep in itertools.product(([0], [-1], [0, 1]), (True, False)):
            for op in ("SparseReduceSum", "SparseReduceMax"):
                made.append(case(op, PLACES, x, SHAPE, ivec(*axes), keep_dims=keep, fixed=(3,), sizes="known"))
    none = np.zeros(0, F)
    made += [
        case("SparseReorder", NONE, none, SHAPE, sizes="known"),
        case("SparseFillEmptyRows", NONE, none, SHAPE, F(1), sizes="known"),
        case("SparseFillEmptyRows", NONE, none, ivec(0, 5, dtype=L), F(1), sizes="known"),
        case("SparseFillEmptyRows", PLACES, values("string", 4), SHAPE, np.array(b"?", object), sizes="known"),
        case("SparseFillEmptyRows", PLACES[:, :1].copy()[:3], floats(3), ivec(4, dtype=L), F(1), sizes="known"),
        case("SparseReduceSum", NONE, none, SHAPE, ivec(1), fixed=(3,), sizes="known"),
        case("SparseSoftmax", PLACES, floats(4), SHAPE, sizes="known"),
    ]
    for wanted in ((2, 10), (-1,), (5, -1, 2), (20, 1)):
        made.append(case("SparseReshape", PLACES, SHAPE, ivec(*wanted, dtype=L), sizes="known"))
        made.append(case("SparseReshape", NONE, SHAPE, ivec(*wanted, dtype=L), sizes="known"))
    for op, dense in itertools.product(("Add", "Mul", "Div"), (floats(4, 5), floats(5), floats(1, 1))):
        made.append(case(f"SparseDenseCwise{op}", PLACES, floats(4), SHAPE, dense, sizes="known"))
    return made


def ragged() -> list[Case]:
    made = []
    for kind in (N, L):
        outer, inner = ivec(0, 2, 2, 3, dtype=kind), ivec(0, 1, 4, 4, dtype=kind)
        for x in (floats(4), ints(4, 2), strings(b"a", b"", b"c", b"d")):
            said: dict[str, Any] = {"PARAMS_RAGGED_RANK": 2, "OUTPUT_RAGGED_RANK": 2}
            made.append(case("RaggedGather", outer, inner, x, ivec(2, 0, 1, 0, dtype=kind), sizes="known", **said))
            said["OUTPUT_RAGGED_RANK"] = 3
            made.append(case("RaggedGather", outer, inner, x, ivec([2, 0], [0, 0], dtype=kind), sizes="known", **said))
            made.append(case("RaggedTensorToSparse", outer, inner, x, RAGGED_RANK=2, sizes="known"))
        for starts, limits, deltas in ((0, [3, 0, 5], 1), ([0, 5, 9], [9, 1, 0], [2, -1, 3]), (4, 0, -3)):
            held = dtype_of(np.dtype(kind))
            for dtype in (N, L, F):
                three = [np.array(part, dtype) for part in (starts, limits, deltas)]
                made.append(case("RaggedRange", *three, Tsplits=held, sizes="any"))
        for wanted in ((-1, -1, -1), (3, -1, 2), (2, 1, 5)):
            said = {"row_partition_types": ["ROW_SPLITS", "ROW_SPLITS"], "num_row_partition_tensors": 2}
            shape = ivec(*wanted, dtype=kind)
            made.append(
                case("RaggedTensorToTensor", shape, floats(4), F(9), outer, inner, fixed=(0,), sizes="any", **said)
            )
        said = {"row_partition_types": ["FIRST_DIM_SIZE", "VALUE_ROWIDS"], "num_row_partition_tensors": 2}
        parts = (kind(4), ivec(0, 0, 2, dtype=kind))
        for x, default in ((floats(3, 2), floats(2)), (values("string", 3), np.array(b"-", object))):
            made.append(case("RaggedTensorToTensor", kind(-1), x, default, *parts, fixed=(0,), sizes="any", **said))
    return made


def sets() -> list[Case]:
    made = []
    for a, b in (
        (ints(2, 4, low=0, high=5), ints(2, 3, seed=1, low=0, high=5)),
        (values("string", 2, 4), values("string", 2, 3)),
    ):
        for operation in ("a-b", "b-a", "intersection", "union"):
            made.append(case("DenseToDenseSetOperation", a, b, set_operation=operation, sizes="known"))
            sparse_ = (ivec([0, 0], [1, 0], [1, 1], dtype=L), b.reshape(-1)[:3], ivec(2, 3, dtype=L))
            made.append(case("DenseToSparseSetOperation", a, *sparse_, set_operation=operation, sizes="known"))
            made.append(case("SparseToSparseSetOperation", *sparse_, *sparse_, set_operation=operation, sizes="known"))
    made.append(case("SetSize", PLACES, ints(4), SHAPE, sizes="known"))
    numbers = ivec(3, 0, 3, 9, 1)
    for binary, weights in itertools.product((True, False), (np.zeros(0, F), floats(5))):
        said: dict[str, Any] = {"binary_output": binary}
        made += [
            case(
                "RaggedBincount", ivec(0, 2, 2, 5, dtype=L), numbers, N(4), weights, fixed=(2,), sizes="known", **said
            ),
            case("RaggedCountSparseOutput", ivec(0, 2, 2, 5, dtype=L), numbers, weights, sizes="known", **said),
            case("DenseCountSparseOutput", numbers, weights, minlength=12, sizes="known", **said),
        ]
        places = ivec([0, 1], [0, 2], [2, 0], [2, 1], [3, 3], dtype=L)
        made.append(
            case(
                "SparseBincount",
                places,
                numbers.astype(L),
                SHAPE,
                L(4),
                weights.astype(L),
                fixed=(3,),
                sizes="known",
                **said,
            )
        )
        made.append(
            case("SparseCountSparseOutput", places, numbers, SHAPE, weights, maxlength=5, sizes="known", **said)
        )
    return made


def draws() -> list[Case]:
    made = []
    # A counter that carries into its next word, and into the upper half.
    states: list[tuple[Array, Array]] = [
        (np.array([12345678901], np.uint64), np.array([0, 42], np.uint64)),
        (np.array([2**64 - 1], np.uint64), np.array([2**64 - 2, 2**64 - 1], np.uint64)),
        (np.array([7], np.uint64), np.array([2**32 - 1, 0], np.uint64)),
    ]
    for (key, counter), sizes, kinds, whole in (
        (states[0], (7, 3), ("float32", "float64", "float16"), ("int32", "int64", "uint32", "uint64")),
        (states[1], (9,), ("float32", "float64"), ("int32", "uint64")),
        (states[2], (33,), ("float32", "float16"), ("int64", "uint32")),
        (states[0], (), ("float32",), ("int32",)),
        (states[0], (0, 2), ("float64",), ("int64",)),
    ):
        given = ivec(*sizes) if sizes else np.zeros(0, N)
        head = (given, key, counter, N(1))
        said: dict[str, Any] = {"fixed": (0, 3), "sizes": "any"}
        for kind in kinds:
            dtype = dtype_of(kind)
            made.append(case("StatelessRandomUniformV2", *head, dtype=dtype, **said))
            # The runtime has had a cosine of doubles for some versions only.
            wide = {**said, "sizes": "" if kind == "float64" else "any", "tolerance": 1e-5}
            made.append(case("StatelessRandomNormalV2", *head, dtype=dtype, **wide))
            made.append(case("StatelessTruncatedNormalV2", *head, dtype=dtype, **wide))
        for kind in whole:
            dtype = dtype_of(kind)
            made.append(case("StatelessRandomUniformFullIntV2", *head, dtype=dtype, **said))
            if kind.startswith("int"):
                ends = np.array(3, dtype.numpy), np.array(100, dtype.numpy)
                made.append(case("StatelessRandomUniformIntV2", *head, *ends, **said))
    for seed in (ivec(1, 2), ivec(-1, 2**31 - 1), ivec(0, 0, dtype=L)):
        made.append(case("StatelessRandomGetKeyCounter", seed, sizes="any"))
        made.append(case("StatelessRandomUniform", ivec(5), seed, sizes="any"))
        made.append(case("StatelessMultinomial", floats(2, 4), N(6), seed, fixed=(1,), sizes="known"))
    for op in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
        made.append(case(op, ivec(3, 5), dtype=dtype_of("float32"), seed=5, seed2=-9, tolerance=1e-5, sizes="any"))
    made.append(case("RandomUniformInt", ivec(9), N(-3), N(8), seed=5, seed2=9, sizes="any"))
    made.append(case("RandomShuffle", ints(7, 2), seed=5, seed2=9, sizes="known"))
    made.append(case("Multinomial", floats(3, 5), N(4), seed=5, seed2=9, fixed=(1,), sizes="known"))
    return made


def bits() -> list[Case]:
    made = []
    kinds = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    for kind in kinds:
        dtype = dtype_of(kind).numpy
        x = np.frombuffer(np.random.default_rng(3).bytes(64), dtype).reshape(2, -1)
        for other in kinds:
            wide = dtype_of(other).itemsize // x.dtype.itemsize
            shaped = x if wide <= 1 else x.reshape(-1, wide)
            made.append(case("Bitcast", shaped, type=dtype_of(other), sizes="known"))
    made += [
        case("Print", floats(2), floats(1), message="seen", sizes="any"),
        case("Assert", np.array(True), floats(1), T=[dtype_of("float32")], fixed=(0,), sizes="any"),
    ]
    return made


CASES = [*sparse(), *ragged(), *sets(), *draws(), *bits()]
