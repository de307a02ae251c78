"""Cases of fractional pools. Every case has seeds of its own: a kernel goes on drawing where it ended."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from tests.support.op_cases import Case, case, floats, ivec, kernel_types, refusal, values


def pools() -> Iterator[Case]:
    seeds = count(1)
    for op in ("FractionalMaxPool", "FractionalAvgPool"):
        for size, ratio in (((10, 11), (1.4, 1.7)), ((12, 9), (2.0, 1.5)), ((7, 23), (1.0, 2.3)), ((5, 6), (3.5, 5.9))):
            for pseudo in (False, True):
                for overlapping in (False, True):
                    attrs: dict[str, Any] = {
                        "pooling_ratio": [1.0, *ratio, 1.0],
                        "pseudo_random": pseudo,
                        "deterministic": True,
                    }
                    yield case(op, floats(2, *size, 3), **attrs, overlapping=overlapping, seed=next(seeds), seed2=7)
        for kind in kernel_types(op):
            yield case(op, values(kind, 1, 6, 7, 2), pooling_ratio=[1.0, 1.3, 1.6, 1.0], seed=3, seed2=next(seeds),
                       deterministic=True)  # fmt: skip
        yield case(op, floats(2, 6, 8, 3), pooling_ratio=[1.0, 2.0, 4.0, 1.0])  # nothing is left to chance
        yield refusal(op, floats(2, 5, 5, 3), pooling_ratio=[1.0, 1.5, 1.5, 1.0], seed=1)  # but not deterministic
        yield refusal(op, floats(2, 5, 3), pooling_ratio=[1.0, 1.5, 1.5, 1.0], seed=1, deterministic=True)
        yield refusal(op, floats(2, 5, 5, 3), pooling_ratio=[1.0, 0.5, 1.5, 1.0])
        yield refusal(op, floats(2, 5, 5, 3), pooling_ratio=[1.0, 1.5, 9.0, 1.0])


def gradients() -> Iterator[Case]:
    down, across = ivec(0, 2, 3, 5, 7, dtype=np.int64), ivec(0, 1, 3, 6, dtype=np.int64)
    for op in ("FractionalMaxPoolGrad", "FractionalAvgPoolGrad"):
        for overlapping in (False, True):
            for kind in kernel_types(op):
                x, back = values(kind, 2, 7, 6, 3), values(kind, 2, 4, 3, 3, seed=1)
                y = np.zeros_like(back)
                for (r, c), _ in np.ndenumerate(np.zeros((4, 3))):
                    box = slice(down[r], down[r + 1] + overlapping), slice(across[c], across[c + 1] + overlapping)
                    y[:, r, c] = x[:, box[0], box[1]].max((1, 2))
                given = (x, y) if "Max" in op else (ivec(2, 7, 6, 3, dtype=np.int64),)
                yield case(op, *given, back, down, across, overlapping=overlapping)
    yield refusal("FractionalAvgPoolGrad", ivec(2, 7, 6, dtype=np.int64), floats(2, 4, 3, 3), down, across)


CASES: list[Case] = [*pools(), *gradients()]
