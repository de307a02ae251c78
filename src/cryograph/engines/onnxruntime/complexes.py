"""Complex numbers, which ONNX Runtime does not have, as pairs of floats (`values.PARTS`): formulas in their two parts.

`pairing.py` tells which lowerings take pairs as they are.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, DType
from ...base.shapes import is_known
from ...base.tensors import Tensor
from ...program.program import Step
from .bits import recast
from .builder import Builder, Lowering, Table, broadcast
from .elementwise import atan2
from .values import COMPLEX64, COMPLEX128, PARTS, Refusal, Value, joined_parts, pairs

# --- the two parts


def parts(g: Builder, x: Value) -> tuple[Value, Value]:
    """The real and the imaginary parts; of real numbers zeros."""
    part = PARTS.get(x.dtype)
    if part is None:
        return x, zeros(g, x)
    if x.array is not None:
        array = x.array
        return g.tensor(Tensor.of(np.ascontiguousarray(array.real), part)), g.tensor(
            Tensor.of(np.ascontiguousarray(array.imag), part)
        )
    last = None if x.shape is None else (*x.shape, 1)
    halves = g.ops("Split", pairs(x), dtypes=[part, part], shapes=[last, last], axis=-1, num_outputs=2)
    real, imag = (g.op("Squeeze", half, g.ints([-1]), shape=x.shape) for half in halves)
    return real, imag


def zeros(g: Builder, x: Value) -> Value:
    """As many zeros."""
    return g.op("Expand", g.like(0, x), g.shape_of(x), shape=x.shape)


def joined(g: Builder, real: Value, imag: Value) -> Value:
    """Complex numbers of their parts, which have one shape."""
    last = g.ints([-1])
    shape = None if real.shape is None else (*real.shape, 1)
    halves = [g.op("Unsqueeze", part, last, shape=shape) for part in (real, imag)]
    whole = None if real.shape is None else (*real.shape, 2)
    return whole_of(g.op("Concat", *halves, axis=-1, shape=whole))


def whole_of(x: Value) -> Value:
    """Pairs as complex numbers."""
    dtype = COMPLEX64 if x.dtype == FLOAT32 else COMPLEX128
    tensor = None if x.array is None else Tensor.of(joined_parts(x.array), dtype)
    return Value(x.name, dtype, None if x.shape is None else x.shape[:-1], tensor)


def times(g: Builder, a: tuple[Value, Value], b: tuple[Value, Value], op: str = "Mul") -> tuple[Value, Value]:
    """The parts of a product: of elements, or of matrices."""

    def product(x: Value, y: Value) -> Value:
        return g.op(op, x, y, shape=broadcast(x.shape, y.shape) if op == "Mul" else None)

    real = g.binary("Sub", product(a[0], b[0]), product(a[1], b[1]))
    imag = g.binary("Add", product(a[0], b[1]), product(a[1], b[0]))
    return real, imag


# --- formulas


def complex_(g: Builder, step: Step, real: Value, imag: Value, *, Tout: DType = COMPLEX64) -> Value:
    shape = broadcast(real.shape, imag.shape)
    if real.shape != imag.shape or not is_known(real.shape):
        sizes = g.shape_of(real), g.shape_of(imag)
        real = g.op("Expand", real, sizes[1], shape=shape)
        imag = g.op("Expand", imag, sizes[0], shape=shape)
    return joined(g, real, imag)


def real(g: Builder, step: Step, x: Value, *, Tout: DType = FLOAT32) -> Value:
    return parts(g, x)[0]


def imag(g: Builder, step: Step, x: Value, *, Tout: DType = FLOAT32) -> Value:
    return parts(g, x)[1]


def conj(g: Builder, step: Step, x: Value) -> Value:
    """Real numbers are their own."""
    if x.dtype not in PARTS:
        return x
    real, imag = parts(g, x)
    return joined(g, real, g.unary("Neg", imag))


def conjugate_transpose(g: Builder, step: Step, x: Value, perm: Value) -> Value:
    order = g.axes(perm, x.rank, "perm")
    if sorted(order) != list(range(x.rank)):
        raise Refusal(f"perm {order} is no permutation")
    if x.dtype not in PARTS:
        return g.transpose(x, order)
    turned = whole_of(g.transpose(pairs(x), [*order, x.rank]))
    return conj(g, step, turned)


def magnitude(g: Builder, step: Step, x: Value, *, Tout: DType = FLOAT32) -> Value:
    """Squares of doubles hold those of all floats; doubles themselves are divided by the larger part first. What is
    endless in one part is so whatever the other is, NaN included."""
    a, b = parts(g, x)
    if x.dtype == COMPLEX64:
        c, d = (g.binary("Mul", wide, wide) for wide in (g.cast(a, FLOAT64), g.cast(b, FLOAT64)))
        made = g.cast(g.unary("Sqrt", g.binary("Add", c, d)), FLOAT32)
    else:
        a, b = g.unary("Abs", a), g.unary("Abs", b)
        large, small = g.binary("Max", a, b), g.binary("Min", a, b)
        ratio = g.binary("Div", small, large)
        made = g.binary("Mul", large, g.unary("Sqrt", g.binary("Add", g.binary("Mul", ratio, ratio), g.like(1, a))))
        made = g.where(g.binary("Equal", large, g.like(0, a), BOOL), large, made, x.shape)
    endless = g.binary("Or", g.unary("IsInf", a, BOOL), g.unary("IsInf", b, BOOL))
    return g.where(endless, g.like(np.inf, made), made, x.shape)


def angle(g: Builder, step: Step, x: Value, *, Tout: DType = FLOAT32) -> Value:
    real, imag = parts(g, x)
    return atan2(g, step, imag, real)


def multiply(g: Builder, step: Step, x: Value, y: Value) -> Value:
    return joined(g, *times(g, parts(g, x), parts(g, y)))


def square(g: Builder, step: Step, x: Value) -> Value:
    return multiply(g, step, x, x)


def divide(g: Builder, step: Step, x: Value, y: Value) -> Value:
    return joined(g, *_quotient(g, parts(g, x), parts(g, y)))


def _quotient(g: Builder, x: tuple[Value, Value], y: tuple[Value, Value]) -> tuple[Value, Value]:
    """Both are divided by the larger part of the divisor, so that no square is too large or too small."""
    most = g.binary("Max", g.unary("Abs", y[0]), g.unary("Abs", y[1]))
    c, d = (g.binary("Div", part, most) for part in y)
    norm = g.binary("Mul", g.binary("Add", g.binary("Mul", c, c), g.binary("Mul", d, d)), most)
    real, imag = times(g, x, (c, g.unary("Neg", d)))
    return g.binary("Div", real, norm), g.binary("Div", imag, norm)


def divide_no_nan(g: Builder, step: Step, x: Value, y: Value) -> Value:
    none = _is_zero(g, y)
    made = pairs(divide(g, step, x, y))
    return whole_of(g.where(none, g.like(0, made), made, made.shape))


def _is_zero(g: Builder, x: Value) -> Value:
    """Whether both parts are 0, with a last dimension of one."""
    shape = None if x.shape is None else (*x.shape, 1)
    most = g.op("ReduceMax", g.unary("Abs", pairs(x)), g.ints([-1]), keepdims=1, shape=shape)
    return g.binary("Equal", most, g.like(0, most), BOOL)


def multiply_no_nan(g: Builder, step: Step, x: Value, y: Value) -> Value:
    made = pairs(multiply(g, step, x, y))
    return whole_of(g.where(_is_zero(g, y), g.like(0, made), made, made.shape))


def reciprocal(g: Builder, step: Step, x: Value) -> Value:
    real, imag = parts(g, x)
    return joined(g, *_quotient(g, (g.like(1, real), g.like(0, real)), (real, imag)))


def squared_difference(g: Builder, step: Step, x: Value, y: Value) -> Value:
    """The difference times its conjugate, which is real."""
    difference = g.binary("Sub", pairs(x), pairs(y))
    shape = None if difference.shape is None else difference.shape[:-1]
    squares = g.op("Mul", difference, difference, shape=difference.shape)
    real = g.op("ReduceSum", squares, g.ints([-1]), keepdims=0, shape=shape)
    return joined(g, real, zeros(g, real))


def _equal(equal: bool) -> Lowering:
    def lower(g: Builder, step: Step, x: Value, y: Value, *, incompatible_shape_error: bool = True) -> Value:
        if not incompatible_shape_error:
            raise Refusal("a comparison of complex numbers whose shapes may not fit has no form in ONNX")
        (a, b), (c, d) = parts(g, x), parts(g, y)
        both = g.binary("And", g.binary("Equal", a, c, BOOL), g.binary("Equal", b, d, BOOL))
        return both if equal else g.unary("Not", both)

    return lower


def exp(g: Builder, step: Step, x: Value) -> Value:
    real, imag = parts(g, x)
    size = g.unary("Exp", real)
    return joined(g, g.binary("Mul", size, g.unary("Cos", imag)), g.binary("Mul", size, g.unary("Sin", imag)))


def log(g: Builder, step: Step, x: Value) -> Value:
    return joined(g, g.unary("Log", magnitude(g, step, x)), angle(g, step, x))


def _doubled(g: Builder, x: Value) -> tuple[tuple[Value, Value], DType]:
    """The parts in doubles, in which formulas lose nothing that a float has, and the dtype of the answer's parts."""
    real, imag = parts(g, x)
    return (g.cast(real, FLOAT64), g.cast(imag, FLOAT64)), PARTS[x.dtype]


