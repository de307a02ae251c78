"""What is known of tensors before anything runs: dtype, shape, small values, what a handle refers to.

A rule of inference is a function from a `Call` (one op, its attributes, the facts of its inputs) to a shape, or a Fact,
for each output. A rule raises `Contradiction` where the inputs cannot be; then nothing is known of the outputs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..base.dtypes import DType
from ..base.errors import GraphError
from ..base.shapes import Shape
from ..base.tensors import Array

MAX_VALUES = 4096
"""The most elements of a tensor whose values are carried along."""

MAX_SIZE = (1 << 63) - 1
"""The largest size that a dimension can have."""

Dim = int | None
Dims = tuple[Dim, ...]


class Contradiction(GraphError):
    """The inputs of an op cannot have these shapes or attributes."""


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """What is known of one tensor; `dtype` is None only behind an unknown op.

    `value` holds the elements of a small tensor. Where some are unknown, as in the shape of a batch, it is an object
    array of ints and None. `holds` says what a handle refers to: a variable, a list or an array of tensors is one Fact.
    """

    dtype: DType | None
    shape: Shape = None
    value: Array | None = None
    holds: tuple[Fact, ...] | None = None

    @property
    def known_value(self) -> Array | None:
        """The value where every element is known."""
        return None if self.value is None or is_partial(self.value) else self.value


UNKNOWN = Fact(None)

Rule = Callable[["Call"], Sequence["Shape | Fact"]]


class Call:
    """One op, and what is known of its inputs: what a rule looks at."""

    __slots__ = ("attrs", "inputs", "op", "outputs", "producer")

    def __init__(
        self, op: str, attrs: Mapping[str, Any], inputs: Sequence[Fact], outputs: Sequence[DType], producer: int = 0
    ) -> None:
        """`attrs` with defaults filled in; `outputs` are the dtypes, so also the number, of the outputs."""
        self.op = op
        self.attrs = attrs
        self.inputs = inputs
        self.outputs = outputs
        self.producer = producer

    def _input(self, index: int) -> Fact:
        try:
            return self.inputs[index]
        except IndexError:
            raise Contradiction(f"it takes at least {index + 1} inputs, but {len(self.inputs)} came") from None

    def shape(self, index: int) -> Shape:
        """The shape of an input."""
        return self._input(index).shape

    def value(self, index: int) -> Array | None:
        """The value of an input, where all of it is known."""
        return self._input(index).known_value

    def scalar(self, index: int) -> int | None:
        """The value of an input that is a single integer."""
        value = self.value(index)
        return int(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "iu" else None

    def numbers(self, index: int) -> list[int] | None:
        """The values of an input that holds integers."""
        value = self.value(index)
        return None if value is None or value.dtype.kind not in "iu" else [int(item) for item in value.reshape(-1)]

    def dims(self, index: int) -> Shape:
        """The shape that the values of an input say, known in part; -1 among them is unknown."""
        fact = self._input(index)
        if fact.value is not None and fact.value.ndim <= 1 and fact.value.dtype.kind in "iuO":
            if fact.value.ndim == 0:
                if fact.value.item() == -1:
                    return None
                raise Contradiction("a shape is a vector, but a scalar came")
            sizes = fact.value.tolist()
            if any(size is not None and size < -1 for size in sizes):
                raise Contradiction(f"a shape has a size below -1: {sizes}")
            return tuple(None if size == -1 else size for size in sizes)
        if (
            fact.shape is not None
            and len(fact.shape) == 1
            and fact.shape[0] is not None
            and fact.shape[0] <= MAX_VALUES
        ):
            return (None,) * fact.shape[0]
        return None

    def ranked(self, index: int, rank: int) -> Dims:
        """The shape of an input that has `rank` dimensions; all sizes unknown when its rank is."""
        shape = self.shape(index)
        if shape is None:
            return (None,) * rank
        if len(shape) != rank:
            raise Contradiction(f"input {index} has {len(shape)} dimensions, where {rank} were expected")
        return shape

    def at_least(self, index: int, rank: int) -> Shape:
        """The shape of an input that has `rank` dimensions or more; None when its rank is unknown."""
        shape = self.shape(index)
        if shape is not None and len(shape) < rank:
            raise Contradiction(f"input {index} has {len(shape)} dimensions, where at least {rank} were expected")
        return shape

    def attr(self, name: str) -> Any:
        """An attribute in its Python form."""
        try:
            return self.attrs[name]
        except KeyError:
            raise Contradiction(f"the attribute {name!r} is missing") from None

    def _typed(self, name: str, kind: type, words: str) -> Any:
        value = self.attr(name)
        if not isinstance(value, kind):
            raise Contradiction(f"the attribute {name!r} is {value!r}, where {words} was expected")
        return value

    def integer(self, name: str) -> int:
        """An attribute that is an integer."""
        value: int = self._typed(name, int, "an integer")
        return value

    def flag(self, name: str) -> bool:
        """An attribute that is true or false."""
        return bool(self._typed(name, int, "true or false"))

    def text(self, name: str) -> str:
        """An attribute that is a string."""
        return str(self._typed(name, bytes, "a string").decode("utf-8", "replace"))

    def ints(self, name: str) -> list[int]:
        """An attribute that is a list of integers."""
        value: list[int] = self._typed(name, list, "a list of integers")
        if not all(isinstance(item, int) for item in value):
            raise Contradiction(f"the attribute {name!r} is {value!r}, where a list of integers was expected")
        return value

    def shape_attr(self, name: str) -> Shape:
        """An attribute that is a shape."""
        value = self.attr(name)
        return value if isinstance(value, tuple) else None

    def shapes_attr(self, name: str) -> list[Shape]:
        """An attribute that is a list of shapes."""
        value = self.attr(name)
        return [item if isinstance(item, tuple) else None for item in value] if isinstance(value, list) else []


# Dimensions


def _arithmetic(function: Callable[[int, int], int]) -> Callable[[Dim, Dim], Dim]:
    def apply(a: Dim, b: Dim) -> Dim:
        return None if a is None or b is None else function(a, b)

    return apply


add = _arithmetic(operator.add)
sub = _arithmetic(operator.sub)


def mul(a: Dim, b: Dim) -> Dim:
    """The product of two sizes; 0 wins over an unknown one."""
    return times((a, b))


def times(sizes: Sequence[Dim]) -> Dim:
    """The product of sizes; 0 among them wins over unknown ones."""
    if 0 in sizes:
        return 0
    return None if None in sizes else prod(size for size in sizes if size is not None)


def merge_dim(a: Dim, b: Dim) -> Dim:
    """All that is known of one size told twice; Contradiction where the two differ."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    raise Contradiction(f"the sizes {a} and {b} should be equal")


