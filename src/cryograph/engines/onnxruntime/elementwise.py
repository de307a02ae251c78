"""Lowerings of elementwise mathematics, comparisons, logic, selection and casts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, DType
from ...base.shapes import Shape
from ...program.program import Step
from . import lists
from .builder import Builder, Table, broadcast
from .values import Refusal, Value, limits
from .whole import floor_quotient, from_float, quotient, rest, shifted

Unary = Callable[[Builder, Step, Value], Value]
Binary = Callable[[Builder, Step, Value, Value], Value]


def _unary(op: str) -> Unary:
    def lower(g: Builder, step: Step, x: Value) -> Value:
        return g.unary(op, x)

    return lower


def _test(op: str) -> Unary:
    def lower(g: Builder, step: Step, x: Value) -> Value:
        return g.unary(op, x, dtype=BOOL)

    return lower


def _binary(op: str) -> Binary:
    def lower(g: Builder, step: Step, x: Value, y: Value) -> Value:
        return g.binary(op, x, y)

    return lower


def _compare(op: str) -> Binary:
    def lower(g: Builder, step: Step, x: Value, y: Value) -> Value:
        return g.binary(op, x, y, dtype=BOOL)

    return lower


def floats_only(x: Value, op: str) -> None:
    """Refusal unless `x` holds floating-point numbers."""
    if not x.dtype.is_floating:
        raise Refusal(f"{op} on {x.dtype} has no lowering to ONNX")


def rounded(g: Builder, step: Step, x: Value) -> Value:
    """To the nearest integer, halves to even."""
    floats_only(x, step.op)
    return g.unary("Round", x)


def sign(g: Builder, step: Step, x: Value) -> Value:
    if x.dtype.itemsize < 4 and x.dtype.is_floating:
        raise Refusal(f"ONNX Runtime gives no NaN for the sign of a {x.dtype} NaN")
    return g.unary("Sign", x)


def square(g: Builder, step: Step, x: Value) -> Value:
    return g.op("Mul", x, x, shape=x.shape)


def rsqrt(g: Builder, step: Step, x: Value) -> Value:
    return g.unary("Reciprocal", g.unary("Sqrt", x))


def expm1(g: Builder, step: Step, x: Value) -> Value:
    """2 sinh(x / 2) exp(x / 2), which loses nothing near 0; below -50 it is -1 in every precision that we have."""
    floats_only(x, "Expm1")
    half = g.op("Mul", g.op("Max", x, g.like(-50, x), shape=x.shape), g.like(0.5, x), shape=x.shape)
    made = g.op("Mul", g.unary("Sinh", half), g.unary("Exp", half), shape=x.shape)
    return g.op("Mul", made, g.like(2, x), shape=x.shape)


def log1p(g: Builder, step: Step, x: Value) -> Value:
    """2 atanh(x / (2 + x)) near 0, where log(1 + x) would lose all digits."""
    floats_only(x, "Log1p")
    plain = g.unary("Log", g.op("Add", x, g.like(1, x), shape=x.shape))
    ratio = g.op("Div", x, g.op("Add", x, g.like(2, x), shape=x.shape), shape=x.shape)
    near = g.op("Mul", g.unary("Atanh", ratio), g.like(2, x), shape=x.shape)
    small = g.op("Less", g.unary("Abs", x), g.like(0.5, x), dtype=BOOL, shape=x.shape)
    return g.where(small, near, plain, x.shape)


def erfc(g: Builder, step: Step, x: Value) -> Value:
    return g.op("Sub", g.like(1, x), g.unary("Erf", x), shape=x.shape)


def is_finite(g: Builder, step: Step, x: Value) -> Value:
    """A difference of equal numbers is 0 unless they are infinite or NaN."""
    zero = g.op("Sub", x, x, shape=x.shape)
    return g.op("Equal", zero, g.like(0, x), dtype=BOOL, shape=x.shape)


def same(g: Builder, step: Step, x: Value) -> Value:
    return x


def relu6(g: Builder, step: Step, x: Value) -> Value:
    return g.op("Clip", x, g.like(0, x), g.like(6, x), shape=x.shape)


def leaky_relu(g: Builder, step: Step, x: Value, *, alpha: float = 0.2) -> Value:
    return g.unary("LeakyRelu", x, alpha=float(np.float32(alpha)))


def selu(g: Builder, step: Step, x: Value) -> Value:
    return g.unary("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805)


def softmax(g: Builder, step: Step, x: Value) -> Value:
    return g.unary("Softmax", x, axis=-1)


def log_softmax(g: Builder, step: Step, x: Value) -> Value:
    return g.unary("LogSoftmax", x, axis=-1)


# --- two inputs


def divide(g: Builder, step: Step, x: Value, y: Value) -> Value:
    """Integers are divided towards zero."""
    if x.dtype.is_integer:
        return quotient(g, x, y)
    made = g.binary("Div", x, y)
    if step.op != "TruncateDiv":
        return made
    return g.binary("Mul", g.unary("Sign", made), g.unary("Floor", g.unary("Abs", made)))


def floor_div(g: Builder, step: Step, x: Value, y: Value) -> Value:
    if x.dtype.is_floating:
        return g.unary("Floor", g.binary("Div", x, y))
    return floor_quotient(g, x, y)


def floor_mod(g: Builder, step: Step, x: Value, y: Value) -> Value:
    """The rest has the sign of the divisor."""
    if not x.dtype.is_floating:
        return rest(g, x, y, True)
    left = g.op("Mod", x, y, fmod=1, shape=broadcast(x.shape, y.shape))
    zero = g.like(0, x)
    differs = g.binary("Xor", g.binary("Less", left, zero, BOOL), g.binary("Less", y, zero, BOOL))
    is_rest = g.unary("Not", g.binary("Equal", left, zero, BOOL))
    moves = g.binary("And", differs, is_rest)
    return g.where(moves, g.binary("Add", left, y), left, left.shape)


def truncate_mod(g: Builder, step: Step, x: Value, y: Value) -> Value:
    if x.dtype.is_integer:
        return rest(g, x, y, False)
    return g.op("Mod", x, y, fmod=1, shape=broadcast(x.shape, y.shape))


def power(g: Builder, step: Step, x: Value, y: Value) -> Value:
    if x.dtype in (INT32, INT64):
        return _whole_power(g, x, y)
    floats_only(x, "Pow")
    return g.binary("Pow", x, y)


def _whole_power(g: Builder, x: Value, y: Value) -> Value:
    """By squaring, so that products wrap as TensorFlow's do. Powers below 0 have no form in integers."""
    if y.array is None or (y.array < 0).any():
        raise Refusal("powers of integers must be constants from 0 up")
    shape = broadcast(x.shape, y.shape)
    made, square = g.op("Expand", g.like(1, x), g.shape_of(y), shape=y.shape), x
    for bit in range(int(y.array.max(initial=0)).bit_length()):
        if bit:
            square = g.op("Mul", square, square, shape=x.shape)
        odd = g.const(y.array >> bit & 1 == 1, BOOL)
        made = g.where(odd, g.op("Mul", made, square, shape=shape), made, shape)
    return made if made.shape == shape else g.op("Expand", made, g.shape_of(g.binary("Add", x, y)), shape=shape)


