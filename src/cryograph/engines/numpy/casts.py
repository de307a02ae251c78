"""Changes of dtype: Cast and Bitcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import NARROW, wide


def _cast(ctx: Context, x: Array, *, Truncate: bool = False) -> Array:
    """Between any two kinds. `Truncate` cuts floats off towards zero instead of rounding to the nearest."""
    target = ctx.dtype
    if x.dtype == target:
        return x
    if target.kind == "b":
        return np.asarray(x != 0)
    is_float = x.dtype.kind == "f" or x.dtype.name in NARROW
    if Truncate and is_float and target.name in ("bfloat16", "float16", "float32"):
        return _truncated(x, target)
    if x.dtype.kind == "c" and target.kind != "c":
        x = x.real
    if target.kind in "iu" and is_float:
        return np.asarray(float_to_integer(np, wide(x), target))
    return x.astype(target)


def float_to_integer(xp: Any, x: Any, target: np.dtype[Any]) -> Any:
    """As x86 converts one number at a time: NaN and what does not fit become the smallest int32 or int64, of which
    narrow kinds take the low bits; kinds without a sign go through int64. (Where a number does not fit, TensorFlow's
    own answer depends on how many stand beside it: whole vectors saturate for some kinds.)"""
    if target == np.uint64:
        low, high = _as_int(xp, x, np.int64), _as_int(xp, x - x.dtype.type(2.0**63), np.int64)
        return (low | (high & (low >> 63))).astype(target)
    return _as_int(xp, x, np.int64 if target.itemsize == 8 or target == np.uint32 else np.int32).astype(target)


def _as_int(xp: Any, x: Any, through: Any) -> Any:
    least = np.iinfo(through).min
    fits = (x >= float(least)) & (x < -float(least))
    return xp.where(fits, xp.where(fits, x, 0).astype(through), through(least))


def _truncated(x: Array, target: np.dtype[Any]) -> Array:
    """The nearest value of the narrower kind that is not farther from zero."""
    rounded = x.astype(target)
    beyond = np.abs(rounded.astype(x.dtype)) > np.abs(x)
    bits = rounded.view(np.dtype(f"u{target.itemsize}"))
    return np.where(beyond, bits - bits.dtype.type(1), bits).astype(bits.dtype).view(target)


def _bitcast(ctx: Context, x: Array) -> Array:
    target = ctx.dtype
    data = np.ascontiguousarray(x).reshape(x.shape)
    if target.itemsize == x.dtype.itemsize:
        return data.view(target)
    if target.itemsize < x.dtype.itemsize:
        return data.reshape(*x.shape, 1).view(target)
    if not x.ndim or x.shape[-1] * x.dtype.itemsize != target.itemsize:
        raise RunError(f"the last size of {list(x.shape)} {x.dtype} does not make one {target}")
    return data.view(target).reshape(x.shape[:-1])


RULES: dict[str, Rule] = {
    "Bitcast": _bitcast,
    "Cast": _cast,
}