def merge(a: Shape, b: Shape) -> Shape:
    """All that is known of one shape told twice; Contradiction where the two differ."""
    if a is None:
        return b
    if b is None:
        return a
    if len(a) != len(b):
        raise Contradiction(f"the shapes {a} and {b} should be equal")
    return tuple(map(merge_dim, a, b))


def merge_rank(shape: Shape, rank: int) -> Dims:
    """A shape of `rank` dimensions; Contradiction when it has another number of them."""
    if shape is None:
        return (None,) * rank
    if len(shape) != rank:
        raise Contradiction(f"the shape {shape} should have {rank} dimensions")
    return shape


def broadcast_dim(a: Dim, b: Dim) -> Dim:
    """The size of two that are stretched over each other: 1 takes the other's; unknown and n > 1 is n."""
    if a == 1:
        return b
    if b == 1 or a == b:
        return a
    if a is None:
        return b
    if b is None:
        return a
    raise Contradiction(f"the sizes {a} and {b} cannot be stretched over each other")


def broadcast(*shapes: Shape) -> Shape:
    """The shape of tensors stretched over each other as numpy does it."""
    result: Dims = ()
    for shape in shapes:
        if shape is None:
            return None
        rank = max(len(result), len(shape))
        left, right = ((1,) * (rank - len(s)) + tuple(s) for s in (result, shape))
        result = tuple(map(broadcast_dim, left, right))
    return result


def join(a: Shape, b: Shape) -> Shape:
    """What two shapes have in common: sizes that differ become unknown."""
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def normal_axis(axis: int, rank: int) -> int:
    """An axis from 0, where negative ones count from the end; Contradiction when it is out of range."""
    if not -rank <= axis < rank:
        raise Contradiction(f"the axis {axis} is out of range for {rank} dimensions")
    return axis % rank


def ceil_div(a: int, b: int) -> int:
    """Division, rounded up."""
    return -(-a // b)


# Values


def is_partial(value: Array) -> bool:
    """Whether some elements of a carried value are unknown."""
    return value.dtype == object and any(item is None for item in value.flat)


def of_items(items: Any, shape: tuple[int, ...], dtype: DType | None) -> Array | None:
    """A carried value of a nested list or flat sequence of ints and None, all known ones in the dtype's own array."""
    flat = np.empty(prod(shape), dtype=object)
    for index, item in enumerate(items):
        flat[index] = item
    return settled(flat.reshape(shape), dtype)


def settled(value: Array | None, dtype: DType | None) -> Array | None:
    """A value in the array form of its dtype when all of it is known; None when it is too large to be carried."""
    if value is None or value.size > MAX_VALUES or dtype is None:
        return None
    base = dtype.base
    if base.is_string or base.numpy is None:
        return None
    if value.dtype != object:
        return value if value.dtype == base.numpy else value.astype(base.numpy)
    if not base.is_integer:
        return None if is_partial(value) else value.astype(base.numpy)
    if is_partial(value):
        return None if all(item is None for item in value.flat) and value.size else value
    try:
        return value.astype(base.numpy)
    except OverflowError:
        return None


def same_value(a: Array | None, b: Array | None) -> bool:
    """Whether two carried values say the same."""
    if a is None or b is None:
        return a is b
    if a is b:
        return True
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    equal: bool = (
        np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") if a.dtype != object else a.tolist() == b.tolist()
    )
    return equal


def same(a: Fact, b: Fact) -> bool:
    """Whether two facts say the same."""
    if a is b:
        return True
    if a.dtype != b.dtype or a.shape != b.shape or not same_value(a.value, b.value):
        return False
    if a.holds is None or b.holds is None:
        return a.holds is b.holds
    return len(a.holds) == len(b.holds) and all(map(same, a.holds, b.holds))


def join_facts(a: Fact, b: Fact) -> Fact:
    """What two facts have in common: a tensor that is now the one, now the other."""
    if same(a, b):
        return a
    holds = None
    if a.holds is not None and b.holds is not None and len(a.holds) == len(b.holds):
        holds = tuple(map(join_facts, a.holds, b.holds))
    value = a.value if same_value(a.value, b.value) else None
    if value is None and a.value is not None and b.value is not None and a.value.shape == b.value.shape:
        value = _join_values(a.value, b.value, a.dtype)
    return Fact(a.dtype if a.dtype == b.dtype else None, join(a.shape, b.shape), value, holds)


def _join_values(a: Array, b: Array, dtype: DType | None) -> Array | None:
    if a.dtype.kind not in "iuO" or b.dtype.kind not in "iuO":
        return None
    items = [x if x == y else None for x, y in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)]
    return of_items(items, a.shape, dtype)
