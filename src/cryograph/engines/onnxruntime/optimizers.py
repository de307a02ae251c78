"""Lowerings of steps of optimizers: the reference engine's formulas, on whole variables or on rows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...program.program import Step
from ..numpy.forms import taking
from ..numpy.optimizers import OPTIMIZERS, Formula
from .builder import Builder, Lowering, Table
from .control import repeated
from .rows import in_turns
from .traced import Namespace, Traced
from .values import Refusal, Value


def _step(
    g: Builder, step: Step, formula: Formula, slots: int, names: Sequence[str], inputs: Sequence[Value], **attrs: bool
) -> list[Value]:
    """The new values of a variable and of its slots."""
    state, rest = inputs[:slots], dict(zip(names, inputs[slots:], strict=True))
    indices = rest.pop("indices", None)
    if any(x.dtype not in (FLOAT32, FLOAT64) for x in state):
        raise Refusal(f"{step.op} on {state[0].dtype} has no lowering to ONNX")
    if any(name != "grad" and value.shape != () for name, value in rest.items()):
        raise Refusal("what an optimizer is told besides the gradient are single numbers")
    if any(x.shape != state[0].shape for x in state):
        raise Refusal("a variable and its slots have several shapes")
    wanted = g.shape_of(state[0])
    if indices is not None:
        wanted = g.concat([g.sizes(indices, [0]), g.slice(wanted, g.ints([1]), g.ints([1 << 62]), [0])], 0, (None,))
    rest["grad"] = _fitting(g, rest["grad"], wanted, state[0])
    if indices is not None:
        return _sparse(g, formula, state, rest, indices, attrs)
    return _applied(g, formula, state, rest, attrs)


def _fitting(g: Builder, grad: Value, wanted: Value, variable: Value) -> Value:
    """The gradient, which must be of a shape."""
    if grad.shape is not None and grad.shape == variable.shape and wanted.array is not None:
        return grad
    shape = g.op("Shape", grad, dtype=INT64, shape=(None,))
    wrong = g.unary("Not", g.op("Equal", shape, wanted, dtype=BOOL, shape=(None,)))
    count = g.op("ReduceSum", g.cast(wrong, INT64), keepdims=0, shape=())
    right = g.op("Equal", count, g.const(0, INT64), dtype=BOOL, shape=())
    made = g.behind(grad, g.must(right, "the gradient is not of the shape of what it steps"))
    return Value(made.name, grad.dtype, grad.shape)


def _applied(
    g: Builder, formula: Formula, state: Sequence[Value], rest: dict[str, Value], attrs: dict[str, bool]
) -> list[Value]:
    named = {name: Traced(g, value) for name, value in rest.items()}
    made: Any = formula(Namespace(g), *(Traced(g, x) for x in state), **named, **attrs)
    return [Value(new.value.name, old.dtype, old.shape, new.value.tensor) for new, old in zip(made, state, strict=True)]


def _sparse(
    g: Builder, formula: Formula, state: Sequence[Value], rest: dict[str, Value], indices: Value, attrs: dict[str, bool]
) -> list[Value]:
    """Rows that are named more than once are stepped once for each, in turns in each of which none comes twice."""
    grad, shape = rest.pop("grad"), state[0].shape
    if not shape or indices.rank != 1 or None in shape or 0 in shape:
        raise Refusal("rows are stepped of variables of known shapes")
    rows = shape[0] or 0
    places = g.int64(indices)
    outside = g.op("Or", g.op("Less", places, g.const(0, INT64), dtype=BOOL, shape=(None,)),
                   g.op("GreaterOrEqual", places, g.const(rows, INT64), dtype=BOOL, shape=(None,)),
                   dtype=BOOL, shape=(None,))  # fmt: skip
    wrong = g.op("ReduceSum", g.cast(outside, INT64), keepdims=0, shape=())
    right = g.op("Equal", wrong, g.const(0, INT64), dtype=BOOL, shape=())
    places = Value(g.behind(places, g.must(right, "a row is not one of the variable's")).name, INT64, (None,))
    turn_of, turns = in_turns(g, places)
    # What is not of a turn is written to a row behind the others.
    longer = [g.concat([x, g.slice(x, g.ints([0]), g.ints([1]), [0])], 0, (rows + 1, *shape[1:])) for x in state]

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        now = g.op("Equal", turn_of, turn, dtype=BOOL, shape=(None,))
        at = g.where(now, places, g.const(rows, INT64), (None,))
        old = [g.op("Gather", x, at, axis=0, shape=(None, *shape[1:])) for x in held]
        new = _applied(g, formula, old, {**rest, "grad": grad}, attrs)
        spread = g.unsqueeze(at, [1])
        return None, [
            g.op("ScatterND", x, spread, part, reduction="none", shape=x.shape)
            for x, part in zip(held, new, strict=True)
        ]

    made = repeated(g, turns, longer, change)
    return [Value(g.slice(x, g.ints([0]), g.ints([rows]), [0]).name, x.dtype, shape) for x in made]


def _lowering(attrs: Mapping[str, bool], formula: Formula, slots: int, names: Sequence[str]) -> Lowering:
    def lower(g: Builder, step: Step, *inputs: Value, **given: bool) -> list[Value]:
        return _step(g, step, formula, slots, names, inputs, **{**attrs, **given})

    return taking(lower, **attrs)


def _lowerings() -> Iterator[tuple[str, Lowering]]:
    for word, (attrs, formula, slots, names, kinds) in OPTIMIZERS.items():
        for form in ("", "Sparse") if "S" in kinds else ("",):
            listed = names.replace("grad", "grad indices") if form else names
            lowering = _lowering(attrs, formula, slots, listed.split())
            for holder in ("Resource",) if "R" in kinds else ("", "Resource"):
                yield f"{holder}{form}Apply{word}", lowering


LOWERINGS: Table = dict(_lowerings())
