"""XLA's random bits: Philox and ThreeFry, bit for bit.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. The state is a key and a counter, of 128 bits for
Philox and of 64 for ThreeFry, which moves on by one for each turn of the generator.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .draws import Philox, sizes_of_shape

_WORD = np.uint64(0xFFFFFFFF)
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_PHILOX, _THREEFRY, _ANY = 1, 2, 3
"""TensorFlow's numbers of the generators."""


def threefry(key: int, counters: Array) -> Array:
    """(n, 2) words of 32 bits for n counters of 64, in 20 rounds."""
    low, high = key & 0xFFFFFFFF, key >> 32
    keys = [low, high, low ^ high ^ _PARITY]
    a = (counters & _WORD).astype(np.uint32) + np.uint32(low)
    b = (counters >> np.uint64(32)).astype(np.uint32) + np.uint32(high)
    for turn in range(5):
        for by in _ROTATIONS[turn % 2]:
            a = a + b
            b = a ^ ((b << np.uint32(by)) | (b >> np.uint32(32 - by)))
        a = a + np.uint32(keys[(turn + 1) % 3])
        b = b + np.uint32((keys[(turn + 2) % 3] + turn + 1) & 0xFFFFFFFF)
    return np.stack([a, b], -1)


def _bits(ctx: Context, algorithm: Array, initial_state: Array, shape: Array) -> tuple[Array, Array]:
    """The state afterwards, and whole numbers of all their bits."""
    sizes, dtype = sizes_of_shape(shape), np.dtype(ctx.output_dtypes[1].numpy)
    count, kind = prod(sizes), int(algorithm)
    is_philox = kind == _PHILOX or (kind == _ANY and initial_state.size == 3)
    if kind not in (_PHILOX, _THREEFRY, _ANY) or initial_state.shape != ((3,) if is_philox else (2,)):
        raise RunError(f"the generator {kind} does not go with a state of {list(initial_state.shape)}")
    key, counter, *rest = (int(n) for n in initial_state)
    if is_philox:
        turns = -(-count * max(dtype.itemsize // 4, 1) // 4)
        counter |= rest[0] << 64
        flat = Philox(key, counter).words(0, turns).reshape(-1)
        after = (counter + turns) & ((1 << 128) - 1)
        state = [key, after & 0xFFFFFFFFFFFFFFFF, after >> 64]
        made = (_pairs(flat.reshape(-1, 2)) if dtype.itemsize == 8 else flat)[:count].reshape(sizes)
    else:
        made, turns = _threefry_of_shape(key, counter, sizes, dtype.itemsize == 8)
        state = [key, (counter + turns) & 0xFFFFFFFFFFFFFFFF]
    return np.array(state, np.uint64), made.astype(f"u{dtype.itemsize}").view(dtype)


def _pairs(words: Array) -> Array:
    """Two words of 32 bits as one of 64, the lower one first."""
    return np.asarray(words[..., 0] | words[..., 1].astype(np.uint64) << np.uint64(32))


def _threefry_of_shape(key: int, counter: int, sizes: list[int], is_wide: bool) -> tuple[Array, int]:
    """Numbers and turns. The two words of a turn are neighbours along the first dimension of even size, or else along
    the largest one, of which the last number is left out then."""
    if is_wide or not sizes:
        turns = prod(sizes)
        words = threefry(key, np.uint64(counter) + np.arange(turns, dtype=np.uint64))
        return (_pairs(words) if is_wide else words[:, 0]).reshape(sizes), turns
    axis = next((at for at, size in enumerate(sizes) if size % 2 == 0), sizes.index(max(sizes)))
    half = [*sizes[:axis], (sizes[axis] + 1) // 2, *sizes[axis + 1 :]]
    turns = prod(half)
    words = threefry(key, np.uint64(counter) + np.arange(turns, dtype=np.uint64))
    laid = np.moveaxis(words.reshape((*half, 2)), -1, axis + 1)
    both = laid.reshape((*half[:axis], 2 * half[axis], *half[axis + 1 :]))
    return both[(slice(None),) * axis + (slice(sizes[axis]),)], turns


RULES: dict[str, Rule] = {
    "XlaRngBitGenerator": _bits,
}
