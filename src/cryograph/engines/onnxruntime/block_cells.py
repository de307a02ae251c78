"""Lowerings of recurrent cells that are single ops: one turn as its parts, a whole sequence as ONNX's LSTM, or turn by
turn where that does not do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.dtypes import FLOAT32, INT64
from ...program.cells import Cell
from ...program.program import Step
from .builder import ABSENT, Builder, Table
from .control import walked
from .recurrent import cut, run_cell, with_rows
from .values import Refusal, Value


def _affine(g: Builder, x: Value, h: Value, w: Value, b: Value) -> Value:
    width = None if x.shape is None or h.shape is None else x.shape[-1]
    joined = None if width is None or h.size(1) is None else width + (h.size(1) or 0)
    both = g.concat([x, h], 1, (x.size(0), joined))
    product = g.op("MatMul", both, w, shape=(x.size(0), w.size(1)))
    return g.op("Add", product, b, shape=product.shape)


def _columns(g: Builder, gates: Value, count: int) -> list[Value]:
    size = gates.size(1)
    shape = (gates.size(0), None if size is None else size // count)
    return g.ops("Split", gates, dtypes=[gates.dtype] * count, shapes=[shape] * count, axis=1, num_outputs=count)


def lstm_block_cell(
    g: Builder,
    step: Step,
    x: Value,
    cs_prev: Value,
    h_prev: Value,
    w: Value,
    wci: Value,
    wcf: Value,
    wco: Value,
    b: Value,
    *,
    forget_bias: float = 1.0,
    cell_clip: float = 3.0,
    use_peephole: bool = False,
) -> list[Value]:
    """Gives i, cs, f, o, ci, co and h."""
    peepholes = (wci, wcf, wco) if use_peephole else ()
    return _turn(g, x, cs_prev, h_prev, w, b, peepholes, "icfo", forget_bias, cell_clip)


def _turn(
    g: Builder,
    x: Value,
    cs_prev: Value,
    h_prev: Value,
    w: Value,
    b: Value,
    peepholes: Sequence[Value],
    order: str,
    forget_bias: float,
    cell_clip: float,
) -> list[Value]:
    """i, cs, f, o, ci, co and h of one turn, whose gates stand in an order."""

    def peeped(gate: Value, state: Value, number: int) -> Value:
        return g.binary("Add", gate, g.binary("Mul", state, peepholes[number])) if peepholes else gate

    gates = dict(zip(order, _columns(g, _affine(g, x, h_prev, w, b), 4), strict=True))
    f = g.binary("Add", gates["f"], g.like(forget_bias, w)) if forget_bias else gates["f"]
    i, f = g.unary("Sigmoid", peeped(gates["i"], cs_prev, 0)), g.unary("Sigmoid", peeped(f, cs_prev, 1))
    ci = g.unary("Tanh", gates["c"])
    cs = g.binary("Add", g.binary("Mul", ci, i), g.binary("Mul", cs_prev, f))
    if cell_clip > 0:
        cs = g.op("Clip", cs, g.like(-cell_clip, cs), g.like(cell_clip, cs), shape=cs.shape)
    o = g.unary("Sigmoid", peeped(gates["o"], cs, 2))
    co = g.unary("Tanh", cs)
    return [i, cs, f, o, ci, co, g.binary("Mul", o, co)]


def gru_block_cell(
    g: Builder, step: Step, x: Value, h_prev: Value, w_ru: Value, w_c: Value, b_ru: Value, b_c: Value
) -> list[Value]:
    """Gives r, u, c and h."""
    r, u = _columns(g, g.unary("Sigmoid", _affine(g, x, h_prev, w_ru, b_ru)), 2)
    c = g.unary("Tanh", _affine(g, x, g.binary("Mul", r, h_prev), w_c, b_c))
    new = g.binary("Mul", g.op("Sub", g.like(1, u), u, shape=u.shape), c)
    return [r, u, c, g.binary("Add", g.binary("Mul", u, h_prev), new)]


def block_lstm(
    g: Builder,
    step: Step,
    seq_len_max: Value,
    x: Value,
    cs_prev: Value,
    h_prev: Value,
    w: Value,
    wci: Value,
    wcf: Value,
    wco: Value,
    b: Value,
    *,
    forget_bias: float = 1.0,
    cell_clip: float = 3.0,
    use_peephole: bool = False,
) -> list[Value | None]:
    """ONNX's LSTM where nobody reads more than h; any other one turn by turn."""
    return _sequence(
        g, seq_len_max, x, cs_prev, h_prev, (w, wci, wcf, wco, b), "icfo", forget_bias, cell_clip, use_peephole
    )


