"""XLA's ops that hold a function of single numbers: reductions, windows, scatters and sorts.

The function is applied to whole arrays at once, so all of its ops must go number by number. Source: the operation
semantics of XLA (openxla.org) and TensorFlow's kernels for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array
from ...wire.xla_numbers import gather_numbers
from .context import Context, Rule
from .windows import Windows, view
from .xla_moves import pad_general, places_of, sizes_of, starts_of

NUMBER_BY_NUMBER = frozenset(
    {
        *("Abs", "Add", "AddV2", "Bitcast", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Cast", "Div", "Equal", "Exp"),
        *("Greater", "GreaterEqual", "Identity", "IdentityN", "Invert", "IsFinite", "IsInf", "IsNan", "LeftShift"),
        *("Less", "LessEqual", "Log", "Log1p", "LogicalAnd", "LogicalNot", "LogicalOr", "Maximum", "Minimum", "Mul"),
        *("Neg", "NotEqual", "OnesLike", "Pow", "RealDiv", "RightShift", "SelectV2", "Sign", "Sqrt", "Square"),
        *("SquaredDifference", "StopGradient", "Sub", "ZerosLike"),
    }
)
"""Ops of which each number of the result comes of the numbers at the same place."""

Combine = Callable[[Sequence[Array]], list[Array]]


def _function(ctx: Context, name: str) -> Combine:
    """A body, for whole arrays."""
    others = {step.op for step in ctx.step.bodies[name].steps} - NUMBER_BY_NUMBER
    if others:
        raise UnsupportedError(f"the function {name!r} holds {', '.join(sorted(others))}, which is not supported there")

    def run(values: Sequence[Array]) -> list[Array]:
        shape = values[0].shape
        return [np.broadcast_to(made, shape) for made in ctx.run_body(name, values)]

    return run


def _folded(parts: list[Array], combine: Combine) -> list[Array]:
    """The last dimension folded into one element: neighbours are joined until one is left, their order kept."""
    while parts[0].shape[-1] > 1:
        count = parts[0].shape[-1]
        even = count - count % 2
        made = combine([*(part[..., 0:even:2] for part in parts), *(part[..., 1:even:2] for part in parts)])
        if count % 2:
            made = [np.concatenate([a, part[..., -1:]], -1) for a, part in zip(made, parts, strict=True)]
        parts = made
    return [part[..., 0] for part in parts]


def _reduced(inputs: Sequence[Array], starts: Sequence[Array], axes: list[int], combine: Combine) -> list[Array]:
    rank = inputs[0].ndim
    if any(x.shape != inputs[0].shape for x in inputs) or any(start.ndim for start in starts):
        raise RunError(f"{[list(x.shape) for x in inputs]} do not start from {[list(x.shape) for x in starts]}")
    if any(not 0 <= axis < rank for axis in axes) or len(set(axes)) < len(axes):
        raise RunError(f"the dimensions {axes} are not among {rank}")
    if not axes:
        return list(inputs)
    kept = [axis for axis in range(rank) if axis not in axes]
    shape = [inputs[0].shape[axis] for axis in kept]
    laid = [x.transpose([*kept, *axes]).reshape((*shape, prod(x.shape[axis] for axis in axes))) for x in inputs]
    first = [np.broadcast_to(start, shape) for start in starts]
    if not laid[0].shape[-1]:
        return first
    return combine([*first, *_folded(laid, combine)])


def _reduce(ctx: Context, x: Array, start: Array, *, dimensions_to_reduce: list[int]) -> Array:
    return _reduced([x], [start], dimensions_to_reduce, _function(ctx, "reducer"))[0]


def _variadic_reduce(ctx: Context, *values: Array, dimensions_to_reduce: list[int]) -> tuple[Array, ...]:
    count = len(values) // 2
    return tuple(_reduced(values[:count], values[count:], dimensions_to_reduce, _function(ctx, "reducer")))


def _windows(shape: Sequence[int], sizes: list[int], strides: list[int], gaps: list[int]) -> Windows:
    spans = [(n - 1) * gap + 1 for n, gap in zip(sizes, gaps, strict=True)]
    out = [(n - span) // step + 1 if n >= span else 0 for n, span, step in zip(shape, spans, strides, strict=True)]
    return Windows(tuple(sizes), tuple(strides), tuple(gaps), ((0, 0),) * len(sizes), tuple(out))


def _laid(x: Array, windows: Windows) -> Array:
    """(*out, elements): the elements of each window in their order."""
    found = view(np.ascontiguousarray(x)[None, ..., None], windows)[0, ..., 0]
    return found.reshape((*windows.out, prod(windows.sizes)))


def _reduce_window(
    ctx: Context,
    x: Array,
    start: Array,
    window_dimensions: Array,
    window_strides: Array,
    base_dilations: Array,
    window_dilations: Array,
    padding: Array,
) -> Array:
    """Of what is added around and between the elements nothing is taken."""
    sizes, strides, spread, gaps = map(sizes_of, (window_dimensions, window_strides, base_dilations, window_dilations))
    if {len(sizes), len(strides), len(spread), len(gaps)} != {x.ndim} or padding.shape != (x.ndim, 2):
        raise RunError(f"windows of {sizes} do not fit {list(x.shape)}")
    low, high = ([int(n) for n in padding[:, side]] for side in (0, 1))
    inside = [n - 1 for n in spread]
    around = pad_general(x, start[()], low, high, inside)
    there = pad_general(np.ones(x.shape, bool), False, low, high, inside)
    combine = _function(ctx, "computation")
    windows = _windows(around.shape, sizes, strides, gaps)

    def join(parts: Sequence[Array]) -> list[Array]:
        a, a_there, b, b_there = parts
        made = combine([a, b])[0]
        return [np.where(a_there & b_there, made, np.where(a_there, a, b)), a_there | b_there]

    laid, is_laid = _laid(around, windows), _laid(there, windows)
    first = np.broadcast_to(start, laid.shape[:-1])
    found, any_there = _folded([laid, is_laid], join)
    return np.where(any_there, combine([first, found])[0], first)


def _put(made: Array, places: Array, updates: Array, combine: Combine) -> Array:
    """Updates put into a flat array one after the other: in rounds, in each of which no place comes twice."""
    order = np.argsort(places, kind="stable")
    sorted_places = places[order]
    starts = np.flatnonzero(np.append(True, sorted_places[1:] != sorted_places[:-1])) if len(order) else order
    rounds = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    for number in range(int(rounds.max()) + 1 if len(order) else 0):
        at = order[rounds == number]
        made[places[at]] = combine([made[places[at]], updates[at]])[0]
    return made


def _scatter(
    ctx: Context,
    operand: Array,
    indices: Array,
    updates: Array,
    *,
    dimension_numbers: bytes,
    indices_are_sorted: bool,
) -> Array:
    """Windows of updates joined with the operand; those that do not lie inside of it are left out."""
    numbers = gather_numbers(dimension_numbers)
    starts = starts_of(indices, operand.shape, numbers)
    lead = [axis for axis in range(updates.ndim) if axis not in numbers.windows]
    inner = [axis for axis in range(operand.ndim) if axis not in {*numbers.without, *numbers.operand_batch}]
    if len(numbers.windows) != len(inner) or [updates.shape[axis] for axis in lead] != list(starts.shape[:-1]):
        raise RunError(f"updates of {list(updates.shape)} do not fit {list(operand.shape)} and {list(indices.shape)}")
    sizes = [1] * operand.ndim
    for axis, window in zip(inner, numbers.windows, strict=True):
        sizes[axis] = updates.shape[window]
    inside = np.all((starts >= 0) & (starts <= np.array(operand.shape) - np.array(sizes)), -1)
    laid = updates.transpose([*lead, *numbers.windows]).reshape((*starts.shape[:-1], *sizes))
    places = places_of(starts[inside], sizes)
    flat = np.ravel_multi_index(places, operand.shape).reshape(-1) if operand.ndim else np.zeros(inside.sum(), int)
    made = operand.reshape(-1).copy()
    _put(made, flat, laid[inside].reshape(-1), _function(ctx, "update_computation"))
    return made.reshape(operand.shape)


def _select_and_scatter(
    ctx: Context,
    operand: Array,
    window_dimensions: Array,
    window_strides: Array,
    padding: Array,
    source: Array,
    start: Array,
) -> Array:
    """One element of each window is chosen, and gets what the source says of the window."""
    sizes, strides = sizes_of(window_dimensions), sizes_of(window_strides)
    if {len(sizes), len(strides)} != {operand.ndim} or padding.shape != (operand.ndim, 2):
        raise RunError(f"windows of {sizes} do not fit {list(operand.shape)}")
    low, high = ([int(n) for n in padding[:, side]] for side in (0, 1))
    none = [0] * operand.ndim
    numbered = np.arange(operand.size).reshape(operand.shape)
    values = pad_general(operand, operand.dtype.type(0), low, high, none)
    places = pad_general(numbered, -1, low, high, none)
    windows = _windows(values.shape, sizes, strides, [1] * operand.ndim)
    if source.shape != windows.out:
        raise RunError(f"the source is of {list(source.shape)}, and there are {list(windows.out)} windows")
    laid, found = _laid(values, windows), _laid(places, windows)
    select, scatter = _function(ctx, "select"), _function(ctx, "scatter")
    best, at = laid[..., 0], found[..., 0]
    for number in range(1, laid.shape[-1]):
        keep = select([best, laid[..., number]])[0]
        take = (found[..., number] >= 0) & (~keep | (at < 0))
        best, at = np.where(take, laid[..., number], best), np.where(take, found[..., number], at)
    made = np.full(operand.size, start[()], operand.dtype)
    valid = at >= 0
    return _put(made, at[valid], source[valid], scatter).reshape(operand.shape)


def _sort(ctx: Context, *values: Array, is_stable: bool) -> Any:
    """By a function that says of two places which comes first; merged in runs that grow to twice their length."""
    *inputs, dimension = values
    axis, shape = int(dimension), inputs[0].shape
    if not -len(shape) <= axis < len(shape) or any(x.shape != shape for x in inputs):
        raise RunError(f"{[list(x.shape) for x in inputs]} cannot be sorted along the dimension {axis}")
    rows: list[Array] = [np.moveaxis(x, axis, -1).reshape(-1, shape[axis]) for x in inputs]
    less = _function(ctx, "comparator")
    lanes, count = rows[0].shape
    width = 1
    while width < count and lanes:
        rank = _merged_ranks(rows, width, less)
        made = [np.empty_like(row) for row in rows]
        for row, new in zip(rows, made, strict=True):
            np.put_along_axis(new, rank, row, -1)
        rows, width = made, 2 * width
    inner = np.moveaxis(inputs[0], axis, -1).shape
    found = [np.moveaxis(row.reshape(inner), -1, axis) for row in rows]
    return tuple(found) if len(found) > 1 else found[0]


def _merged_ranks(rows: list[Array], width: int, less: Combine) -> Array:
    """(lanes, n): the place of each element once pairs of sorted runs are merged. Equal ones keep their order."""
    lanes, count = rows[0].shape
    place = np.arange(count)
    pair = place // (2 * width) * (2 * width)
    is_left = place - pair < width
    first = np.where(is_left, np.minimum(pair + width, count), pair)  # of the other run
    last = np.where(is_left, np.minimum(pair + 2 * width, count), np.minimum(pair + width, count))
    low, high = (np.broadcast_to(end, (lanes, count)).copy() for end in (first, last))
    while True:
        open_ = low < high
        if not open_.any():
            break
        middle = np.where(open_, (low + high) // 2, np.minimum(low, count - 1))
        others = [np.take_along_axis(row, middle, -1) for row in rows]
        before = less([part for row, other in zip(rows, others, strict=True) for part in (other, row)])[0]
        after = less([part for row, other in zip(rows, others, strict=True) for part in (row, other)])[0]
        goes_on = np.where(is_left, before, ~after) & open_
        low, high = np.where(goes_on, middle + 1, low), np.where(open_ & ~goes_on, middle, high)
    own = np.where(is_left, place - pair, place - pair - width)
    return np.asarray(pair + own + low - first)


RULES: dict[str, Rule] = {
    "XlaReduce": _reduce,
    "XlaReduceWindow": _reduce_window,
    "XlaScatter": _scatter,
    "XlaSelectAndScatter": _select_and_scatter,
    "XlaVariadicReduce": _variadic_reduce,
    "XlaVariadicReduceV2": _variadic_reduce,
    "XlaVariadicSort": _sort,
}
