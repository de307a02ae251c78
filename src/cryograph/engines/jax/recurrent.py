"""Recurrent cells that TensorFlow has as single ops, and scans along sequences of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.activations import sigmoid
from ..numpy.context import Rule
from ..numpy.recurrent import _require
from .context import JaxContext, check


def _lstm(
    ctx: JaxContext,
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
    xp = ctx.xp
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
    ctx: JaxContext,
    x: Any,
    cs_prev: Any,
    h_prev: Any,
    *weights: Any,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Any, ...]:
    return _lstm(ctx, x, cs_prev, h_prev, weights, forget_bias, cell_clip, use_peephole, False)


def _along(
    ctx: JaxContext,
    x: Any,
    length: Any,
    cs: Any,
    h: Any,
    weights: tuple[Any, ...],
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
    forget_second: bool,
) -> tuple[Any, ...]:
    """Turns along the first dimension, up to `length`; zeros follow."""
    xp = ctx.xp
    check(length > len(x), f"seq_len_max is more than the {len(x)} elements of the sequence")

    def turn(carried: Any, at: Any) -> Any:
        number_, element = at
        made = _lstm(ctx, element, carried[0], carried[1], weights, forget_bias, cell_clip, use_peephole, forget_second)
        live = number_ < length
        made = tuple(xp.where(live, part, xp.zeros((), part.dtype)) for part in made)
        return (xp.where(live, made[1], carried[0]), xp.where(live, made[6], carried[1])), made

    carried = (xp.asarray(cs), xp.asarray(h))
    return tuple(ctx.lax.scan(turn, carried, (np.arange(len(x)), xp.asarray(x)))[1])


def _block_lstm(
    ctx: JaxContext,
    seq_len_max: Any,
    x: Any,
    cs_prev: Any,
    h_prev: Any,
    *weights: Any,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Any, ...]:
    return _along(ctx, x, seq_len_max, cs_prev, h_prev, weights, forget_bias, cell_clip, use_peephole, False)


def _block_lstm_v2(
    ctx: JaxContext,
    seq_len_max: Any,
    x: Any,
    cs_prev: Any,
    h_prev: Any,
    *weights: Any,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Any, ...]:
    return _along(ctx, x, seq_len_max, cs_prev, h_prev, weights, 0.0, cell_clip, use_peephole, True)


def _gru_block_cell(ctx: JaxContext, x: Any, h_prev: Any, w_ru: Any, w_c: Any, b_ru: Any, b_c: Any) -> tuple[Any, ...]:
    """Gives r, u, c and h."""
    xp = ctx.xp
    units, rows = h_prev.shape[-1], x.shape[-1] + h_prev.shape[-1]
    _require(h_prev, x.shape[0], units, "h_prev")
    _require(w_ru, rows, 2 * units, "w_ru")
    _require(w_c, rows, units, "w_c")
    r, u = xp.split(sigmoid(xp, xp.concatenate([x, h_prev], -1) @ w_ru + b_ru), 2, axis=-1)
    c = xp.tanh(xp.concatenate([x, r * h_prev], -1) @ w_c + b_c)
    return r, u, c, u * h_prev + (1 - u) * c


RULES: dict[str, Rule] = {
    "BlockLSTM": _block_lstm,
    "BlockLSTMV2": _block_lstm_v2,
    "GRUBlockCell": _gru_block_cell,
    "LSTMBlockCell": _lstm_block_cell,
}
