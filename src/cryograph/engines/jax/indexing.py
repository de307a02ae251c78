"""Gathers, scatters, one-hot, stitches; rows of variables.

A compiled program goes on where an index is out of range, until the error can be raised: a gather gives zeros there, a
scatter leaves it out.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ..numpy.arrays import shape_of
from ..numpy.context import Rule
from ..numpy.elementwise import given
from ..numpy.indexing import IGNORE
from ..numpy.reductions import axis_of
from .context import JaxContext, check, known, number, sizes


def _taken(ctx: JaxContext, params: Any, indices: Any, axis: int) -> Any:
    mode = {"mode": "fill", "fill_value": 0} if params.dtype.kind != "b" else {"mode": "clip"}
    return ctx.xp.take(ctx.xp.asarray(params), ctx.xp.asarray(indices), axis, **mode)


def _gather(ctx: JaxContext, params: Any, indices: Any, axis: Any, batch_dims: int) -> Any:
    xp = ctx.xp
    at = axis_of(known(axis, "an axis"), params.ndim)
    batch = batch_dims + indices.ndim if batch_dims < 0 else batch_dims
    if not 0 <= batch <= min(at, indices.ndim) or params.shape[:batch] != indices.shape[:batch]:
        raise RunError(f"{batch_dims} batch dimensions of {list(params.shape)} and {list(indices.shape)} do not agree")
    size = params.shape[at]
    check((indices < 0) | (indices >= size), f"an index is not in [0, {size})")
    if batch == 0:
        return _taken(ctx, params, indices, at)
    lead, outer, inner = params.shape[:batch], params.shape[batch:at], params.shape[at + 1 :]
    flat = xp.asarray(params).reshape(prod(lead), prod(outer), size, prod(inner))
    wanted = indices.reshape(prod(lead), prod(indices.shape[batch:]))
    made = flat[np.arange(flat.shape[0])[:, None], :, wanted].swapaxes(1, 2)
    return made.reshape(*lead, *outer, *indices.shape[batch:], *inner)


def _gather_v1(ctx: JaxContext, params: Any, indices: Any) -> Any:
    return _gather(ctx, params, indices, np.array(0), 0)


def _gather_v2(ctx: JaxContext, params: Any, indices: Any, axis: Any, *, batch_dims: int = 0) -> Any:
    return _gather(ctx, params, indices, axis, batch_dims)


def _places(ctx: JaxContext, indices: Any, shape: tuple[int, ...], policy: bytes) -> tuple[Any, ...]:
    """The index that rows of indices say. What is outside of the shape is moved past its end."""
    if policy not in (b"", b"DEFAULT", b"ERROR", IGNORE):
        raise InputError(f"the policy {policy!r} for wrong indices is not one of DEFAULT, ERROR, IGNORE")
    if indices.ndim < 1 or indices.shape[-1] > len(shape):
        raise RunError(f"indices of the shape {list(indices.shape)} do not fit the shape {list(shape)}")
    limits = np.array(shape[: indices.shape[-1]], indices.dtype)
    good = ctx.xp.all((indices >= 0) & (indices < limits), -1)
    if policy != IGNORE:
        check(~good, f"an index does not lie in the shape {list(shape)}")
    moved = ctx.xp.where(good[..., None], indices, limits)
    return tuple(moved[..., i] for i in range(indices.shape[-1]))


def _gather_nd(ctx: JaxContext, params: Any, indices: Any, *, bad_indices_policy: bytes = b"") -> Any:
    places = _places(ctx, indices, params.shape, bad_indices_policy)
    if not places:
        return ctx.xp.broadcast_to(params, indices.shape[:-1] + params.shape)
    if params.size == 0:
        return ctx.xp.zeros(indices.shape[:-1] + params.shape[len(places) :], params.dtype)
    return ctx.xp.asarray(params).at[places].get(mode="fill", fill_value=0)


def put(ctx: JaxContext, how: str, out: Any, indices: Any, updates: Any, policy: bytes = b"") -> Any:
    """Puts updates into `out`, or brings them together with what is there (`add`, `min`, `max`, `multiply`)."""
    places = _places(ctx, indices, out.shape, policy)
    if updates.shape != indices.shape[:-1] + out.shape[len(places) :]:
        raise RunError(f"updates of {list(updates.shape)} do not fit indices of {list(indices.shape)}")
    if not out.size or not updates.size:
        return out
    if not places:  # each update is of the whole, which is the one row of a larger array
        rows = ctx.xp.asarray(updates).reshape(-1, *out.shape)
        if how == "set":
            return rows[-1]
        return getattr(ctx.xp.asarray(out)[None].at[np.zeros(len(rows), int)], how)(rows)[0]
    return getattr(ctx.xp.asarray(out).at[places], how)(updates, mode="drop")


def _scatter_nd(ctx: JaxContext, indices: Any, updates: Any, shape: Any, *, bad_indices_policy: bytes = b"") -> Any:
    out = ctx.xp.zeros(shape_of(known(shape)), updates.dtype)
    if not updates.size:
        return out
    return put(ctx, "add", out, indices, updates, bad_indices_policy)


def _tensor_scatter(how: str, sign: int = 1) -> Rule:
    def rule(ctx: JaxContext, tensor: Any, indices: Any, updates: Any, *, bad_indices_policy: bytes = b"") -> Any:
        return put(ctx, how, tensor, indices, updates if sign > 0 else -updates, bad_indices_policy)

    return rule


def _in_place(how: str, sign: int = 1) -> Rule:
    def rule(ctx: JaxContext, x: Any, i: Any, v: Any) -> Any:
        rows = v.reshape(i.size, *x.shape[1:])
        return put(ctx, how, x, i.reshape(-1, 1), rows if sign > 0 else -rows)

    return rule


def _rows(how: str, sign: int = 1) -> Rule:
    """Whole rows of a variable by number; several updates of one row come one after the other."""

    def rule(ctx: JaxContext, value: Any, indices: Any, updates: Any) -> Any:
        rest = value.shape[1:]
        if updates.ndim and updates.shape != indices.shape + rest:
            raise RunError(
                f"updates of {list(updates.shape)} do not fit rows {list(indices.shape)} of {list(value.shape)}"
            )
        spread = ctx.xp.broadcast_to(updates, indices.shape + rest).reshape(-1, *rest)
        return put(ctx, how, value, indices.reshape(-1, 1), spread if sign > 0 else -spread)

    return rule


def _rows_divided(ctx: JaxContext, value: Any, indices: Any, updates: Any) -> Any:
    """Several quotients of one row are one by the product for floats; whole numbers are cut off after each."""
    if value.dtype.kind not in "iu":
        return value / _rows("multiply")(ctx, ctx.xp.ones_like(value), indices, updates)
    check(updates == 0, "an integer was divided by 0")
    rest = value.shape[1:]
    spread = ctx.xp.broadcast_to(updates, indices.shape + rest).reshape(-1, *rest)
    check((indices < 0) | (indices >= len(value)), f"an index is not in [0, {len(value)})")

    def divide(held: Any, at: Any) -> tuple[Any, None]:
        row, by = at
        before = held[row]
        quotient = before // by
        return held.at[row].set(quotient + ((quotient < 0) & (quotient * by != before)).astype(value.dtype)), None

    return ctx.lax.scan(divide, ctx.xp.asarray(value), (ctx.xp.asarray(indices).reshape(-1), spread))[0]


def _count_up(ctx: JaxContext, value: Any, *, limit: int) -> tuple[Any, Any]:
    """One more, and what it was."""
    if value.ndim:
        raise RunError(f"a counter is a single number, not {list(value.shape)}")
    check(value >= limit, f"the counter has reached its limit of {limit}")
    return value + value.dtype.type(1), value


def _sparse_to_dense(
    ctx: JaxContext, indices: Any, shape: Any, values: Any, default: Any, *, validate_indices: bool = True
) -> Any:
    whole = shape_of(known(shape))
    places = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    if places.shape[1] != len(whole):
        raise RunError(f"indices of {places.shape[1]} numbers do not fit the shape {list(whole)}")
    if validate_indices and len(places) > 1:
        steps = [prod(whole[i + 1 :]) for i in range(len(whole))]
        flat = (places.astype(np.int64) * np.array(steps, np.int64)).sum(-1)
        check(flat[1:] <= flat[:-1], "the indices do not rise, or one comes twice")
    out = ctx.xp.broadcast_to(default, whole).astype(ctx.dtype)
    return put(ctx, "set", out, places, ctx.xp.broadcast_to(values.reshape(-1), (len(places),)))


def _one_hot(ctx: JaxContext, indices: Any, depth: Any, on: Any, off: Any, *, axis: int = -1) -> Any:
    count = number(depth, "the depth")
    if count < 0:
        raise RunError(f"the depth {count} is negative")
    at = axis_of(axis, indices.ndim + 1)
    places = np.arange(count).reshape(-1, *(1,) * (indices.ndim - at))
    return given(ctx, ctx.xp.where(ctx.xp.expand_dims(indices, at) == places, on, off))


def _dynamic_stitch(ctx: JaxContext, *inputs: Any) -> Any:
    """The indices must be known, as they say how large the result is."""
    half = len(inputs) // 2
    indices, data = [known(i, "the indices of a stitch") for i in inputs[:half]], inputs[half:]
    size = max((int(i.max()) + 1 for i in indices if i.size), default=0)
    tail = data[0].shape[indices[0].ndim :]
    out = ctx.xp.zeros((size, *tail), ctx.dtype)
    for index, values in zip(indices, data, strict=True):
        if values.shape != index.shape + tail:
            raise RunError(f"data of the shape {list(values.shape)} does not fit indices of {list(index.shape)}")
        if index.size and index.min() < 0:
            raise RunError(f"the index {index.min()} is negative")
        rows = values.reshape(index.size, *tail)
        flat, last = np.unique(index.reshape(-1)[::-1], return_index=True)
        out = out.at[flat].set(rows[index.size - 1 - last])
    return out


def _dynamic_partition(ctx: JaxContext, data: Any, partitions: Any, *, num_partitions: int) -> tuple[Any, ...]:
    """The partitions must be known, as they say how large the results are."""
    parts = known(partitions, "the partitions")
    if data.shape[: parts.ndim] != parts.shape:
        raise RunError(f"the shape {list(parts.shape)} of the partitions is no head of {list(data.shape)}")
    if parts.size and (parts.min() < 0 or parts.max() >= num_partitions):
        raise RunError(f"a partition is not in [0, {num_partitions})")
    flat = ctx.xp.asarray(data).reshape(parts.size, *data.shape[parts.ndim :])
    return tuple(flat[np.flatnonzero(parts.reshape(-1) == i)] for i in range(num_partitions))


def _unravel_index(ctx: JaxContext, indices: Any, dims: Any) -> Any:
    whole = sizes(dims)
    check((indices < 0) | (indices >= prod(whole)), f"an index is not in the shape {list(whole)}")
    return given(ctx, ctx.xp.stack(ctx.xp.unravel_index(indices, whole)))


_ROWS: dict[str, Rule] = {
    "Add": _rows("add"),
    "Div": _rows_divided,
    "Max": _rows("max"),
    "Min": _rows("min"),
    "Mul": _rows("multiply"),
    "Sub": _rows("add", -1),
    "Update": _rows("set"),
}

_SPOTS: dict[str, Rule] = {
    "Add": _tensor_scatter("add"),
    "Max": _tensor_scatter("max"),
    "Min": _tensor_scatter("min"),
    "Sub": _tensor_scatter("add", -1),
    "Update": _tensor_scatter("set"),
}

RULES: dict[str, Rule] = {
    **{f"Scatter{word}": rule for word, rule in _ROWS.items()},
    **{f"ResourceScatter{word}": rule for word, rule in _ROWS.items()},
    **{f"ScatterNd{word}": rule for word, rule in _SPOTS.items()},
    **{f"ResourceScatterNd{word}": rule for word, rule in _SPOTS.items()},
    **{f"TensorScatter{word}": rule for word, rule in _SPOTS.items()},
    "CountUpTo": _count_up,
    "DynamicPartition": _dynamic_partition,
    "DynamicStitch": _dynamic_stitch,
    "Gather": _gather_v1,
    "GatherNd": _gather_nd,
    "GatherV2": _gather_v2,
    "InplaceAdd": _in_place("add"),
    "InplaceSub": _in_place("add", -1),
    "InplaceUpdate": _in_place("set"),
    "OneHot": _one_hot,
    "ParallelDynamicStitch": _dynamic_stitch,
    "ResourceCountUpTo": _count_up,
    "ScatterNd": _scatter_nd,
    "ScatterNdNonAliasingAdd": _tensor_scatter("add"),
    "SparseToDense": _sparse_to_dense,
    "UnravelIndex": _unravel_index,
}