def squared_difference(g: Builder, step: Step, x: Value, y: Value) -> Value:
    difference = g.binary("Sub", x, y)
    return g.op("Mul", difference, difference, shape=difference.shape)


def _unless_zero(test: str, op: str) -> Binary:
    """`op(x, y)`, but 0 where the tested input (`x` or `y`) is 0, whatever the other is."""

    def lower(g: Builder, step: Step, x: Value, y: Value) -> Value:
        floats_only(x, step.op)
        tested = x if test == "x" else y
        none = g.op("Equal", tested, g.like(0, x), dtype=BOOL, shape=tested.shape)
        if op == "Log":
            made = g.binary("Mul", x, g.unary("Log", y))
        elif op == "Log1p":
            made = g.binary("Mul", x, log1p(g, step, y))
        else:
            made = g.binary(op, x, y)
        return g.where(none, g.like(0, x), made, made.shape)

    return lower


def _is_negative(g: Builder, x: Value) -> Value:
    """Whether the sign is minus, also that of a zero: its reciprocal is minus infinity."""
    zero = g.like(0, x)
    below = g.binary("Less", g.unary("Reciprocal", x), zero, BOOL)
    return g.binary("Or", g.binary("Less", x, zero, BOOL), below)


def atan2(g: Builder, step: Step, y: Value, x: Value) -> Value:
    """atan(y / x), turned by half a circle left of the axis; on the axis a quarter towards y."""
    floats_only(x, "Atan2")
    zero = g.like(0, x)
    unknown = (g.unary("IsNaN", x, BOOL), g.unary("IsNaN", y, BOOL))
    # The largest numbers stand for infinity, so that the ratio of two is a number.
    most = limits(x.dtype)[1]
    x = g.op("Clip", x, g.like(-most, x), g.like(most, x), shape=x.shape)
    y = g.op("Clip", y, g.like(-most, x), g.like(most, x), shape=y.shape)
    half = g.where(_is_negative(g, y), g.like(-math.pi, x), g.like(math.pi, x), y.shape)
    straight = g.unary("Atan", g.binary("Div", y, x))
    left = _is_negative(g, x)
    turned = g.where(left, g.binary("Add", straight, half), straight, straight.shape)
    quarter = g.op("Mul", half, g.like(0.5, x), shape=y.shape)
    off_axis = g.where(g.binary("Equal", x, zero, BOOL), quarter, turned, turned.shape)
    flat = g.where(left, half, y, turned.shape)
    made = g.where(g.binary("Equal", y, zero, BOOL), flat, off_axis, turned.shape)
    return g.where(g.binary("Or", *unknown), g.like(math.nan, x), made, turned.shape)


