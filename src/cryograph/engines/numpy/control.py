"""Structured control flow, checks, and ops that do nothing to values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import RunError
from ...base.shapes import Shape
from ...base.tensors import Array
from .arrays import nothing
from .context import Context, Rule


def truth(x: Array) -> bool:
    """Whether a condition holds: a scalar by its value, a string when it is not empty, any other array when it has
    elements."""
    if x.ndim:
        return x.size > 0
    return bool(x.item())


def _if(ctx: Context, cond: Array, *inputs: Array) -> tuple[Array, ...]:
    return tuple(ctx.run_body("then_branch" if truth(cond) else "else_branch", inputs))


def _case(ctx: Context, branch_index: Array, *inputs: Array) -> tuple[Array, ...]:
    count = sum(name.startswith("branches:") for name in ctx.step.bodies)
    index = int(branch_index)
    return tuple(ctx.run_body(f"branches:{index if 0 <= index < count else count - 1}", inputs))


def _while(ctx: Context, *inputs: Array, maximum_iterations: int | None = None) -> tuple[Array, ...]:
    values = list(inputs)
    while truth(ctx.run_body("cond", values)[0]):
        values = ctx.run_body("body", values)
    return tuple(values)


def _map_defun(
    ctx: Context, *inputs: Array, Targuments: list[DType], output_shapes: list[Shape], max_intra_op_parallelism: int
) -> tuple[Array, ...]:
    """A function of each row of the first inputs, and of the others whole."""
    rows, whole = inputs[: len(Targuments)], inputs[len(Targuments) :]
    count = len(rows[0]) if rows and rows[0].ndim else 0
    if any(not row.ndim or len(row) != count for row in rows):
        raise RunError("a function is mapped over tensors that have as many rows as each other")
    made = [ctx.run_body("f", [*(row[n, ...] for row in rows), *whole]) for n in range(count)]
    if made:
        return tuple(_stacked(parts) for parts in zip(*made, strict=True))
    empty = zip(output_shapes, ctx.output_dtypes, strict=True)
    return tuple(
        np.zeros((0, *(size or 0 for size in shape or ())), dtype.numpy or np.dtype(object)) for shape, dtype in empty
    )


def _stacked(parts: Sequence[Array]) -> Array:
    if any(part.shape != parts[0].shape for part in parts):
        raise RunError("a function that is mapped gives tensors of several shapes")
    return np.stack(parts)


def scan(
    ctx: Context, turns: Array, *inputs: Array, carried: int, sequences: int, each_turn: Sequence[bool], cells: object
) -> tuple[Array, ...]:
    """A loop along tensors, as `program.scans` describes it."""
    rows, values = inputs[: len(each_turn)], list(inputs[len(each_turn) : len(each_turn) + carried])
    start = len(each_turn) + carried
    read, outer = inputs[start : start + sequences], inputs[start + sequences :]
    body = ctx.step.bodies["body"]
    stacked: list[Array | None] = [None] * len(each_turn)
    for turn in range(int(turns)):
        made = ctx.run_body("body", [np.array(turn, np.int32), *values, *(x[turn, ...] for x in read), *outer])
        values = made[:carried]
        for number, element in enumerate(made[carried:]):
            whole = stacked[number]
            if whole is None:
                whole = stacked[number] = _filled((int(rows[number]), *element.shape), element.dtype)
            whole[turn if each_turn[number] else 0, ...] = element
    for number, name in enumerate(body.outputs[carried:]):
        if stacked[number] is None:  # no turn: what is not known of the shape is 0
            spec = body.specs[name]
            shape = [int(rows[number]), *(size or 0 for size in spec.shape or ())]
            stacked[number] = _filled(shape, spec.dtype.numpy or np.dtype(object))
    return (*values, *(whole for whole in stacked if whole is not None))


def _filled(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    return np.full(shape, nothing(dtype), dtype)


def _assert(ctx: Context, condition: Array, *data: Array, summarize: int = 3) -> tuple[()]:
    if not np.all(condition):
        shown = "; ".join(str(item.reshape(-1)[: summarize if summarize >= 0 else None].tolist()) for item in data)
        raise RunError(f"the assertion failed: {shown}")
    return ()


def _check_numerics(ctx: Context, tensor: Array, *, message: bytes) -> Array:
    if not np.isfinite(tensor).all():
        kinds = [word for word, test in (("Inf", np.isinf), ("NaN", np.isnan)) if test(tensor).any()]
        raise RunError(f"{message.decode('utf-8', 'replace')} : Tensor had {' and '.join(kinds)} values")
    return tensor


def _nothing(ctx: Context, *inputs: Array) -> tuple[()]:
    return ()


def _first(ctx: Context, x: Array, *data: Array, message: bytes = b"", first_n: int = -1, summarize: int = 3) -> Array:
    return x


def _ref_select(ctx: Context, index: Array, *inputs: Array) -> Array:
    """The value of the chosen variable; nothing writes what is chosen so late."""
    if not 0 <= int(index) < len(inputs):
        raise RunError(f"there is no input {int(index)} among {len(inputs)}")
    return inputs[int(index)]


def _const(ctx: Context, *, value: object) -> Array:
    return np.asarray(value)


RULES: dict[str, Rule] = {
    "Assert": _assert,
    "Case": _case,
    "CheckNumerics": _check_numerics,
    "CheckNumericsV2": _check_numerics,
    "Const": _const,
    "If": _if,
    "MapDefun": _map_defun,
    "NoOp": _nothing,
    "Print": _first,
    "RefSelect": _ref_select,
    "StatelessCase": _case,
    "StatelessIf": _if,
    "StatelessWhile": _while,
    "While": _while,
}