def block_lstm_v2(
    g: Builder,
    step: Step,
    seq_len_max: Value,
    x: Value,
    cs_prev: Value,
    h_prev: Value,
    w: Value,
    wci: Value,
    wcf: Value,
    wco: Value,
    b: Value,
    *,
    cell_clip: float = 0.0,
    use_peephole: bool = False,
) -> list[Value | None]:
    """The same with its gates in another order."""
    return _sequence(g, seq_len_max, x, cs_prev, h_prev, (w, wci, wcf, wco, b), "ifco", 0.0, cell_clip, use_peephole)


def _sequence(
    g: Builder,
    turns: Value,
    x: Value,
    c: Value,
    h: Value,
    weights: tuple[Value, ...],
    order: str,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> list[Value | None]:
    is_plain = cell_clip <= 0 and not any(g.read[:6]) and all(value.array is not None for value in weights)
    if not is_plain or x.dtype != FLOAT32:
        return _by_turns(g, turns, x, c, h, weights, order, forget_bias, cell_clip, use_peephole)
    w, wci, wcf, wco, b = (g.fixed(value, "a weight") for value in weights)
    units = len(b) // 4
    inputs = len(w) - units
    if w.dtype != np.float32 or x.rank != 3:
        raise Refusal("a sequence of LSTM cells has a lowering for float32 only")
    gates = {gate: np.s_[number * units : (number + 1) * units] for number, gate in enumerate(order)}
    places = [gates[gate] for gate in "iofc"]
    biases = [b[place] + np.float32(forget_bias if place is gates["f"] else 0) for place in places]
    cell = Cell(
        "LSTM",
        0,
        (0, 1),
        tuple(w[:inputs, place] for place in places),
        tuple(w[inputs:, place] for place in places),
        tuple(biases),
        ("Sigmoid", "Tanh", "Tanh"),
        (wci, wco, wcf) if use_peephole else (),
    )
    out, _ = run_cell(g, cell, cut(g, x, turns), ABSENT, [h, c])
    whole = g.sizes(x, [0])
    return [None] * 6 + [with_rows(g, out, turns, whole, True)]


def _by_turns(
    g: Builder,
    turns: Value,
    x: Value,
    c: Value,
    h: Value,
    weights: tuple[Value, ...],
    order: str,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> list[Value | None]:
    """All seven outputs; what comes after the last turn is zeros."""
    w, wci, wcf, wco, b = weights
    if x.rank != 3 or c.rank != 2 or h.rank != 2:
        raise Refusal("a sequence of LSTM cells takes turns, rows and numbers")
    peepholes = (wci, wcf, wco) if use_peephole else ()
    row = (x.size(1), x.size(2))

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        here = g.op("Gather", x, turn, axis=0, shape=row)
        made = _turn(g, here, held[0], held[1], w, b, peepholes, order, forget_bias, cell_clip)
        return None, [made[1], made[6], *made]

    count = g.op("Max", g.reshape(g.int64(turns), []), g.const(0, INT64), shape=())
    count = g.op("Min", count, g.squeeze(g.sizes(x, [0]), [0]), shape=())
    _, rows = walked(g, count, [c, h], change, [(x.dtype, c.shape)] * 7)
    whole = g.sizes(x, [0])
    return [with_rows(g, out, turns, whole, True) for out in rows]


LOWERINGS: Table = {
    "BlockLSTM": block_lstm,
    "BlockLSTMV2": block_lstm_v2,
    "GRUBlockCell": gru_block_cell,
    "LSTMBlockCell": lstm_block_cell,
}
