"""Cases of XLA's ops, as graphs hold them that JAX's converter or TensorFlow's compiler wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from cryograph.wire.varint import varint
from tests.engines.cases import linalg  # noqa: F401 # its normal forms
from tests.support.op_cases import Array, Case, F, N, case, complexes, floats, ints, ivec, refusal, values


def numbers(**fields: Sequence[int] | int) -> bytes:
    """A message of whole numbers: `f3=7` is a number, `f3=[7]` a list."""
    made = b""
    for name, held in fields.items():
        field = int(name[1:])
        if isinstance(held, int):
            made += varint(field << 3) + varint(held)
        elif held:
            packed = b"".join(map(varint, held))
            made += varint(field << 3 | 2) + varint(len(packed)) + packed
    return made


PADS = (
    ((0, 0), (0, 0), (0, 0)),
    ((1, 2), (0, 3), (0, 0)),
    ((0, 1), (2, 0), (1, 2)),
    ((-1, -2), (0, 1), (0, 0)),
    ((-1, 1), (-1, -2), (1, 1)),
    ((-3, 0), (0, 0), (0, 0)),
)


def pads() -> Iterator[Case]:
    for kind in ("float32", "int32", "bfloat16", "bool", "complex64", "int8"):
        x, value = values(kind, 3, 4), values(kind, 1, seed=9)[0]
        for low, high, inside in PADS:
            yield case("XlaPad", x, value, ivec(*low), ivec(*high), ivec(*inside))
    yield case("XlaPad", floats(0, 2), F(1), ivec(1, 0), ivec(1, 0), ivec(2, 1))
    yield refusal("XlaPad", x, value, ivec(0), ivec(0, 0), ivec(0, 0))
    yield refusal("XlaPad", x, value, ivec(0, 0), ivec(0, 0), ivec(0, -1))


def boxes() -> Iterator[Case]:
    for kind in ("float32", "int64", "bool", "complex64", "uint8"):
        x = values(kind, 5, 6)
        for start in ((0, 0), (1, 2), (4, 5), (-3, 1), (9, 9)):
            yield case("XlaDynamicSlice", x, ivec(*start), ivec(2, 3))
            yield case("XlaDynamicUpdateSlice", x, values(kind, 2, 3, seed=1), ivec(*start))
    x = floats(5, 6)
    yield case("XlaDynamicSlice", x, ivec(1, 2, dtype=np.int64), ivec(5, 0, dtype=np.int64))
    yield case("XlaDynamicSlice", floats(4), ivec(3), ivec(4))
    yield refusal("XlaDynamicSlice", x, ivec(1), ivec(2, 3))
    yield refusal("XlaDynamicSlice", x, ivec(1, 1), ivec(2, 7))
    yield refusal("XlaDynamicUpdateSlice", x, floats(6, 1), ivec(0, 0))


def gathers() -> Iterator[Case]:
    for kind in ("float32", "int32", "bool", "complex64"):
        x = values(kind, 5, 6, 4)
        rows = numbers(f1=[1, 2], f2=[0], f3=[0], f4=1)
        yield case("XlaGather", x, ivec(0, 4, 2, 9, -1)[:, None], ivec(1, 6, 4), dimension_numbers=rows,
                   indices_are_sorted=False)  # fmt: skip
    x = floats(5, 6, 4)
    for said, indices, sizes in (
        (numbers(f1=[1, 2], f2=[0], f3=[0], f4=1), ivec(3, 1, 0), (1, 6, 4)),
        (numbers(f1=[0, 1, 2], f3=[0, 1, 2], f4=0), ivec(3, 1, 0), (2, 2, 3)),
        (numbers(f1=[2], f2=[0, 1], f3=[0, 1], f4=2), ints(3, 2, 2, low=-1, high=7), (1, 1, 4)),
        (numbers(f1=[0, 3], f2=[1], f3=[1, 0], f4=0), ints(2, 3, 2, low=0, high=5), (2, 1, 3)),
        (numbers(f1=[0], f2=[0, 2], f3=[2], f4=1), ivec([0], [3], [7]), (1, 6, 1)),
        (numbers(f1=[2], f2=[1], f3=[1], f4=2, f5=[0], f6=[0]), ints(5, 3, 1, low=0, high=6), (1, 1, 4)),
        (numbers(f1=[2], f2=[1], f3=[1], f4=2, f5=[0], f6=[1]), ints(3, 5, 1, low=0, high=6), (1, 1, 2)),
    ):
        yield case("XlaGather", x, indices, ivec(*sizes), dimension_numbers=said, indices_are_sorted=False)
    yield refusal("XlaGather", x, ivec(0, 1)[:, None], ivec(1, 7, 4), dimension_numbers=rows, indices_are_sorted=False)


def products() -> Iterator[Case]:
    plain, batch = numbers(f1=[1], f2=[0]), numbers(f1=[2], f2=[1], f3=[0], f4=[0])
    for kind in ("float32", "float64", "int32", "complex64", "bfloat16", "float16", "uint8"):
        narrow = {"bfloat16": 2e-2, "float16": 2e-3}.get(kind, 2e-6)
        yield case("XlaDot", values(kind, 3, 5), values(kind, 5, 4, seed=1), dimension_numbers=plain,
                   precision_config=b"", tolerance=narrow)  # fmt: skip
    for a, b, said in (
        (floats(2, 3, 5), floats(2, 5, 4), batch),
        (floats(5, 3, 2), floats(2, 5), numbers(f1=[0, 2], f2=[1, 0])),
        (floats(3, 2), floats(4, 5), b""),
        (floats(2, 3, 4, 5), floats(4, 6, 3, 5), numbers(f1=[3], f2=[3], f3=[1, 2], f4=[2, 0])),
        (floats(5), floats(5), numbers(f1=[0], f2=[0])),
        (floats(0, 3), floats(3, 2), plain),
        (floats(2, 0), floats(0, 2), plain),
    ):
        yield case("XlaDot", a, b, dimension_numbers=said, precision_config=b"", tolerance=4e-6)
    pairs = (("int8", "int8", "int32"), ("float32", "float32", "float64"), ("bfloat16", "bfloat16", "float32"))
    for left, right, made in pairs:
        yield case("XlaDotV2", values(left, 3, 5), values(right, 5, 4, seed=1), dimension_numbers=plain,
                   precision_config=b"", preferred_element_type=dtype_of(made))  # fmt: skip
    yield refusal("XlaDot", floats(3, 5), floats(4, 4), dimension_numbers=plain, precision_config=b"")
    for text, a, b in (
        ("ab,bc->ac", (3, 4), (4, 5)),
        ("abc,acd->bad", (2, 3, 4), (2, 4, 5)),
        ("ab,cb->ac", (3, 4), (5, 4)),
        ("abc,bc->a", (2, 3, 4), (3, 4)),
    ):
        yield case("XlaEinsum", floats(*a), floats(*b), equation=text)
    yield case("XlaEinsum", complexes(3, 4), complexes(4, 5), equation="ab,bc->ac")


NHWC = numbers(f7=0, f8=3, f11=[1, 2], f3=2, f4=3, f6=[0, 1], f9=0, f10=3, f12=[1, 2])
NCHW = numbers(f7=0, f8=1, f11=[2, 3], f3=1, f4=0, f6=[2, 3], f9=0, f10=1, f12=[2, 3])


def convolved(x: Array, filters: Array, said: bytes, **how: Any) -> Case:
    rank = x.ndim - 2
    strides, spread, gaps = (ivec(*how.get(name, (1,) * rank)) for name in ("strides", "spread", "gaps"))
    padding = np.array(how.get("padding", ((0, 0),) * rank), N).reshape(rank, 2)
    inputs = x, filters, strides, padding, spread, gaps, N(how.get("groups", 1))
    more = {name: how[name] for name in ("preferred_element_type", "batch_group_count") if name in how}
    op = "XlaConvV2" if more else "XlaConv"
    return case(op, *inputs, dimension_numbers=said, precision_config=b"", tolerance=how.get("tolerance", 4e-6), **more)


def convolutions() -> Iterator[Case]:
    x, filters = floats(2, 6, 7, 4), floats(3, 2, 4, 6, seed=1)
    hows: tuple[dict[str, Any], ...] = (
        {},
        {"strides": (2, 1)},
        {"padding": ((1, 2), (0, 1))},
        {"padding": ((-1, 0), (0, -2))},
        {"gaps": (2, 3)},
        {"spread": (2, 3), "padding": ((1, 1), (2, 0))},
        {"strides": (2, 2), "spread": (3, 1), "gaps": (1, 2), "padding": ((2, -1), (1, 1))},
    )
    for how in hows:
        yield convolved(x, filters, NHWC, **how)
        yield convolved(x.transpose(0, 3, 1, 2), filters.transpose(3, 2, 0, 1), NCHW, **how)
    yield convolved(x, floats(3, 2, 2, 6, seed=1), NHWC, groups=2)
    yield convolved(x, floats(3, 2, 1, 8, seed=1), NHWC, groups=4)
    yield convolved(floats(4, 6, 7, 3), floats(3, 2, 3, 6, seed=1), NHWC, batch_group_count=2,
                    preferred_element_type=dtype_of("float32"))  # fmt: skip
    yield convolved(ints(2, 6, 7, 4, dtype=np.int8), ints(3, 2, 4, 6, seed=1, dtype=np.int8), NHWC,
                    preferred_element_type=dtype_of("int32"))  # fmt: skip
    one = numbers(f7=0, f8=2, f11=[1], f3=1, f4=2, f6=[0], f9=0, f10=2, f12=[1])
    yield convolved(floats(2, 9, 3), floats(4, 3, 5), one, strides=(2,), padding=((1, 1),))
    turned = numbers(f7=3, f8=0, f11=[1, 2], f3=0, f4=3, f6=[2, 1], f9=3, f10=2, f12=[0, 1])
    yield convolved(x.transpose(3, 1, 2, 0), filters.transpose(2, 1, 0, 3), turned)
    yield convolved(x[:, :2], filters, NHWC)
    for kind in ("float64", "bfloat16", "float16"):
        narrow = {"bfloat16": 2e-2, "float16": 2e-3}.get(kind, 2e-6)
        yield convolved(values(kind, 2, 6, 7, 4), values(kind, 3, 2, 4, 6, seed=1), NHWC, tolerance=narrow)


def others() -> Iterator[Case]:
    for kind in ("float32", "int32", "uint8", "float64", "bfloat16", "int64"):
        yield case("XlaSort", values(kind, 3, 11), sizes="known")
        keys = np.random.default_rng(3).permutation(22).reshape(2, 11).astype(values(kind, 1).dtype)
        yield case("XlaKeyValueSort", keys, values("float32", 2, 11, seed=4), sizes="known")
    yield case("XlaSort", np.array([3, -0.0, np.inf, -np.inf, 0.0, -2], F))
    yield refusal("XlaKeyValueSort", floats(3, 4), floats(4))
    for left, right, dims in (((2, 3), (2, 3), ()), ((2, 3), (), ()), ((3,), (2, 3), (1,)), ((2, 3), (2,), (0,)),
                              ((4,), (2, 1, 3), (1,)), ((2, 5, 3), (2, 3), (0, 2)), ((1,), (4, 3), (1,))):  # fmt: skip
        yield case("XlaBroadcastHelper", floats(*left), floats(*right, seed=1), np.array(dims, N), fixed=(2,),
                   sizes="any")  # fmt: skip
    yield refusal("XlaBroadcastHelper", floats(2, 3), floats(3), np.array([], N))
    yield refusal("XlaBroadcastHelper", floats(2, 3), floats(3), ivec(0, 1))
    for kind in ("float32", "float64", "float16", "bfloat16"):
        x = np.concatenate([floats(40, low=-9, high=9), [0, -0.0, np.inf, -np.inf, 1e-3, 6e4, -6e4, 1e-7, 65504, 0.1]])
        for exponent, mantissa in ((5, 10), (8, 7), (4, 3), (5, 2), (11, 52), (8, 23), (2, 0)):
            yield case("XlaReducePrecision", x.astype(values(kind, 1).dtype), exponent_bits=exponent,
                       mantissa_bits=mantissa, sizes="any")  # fmt: skip
    x = floats(3, 4)
    yield case("XlaOptimizationBarrier", x, ivec(1, 2))
    yield case("XlaOptimizationBarrier", x)
    yield case("XlaSharding", x)
    yield case("XlaSetBound", N(3), N(5))
    yield case("XlaRemoveDynamicDimensionSize", x, N(1))
    square = floats(2, 4, 4, seed=3)
    square = square + square.swapaxes(-1, -2)
    for lower in (True, False):
        yield case("XlaSelfAdjointEig", square, lower=lower, max_iter=100, epsilon=1e-6, form="eigen",
                   tolerance=1e-5, sizes="known")  # fmt: skip
    yield case("XlaSvd", floats(5, 3, seed=6), max_iter=100, epsilon=1e-6, precision_config=b"", form="singular",
               tolerance=1e-5, sizes="known")  # fmt: skip


def random_bits() -> Iterator[Case]:
    states = (
        (1, (123, 7, 9)),
        (1, (2**40 + 5, 2**64 - 2, 3)),
        (2, (123, 7)),
        (2, (2**33 + 1, 2**64 - 3)),
        (3, (4, 5, 6)),
    )
    for algorithm, state in states:
        for kind in ("uint32", "uint64", "uint8"):
            for shape in ((9,), (2, 3, 4), (3, 4, 2), (5, 3, 3), (1, 3), (0,), ()):
                yield case("XlaRngBitGenerator", N(algorithm), np.array(state, np.uint64), np.array(shape, N),
                           dtype=dtype_of(kind), fixed=(0, 2), sizes="known")  # fmt: skip
    yield refusal("XlaRngBitGenerator", N(7), np.array([1, 2], np.uint64), ivec(3), dtype=dtype_of("uint32"))


CASES: list[Case] = [*pads(), *boxes(), *gathers(), *products(), *convolutions(), *others(), *random_bits()]