def _narrowed(g: Builder, made: tuple[Value, Value], dtype: DType) -> Value:
    return joined(g, g.cast(made[0], dtype), g.cast(made[1], dtype))


def sqrt(g: Builder, step: Step, x: Value) -> Value:
    """Half of magnitude and real part, the larger one first; the other follows from the imaginary part."""
    (real, imag), dtype = _doubled(g, x)
    if x.dtype != COMPLEX64:
        raise Refusal(f"Sqrt on {x.dtype} has no lowering to ONNX")
    squares = g.binary("Add", g.binary("Mul", real, real), g.binary("Mul", imag, imag))
    size, half, zero = g.unary("Sqrt", squares), g.like(0.5, real), g.like(0, real)
    larger = g.unary("Sqrt", g.binary("Mul", g.binary("Add", size, g.unary("Abs", real)), half))
    none = g.binary("Equal", larger, zero, BOOL)
    other = g.where(none, zero, g.binary("Div", g.binary("Mul", g.unary("Abs", imag), half), larger), x.shape)
    right = g.binary("GreaterOrEqual", real, zero, BOOL)
    below = g.binary("Less", imag, zero, BOOL)
    height = g.where(right, other, larger, x.shape)
    return _narrowed(
        g,
        (g.where(right, larger, other, x.shape), g.where(below, g.unary("Neg", height), height, x.shape)),
        dtype,
    )


