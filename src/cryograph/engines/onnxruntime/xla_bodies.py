"""Lowerings of XLA's ops that hold a function of single numbers: reductions, windows, scatters and sorts.

The function is put inline for whole tensors at once, so its ops must go number by number. One that is an operator that
ONNX reduces by (a sum, a product, the larger, the smaller) is that reduction; any other one joins neighbours until one
is left, as on numpy. Shapes must be known, as they are in all that XLA compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT32, INT64, UINT8, DType
from ...base.shapes import is_known, known
from ...program.program import Program, Step
from ...wire.xla_numbers import gather_numbers
from .builder import SMALL, Builder, Table
from .control import repeated
from .rows import in_turns
from .values import Refusal, Value, limits
from .xla import padded, sizes_of, starts_of

MAX_COMPARED = 1 << 22
"""Pairs that a sort by a function of its own compares at most."""
MAX_WINDOW = 256
"""Elements of windows out of which a function of its own chooses at most."""

JOINED = (FLOAT32, FLOAT64, INT32, INT64)
"""What ScatterND joins."""

Combine = Callable[[Sequence[Value], Sequence[int]], list[Value]]
"""From values of a shape to what a function makes of them, of the same shape."""


# --- functions


def _operator(body: Program) -> str:
    """The op of a function of two numbers that is one op on them, in their order; empty for any other function."""
    steps = [step for step in body.steps if step.op != "Identity"]
    origin = {name: name for name in body.inputs}
    for step in body.steps:
        if step.op == "Identity":
            origin[step.outputs[0]] = origin.get(step.inputs[0], step.inputs[0])
    if len(steps) != 1 or origin.get(body.outputs[0], body.outputs[0]) != steps[0].outputs[0]:
        return ""
    return steps[0].op if [origin.get(name) for name in steps[0].inputs] == list(body.inputs) else ""


def _function(g: Builder, name: str) -> Combine:
    """A body, for whole tensors."""
    from ..numpy.xla_bodies import NUMBER_BY_NUMBER

    body = g.step.bodies[name]
    others = {step.op for step in body.steps} - NUMBER_BY_NUMBER
    if others:
        raise Refusal(f"the function {name!r} holds {', '.join(sorted(others))}, which does not go number by number")

    def run(values: Sequence[Value], shape: Sequence[int]) -> list[Value]:
        graph = g.body(name, [Value(x.name, x.dtype, tuple(shape), x.tensor) for x in values])
        g.nodes.extend(graph.nodes)
        made = []
        for end, output in zip(graph.outputs, body.outputs, strict=True):
            value = graph.known.get(end) or g.known.get(end)
            held = next((x for x in values if x.name == end), value)
            if held is None:
                held = Value(end, body.specs[output].dtype.base)
            made.append(_spread(g, held, shape))
        return made

    return run


def _spread(g: Builder, x: Value, shape: Sequence[int]) -> Value:
    """`x`, or a constant of a function, in a shape."""
    if x.shape == tuple(shape):
        return x
    return g.op("Expand", x, g.ints(shape), shape=tuple(shape))


def _element(g: Builder, x: Value, place: int) -> Value:
    return g.op("Gather", x, g.const(place, INT64), axis=x.rank - 1, shape=(x.shape or ())[:-1])


def _folded(g: Builder, parts: list[Value], combine: Combine) -> list[Value]:
    """The last dimension folded into one element: neighbours are joined until one is left, their order kept."""
    while (count := parts[0].size(-1) or 0) > 1:
        shape = list(known(parts[0].shape, "a part"))
        even, half, axis = count - count % 2, [*shape[:-1], count // 2], len(shape) - 1
        sides = [
            g.slice(part, g.ints([side]), g.ints([even]), [axis], g.ints([2])) for side in (0, 1) for part in parts
        ]
        made = combine([Value(x.name, x.dtype, tuple(half)) for x in sides], half)
        if count % 2:
            ends = [g.slice(part, g.ints([even]), g.ints([count]), [axis]) for part in parts]
            longer = (*shape[:-1], half[-1] + 1)
            made = [g.op("Concat", a, b, axis=axis, shape=longer) for a, b in zip(made, ends, strict=True)]
        parts = made
    return [_element(g, part, 0) for part in parts]


# --- reductions


_REDUCED: dict[str, str] = {
    **dict.fromkeys(("Add", "AddV2"), "ReduceSum"),
    **dict.fromkeys(("LogicalAnd", "Minimum"), "ReduceMin"),
    **dict.fromkeys(("LogicalOr", "Maximum"), "ReduceMax"),
    "Mul": "ReduceProd",
}
"""Which of ONNX's reductions folds by an op."""


