"""Lowerings of scans: recurrent cells become LSTM, GRU and RNN, any other body a Loop with stacked outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, INT32, INT64
from ...base.shapes import Shape
from ...base.tensors import Array
from ...program.cells import HARD_SIGMOID, Cell, Cells
from ...program.program import Step
from ...program.scans import SCAN
from .builder import ABSENT, Builder, Table
from .control import closed, emitted, items_of
from .faults import RNN_LENGTHS, must_be_right
from .values import OnnxGraph, Refusal, Value, pairs


def scan(
    g: Builder,
    step: Step,
    turns: Value,
    *inputs: Value,
    carried: int = 0,
    sequences: int = 0,
    each_turn: Sequence[bool] = (),
    cells: Cells | None = None,
) -> list[Value]:
    """What is carried, then the stacked results (`program.scans` says what comes in)."""
    values = iter(inputs)
    rows = list(islice(values, len(each_turn)))
    first = list(islice(values, carried))
    read = list(islice(values, sequences))
    outer = list(values)
    if cells is None:
        ends, stacked = _loop(g, step, turns, first, read, outer)
    else:
        ends, stacked = _recurrent(g, turns, first, read, outer, cells)
    return [*ends, *(with_rows(g, x, turns, n, each) for x, n, each in zip(stacked, rows, each_turn, strict=True))]


def with_rows(g: Builder, x: Value, turns: Value, rows: Value, each_turn: bool) -> Value:
    """A stacked result with its number of rows: zeros after the last turn, or the last row alone."""
    if not each_turn:
        last = g.slice(x, g.ints([-1]), g.ints([np.iinfo(np.int64).max]), [0])
        return Value(last.name, x.dtype, None if x.shape is None else (1, *x.shape[1:]))
    if turns.name == rows.name or _are_equal(turns.array, rows.array):
        return x
    made = g.op("Sub", g.reshape(g.int64(rows), [1]), g.op("Shape", x, dtype=INT64, start=0, end=1))
    none = [0] * (x.rank - 1)
    pads = g.concat([g.ints([0, *none]), made, *([g.ints(none)] if none else [])], 0)
    shape = (None, *(x.shape or ())[1:])
    return g.op("Pad", x, pads, mode="constant", shape=shape)


def _are_equal(a: Array | None, b: Array | None) -> bool:
    return a is not None and b is not None and a.size == b.size == 1 and bool(a.item() == b.item())


# --- recurrent cells


def _recurrent(
    g: Builder, turns: Value, first: Sequence[Value], read: Sequence[Value], outer: Sequence[Value], cells: Cells
) -> tuple[list[Value], list[Value]]:
    lengths = ABSENT
    count = turns
    sources = [cut(g, x, turns) for x in read]
    if cells.lengths is not None:
        limit = g.cast(count, INT32)
        zero = g.const(0, INT32)
        lengths = g.cast(outer[cells.lengths], INT32)
        lengths = g.op("Max", g.op("Min", lengths, limit, shape=lengths.shape), zero, shape=lengths.shape)
    ends = list(first)
    for cell in cells.cells:
        states = [first[place] for place in cell.states]
        out, last = run_cell(g, cell, sources[cell.source], lengths, states)
        sources.append(out)
        for place, value in zip(cell.states, last, strict=True):
            ends[place] = value
    return ends, [sources[len(read) + number] for number in cells.stacked]


def cut(g: Builder, x: Value, turns: Value) -> Value:
    """The elements that are read: one a turn."""
    if turns.array is not None and x.size(0) == max(int(turns.array), 0):
        return x
    end = g.op("Max", g.reshape(g.int64(turns), [1]), g.ints([0]), shape=(1,))
    shape = None if x.shape is None else (None, *x.shape[1:])
    cut = g.slice(x, g.ints([0]), end, [0])
    return Value(cut.name, x.dtype, shape)


def run_cell(g: Builder, cell: Cell, x: Value, lengths: Value, states: Sequence[Value]) -> tuple[Value, list[Value]]:
    """What a cell gives in each turn (turns, batch, units), and its states at the end."""
    if x.rank != 3:
        raise Refusal("a recurrent cell over elements that are no matrices has no form in ONNX")
    units = len(cell.bias[0])
    starts = [g.unsqueeze(state, [0]) for state in states]
    inputs = [
        x,
        g.const(np.stack([np.concatenate([w.T for w in cell.weights])]), FLOAT32),
        g.const(np.stack([np.concatenate([w.T for w in cell.recurrent])]), FLOAT32),
        g.const(np.stack([np.concatenate([*cell.bias, *_second_bias(cell, units)])]), FLOAT32),
        lengths,
        *([ABSENT] * len(states) if cell.zero_start else starts),
    ]
    if cell.peepholes:
        inputs.append(g.const(np.stack([np.concatenate(cell.peepholes)]), FLOAT32))
    shapes = [(x.size(0), 1, x.size(1), units), *[(1, x.size(1), units)] * len(states)]

    if cell.kind == "RNN" and lengths.name:
        must_be_right(RNN_LENGTHS)
    hard = cell.activations.count(HARD_SIGMOID)

    def run() -> list[Value]:
        return g.ops(
            cell.kind,
            *inputs,
            dtypes=[FLOAT32] * len(shapes),
            shapes=shapes,
            hidden_size=units,
            activations=list(cell.activations),
            activation_alpha=[0.2] * hard or None,
            activation_beta=[0.5] * hard or None,
            linear_before_reset=int(cell.reset_after) if cell.kind == "GRU" else None,
        )

    def nothing() -> list[Value]:
        sizes = [g.sizes(x, [0]), g.ints([1]), g.sizes(x, [1]), g.ints([units])]
        out = g.op("ConstantOfShape", g.concat(sizes, 0), dtype=FLOAT32)
        if not cell.zero_start:
            return [out, *starts]
        ends = [g.op("ConstantOfShape", g.concat(sizes[1:], 0), dtype=FLOAT32) for _ in starts]
        return [out, *ends]

    # The runtime ends the process when a cell is run over nothing.
    sure = x.shape is not None and all(x.shape[:2])
    out, *ends = run() if sure else _if_any(g, x, run, nothing, shapes)
    if lengths.name and not cell.zero_start:  # a sequence of no elements leaves the state; the runtime gives zeros
        over = g.reshape(g.op("Equal", lengths, g.const(0, INT32), dtype=BOOL), [-1, 1])
        ends = [g.where(over, start, end, shape=end.shape) for start, end in zip(starts, ends, strict=True)]
    return g.squeeze(out, [1]), [g.squeeze(end, [0]) for end in ends]


def _if_any(
    g: Builder, x: Value, run: Callable[[], list[Value]], rest: Callable[[], list[Value]], shapes: Sequence[Shape]
) -> list[Value]:
    """What `run` emits when `x` has elements, else what `rest` emits."""
    size = g.op("Size", x, dtype=INT64, shape=())
    some = g.op("Greater", size, g.const(0, INT64), dtype=BOOL, shape=())
    then, other = emitted(g, run), emitted(g, rest)
    return g.ops("If", some, dtypes=[FLOAT32] * len(shapes), shapes=shapes, then_branch=then, else_branch=other)


def _second_bias(cell: Cell, units: int) -> list[Array]:
    """ONNX has a bias for the recurrent product too; only a GRU's hidden gate tells the two apart."""
    nothing = [np.zeros(units, np.float32)] * len(cell.bias)
    return nothing if cell.recurrent_bias is None else [*nothing[1:], cell.recurrent_bias]