def add_n(g: Builder, step: Step, *inputs: Value) -> Value:
    made = inputs[0]
    for value in inputs[1:]:
        made = g.binary("Add", made, value) if made.items is None else lists.added(g, made, value)
    return made


def accumulate_n(g: Builder, step: Step, *inputs: Value, shape: Shape = None) -> Value:
    return add_n(g, step, *inputs)


def not_equal(g: Builder, step: Step, x: Value, y: Value, *, incompatible_shape_error: bool = True) -> Value:
    return g.unary("Not", equal(g, step, x, y, incompatible_shape_error=incompatible_shape_error))


def equal(g: Builder, step: Step, x: Value, y: Value, *, incompatible_shape_error: bool = True) -> Value:
    if not incompatible_shape_error and (x.shape is None or y.shape is None or x.shape != y.shape):
        shape = broadcast(x.shape, y.shape)
        if () not in (x.shape, y.shape) and (shape is None or None in shape):
            raise Refusal("a comparison of shapes that may not fit has no form in ONNX")
        if not _fit(x, y):
            raise Refusal("a comparison of shapes that do not fit has no form in ONNX")
    return g.binary("Equal", x, y, BOOL)


def _fit(x: Value, y: Value) -> bool:
    pairs = zip(reversed(x.shape or ()), reversed(y.shape or ()), strict=False)
    return all(a == b or a == 1 or b == 1 for a, b in pairs)


def approximate_equal(g: Builder, step: Step, x: Value, y: Value, *, tolerance: float = 1e-5) -> Value:
    floats_only(x, "ApproximateEqual")
    return g.binary("Less", g.unary("Abs", g.binary("Sub", x, y)), g.like(tolerance, x), BOOL)


def shift(direction: str) -> Binary:
    def lower(g: Builder, step: Step, x: Value, y: Value) -> Value:
        return shifted(g, x, y, direction)

    return lower


def select(g: Builder, step: Step, condition: Value, yes: Value, no: Value) -> Value:
    """The first version: a vector of conditions chooses whole rows."""
    if condition.shape is None or yes.shape is None:
        raise Refusal("the rank of an input is not known")
    if len(condition.shape) == 1 and len(yes.shape) > 1:
        condition = g.unsqueeze(condition, list(range(1, len(yes.shape))))
    return g.where(condition, yes, no, yes.shape)


def select_v2(g: Builder, step: Step, condition: Value, yes: Value, no: Value) -> Value:
    return g.where(condition, yes, no, broadcast(condition.shape, broadcast(yes.shape, no.shape)))