def _reducer(op: str, dtype: DType) -> str:
    """The reduction that folds by an op; empty where there is none that answers as the op does.

    Extremes of floats leave NaN out in the runtime, and sums of integers pass through floats.
    """
    name = _REDUCED.get(op, "")
    exact = dtype in (FLOAT32, FLOAT64) if name in ("ReduceSum", "ReduceProd") else dtype in (BOOL, INT32, INT64)
    return name if exact else ""


def _reduced(g: Builder, inputs: Sequence[Value], starts: Sequence[Value], axes: Sequence[int]) -> list[Value]:
    combine = _function(g, "reducer")
    sizes = sizes_of(inputs[0], g.step.op)
    rank = len(sizes)
    if any(x.shape != tuple(sizes) for x in inputs) or any(start.shape != () for start in starts):
        raise Refusal("inputs and the numbers that they start from do not fit each other")
    if any(not 0 <= axis < rank for axis in axes) or len(set(axes)) < len(axes):
        raise Refusal(f"the dimensions {list(axes)} are not among {rank}")
    if not axes:
        return list(inputs)
    kept = [axis for axis in range(rank) if axis not in axes]
    shape, count = [sizes[axis] for axis in kept], prod(sizes[axis] for axis in axes)
    first = [_spread(g, start, shape) for start in starts]
    if not count or 0 in shape:
        return first
    laid = [g.reshape(g.transpose(x, [*kept, *axes]), [*shape, count]) for x in inputs]
    name = _reducer(_operator(g.step.bodies["reducer"]), laid[0].dtype) if len(laid) == 1 else ""
    found = [_reduction(g, name, laid[0])] if name else _folded(g, laid, combine)
    return combine([*first, *found], shape)


def _reduction(g: Builder, name: str, x: Value) -> Value:
    """Along the last dimension."""
    held = g.cast(x, UINT8) if x.dtype == BOOL else x
    return g.cast(g.op(name, held, g.ints([x.rank - 1]), keepdims=0, shape=(x.shape or ())[:-1]), x.dtype)


def reduce(
    g: Builder, step: Step, x: Value, start: Value, *, dimensions_to_reduce: list[int], reducer: object = None
) -> Value:
    return _reduced(g, [x], [start], dimensions_to_reduce)[0]


def variadic_reduce(
    g: Builder, step: Step, *values: Value, dimensions_to_reduce: list[int], reducer: object = None
) -> list[Value]:
    count = len(values) // 2
    return _reduced(g, values[:count], values[count:], dimensions_to_reduce)


# --- windows


def _neutral(op: str, dtype: DType) -> Any:
    """The number that an op does not see beside another one; None where there is none."""
    if op in ("Add", "AddV2", "Mul"):
        return int(op == "Mul")
    if op in ("LogicalAnd", "LogicalOr"):
        return op == "LogicalAnd"
    if op not in ("Maximum", "Minimum"):
        return None
    low, high = (-np.inf, np.inf) if dtype.is_floating else limits(dtype)
    return low if op == "Maximum" else high


