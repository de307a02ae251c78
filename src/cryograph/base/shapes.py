"""Shapes that may be known in part.

A shape is None (nothing known), or a tuple of sizes in which None stands for an unknown size: `(None, 224, 224, 3)`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from math import prod

from .errors import InputError

Shape = tuple[int | None, ...] | None


def is_known(shape: Shape) -> bool:
    """Whether every size is known."""
    return shape is not None and None not in shape


def rank(shape: Shape) -> int | None:
    """The number of dimensions, or None when it is unknown."""
    return None if shape is None else len(shape)


def element_count(shape: Iterable[int]) -> int:
    """The number of elements of a wholly known shape; 1 for a scalar."""
    return prod(shape)


def given_shape(sizes: Iterable[int | None] | None, what: str) -> Shape:
    """What a user gives as a shape: a list or a tuple of sizes, None or -1 for an unknown one; None for no shape at
    all. InputError, which names `what`, for anything else."""
    if sizes is None:
        return None
    try:
        shape = tuple(None if size is None or size == -1 else operator.index(size) for size in sizes)
    except TypeError:
        shape = (-1,)
    if any(size is not None and size < 0 for size in shape):
        raise InputError(f"{sizes!r} is not a shape for {what}: sizes are whole numbers from 0, or None.")
    return shape


def known(shape: Shape, what: str) -> tuple[int, ...]:
    """The shape itself when it is wholly known; otherwise an InputError that names `what`."""
    if shape is None or None in shape:
        raise InputError(f"{what} has the shape {show(shape)}, where a wholly known one is needed.")
    return tuple(size for size in shape if size is not None)


def compatible(a: Shape, b: Shape) -> bool:
    """Whether some tensor could have both shapes."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def merge(a: Shape, b: Shape) -> Shape:
    """All that two shapes of one tensor say together; InputError where they contradict each other."""
    if a is None:
        return b
    if b is None:
        return a
    if not compatible(a, b):
        raise InputError(f"The shapes {show(a)} and {show(b)} cannot be those of one tensor.")
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def show(shape: Shape) -> str:
    """A shape as users read it: `(?, 224, 224, 3)`, `()` for a scalar, `<unknown>` without a rank."""
    if shape is None:
        return "<unknown>"
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
