"""Gradients of recurrent cells that TensorFlow has as single ops: LSTM, once or along a sequence, and GRU.

Source: lstm_ops.h and gru_ops.h.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

WEIGHTS = ("w", "wci", "wcf", "wco", "b")
"""What an LSTM is given."""
PARTS = ("i", "cs", "f", "o", "ci", "co")
"""What it gives, before h."""


def _require(x: Array, like: Array, what: str) -> None:
    if x.shape != like.shape:
        raise RunError(f"{what} is of the shape {list(x.shape)}, not {list(like.shape)}")


def _lstm_turn(
    cs_prev: Array, peepholes: Sequence[Array], turn: Sequence[Array], cs_grad: Array, h_grad: Array, peep: bool
) -> tuple[Array, tuple[Array, ...]]:
    """The gradient for the state before, and those for the sums of i, f, ci and o. `turn` is that of PARTS."""
    i, _, f, o, ci, co = turn
    wci, wcf, wco = peepholes
    one = i.dtype.type(1)
    do = o * (one - o) * h_grad * co
    dcs = (one - co * co) * h_grad * o + cs_grad
    if peep:
        dcs = dcs + do * wco
    dci = (one - ci * ci) * dcs * i
    df = f * (one - f) * dcs * cs_prev
    di = i * (one - i) * dcs * ci
    before = dcs * f
    if peep:
        before = before + di * wci + df * wcf
    return before, (di, df, dci, do)


def _peep_grads(cs_prev: Array, cs: Array, sums: tuple[Array, ...]) -> tuple[Array, ...]:
    """The gradients of the three peepholes."""
    di, df, _, do = sums
    return (di * cs_prev).sum(0), (df * cs_prev).sum(0), (do * cs).sum(0)


def _cell_grad(
    ctx: Context,
    x: Array,
    cs_prev: Array,
    h_prev: Array,
    *rest: Array,
    use_peephole: bool,
) -> tuple[Array, ...]:
    """For the state before, for the sums (as i, ci, f, o), and for the peepholes. `rest` are WEIGHTS, PARTS and the
    two gradients."""
    _, *peepholes, _ = rest[: len(WEIGHTS)]
    parts, (cs_grad, h_grad) = rest[len(WEIGHTS) : -2], rest[-2:]
    for part, name in zip((h_prev, *parts, cs_grad, h_grad), ("h_prev", *PARTS, "cs_grad", "h_grad"), strict=True):
        _require(part, cs_prev, name)
    before, sums = _lstm_turn(cs_prev, peepholes, parts, cs_grad, h_grad, use_peephole)
    di, df, dci, do = sums
    peeps = _peep_grads(cs_prev, parts[1], sums) if use_peephole else [np.zeros_like(part) for part in peepholes]
    return (before, np.concatenate([di, dci, df, do], -1), *peeps)


def _along(forget_second: bool) -> Rule:
    def rule(
        ctx: Context,
        seq_len_max: Array,
        x: Array,
        cs_prev: Array,
        h_prev: Array,
        *rest: Array,
        use_peephole: bool,
    ) -> tuple[Array, ...]:
        """From the last turn back; w and b stand as i, ci, f, o, or as i, f, ci, o. `rest` are WEIGHTS, PARTS, h and
        the two gradients."""
        w, *peepholes, b = rest[: len(WEIGHTS)]
        *parts, h, cs_grad, h_grad = rest[len(WEIGHTS) :]
        cs = parts[1]
        length = int(seq_len_max)
        if not 0 <= length <= len(x):
            raise RunError(f"seq_len_max is {length}, and the sequence has {len(x)} elements")
        for part, name in zip((*parts, h, cs_grad, h_grad), (*PARTS, "h", "cs_grad", "h_grad"), strict=True):
            _require(part, parts[0], name)
        inputs = x.shape[-1]
        into_x, into_w, into_b = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
        peeps = [np.zeros_like(part) for part in peepholes]
        into_cs, into_h = np.zeros_like(cs_prev), np.zeros_like(h_prev)
        for turn in range(length - 1, -1, -1):
            cs_before, h_before = (cs[turn - 1], h[turn - 1]) if turn else (cs_prev, h_prev)
            held = [part[turn] for part in parts]
            into_cs, sums = _lstm_turn(
                cs_before, peepholes, held, into_cs + cs_grad[turn], into_h + h_grad[turn], use_peephole
            )
            di, df, dci, do = sums
            gates = np.concatenate([di, df, dci, do] if forget_second else [di, dci, df, do], -1)
            both = gates @ w.T
            into_x[turn], into_h = both[:, :inputs], both[:, inputs:]
            into_w += np.concatenate([x[turn], h_before], -1).T @ gates
            into_b += gates.sum(0)
            if use_peephole:
                for whole, part in zip(peeps, _peep_grads(cs_before, cs[turn], sums), strict=True):
                    whole += part
        return (into_x, into_cs, into_h, into_w, *peeps, into_b)

    return rule


def _gru_grad(
    ctx: Context,
    x: Array,
    h_prev: Array,
    w_ru: Array,
    w_c: Array,
    b_ru: Array,
    b_c: Array,
    r: Array,
    u: Array,
    c: Array,
    d_h: Array,
) -> tuple[Array, ...]:
    """For x and the state before, and for the sums of c and of r beside u."""
    for part, name in ((r, "r"), (u, "u"), (c, "c"), (d_h, "d_h")):
        _require(part, h_prev, name)
    inputs = x.shape[-1]
    if w_ru.shape != (inputs + h_prev.shape[-1], 2 * h_prev.shape[-1]):
        raise RunError(f"w_ru is of the shape {list(w_ru.shape)}")
    if w_c.shape != (inputs + h_prev.shape[-1], h_prev.shape[-1]):
        raise RunError(f"w_c is of the shape {list(w_c.shape)}")
    one = u.dtype.type(1)
    d_c = (d_h * (one - u)) * (one - c * c)
    d_u = d_h * (h_prev - c) * u * (one - u)
    through_c = d_c @ w_c.T
    d_hr = through_c[:, inputs:]
    d_ru = np.concatenate([(d_hr * h_prev * r) * (one - r), d_u], -1)
    through_ru = d_ru @ w_ru.T
    d_x = (through_ru + through_c)[:, :inputs]
    return d_x, through_ru[:, inputs:] + d_hr * r + d_h * u, d_c, d_ru


RULES: dict[str, Rule] = {
    "BlockLSTMGrad": _along(forget_second=False),
    "BlockLSTMGradV2": _along(forget_second=True),
    "GRUBlockCellGrad": _gru_grad,
    "LSTMBlockCellGrad": _cell_grad,
}
