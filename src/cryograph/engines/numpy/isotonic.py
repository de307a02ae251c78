"""The nearest numbers that fall: each row is cut into stretches, and each stretch becomes its mean.

Kruskal, "Nonmetric multidimensional scaling: a numerical method", 1964. Source: isotonic_regression_op.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.tensors import Array
from .context import Context, Rule


def _stretches(row: Array, kind: Any) -> tuple[list[Any], list[int]]:
    """Means and sizes of the stretches. Two of them are joined while the later mean is above the earlier one."""
    sums: list[Any] = []
    sizes: list[int] = []
    means: list[Any] = []
    for value in row:
        sums.append(value)
        sizes.append(1)
        means.append(value)
        while len(means) > 1 and means[-1] > means[-2]:
            sums[-2:] = [kind(sums[-2] + sums[-1])]
            sizes[-2:] = [sizes[-2] + sizes[-1]]
            means[-2:] = [kind(sums[-1] / kind(sizes[-1]))]
    return means, sizes


def _isotonic(ctx: Context, x: Array) -> tuple[Array, Array]:
    """The numbers, and of each the number of its stretch, row by row along the last dimension."""
    values = x.astype(ctx.dtype)
    rows = values.reshape(-1, values.shape[-1]) if values.ndim and values.size else values.reshape(-1, 1)
    made, numbers = np.empty_like(rows), np.empty(rows.shape, np.int32)
    for place, row in enumerate(rows):
        means, sizes = _stretches(row, ctx.dtype.type)
        made[place] = np.repeat(np.array(means, ctx.dtype), sizes)
        numbers[place] = np.repeat(np.arange(len(sizes)), sizes)
    return made.reshape(x.shape), numbers.reshape(x.shape)


RULES: dict[str, Rule] = {
    "IsotonicRegression": _isotonic,
}