def product(g: Builder, x: Value, y: Value, turn_x: tuple[bool, bool], turn_y: tuple[bool, bool]) -> Value:
    """A product of matrices, each of which may be transposed, and conjugate."""
    factors = []
    for value, (turned, conjugate) in ((x, turn_x), (y, turn_y)):
        real, imag = parts(g, value)
        if turned:
            order = [*range(value.rank - 2), value.rank - 1, value.rank - 2]
            real, imag = g.transpose(real, order), g.transpose(imag, order)
        factors.append((real, g.unary("Neg", imag) if conjugate else imag))
    made_real, made_imag = times(g, factors[0], factors[1], "MatMul")
    shape = g.shapes[0] if g.shapes else None
    return joined(g, *(Value(part.name, part.dtype, shape) for part in (made_real, made_imag)))


def cast(g: Builder, step: Step, x: Value, *, DstT: DType, Truncate: bool = False) -> Value:
    """Of complex numbers the real part is cast; real numbers get an imaginary part of 0."""
    if Truncate:
        raise Refusal("a truncating cast has no form in ONNX")
    if x.dtype in PARTS and DstT in PARTS:
        made = g.cast(pairs(x), PARTS[DstT])
        return Value(made.name, DstT, x.shape, x.tensor if x.dtype == DstT else None)
    if x.dtype in PARTS:
        real = parts(g, x)[0]
        if DstT.is_integer or DstT == BOOL:
            raise Refusal(f"a cast from {x.dtype} to {DstT} has no lowering to ONNX")
        return g.cast(real, DstT)
    made = g.cast(x, PARTS[DstT])
    return joined(g, made, zeros(g, made))


def bitcast(g: Builder, step: Step, x: Value, *, type: DType) -> Value:
    """The same bits: of integers, and of complex numbers as their parts. ONNX looks into no others."""
    if x.dtype == type:
        return x
    if type == PARTS.get(x.dtype):
        held = pairs(x)
        return g.op("Identity", held, shape=held.shape)
    if x.dtype == PARTS.get(type) and x.rank and x.size(-1) == 2:
        return whole_of(g.op("Identity", x, shape=x.shape))
    if x.dtype.is_integer and type.is_integer:
        return g.cast(x, type) if x.dtype.itemsize == type.itemsize else recast(g, x, type)
    raise Refusal(f"a Bitcast from {x.dtype} to {type} has no form in ONNX")


FORMULAS: Table = {
    "Angle": angle,
    "Bitcast": bitcast,
    "Cast": cast,
    "Complex": complex_,
    "ComplexAbs": magnitude,
    "Conj": conj,
    "ConjugateTranspose": conjugate_transpose,
    "Div": divide,
    "DivNoNan": divide_no_nan,
    "Equal": _equal(True),
    "Exp": exp,
    "Imag": imag,
    "Inv": reciprocal,
    "Log": log,
    "Mul": multiply,
    "MulNoNan": multiply_no_nan,
    "NotEqual": _equal(False),
    "Real": real,
    "RealDiv": divide,
    "Reciprocal": reciprocal,
    "Sqrt": sqrt,
    "Square": square,
    "SquaredDifference": squared_difference,
}

LOWERINGS: Table = {
    op: FORMULAS[op]
    for op in ("Angle", "Bitcast", "Complex", "ComplexAbs", "Conj", "ConjugateTranspose", "Imag", "Real")
}
"""Of ops that have something to do with complex numbers only."""
