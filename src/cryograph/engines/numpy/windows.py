"""Windows that move over arrays: data formats, padding, and strided views.

Inside, channels stand last: (N, *sizes, C). Padding: VALID none; SAME so that the output has ceil(size / stride)
elements, the odd one at the end; EXPLICIT as given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array

Pairs = list[tuple[int, int]]
FIRST = frozenset({b"NCHW", b"NCDHW", b"NCW", b"CHANNELS_FIRST"})
"""Data formats with the channels first."""


def channels_last(x: Any, data_format: bytes) -> Any:
    """An array of any namespace with the channels last, as a view where it can be one."""
    return x.transpose(0, *range(2, x.ndim), 1) if data_format in FIRST else x


def as_format(x: Any, data_format: bytes) -> Any:
    """A channels-last array in the op's own order."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1)) if data_format in FIRST else x


def spatial(values: Sequence[int], data_format: bytes, rank: int) -> list[int]:
    """The entries of an attribute that speak of height, width ...: ones where it is empty.

    RunError when the entries of batch and channels are not 1.
    """
    if not values:
        return [1] * rank
    if len(values) != rank + 2:
        raise RunError(f"{list(values)} has {len(values)} entries where {rank + 2} are expected")
    first = data_format in FIRST
    inner, outer = (values[2:], values[:2]) if first else (values[1:-1], (values[0], values[-1]))
    if any(v != 1 for v in outer) or any(v < 1 for v in inner):
        raise RunError(f"{list(values)} moves over batch or channels, or not at all")
    return list(inner)


def explicit_pairs(explicit: Sequence[int] | None, data_format: bytes, rank: int) -> Pairs:
    """The pairs of an attribute that speak of height, width ..."""
    if not explicit:
        return []
    if len(explicit) != 2 * (rank + 2):
        raise RunError(f"the paddings {list(explicit)} are not pairs for {rank + 2} dimensions")
    pairs = [(explicit[2 * i], explicit[2 * i + 1]) for i in range(rank + 2)]
    return pairs[2:] if data_format in FIRST else pairs[1:-1]


@dataclass(frozen=True, slots=True)
class Windows:
    """How windows move: their sizes, strides and dilations, and what is added around, per spatial dimension."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    out: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """The sizes with their gaps."""
        return tuple((w - 1) * d + 1 for w, d in zip(self.sizes, self.dilations, strict=True))


def plan(
    space: Sequence[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: bytes,
    dilations: Sequence[int] | None = None,
    explicit: Pairs | None = None,
) -> Windows:
    """Windows over a space of these sizes; RunError when they do not fit it."""
    gaps = list(dilations) if dilations is not None else [1] * len(sizes)
    spans = [(w - 1) * d + 1 for w, d in zip(sizes, gaps, strict=True)]
    if padding == b"SAME":
        added = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in zip(space, spans, strides, strict=True)]
        pairs = [(total // 2, total - total // 2) for total in added]
    elif padding == b"EXPLICIT":
        if not explicit or any(a < 0 or b < 0 for a, b in explicit):
            raise RunError(f"the explicit paddings {explicit} are not one pair for each dimension")
        pairs = explicit
    else:
        pairs = [(0, 0)] * len(sizes)
    out = []
    for n, w, s, (a, b) in zip(space, spans, strides, pairs, strict=True):
        count = int((n + a + b - w + s) / s)
        if w < 1 or count < 0:
            raise RunError(f"windows of {list(sizes)} do not fit the size {list(space)}")
        out.append(count)
    return Windows(tuple(sizes), tuple(strides), tuple(gaps), tuple(pairs), tuple(out))


def padded(x: Array, pairs: Sequence[tuple[int, int]], value: Any = 0) -> Array:
    """(N, *sizes, C) with something around the sizes."""
    if not any(a or b for a, b in pairs):
        return x
    shape = (x.shape[0], *(n + a + b for n, (a, b) in zip(x.shape[1:-1], pairs, strict=True)), x.shape[-1])
    out = np.zeros(shape, x.dtype) if type(value) is int and value == 0 else np.full(shape, value, x.dtype)
    out[(slice(None), *(slice(a, a + n) for n, (a, _) in zip(x.shape[1:-1], pairs, strict=True)))] = x
    return out


def view(x: Array, windows: Windows) -> Array:
    """(N, *out, *sizes, C): each window of a padded x (N, *space, C), without a copy."""
    step = x.strides
    outer = [s * b for s, b in zip(windows.strides, step[1:-1], strict=True)]
    inner = [d * b for d, b in zip(windows.dilations, step[1:-1], strict=True)]
    fits = all(n >= w for n, w in zip(x.shape[1:-1], windows.spans, strict=True))
    shape = (x.shape[0], *windows.out, *windows.sizes, x.shape[-1])
    if not fits or 0 in shape:
        return np.zeros(shape, x.dtype)
    found: Array = np.lib.stride_tricks.as_strided(x, shape, (step[0], *outer, *inner, step[-1]), writeable=False)
    return found


def place(windows: Windows, at: Sequence[int]) -> tuple[slice, ...]:
    """Where the element `at` of each window lies in the padded array: an index for (N, *space, C)."""
    box = tuple(
        slice(p * d, p * d + (n - 1) * s + 1, s)
        for p, d, n, s in zip(at, windows.dilations, windows.out, windows.strides, strict=True)
    )
    return (slice(None), *box)
