"""Values that compute as arrays do, so that a formula of the reference engine becomes nodes: see `optimizers`, `words`.

A number of Python beside a value is a constant of its dtype. Shapes are broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base.dtypes import BOOL, DType, dtype_of
from .builder import Builder, broadcast
from .values import Value

UINT64 = dtype_of("uint64")


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A value, and the builder that it writes to."""

    g: Builder
    value: Value

    @property
    def dtype(self) -> DType:
        """What it holds."""
        return self.value.dtype

    def astype(self, dtype: DType) -> Traced:
        """In another dtype."""
        return Traced(self.g, self.g.cast(self.value, dtype))

    def _other(self, other: Traced | float) -> Value:
        return other.value if isinstance(other, Traced) else self.g.like(other, self.value)

    def _with(self, op: str, other: Traced | float, dtype: DType | None = None) -> Traced:
        return Traced(self.g, self.g.binary(op, self.value, self._other(other), dtype))

    def _after(self, op: str, other: Traced | float) -> Traced:
        return Traced(self.g, self.g.binary(op, self._other(other), self.value))

    def __add__(self, other: Traced | float) -> Traced:
        return self._with("Add", other)

    def __radd__(self, other: float) -> Traced:
        return self._after("Add", other)

    def __sub__(self, other: Traced | float) -> Traced:
        return self._with("Sub", other)

    def __rsub__(self, other: float) -> Traced:
        return self._after("Sub", other)

    def __mul__(self, other: Traced | float) -> Traced:
        return self._with("Mul", other)

    def __rmul__(self, other: float) -> Traced:
        return self._after("Mul", other)

    def __truediv__(self, other: Traced | float) -> Traced:
        return self._with("Div", other)

    def __rtruediv__(self, other: float) -> Traced:
        return self._after("Div", other)

    def __xor__(self, other: Traced | float) -> Traced:
        return self._with("BitwiseXor", other)

    def __and__(self, other: Traced | float) -> Traced:
        return self._with("BitwiseAnd", other)

    def __or__(self, other: Traced | float) -> Traced:
        return self._with("BitwiseOr", other)

    def __rshift__(self, by: int) -> Traced:
        """The bits of a number without sign."""
        held = self.astype(UINT64)
        made = self.g.op(
            "BitShift", held.value, self.g.const(by, UINT64), shape=self.value.shape, direction="RIGHT"
        )  # fmt: skip
        return Traced(self.g, made).astype(self.dtype)

    def __gt__(self, other: Traced | float) -> Traced:
        return self._with("Greater", other, BOOL)

    def __neg__(self) -> Traced:
        return Traced(self.g, self.g.unary("Neg", self.value))


@dataclass(frozen=True, slots=True)
class Namespace:
    """The functions of an array namespace that formulas call."""

    g: Builder

    def _of(self, op: str, x: Traced) -> Traced:
        return Traced(self.g, self.g.unary(op, x.value))

    def sqrt(self, x: Traced) -> Traced:
        """The root."""
        return self._of("Sqrt", x)

    def exp(self, x: Traced) -> Traced:
        """A power of e."""
        return self._of("Exp", x)

    def abs(self, x: Traced) -> Traced:
        """The size."""
        return self._of("Abs", x)

    def sign(self, x: Traced) -> Traced:
        """-1, 0 or 1."""
        return self._of("Sign", x)

    def maximum(self, x: Traced, y: Traced | float) -> Traced:
        """The larger one."""
        return x._with("Max", y)

    def power(self, x: Traced, y: Traced) -> Traced:
        """A power."""
        return x._with("Pow", y)

    def where(self, condition: Traced, x: Traced, y: Traced) -> Traced:
        """The first where the condition holds, the second elsewhere."""
        shape = broadcast(condition.value.shape, broadcast(x.value.shape, y.value.shape))
        return Traced(self.g, self.g.where(condition.value, x.value, y.value, shape))

    def zeros_like(self, x: Traced) -> Traced:
        """As many zeros."""
        zero = self.g.like(0, x.value)
        return Traced(self.g, self.g.op("Expand", zero, self.g.shape_of(x.value), shape=x.value.shape))
