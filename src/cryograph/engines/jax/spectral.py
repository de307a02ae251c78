"""Convolutions with large filters as products of spectra, where that takes less time than to slide the filters.

    y[n, p, o] = sum over k, c of x[n, p + k, c] * w[k, c, o]
    Y[f, n, o] = sum over c of    X[f, n, c]     * W[f, c, o]

X and W are Fourier transforms of each channel's picture and filter, and Y that of the answer (the convolution theorem).
The transforms are products with matrices of cosines and sines, as the pictures are small, and the products over the
channels are one matrix product for each frequency: all of it is what XLA does fast on a CPU, forward and, as it is
differentiated, backward. Answers are nearer to the exact ones than those of sums over k and c, as fewer terms are added
up; but a number that is not finite spoils its whole picture, and not only the windows that hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..numpy.windows import Windows
from .context import JaxContext

WORTH = 1 << 26
"""Multiplications and additions of the sliding filters from which on it may pay."""
CHANNELS = 32
"""Channels of either side from which on the product for one frequency is fast."""
SPECTRUM = 10 << 20
"""Bytes of a spectrum up to which it stays in the cache."""
GAIN = 0.65
"""Expected time, as a part of that of the sliding filters, up to which it pays."""
PARTS = 4
"""Parts of a spectrum that are worked out by themselves."""


def pays(ctx: JaxContext, x: Any, shape: Sequence[int], windows: Windows) -> bool:
    """Whether to convolve (N, H, W, C) with filters of the shape (h, w, C, O) so. What a number of a spectrum and a
    product of two cost is measured, in operations of the sliding filters."""
    if len(windows.sizes) != 2 or {*windows.strides, *windows.dilations} != {1} or x.dtype != np.float32:
        return False
    if ctx.jax.default_backend() != "cpu":
        return False
    (inner, outer), count = shape[-2:], x.shape[0]
    if x.shape[-1] != inner or min(inner, outer) < CHANNELS:
        return False
    rows, columns = _lengths(windows)
    numbers = 2 * (rows // 2 + 1) * columns
    if 4 * numbers * max(count * inner, count * outer, inner * outer) > SPECTRUM:
        return False
    sliding = 2 * count * prod(windows.out) * prod(shape)
    products = 6.4 * numbers * count * inner * outer
    transforms = numbers * (count * inner + count * outer + inner * outer) * (75 + 2 * (rows + columns))
    return bool(sliding >= WORTH and products + transforms < GAIN * sliding)


def _lengths(windows: Windows) -> tuple[int, int]:
    """So many points that what is moved around the end of the transform comes to lie outside of the answer."""
    rows, columns = (out + size - 1 for out, size in zip(windows.out, windows.sizes, strict=True))
    return rows, columns


def convolve(ctx: JaxContext, x: Any, filters: Any, windows: Windows) -> Any:
    """(N, *out, O) from x (N, H, W, C) and filters (h, w, C, O)."""
    lengths, (count, *space, inner), outer = _lengths(windows), x.shape, filters.shape[-1]
    xp = ctx.xp
    places = [np.arange(n) + before for n, (before, _) in zip(space, windows.pairs, strict=True)]
    taps, out = [np.arange(n) for n in windows.sizes], [np.arange(n) for n in windows.out]
    pictures = xp.transpose(x, (1, 2, 0, 3)).reshape(*space, count * inner)
    flat = filters.reshape(*windows.sizes, inner * outer)
    rows = []
    # XLA runs what does not depend on each other side by side, but only if there is much of it.
    half = lengths[0] // 2 + 1
    for part in np.array_split(np.arange(half), min(PARTS, half)):
        a, b = (v.reshape(len(part), -1, count, inner) for v in _spectrum(ctx, pictures, part, places, lengths, -1))
        c, d = (v.reshape(len(part), -1, inner, outer) for v in _spectrum(ctx, flat, part, taps, lengths, 1))
        both = xp.concatenate([a @ c - b @ d, a @ d + b @ c], 1)
        rows.append(_rows(ctx, both.reshape(len(part), -1, count * outer), out[1], lengths[1]))
    made = _picture(ctx, xp.concatenate(rows, 0), out[0], lengths[0])
    return xp.transpose(made.reshape(*windows.out, count, outer), (2, 0, 1, 3))


def _waves(places: Any, frequencies: Any, length: int, sign: int) -> Any:
    """(frequencies, places) complex."""
    return np.exp(sign * 2j * np.pi * np.outer(frequencies, places) / length)


def _spectrum(
    ctx: JaxContext, x: Any, part: Any, places: Sequence[Any], lengths: Sequence[int], sign: int
) -> list[Any]:
    """Real and imaginary parts (rows of the spectrum * columns, R) of the transform of (H, W, R) at these places."""
    height, width, count = x.shape
    down = _waves(places[0], part, lengths[0], sign)
    across = _waves(places[1], np.arange(lengths[1]), lengths[1], sign)
    both = np.stack([down.real, down.imag], 1).reshape(2 * len(part), height).astype(x.dtype)
    held = (both @ x.reshape(height, width * count)).reshape(len(part), 2 * width, count)
    parts = [across.real, -across.imag], [across.imag, across.real]
    return [(_each(ctx, np.concatenate(p, 1), held) @ held).reshape(-1, count) for p in parts]


def _rows(ctx: JaxContext, values: Any, places: Any, length: int) -> Any:
    """(rows of the spectrum, real and imaginary parts, W, R) of (rows of the spectrum, both parts of columns, R)."""
    across = (_waves(places, np.arange(length), length, 1) / length).T
    both = np.block([[across.real, -across.imag], [across.imag, across.real]])
    return (_each(ctx, both, values) @ values).reshape(len(values), 2, len(places), -1)


def _picture(ctx: JaxContext, held: Any, places: Any, length: int) -> Any:
    """(H, W, R) of half of the rows of a spectrum: the others are their conjugates."""
    frequencies = np.arange(len(held))
    doubled = np.where((frequencies == 0) | (2 * frequencies == length), 1, 2)[:, None]
    down = (_waves(places, frequencies, length, 1) * doubled / length).T
    both = np.stack([down.real, -down.imag], -1).reshape(len(places), -1).astype(held.dtype)
    return (both @ held.reshape(2 * len(held), -1)).reshape(len(places), *held.shape[2:])


def _each(ctx: JaxContext, matrix: Any, others: Any) -> Any:
    """The same matrix for each of others."""
    return ctx.xp.broadcast_to(matrix.astype(others.dtype), (len(others), *matrix.shape))