# --- loops


def _loop(
    g: Builder, step: Step, turns: Value, first: Sequence[Value], read: Sequence[Value], outer: Sequence[Value]
) -> tuple[list[Value], list[Value]]:
    """ONNX's Loop, which stacks what its body gives beyond what is carried."""
    program = step.bodies["body"]
    outside = len(g.nodes)
    count, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    turn = g.cast(count, INT32)
    carried = []
    for x, name in zip(first, program.inputs[1:], strict=False):
        carried.append(Value(g.name(), x.dtype, program.specs[name].shape, None, x.items))
    elements = [g.op("Gather", x, count, axis=0, shape=None if x.shape is None else x.shape[1:]) for x in read]
    entering = g.nodes[outside:]
    del g.nodes[outside:]
    round_ = g.body("body", [turn, *carried, *elements, *outer])
    entries = [count, go_on, *carried]
    graph = closed(
        g,
        OnnxGraph(
            [value.name for value in entries],
            [go_on.name, *round_.outputs],
            [*entering, *round_.nodes],
            {},
            {**round_.known, **{value.name: pairs(value) for value in entries}},
        ),
    )
    results = [program.specs[name] for name in program.outputs]
    lists = [x.items for x in first] + [None] * (len(results) - len(first))
    if lists != [items_of(g, round_, name) for name in round_.outputs]:
        raise Refusal("a list of a loop comes to hold something else")
    specs = [(spec.dtype.base, spec.shape) for spec in results]
    shapes = [shape if i < len(first) or shape is None else (None, *shape) for i, (_, shape) in enumerate(specs)]
    most = g.op("Max", g.int64(turns), g.const(0, INT64), shape=())
    made = g.ops(
        "Loop",
        most,
        g.const(True, BOOL),
        *first,
        dtypes=[dtype for dtype, _ in specs],
        shapes=shapes,
        lists=lists,
        body=graph,
    )
    return made[: len(first)], made[len(first) :]


LOWERINGS: Table = {SCAN: scan}
