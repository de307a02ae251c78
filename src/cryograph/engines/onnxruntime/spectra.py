"""Lowerings of Fourier transforms: products with the matrices of roots of unity, in one stage or two.

The runtime's own DFT is slower (2 to 6 times at 256 to 2048 numbers), and for lengths that are no power of two wrong in
the fifth digit. A length n = a * b is transformed by one product over a and one over b, which holds the roots between
the stages: x[b j + m] -> sum over j with roots of a, then over m with those of n, for k = p + a q.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt

import numpy as np

from ...base.dtypes import DType
from ...base.tensors import Array
from ...program.program import Step
from .builder import Builder, Lowering, Table
from .complexes import whole_of
from .values import PARTS, Refusal, Value, pairs

ONE_STAGE = 64
"""Lengths up to which one product is as fast as two."""

MAX_ELEMENTS = 1 << 22
"""Elements of the matrices of a transform; more than that is left to numpy, whose transform is a fast one."""


def _roots(turns: Array, length: int, inverse: bool) -> Array:
    """The matrix of e^(-+2 pi i turns / length) over two trailing dimensions: of the part taken, of the part given."""
    angle = (turns % length) * (2 * np.pi / length)
    cos, sin = np.cos(angle), np.sin(angle) * (1 if inverse else -1)
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)


@lru_cache(maxsize=8)
def _first(a: int, inverse: bool) -> Array:
    """(j, part, p, part)"""
    j, p = np.ogrid[:a, :a]
    return _roots(j * p, a, inverse).transpose(0, 2, 1, 3)


@lru_cache(maxsize=8)
def _second(a: int, b: int, kept: int, inverse: bool) -> Array:
    """(p, m, part, q, part), of which the first `kept` q."""
    p, m, q = np.ogrid[:a, :b, :kept]
    return _roots(m * (p + a * q), a * b, inverse).transpose(0, 1, 3, 2, 4)


def _stages(length: int) -> tuple[int, int]:
    """The two factors of a length that are nearest to each other; 1 and the length for one stage."""
    if length <= ONE_STAGE:
        return 1, length
    a = next(a for a in range(isqrt(length), 0, -1) if length % a == 0)
    return (a, length // a) if a >= 4 else (1, length)


def transform(
    g: Builder, x: Value, length: int, given: int, kept: int, inverse: bool, is_real: bool, to_real: bool
) -> Value:
    """Rows of real numbers (rows, given) or pairs (rows, given, 2) transformed: (rows, kept, 2), or (rows, kept) of
    the real parts. `given` is the length, or the first part of it, whose rest is 0: a multiple of the second factor."""
    a, b = _stages(length)
    count, rise = -(-kept // a), given // b
    if 4 * length * count > MAX_ELEMENTS:
        raise Refusal(f"a transform of {length} numbers is faster on numpy")
    part = x.dtype
    width, made_width = (1 if is_real else 2), (1 if to_real else 2)
    scale = 1 / length if inverse else 1.0
    rows = x.size(0)
    taken = width if a == 1 else 2
    last = _second(a, b, count, inverse)[:, :, :taken, :, :made_width] * scale
    if a == 1:
        flat = g.reshape(x, [-1, length * width])
        made = g.op("MatMul", flat, g.const(last[0].reshape(b * width, -1), part), shape=(rows, count * made_width))
        return g.reshape(made, [-1, count, made_width][: 3 - to_real])
    columns = g.transpose(g.reshape(x, [-1, rise, b, width]), [0, 2, 1, 3])
    first = _first(a, inverse)[:rise, :width].reshape(rise * width, 2 * a)
    made = g.op("MatMul", g.reshape(columns, [-1, b, rise * width]), g.const(first, part), shape=(rows, b, 2 * a))
    turned = g.transpose(g.reshape(made, [-1, b, a, 2]), [2, 0, 1, 3])
    product = g.op("MatMul", g.reshape(turned, [a, -1, 2 * b]), g.const(last.reshape(a, 2 * b, -1), part))
    order = g.transpose(g.reshape(product, [a, -1, count, made_width]), [1, 2, 0, 3])
    made = g.reshape(order, [-1, count * a, made_width][: 3 - to_real])
    if count * a == kept:
        return made
    cut = g.slice(made, g.ints([0]), g.ints([kept]), [1])
    return Value(cut.name, part, (rows, kept, *([] if to_real else [2])))


def along(g: Builder, x: Value, axis: int, length: int, kept: int, inverse: bool, halved: bool = False) -> Value:
    """The transform of a value over one of its dimensions, of which the first `length` numbers count. `halved` gives
    real numbers of the first half of their transform."""
    is_real = x.dtype not in PARTS
    held, rank = pairs(x), x.rank
    size, given = x.size(axis), length // 2 + 1 if halved else length
    if size is None:
        raise Refusal("the length of what is to be transformed is not known")
    if size != given:
        held = g.slice(held, g.ints([0]), g.ints([given]), [axis])
    order = [*(i for i in range(rank) if i != axis), axis]
    last, pair = ([], []) if is_real else ([rank], [2])
    shape = [x.size(i) for i in order[:-1]]
    held = Value(
        held.name, held.dtype, (*(length if i == axis else x.size(i) for i in range(rank)), *pair), held.tensor
    )
    rows = g.reshape(g.transpose(held, [*order, *last]), [-1, given, *pair])
    if halved:
        rows = _doubled(g, rows, length)
    made = transform(g, rows, length, rows.size(1) or 0, kept, inverse, is_real, halved)
    ends = [kept, *([] if halved else [2])]
    if shape.count(None) <= 1:
        out = g.reshape(made, [*(-1 if s is None else s for s in shape), *ends])
    else:
        target = g.concat([g.sizes(x, order[:-1]), g.ints(ends)], 0)
        out = g.reshape_to(made, target, (*shape, *ends))
    out = g.transpose(out, [*(order.index(i) for i in range(rank)), *([] if halved else [rank])])
    return out if halved else whole_of(out)


def _some(x: Value) -> None:
    if x.shape is None or 0 in x.shape:
        raise Refusal("a transform of nothing is left to numpy")


def _complex(inverse: bool, dimensions: int) -> Lowering:
    def lower(g: Builder, step: Step, x: Value) -> Value:
        _some(x)
        if x.rank < dimensions:
            raise Refusal(f"rank {x.rank} has fewer than {dimensions} dimensions")
        return _over(g, x, range(x.rank - dimensions, x.rank), [x.size(i) for i in range(x.rank)], inverse)

    return lower


def _over(g: Builder, x: Value, axes: Sequence[int], sizes: Sequence[int | None], inverse: bool) -> Value:
    """Complex transforms over dimensions, the last one first; `sizes` are those of all dimensions."""
    for axis in reversed(axes):
        length = sizes[axis]
        if length is None:
            raise Refusal("the length of what is to be transformed is not known")
        x = along(g, x, axis, length, length, inverse)
    return x


def _lengths(g: Builder, x: Value, fft_length: Value, axes: Sequence[int], halved: bool) -> list[int]:
    """How many numbers are transformed in each of the dimensions: a constant that asks for no more than there are."""
    _some(x)
    lengths = g.fixed_ints(fft_length, "fft_length")
    if len(lengths) != len(axes) or min(lengths, default=0) < 1 or min(axes, default=0) < 0:
        raise Refusal(f"the lengths {lengths} were given for {len(axes)} dimensions")
    needed = [*lengths[:-1], lengths[-1] // 2 + 1 if halved else lengths[-1]]
    for axis, need in zip(axes, needed, strict=True):
        size = x.size(axis)
        if size is None or size < need:
            raise Refusal(f"a transform of {lengths} needs more than there is known to be")
    return lengths


def forward(g: Builder, x: Value, lengths: Sequence[int], axes: Sequence[int]) -> Value:
    """Of real numbers: the last dimension first, of which half is kept."""
    made = along(g, x, axes[-1], lengths[-1], lengths[-1] // 2 + 1, False)
    for axis, length in zip(axes[-2::-1], lengths[-2::-1], strict=True):
        made = along(g, made, axis, length, length, False)
    return made


def backward(g: Builder, x: Value, lengths: Sequence[int], axes: Sequence[int]) -> Value:
    """To real numbers: the last dimension, of which half is there, last."""
    for axis, length in zip(axes[:-1], lengths[:-1], strict=True):
        x = along(g, x, axis, length, length, True)
    return along(g, x, axes[-1], lengths[-1], lengths[-1], True, halved=True)


def _doubled(g: Builder, rows: Value, length: int) -> Value:
    """The first half of a transform (rows, half, 2) such that its own inverse has the real parts that are asked for:
    each number stands for its mirror image, too, but the first and, of an even length, the last."""
    half, (_, step) = length // 2 + 1, _stages(length)
    weights = np.full((half, 2), 2.0)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    made = g.op("Mul", rows, g.const(weights, rows.dtype), shape=rows.shape)
    whole = -(-half // step) * step
    pads = g.ints([0, 0, 0, 0, whole - half, 0])
    return made if whole == half else g.op("Pad", made, pads, shape=(rows.size(0), whole, 2))


def _real(dimensions: int, inverse: bool) -> Lowering:
    def forth(g: Builder, step: Step, x: Value, fft_length: Value, *, Treal: DType, Tcomplex: DType) -> Value:
        axes = range(x.rank - dimensions, x.rank)
        return forward(g, x, _lengths(g, x, fft_length, axes, False), axes)

    def back(g: Builder, step: Step, x: Value, fft_length: Value, *, Treal: DType, Tcomplex: DType) -> Value:
        axes = range(x.rank - dimensions, x.rank)
        return backward(g, x, _lengths(g, x, fft_length, axes, True), axes)

    return back if inverse else forth


def _chosen(g: Builder, step: Step, x: Value, fft_length: Value, axes: Value) -> Value:
    """Complex transforms over the dimensions that `axes` names."""
    places = _places(g, x, axes)
    lengths = _lengths(g, x, fft_length, places, False)
    for axis, length in zip(places, lengths, strict=True):
        x = along(g, x, axis, length, length, step.op.startswith("I"))
    return x


def _places(g: Builder, x: Value, axes: Value) -> list[int]:
    places = g.axes(axes, x.rank, "axes")
    if len(set(places)) < len(places):
        raise Refusal(f"the axes {places} are not different")
    return places


def _chosen_forward(
    g: Builder, step: Step, x: Value, fft_length: Value, axes: Value, *, Treal: DType, Tcomplex: DType
) -> Value:
    places = _places(g, x, axes)
    return forward(g, x, _lengths(g, x, fft_length, places, False), places)


def _chosen_backward(
    g: Builder, step: Step, x: Value, fft_length: Value, axes: Value, *, Treal: DType, Tcomplex: DType
) -> Value:
    places = _places(g, x, axes)
    return backward(g, x, _lengths(g, x, fft_length, places, True), places)


LOWERINGS: Table = {
    "BatchFFT": _complex(False, 1),
    "BatchFFT2D": _complex(False, 2),
    "BatchFFT3D": _complex(False, 3),
    "BatchIFFT": _complex(True, 1),
    "BatchIFFT2D": _complex(True, 2),
    "BatchIFFT3D": _complex(True, 3),
    "FFT": _complex(False, 1),
    "FFT2D": _complex(False, 2),
    "FFT3D": _complex(False, 3),
    "FFTND": _chosen,
    "IFFT": _complex(True, 1),
    "IFFT2D": _complex(True, 2),
    "IFFT3D": _complex(True, 3),
    "IFFTND": _chosen,
    "IRFFT": _real(1, True),
    "IRFFT2D": _real(2, True),
    "IRFFT3D": _real(3, True),
    "IRFFTND": _chosen_backward,
    "RFFT": _real(1, False),
    "RFFT2D": _real(2, False),
    "RFFT3D": _real(3, False),
    "RFFTND": _chosen_forward,
}
