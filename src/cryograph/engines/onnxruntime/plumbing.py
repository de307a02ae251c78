"""Lowerings of ops that hand tensors on, check them, or say how their dimensions are laid out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, DType, dtype_of
from ...base.shapes import Shape
from ...program.program import Step
from .builder import Builder, Table
from .reductions import sorted_top
from .shapes import fixed_shape
from .values import Refusal, Value


def same(g: Builder, step: Step, x: Value) -> Value:
    return x


def copied(
    g: Builder,
    step: Step,
    x: Value,
    *,
    tensor_name: bytes = b"",
    debug_ops_spec: Sequence[bytes] = (),
) -> Value:
    return x


def check_numerics(g: Builder, step: Step, x: Value) -> Value:
    """The run fails where a number is not finite: numpy has the words for it."""
    if not x.dtype.is_floating:
        raise Refusal(f"{step.op} on {x.dtype} has no lowering to ONNX")
    odd = g.unary("Not", g.op("Equal", g.op("Sub", x, x, shape=x.shape), g.like(0, x), dtype=BOOL, shape=x.shape))
    count = g.op("ReduceSum", g.cast(odd, INT64), keepdims=0, shape=())
    place = g.where(
        g.op("Greater", count, g.const(0, INT64), dtype=BOOL, shape=()), g.ints([1 << 40]), g.ints([0]), (1,)
    )
    sizes = g.op("Shape", x, dtype=INT64, shape=(None if x.shape is None else len(x.shape),))
    rows = g.op("Gather", g.unsqueeze(sizes, [0]), place, axis=0, shape=(1, *(sizes.shape or ())))
    return g.reshape_to(x, g.squeeze(rows, [0]), x.shape)


def to_bool(g: Builder, step: Step, x: Value) -> Value:
    """Of a single number whether it is not zero, of another tensor whether it has elements."""
    if not x.rank:
        return g.cast(x, BOOL)
    return g.op("Greater", g.op("Size", x, dtype=INT64, shape=()), g.const(0, INT64), dtype=BOOL, shape=())


def empty(g: Builder, step: Step, shape: Value, *, dtype: DType, init: bool = False) -> Value:
    return g.op("Expand", g.const(0, dtype), g.int64(shape), shape=fixed_shape(shape))


def parallel_concat(g: Builder, step: Step, *parts: Value, shape: Shape = None) -> Value:
    return g.concat(parts, 0, shape)


def cross(g: Builder, step: Step, a: Value, b: Value) -> Value:
    if a.rank != b.rank or a.size(a.rank - 1) != 3:
        raise Refusal("a cross product is of vectors of three")
    last = a.rank - 1
    turned = [
        [g.op("Gather", x, g.ints(order), axis=last, shape=x.shape) for order in ([1, 2, 0], [2, 0, 1])] for x in (a, b)
    ]
    (a1, a2), (b1, b2) = turned
    return g.binary("Sub", g.binary("Mul", a1, b2), g.binary("Mul", a2, b1))


def nth_element(g: Builder, step: Step, x: Value, n: Value, *, reverse: bool = False) -> Value:
    """The last of the n + 1 least, or greatest."""
    (at,) = g.fixed_ints(n, "the number of the element")
    size = x.size(x.rank - 1)
    if size is None or not 0 <= at < size:
        raise Refusal("the number of the element may be out of range")
    least, _ = sorted_top(g, x, g.const(at + 1, INT64), reverse)
    return g.op("Gather", least, g.const(at, INT64), axis=x.rank - 1, shape=(x.shape or ())[:-1])


def approximate_top_k(
    g: Builder,
    step: Step,
    x: Value,
    *,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    is_max_k: bool = True,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> list[Value]:
    """The largest (or smallest) along a dimension, none of them missed, as TensorFlow has it on processors."""
    rank = x.rank
    if not -rank <= reduction_dimension < rank:
        raise Refusal(f"the dimension {reduction_dimension} is not one of {rank}")
    order = list(range(rank))
    order.append(order.pop(reduction_dimension))
    back = [order.index(axis) for axis in range(rank)]
    values, places = sorted_top(g, g.transpose(x, order), g.const(k, INT64), is_max_k)
    return [g.transpose(values, back), g.cast(g.transpose(places, back), INT32)]


def population_count(g: Builder, step: Step, x: Value) -> Value:
    """How many bits are set, byte by byte from a table."""
    size = x.dtype.itemsize
    kind = dtype_of(f"uint{8 * size}")
    bits = g.const([bin(n).count("1") for n in range(256)], INT32)
    unsigned = g.cast(x, kind)
    total: Value | None = None
    for number in range(size):
        moved = unsigned
        if number:
            moved = g.op("BitShift", unsigned, g.const(8 * number, kind), direction="RIGHT", shape=x.shape)
        byte = moved if size == 1 else g.op("BitwiseAnd", moved, g.const(255, kind), shape=x.shape)
        count = g.op("Gather", bits, g.int64(byte), axis=0, shape=x.shape)
        total = count if total is None else g.op("Add", total, count, shape=x.shape)
    if total is None:
        raise Refusal(f"{x.dtype} has no bits")
    return g.cast(total, dtype_of("uint8"))


# --- layouts


def _order(src: bytes, dst: bytes) -> list[int]:
    if len(src) not in (4, 5) or sorted(src) != sorted(dst):
        raise Refusal(f"{src.decode()} and {dst.decode()} do not name the same 4 or 5 dimensions")
    return [src.index(letter) for letter in dst]


def dim_map(g: Builder, step: Step, x: Value, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Value:
    places = np.argsort(_order(src_format, dst_format))
    number = g.binary("Mod", x, g.const(len(places), x.dtype))
    return g.op("Gather", g.const(places, x.dtype), g.int64(number), axis=0, shape=x.shape)


def vec_permute(g: Builder, step: Step, x: Value, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Value:
    """Sizes or pairs in the order of another layout; without those of batch and channels, the spatial ones alone."""
    order = _order(src_format, dst_format)
    spatial = [letter for letter in src_format if letter not in b"NC"]
    inner = [spatial.index(letter) for letter in dst_format if letter not in b"NC"]
    found = {len(order): order, len(inner): inner}.get(x.size(0) or 0)
    if found is None or x.rank not in (1, 2):
        raise Refusal(f"{list(x.shape or ())} does not fit the layout {src_format.decode()}")
    return g.op("Gather", x, g.ints(found), axis=0, shape=x.shape)


LOWERINGS: Table = {
    "ApproxTopK": approximate_top_k,
    "CheckNumerics": check_numerics,
    "CheckNumericsV2": check_numerics,
    "Copy": copied,
    "CopyHost": copied,
    "Cross": cross,
    "DataFormatDimMap": dim_map,
    "DataFormatVecPermute": vec_permute,
    "DebugGradientIdentity": same,
    "DeepCopy": same,
    "Empty": empty,
    "GuaranteeConst": same,
    "NthElement": nth_element,
    "ParallelConcat": parallel_concat,
    "PopulationCount": population_count,
    "ToBool": to_bool,
}