def clip_by_value(g: Builder, step: Step, x: Value, low: Value, high: Value) -> Value:
    if low.shape == () and high.shape == ():
        return g.op("Clip", x, low, high, shape=x.shape)
    return g.binary("Max", g.binary("Min", x, high), low)


def cast(g: Builder, step: Step, x: Value, *, DstT: DType, Truncate: bool = False) -> Value:
    if Truncate and x.dtype.is_floating and DstT.is_floating and DstT.itemsize < x.dtype.itemsize:
        raise Refusal("a truncating cast has no form in ONNX")
    if x.dtype.is_floating and DstT.is_integer and DstT not in (INT32, INT64):
        return from_float(g, x, DstT)
    return g.cast(x, DstT)


LOWERINGS: Table = {
    "Abs": _unary("Abs"),
    "AccumulateNV2": accumulate_n,
    "Acos": _unary("Acos"),
    "Acosh": _unary("Acosh"),
    "Add": _binary("Add"),
    "AddN": add_n,
    "AddV2": _binary("Add"),
    "ApproximateEqual": approximate_equal,
    "Asin": _unary("Asin"),
    "Asinh": _unary("Asinh"),
    "Atan": _unary("Atan"),
    "Atan2": atan2,
    "Atanh": _unary("Atanh"),
    "BitwiseAnd": _binary("BitwiseAnd"),
    "BitwiseOr": _binary("BitwiseOr"),
    "BitwiseXor": _binary("BitwiseXor"),
    "Cast": cast,
    "Ceil": _unary("Ceil"),
    "ClipByValue": clip_by_value,
    "Cos": _unary("Cos"),
    "Cosh": _unary("Cosh"),
    "Div": divide,
    "DivNoNan": _unless_zero("y", "Div"),
    "Elu": _unary("Elu"),
    "Equal": equal,
    "Erf": _unary("Erf"),
    "Erfc": erfc,
    "Exp": _unary("Exp"),
    "Expm1": expm1,
    "Floor": _unary("Floor"),
    "FloorDiv": floor_div,
    "FloorMod": floor_mod,
    "Greater": _compare("Greater"),
    "GreaterEqual": _compare("GreaterOrEqual"),
    "Inv": _unary("Reciprocal"),
    "Invert": _unary("BitwiseNot"),
    "IsFinite": is_finite,
    "IsInf": _test("IsInf"),
    "IsNan": _test("IsNaN"),
    "LeakyRelu": leaky_relu,
    "LeftShift": shift("LEFT"),
    "Less": _compare("Less"),
    "LessEqual": _compare("LessOrEqual"),
    "Log": _unary("Log"),
    "Log1p": log1p,
    "LogSoftmax": log_softmax,
    "LogicalAnd": _binary("And"),
    "LogicalNot": _unary("Not"),
    "LogicalOr": _binary("Or"),
    "Maximum": _binary("Max"),
    "Minimum": _binary("Min"),
    "Mod": truncate_mod,
    "Mul": _binary("Mul"),
    "MulNoNan": _unless_zero("y", "Mul"),
    "Neg": _unary("Neg"),
    "NotEqual": not_equal,
    "Pow": power,
    "RealDiv": divide,
    "Reciprocal": _unary("Reciprocal"),
    "Relu": _unary("Relu"),
    "Relu6": relu6,
    "RightShift": shift("RIGHT"),
    "Rint": rounded,
    "Round": rounded,
    "Rsqrt": rsqrt,
    "Select": select,
    "SelectV2": select_v2,
    "Selu": selu,
    "Sigmoid": _unary("Sigmoid"),
    "Sign": sign,
    "Sin": _unary("Sin"),
    "Sinh": _unary("Sinh"),
    "Softmax": softmax,
    "Softplus": _unary("Softplus"),
    "Softsign": _unary("Softsign"),
    "Sqrt": _unary("Sqrt"),
    "Square": square,
    "SquaredDifference": squared_difference,
    "Sub": _binary("Sub"),
    "Tan": _unary("Tan"),
    "Tanh": _unary("Tanh"),
    "TruncateDiv": divide,
    "TruncateMod": truncate_mod,
    "Xdivy": _unless_zero("x", "Div"),
    "Xlog1py": _unless_zero("x", "Log1p"),
    "Xlogy": _unless_zero("x", "Log"),
}