def _windows(sizes: list[int], window: list[int], strides: list[int], gaps: list[int]) -> list[int]:
    """How many windows there are along each dimension."""
    if not len(sizes) == len(window) == len(strides) == len(gaps) or min([1, *window, *strides, *gaps]) < 1:
        raise Refusal(f"windows of {window} do not fit {sizes}")
    spans = [(n - 1) * gap + 1 for n, gap in zip(window, gaps, strict=True)]
    return [max((n - s) // step + 1, 0) for n, s, step in zip(sizes, spans, strides, strict=True)]


def _along(
    g: Builder, parts: list[Value], combine: Combine, axis: int, count: int, gap: int, stride: int, out: int
) -> list[Value]:
    """Each window of `count` elements along an axis folded. Windows of twice the length are two joined ones."""

    def cut(values: list[Value], begin: int, length: int, step: int = 1) -> list[Value]:
        end = begin + (length - 1) * step + 1
        return [
            Value(
                g.slice(x, g.ints([begin]), g.ints([end]), [axis], g.ints([step])).name,
                x.dtype,
                tuple(length if at == axis else n for at, n in enumerate(x.shape or ())),
            )
            for x in values
        ]

    reach = (out - 1) * stride + 1  # the places at which windows may begin
    power, made = parts, None
    width, done = 1, 0
    while True:
        if count & width:
            taken = cut(power, done * gap, reach)
            made = taken if made is None else combine([*made, *taken], known(taken[0].shape, "a window"))
            done += width
        if done == count:
            return cut(made or [], 0, out, stride)
        length = (power[0].size(axis) or 0) - width * gap
        two = [*cut(power, 0, length), *cut(power, width * gap, length)]
        power, width = combine(two, known(two[0].shape, "a window")), 2 * width


def reduce_window(
    g: Builder,
    step: Step,
    x: Value,
    start: Value,
    window_dimensions: Value,
    window_strides: Value,
    base_dilations: Value,
    window_dilations: Value,
    padding: Value,
    *,
    computation: object = None,
) -> Value:
    """Of what is added around and between the elements nothing is taken: it is the number that the function does not
    see, or is marked as not being there."""
    window, strides, spread, gaps = (
        g.fixed_ints(part, "what windows do")
        for part in (window_dimensions, window_strides, base_dilations, window_dilations)
    )
    pairs = g.fixed(padding, "the padding").reshape(-1, 2)
    sizes = sizes_of(x, step.op)
    if not len(sizes) == len(pairs) == len(spread) or min([1, *spread]) < 1:
        raise Refusal(f"windows of {window} do not fit {sizes}")
    low, high, inside = [int(n) for n in pairs[:, 0]], [int(n) for n in pairs[:, 1]], [n - 1 for n in spread]
    combine = _function(g, "computation")
    neutral = _neutral(_operator(step.bodies["computation"]), x.dtype)
    if not any((*low, *high, *inside)):
        parts = [x]
    elif neutral is not None:
        parts = [padded(g, x, g.const(neutral, x.dtype), low, high, inside)]
    else:
        there = g.op("Expand", g.const(1, INT32), g.ints(sizes), shape=tuple(sizes))
        parts = [
            padded(g, x, g.const(0, x.dtype), low, high, inside),
            padded(g, there, g.const(0, INT32), low, high, inside),
        ]

    def join(values: Sequence[Value], shape: Sequence[int]) -> list[Value]:
        if len(values) == 2:
            return combine(values, shape)
        a, a_there, b, b_there = values
        here = [g.cast(flag, BOOL) for flag in (a_there, b_there)]
        made = combine([a, b], shape)[0]
        one = g.where(here[0], a, b, tuple(shape))
        both = g.op("And", *here, shape=tuple(shape))
        return [g.where(both, made, one, tuple(shape)), g.op("Max", a_there, b_there, shape=tuple(shape))]

    out = _windows(list(known(parts[0].shape, "x")), window, strides, gaps)
    first = _spread(g, start, out)
    if 0 in out:
        return first
    for axis, (count, gap, stride, length) in enumerate(zip(window, gaps, strides, out, strict=True)):
        if count > 1 or stride > 1:
            parts = _along(g, parts, join, axis, count, gap, stride, length)
    made = combine([first, parts[0]], out)[0]
    if len(parts) == 1:
        return made
    return g.where(g.cast(parts[1], BOOL), made, first, tuple(out))


# --- scatters


_SCATTERED: dict[str, str] = {"Add": "add", "AddV2": "add", "Maximum": "max", "Minimum": "min", "Mul": "mul"}
"""By which word ScatterND joins as an op does."""


def _put(g: Builder, made: Value, places: Value, updates: Value, name: str) -> Value:
    """Updates put into a vector one after the other: in turns, in each of which no place comes twice."""
    combine = _function(g, name)
    word = _SCATTERED.get(_operator(g.step.bodies[name]), "")
    is_exact = made.dtype in JOINED if word in ("add", "mul") else made.dtype in (INT32, INT64)
    if word and is_exact:
        return g.op("ScatterND", made, g.unsqueeze(places, [1]), updates, reduction=word, shape=made.shape)
    count = places.size(0) or 0
    if not count:
        return made
    turn_of, turns = in_turns(g, places)
    nowhere = made.size(0) or 0  # a place behind the vector, for updates of other turns
    longer = g.concat([made, g.const(np.zeros(1), made.dtype)], 0, (nowhere + 1,))

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        now = g.op("Equal", turn_of, turn, dtype=BOOL, shape=(count,))
        at = g.where(now, places, g.const(nowhere, INT64), (count,))
        old = g.op("Gather", held[0], at, axis=0, shape=(count,))
        new = combine([old, updates], [count])[0]
        return None, [g.op("ScatterND", held[0], g.unsqueeze(at, [1]), new, reduction="none", shape=(nowhere + 1,))]

    done = repeated(g, turns, [longer], change)[0]
    cut = g.slice(done, g.ints([0]), g.ints([nowhere]), [0])
    return Value(cut.name, made.dtype, (nowhere,))


def scatter(
    g: Builder,
    step: Step,
    operand: Value,
    indices: Value,
    updates: Value,
    *,
    dimension_numbers: bytes,
    indices_are_sorted: bool,
    update_computation: object = None,
) -> Value:
    """Windows of updates joined with the operand; those that do not lie inside of it go to a place behind it."""
    numbers = gather_numbers(dimension_numbers)
    shape, given = sizes_of(operand, step.op), sizes_of(updates, step.op)
    starts, batch = starts_of(g, indices, shape, numbers)
    lead = [axis for axis in range(len(given)) if axis not in numbers.windows]
    inner = [axis for axis in range(len(shape)) if axis not in {*numbers.without, *numbers.operand_batch}]
    if len(numbers.windows) != len(inner) or [given[axis] for axis in lead] != batch:
        raise Refusal(f"updates of {given} do not fit {shape}")
    if 0 in given or 0 in shape:
        return operand
    sizes = [1] * len(shape)
    for axis, window in zip(inner, numbers.windows, strict=True):
        sizes[axis] = given[window]
    total, each = prod(shape), prod(sizes)
    if each > SMALL:
        raise Refusal(f"windows of {sizes} are not put element by element")
    room = g.ints([n - s for n, s in zip(shape, sizes, strict=True)])
    right = g.binary("And", g.binary("GreaterOrEqual", starts, g.ints([0]), BOOL),
                     g.binary("LessOrEqual", starts, room, BOOL))  # fmt: skip
    rank = len(batch)
    inside = g.op("ReduceMin", g.cast(right, INT32), g.ints([rank]), keepdims=1, shape=(*batch, 1))
    steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    first = g.op("ReduceSum", g.binary("Mul", starts, g.ints(steps)), g.ints([rank]), keepdims=1, shape=(*batch, 1))
    offsets = (np.moveaxis(np.indices(sizes), 0, -1) @ np.array(steps, np.int64)).reshape(-1) if shape else [0]
    spread = g.binary("Add", first, g.ints(list(offsets)))
    placed = g.where(g.cast(inside, BOOL), spread, g.const(total, INT64), (*batch, each))
    flat = g.reshape(placed, [prod(batch) * each])
    laid = g.reshape(g.transpose(updates, [*lead, *numbers.windows]), [prod(given)])
    whole = g.concat([g.reshape(operand, [total]), g.const(np.zeros(1), operand.dtype)], 0, (total + 1,))
    made = _put(g, whole, flat, laid, "update_computation")
    cut = g.slice(made, g.ints([0]), g.ints([total]), [0])
    return g.reshape(Value(cut.name, operand.dtype, (total,)), shape)


def select_and_scatter(
    g: Builder,
    step: Step,
    operand: Value,
    window_dimensions: Value,
    window_strides: Value,
    padding: Value,
    source: Value,
    start: Value,
    *,
    select: object = None,
    scatter: object = None,
) -> Value:
    """One element of each window is chosen, and gets what the source says of the window."""
    sizes, window, strides = (
        sizes_of(operand, step.op),
        *(g.fixed_ints(part, "what windows do") for part in (window_dimensions, window_strides)),
    )
    pairs = g.fixed(padding, "the padding").reshape(-1, 2)
    count, total = prod(window), prod(sizes)
    if len(pairs) != len(sizes) or count > MAX_WINDOW or (pairs < 0).any():
        raise Refusal(f"windows of {window} on {sizes} are left to numpy")
    places = np.pad(np.arange(total).reshape(sizes), [(int(a), int(b)) for a, b in pairs], constant_values=-1)
    out = _windows(list(places.shape), window, strides, [1] * len(sizes))
    if source.shape != tuple(out):
        raise Refusal(f"the source does not hold the {out} windows")
    views = np.lib.stride_tricks.sliding_window_view(places, window)[tuple(slice(None, None, s) for s in strides)]
    laid = views.reshape(-1, count)
    full = np.asarray((laid >= 0).any(1))
    laid = laid[full]
    first = g.op("Expand", start, g.ints([total]), shape=(total,))
    if not laid.size:
        return g.reshape(first, sizes)
    # Places that are not there come last, and are held against nothing.
    flat, lanes = g.reshape(operand, [total]), [len(laid)]
    choose = _function(g, "select")
    order = np.argsort(laid < 0, axis=1, kind="stable")
    laid = np.take_along_axis(laid, order, 1)
    at = g.ints([int(n) for n in laid[:, 0]])
    best = g.op("Gather", flat, at, axis=0, shape=(len(laid),))
    for column in laid.T[1:]:
        here = g.ints([int(n) for n in np.maximum(column, 0)])
        other = g.op("Gather", flat, here, axis=0, shape=(len(laid),))
        keep = choose([best, other], lanes)[0]
        if (column < 0).any():
            keep = g.op("Or", keep, g.const(column < 0, BOOL), shape=(len(laid),))
        best = g.where(keep, best, other, (len(laid),))
        at = g.where(keep, at, here, (len(laid),))
    given = g.reshape(source, [len(full)])
    if not full.all():
        given = g.op("Gather", given, g.ints([int(n) for n in np.flatnonzero(full)]), axis=0, shape=(len(laid),))
    return g.reshape(_put(g, first, at, given, "scatter"), sizes)


# --- sorts


def sort(
    g: Builder, step: Step, *values: Value, is_stable: bool, comparator: object = None
) -> Value | list[Value]:  # fmt: skip
    """By the order of one input, where the function is that; by how many others come before each, for any other."""
    *inputs, dimension = values
    (axis,) = g.fixed_ints(dimension, "the dimension")
    rank = inputs[0].rank
    if not -rank <= axis < rank or not is_known(inputs[0].shape):
        raise Refusal("a sort needs known shapes and a dimension among them")
    shape, axis = known(inputs[0].shape, "x"), axis % rank
    if any(x.shape != shape for x in inputs):
        raise Refusal("what is sorted does not have one shape")
    if shape[axis] < 2 or 0 in shape:
        return list(inputs)
    places = _by_key(g, inputs, axis) or _by_function(g, inputs, axis)
    return [g.op("GatherElements", x, places, axis=axis, shape=shape) for x in inputs]


def _by_key(g: Builder, inputs: Sequence[Value], axis: int) -> Value | None:
    """The places in order, where the function compares two numbers of one input; TopK keeps the order of equal ones."""
    body = g.step.bodies["comparator"]
    steps = [step for step in body.steps if step.op != "Identity"]
    origin = {name: name for name in body.inputs}
    for step in body.steps:
        if step.op == "Identity":
            origin[step.outputs[0]] = origin.get(step.inputs[0], step.inputs[0])
    if len(steps) != 1 or origin.get(body.outputs[0], body.outputs[0]) != steps[0].outputs[0]:
        return None
    asked = [body.inputs.index(origin[name]) for name in steps[0].inputs if origin.get(name) in body.inputs]
    number, odd = divmod(asked[0], 2) if asked else (0, 1)
    if steps[0].op not in ("Less", "Greater") or odd or asked != [2 * number, 2 * number + 1]:
        return None
    key = inputs[number]
    if key.dtype.is_floating or key.dtype not in (INT32, INT64):
        return None
    count = g.sizes(key, [axis])
    largest = int(steps[0].op == "Greater")
    kinds, shapes = [key.dtype, INT64], [key.shape] * 2
    return g.ops("TopK", key, count, dtypes=kinds, shapes=shapes, axis=axis, largest=largest, sorted=1)[1]


def _by_function(g: Builder, inputs: Sequence[Value], axis: int) -> Value:
    """The same for any function: each is held against all others."""
    shape = known(inputs[0].shape, "x")
    count = shape[axis]
    pairs = [*shape[: axis + 1], count, *shape[axis + 1 :]]
    if prod(pairs) > MAX_COMPARED:
        raise Refusal(f"{count} elements are not held against each other by a function of their own")
    less = _function(g, "comparator")
    sides = [
        [_spread(g, g.unsqueeze(x, [place]), pairs) for place in (axis, axis + 1)] for x in inputs
    ]  # along `axis` the element itself lies in the second, the others in the first
    before = less([side for others, own in sides for side in (others, own)], pairs)[0]
    after = less([side for others, own in sides for side in (own, others)], pairs)[0]
    tie = g.unary("Not", g.op("Or", before, after, shape=tuple(pairs)))
    earlier = np.arange(count)[None, :] < np.arange(count)[:, None]
    laid = earlier.reshape([count, count, *[1] * (len(shape) - axis - 1)])
    ahead = g.op("Or", before, g.op("And", tie, g.const(laid, BOOL), shape=tuple(pairs)), shape=tuple(pairs))
    rank = g.op("ReduceSum", g.cast(ahead, INT64), g.ints([axis + 1]), keepdims=0, shape=shape)
    kinds, shapes = [INT64, INT64], [shape] * 2
    return g.ops("TopK", rank, g.ints([count]), dtypes=kinds, shapes=shapes, axis=axis, largest=0, sorted=1)[1]


LOWERINGS: Table = {
    "XlaReduce": reduce,
    "XlaReduceWindow": reduce_window,
    "XlaScatter": scatter,
    "XlaSelectAndScatter": select_and_scatter,
    "XlaVariadicReduce": variadic_reduce,
    "XlaVariadicReduceV2": variadic_reduce,
    "XlaVariadicSort": sort,
}
