"""Recurrent cells that TensorFlow has as single ops: LSTM, once or along a sequence, and GRU.

On arrays of any namespace, but for how an engine goes along a sequence. Source: lstm_ops.cc and gru_ops.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .activations import sigmoid
from .context import Context, Rule
from .forms import narrowed

Turn = Callable[[Any, Any, Any], tuple[Any, ...]]
"""From an element of a sequence, a state and an output to (i, cs, f, o, ci, co, h)."""
Along = Callable[[Any, Any, Any, Any, Any, Turn], tuple[Any, ...]]
"""How an engine takes turns along a sequence, up to a length: `along(ctx, length, x, cs, h, turn)`."""


def _require(matrix: Any, rows: int, columns: int, what: str) -> None:
    if matrix.shape != (rows, columns):
        raise RunError(f"{what} is of the shape {list(matrix.shape)}, not [{rows}, {columns}]")


def _lstm(
    xp: Any,
    x: Any,
    cs_prev: Any,
    h_prev: Any,
    weights: tuple[Any, ...],
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
    forget_second: bool,
) -> tuple[Any, ...]:
    """One turn: (i, cs, f, o, ci, co, h). The gates stand in w as i, ci, f, o, or as i, f, ci, o."""
    w, wci, wcf, wco, b = weights
    units = cs_prev.shape[-1]
    if h_prev.shape != cs_prev.shape or cs_prev.shape[:1] != x.shape[:1]:
        raise RunError(f"states of {list(cs_prev.shape)} and {list(h_prev.shape)} do not go with {list(x.shape)}")
    _require(w, x.shape[-1] + units, 4 * units, "w")
    if not cs_prev.size:
        raise RunError(f"the states are empty: {list(cs_prev.shape)}")
    if b.shape != (4 * units,):
        raise RunError(f"b is of the shape {list(b.shape)}, not [{4 * units}]")
    i, second, third, o = xp.split(xp.concatenate([x, h_prev], -1) @ w + b, 4, axis=-1)
    f, ci = (second, third) if forget_second else (third, second)
    f = f + f.dtype.type(forget_bias)
    if use_peephole:
        i, f = i + cs_prev * wci, f + cs_prev * wcf
    i, f, ci = sigmoid(xp, i), sigmoid(xp, f), xp.tanh(ci)
    cs = ci * i + cs_prev * f
    if cell_clip > 0:
        cs = xp.clip(cs, cs.dtype.type(-cell_clip), cs.dtype.type(cell_clip))
    o = sigmoid(xp, o + cs * wco if use_peephole else o)
    co = xp.tanh(cs)
    return i, cs, f, o, ci, co, o * co


def _lstm_block_cell(
    ctx: Context,
    x: Any,
    cs_prev: Any,
    h_prev: Any,
    *weights: Any,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Any, ...]:
    return _lstm(ctx.xp, x, cs_prev, h_prev, weights, forget_bias, cell_clip, use_peephole, False)


def _along(ctx: Context, length: Array, x: Array, cs: Array, h: Array, turn: Turn) -> tuple[Array, ...]:
    """Turns along the first dimension, up to `length`; zeros follow."""
    if int(length) > len(x):
        raise RunError(f"seq_len_max is {int(length)}, and the sequence has {len(x)} elements")
    made = [np.zeros((len(x), *cs.shape), x.dtype) for _ in range(7)]
    for number in range(int(length)):
        parts = turn(x[number], cs, h)
        for whole, part in zip(made, parts, strict=True):
            whole[number] = part
        cs, h = parts[1], parts[6]
    return tuple(made)


def sequences(along: Along) -> dict[str, Rule]:
    """The rules of LSTM along a sequence."""

    def block(forget_second: bool) -> Rule:
        def rule(
            ctx: Context,
            seq_len_max: Any,
            x: Any,
            cs_prev: Any,
            h_prev: Any,
            *weights: Any,
            forget_bias: float,
            cell_clip: float,
            use_peephole: bool,
        ) -> tuple[Any, ...]:
            def turn(element: Any, cs: Any, h: Any) -> tuple[Any, ...]:
                return _lstm(ctx.xp, element, cs, h, weights, forget_bias, cell_clip, use_peephole, forget_second)

            return along(ctx, seq_len_max, x, cs_prev, h_prev, turn)

        return rule

    return {"BlockLSTM": block(False), "BlockLSTMV2": narrowed(block(True), "forget_bias", forget_bias=0.0)}


def _gru_block_cell(ctx: Context, x: Any, h_prev: Any, w_ru: Any, w_c: Any, b_ru: Any, b_c: Any) -> tuple[Any, ...]:
    """Gives r, u, c and h."""
    xp = ctx.xp
    units, rows = h_prev.shape[-1], x.shape[-1] + h_prev.shape[-1]
    _require(h_prev, x.shape[0], units, "h_prev")
    _require(w_ru, rows, 2 * units, "w_ru")
    _require(w_c, rows, units, "w_c")
    r, u = xp.split(sigmoid(xp, xp.concatenate([x, h_prev], -1) @ w_ru + b_ru), 2, axis=-1)
    c = xp.tanh(xp.concatenate([x, r * h_prev], -1) @ w_c + b_c)
    return r, u, c, u * h_prev + (1 - u) * c


CELLS: dict[str, Rule] = {
    "GRUBlockCell": _gru_block_cell,
    "LSTMBlockCell": _lstm_block_cell,
}

RULES: dict[str, Rule] = {**CELLS, **sequences(_along)}
