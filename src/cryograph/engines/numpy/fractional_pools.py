"""Pools whose windows are of two sizes, one apart, in random order, and their gradients (Graham 2014)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .arrays import sizes_of
from .context import Context, Rule
from .elementwise import given
from .random import generator_seeds, philox
from .reductions import finite_limits


def _blocks(words: int) -> int:
    return -(-words // 4)


def _starts(size: int, out: int, words: Array, pseudo: bool) -> Array:
    """Where windows start, and the end of the last: (out + 1)."""
    if pseudo:
        ratio, least = size / out, size // out
        most = min((least + 2) / ratio - 1, (size + 1 - least) / ratio - (out - 1))
        part = ((int(words[0]) & 0xFFFFF) << 32 | int(words[1])) * 2.0**-52 * most
        places = np.ceil(ratio * (np.arange(1, out) + part)).astype(np.int64)
        return np.concatenate([[0], places - 1, [size]])
    lengths = np.full(out, size // out) + (np.arange(out) < size % out)
    for i in range(out - 1):
        other = i + int(words[i]) % (out - i)
        lengths[[i, other]] = lengths[[other, i]]
    return np.concatenate([[0], np.cumsum(lengths)])


def _pool(mean: bool) -> Rule:
    def rule(
        ctx: Context,
        value: Array,
        *,
        pooling_ratio: list[float],
        pseudo_random: bool = False,
        overlapping: bool = False,
        deterministic: bool = False,
        seed: int = 0,
        seed2: int = 0,
    ) -> tuple[Array, Array, Array]:
        """`deterministic` keeps the windows of the first run; with seeds every run of ours is the first."""
        if value.ndim != 4 or 0 in value.shape:
            raise RunError(f"a pool of the shape {list(value.shape)} was asked for where 4 dimensions are taken")
        if (seed or seed2) and not deterministic:
            raise RunError(f"the seeds {seed} and {seed2} were given to a pool that is not deterministic")
        ratios = np.array(pooling_ratio, np.float32)
        if ratios.shape != (4,) or (ratios < 1).any() or ratios[0] != 1 or ratios[3] != 1:
            raise RunError(f"the ratios {pooling_ratio} are not 4 numbers from 1 on, 1 for batch and channels")
        rows, columns = (int(n) for n in np.floor(np.array(value.shape, np.float32) / ratios)[1:3])
        if rows < 1 or columns < 1:
            raise RunError(f"the ratios {pooling_ratio} leave nothing of the shape {list(value.shape)}")
        words = [2 if pseudo_random else n for n in (rows, columns)]
        drawn = philox(*generator_seeds(seed, seed2), sum(map(_blocks, words)))
        down = _starts(value.shape[1], rows, drawn[: _blocks(words[0])].ravel(), pseudo_random)
        across = _starts(value.shape[2], columns, drawn[_blocks(words[0]) :].ravel(), pseudo_random)
        made = np.zeros((len(value), rows, columns, value.shape[3]), value.dtype)
        for (row, column), box in _windows(down, across, value.shape, overlapping):
            part = value[:, box[0], box[1]]
            count = part.shape[1] * part.shape[2]
            if mean:
                total = part.sum((1, 2), dtype=value.dtype)
                made[:, row, column] = np.trunc(total / count) if value.dtype.kind == "i" else total / count
            else:
                made[:, row, column] = part.max((1, 2))
        return made, down, across

    return rule


def _windows(
    down: Array, across: Array, shape: tuple[int, ...], overlapping: bool
) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Each place of the output, and the rows and columns of its window; windows that overlap share an edge."""
    if any(x.ndim != 1 or (x.size and x.min() < 0) for x in (down, across)):
        raise RunError("the starts of the windows are not numbers from 0 on")
    more = int(overlapping)
    for row in range(len(down) - 1):
        for column in range(len(across) - 1):
            rows = slice(int(down[row]), min(int(down[row + 1]) + more, shape[1]))
            columns = slice(int(across[column]), min(int(across[column + 1]) + more, shape[2]))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                raise RunError(f"the window of the place [{row}, {column}] is empty")
            yield (row, column), (rows, columns)


def _must_fit(gradient: Array, shape: tuple[int, ...], down: Array, across: Array) -> None:
    wanted = (shape[0], len(np.ravel(down)) - 1, len(np.ravel(across)) - 1, shape[-1])
    if len(shape) != 4 or gradient.shape != wanted:
        raise RunError(f"a gradient of {list(gradient.shape)} was given for a pool of {list(shape)} to {list(wanted)}")


def _max_grad(
    ctx: Context, x: Array, y: Array, gradient: Array, down: Array, across: Array, *, overlapping: bool = False
) -> Array:
    """Each gradient goes to the first of the largest of its window."""
    _must_fit(gradient, x.shape, down, across)
    _must_fit(y, x.shape, down, across)
    made = np.zeros_like(x)
    items, channels = np.ogrid[: len(x), : x.shape[3]]
    least = finite_limits(x.dtype)[0]
    for (row, column), (rows, columns) in _windows(down, across, x.shape, overlapping):
        part = x[:, rows, columns]
        flat = np.where(np.isnan(part), least, part).reshape(len(x), -1, x.shape[3])
        best = flat.argmax(1)
        wide = columns.stop - columns.start
        made[items, rows.start + best // wide, columns.start + best % wide, channels] += gradient[:, row, column]
    return made


def _average_grad(
    ctx: Context, shape: Array, gradient: Array, down: Array, across: Array, *, overlapping: bool = False
) -> Array:
    """Each gradient in equal parts to its window."""
    sizes = sizes_of(shape)
    _must_fit(gradient, sizes, down, across)
    made = np.zeros(sizes, np.float64)
    for (row, column), (rows, columns) in _windows(down, across, sizes, overlapping):
        count = (rows.stop - rows.start) * (columns.stop - columns.start)
        made[:, rows, columns] += (gradient[:, row, column] / np.float64(count))[:, None, None]
    return given(ctx, made)


RULES: dict[str, Rule] = {
    "FractionalAvgPool": _pool(mean=True),
    "FractionalAvgPoolGrad": _average_grad,
    "FractionalMaxPool": _pool(mean=False),
    "FractionalMaxPoolGrad": _max_grad,
}
