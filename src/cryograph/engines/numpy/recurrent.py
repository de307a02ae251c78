"""Recurrent cells that TensorFlow has as single ops: LSTM, once or along a sequence, and GRU.

Source: lstm_ops.cc and gru_ops.cc.
"""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .activations import sigmoid
from .context import Context, Rule


def _columns(gates: Array, count: int) -> list[Array]:
    return np.split(gates, count, axis=-1)


def _require(matrix: Array, rows: int, columns: int, what: str) -> None:
    if matrix.shape != (rows, columns):
        raise RunError(f"{what} is of the shape {list(matrix.shape)}, not [{rows}, {columns}]")


def _lstm(
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    weights: tuple[Array, ...],
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
    forget_second: bool,
) -> tuple[Array, ...]:
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
    i, second, third, o = _columns(np.concatenate([x, h_prev], -1) @ w + b, 4)
    f, ci = (second, third) if forget_second else (third, second)
    f = f + f.dtype.type(forget_bias)
    if use_peephole:
        i, f = i + cs_prev * wci, f + cs_prev * wcf
    i, f, ci = sigmoid(np, i), sigmoid(np, f), np.tanh(ci)
    cs = ci * i + cs_prev * f
    if cell_clip > 0:
        cs = np.clip(cs, cs.dtype.type(-cell_clip), cs.dtype.type(cell_clip))
    o = sigmoid(np, o + cs * wco if use_peephole else o)
    co = np.tanh(cs)
    return i, cs, f, o, ci, co, o * co


def _lstm_block_cell(
    ctx: Context,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    *weights: Array,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Array, ...]:
    return _lstm(x, cs_prev, h_prev, weights, forget_bias, cell_clip, use_peephole, False)


def _along(
    x: Array, length: Array, cs: Array, h: Array, weights: tuple[Array, ...], *how: float, forget_second: bool
) -> tuple[Array, ...]:
    """Turns along the first dimension, up to `length`; zeros follow."""
    if int(length) > len(x):
        raise RunError(f"seq_len_max is {int(length)}, and the sequence has {len(x)} elements")
    made = [np.zeros((len(x), *cs.shape), x.dtype) for _ in range(7)]
    for turn in range(int(length)):
        parts = _lstm(x[turn], cs, h, weights, how[0], how[1], bool(how[2]), forget_second)
        for whole, part in zip(made, parts, strict=True):
            whole[turn] = part
        cs, h = parts[1], parts[6]
    return tuple(made)


def _block_lstm(
    ctx: Context,
    seq_len_max: Array,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    *weights: Array,
    forget_bias: float,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Array, ...]:
    how = (forget_bias, cell_clip, use_peephole)
    return _along(x, seq_len_max, cs_prev, h_prev, weights, *how, forget_second=False)


def _block_lstm_v2(
    ctx: Context,
    seq_len_max: Array,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    *weights: Array,
    cell_clip: float,
    use_peephole: bool,
) -> tuple[Array, ...]:
    return _along(x, seq_len_max, cs_prev, h_prev, weights, 0.0, cell_clip, use_peephole, forget_second=True)


def _gru_block_cell(
    ctx: Context, x: Array, h_prev: Array, w_ru: Array, w_c: Array, b_ru: Array, b_c: Array
) -> tuple[Array, ...]:
    """Gives r, u, c and h."""
    units, rows = h_prev.shape[-1], x.shape[-1] + h_prev.shape[-1]
    _require(h_prev, x.shape[0], units, "h_prev")
    _require(w_ru, rows, 2 * units, "w_ru")
    _require(w_c, rows, units, "w_c")
    r, u = _columns(sigmoid(np, np.concatenate([x, h_prev], -1) @ w_ru + b_ru), 2)
    c = np.tanh(np.concatenate([x, r * h_prev], -1) @ w_c + b_c)
    return r, u, c, u * h_prev + (1 - u) * c


RULES: dict[str, Rule] = {
    "BlockLSTM": _block_lstm,
    "BlockLSTMV2": _block_lstm_v2,
    "GRUBlockCell": _gru_block_cell,
    "LSTMBlockCell": _lstm_block_cell,
}
