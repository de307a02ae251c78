"""Random numbers, from TensorFlow's own generator: Philox 4x32-10 (Salmon et al. 2011), keyed by the op's two seeds.

With a seed, the numbers are those that TensorFlow draws in the first run of a session. Without one they differ each
time.
"""

from __future__ import annotations

import secrets
from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(seed: int, seed2: int, blocks: int) -> Array:
    """The first `blocks` outputs, (blocks, 4) uint32, of the generator with key `seed` and upper counter `seed2`."""
    index = np.arange(blocks, dtype=np.uint64)
    high = seed2 & 0xFFFFFFFFFFFFFFFF
    counter = [
        index & _LOW,
        index >> _SHIFT,
        np.full(blocks, high & 0xFFFFFFFF, np.uint64),
        np.full(blocks, high >> 32, np.uint64),
    ]
    key = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    for _ in range(_ROUNDS):
        first = counter[0] * np.uint64(_MULTIPLIERS[0])
        second = counter[2] * np.uint64(_MULTIPLIERS[1])
        counter = [
            (second >> _SHIFT) ^ counter[1] ^ np.uint64(key[0]),
            second & _LOW,
            (first >> _SHIFT) ^ counter[3] ^ np.uint64(key[1]),
            first & _LOW,
        ]
        key = [(k + w) & 0xFFFFFFFF for k, w in zip(key, _WEYL, strict=True)]
    return np.stack(counter, -1).astype(np.uint32)


def generator_seeds(seed: int, seed2: int) -> tuple[int, int]:
    return (seed, seed2) if seed or seed2 else (secrets.randbits(64), secrets.randbits(64))


def uniform(bits: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers in [0, 1): the bits become the mantissa of a number in [1, 2), from which 1 is taken."""
    if dtype == np.float64:
        pairs = bits.reshape(-1, 2).astype(np.uint64)
        mantissa = (pairs[:, 0] & np.uint64(0xFFFFF)) << _SHIFT | pairs[:, 1]
        return (mantissa | np.uint64(1023 << 52)).view(np.float64) - 1.0
    flat = bits.reshape(-1)
    if dtype == np.float16:
        return (flat.astype(np.uint16) & np.uint16(0x3FF) | np.uint16(15 << 10)).view(np.float16) - np.float16(1)
    made = (flat & np.uint32(0x7FFFFF) | np.uint32(127 << 23)).view(np.float32) - np.float32(1)
    return made if dtype == np.float32 else _bfloat16(flat, dtype)


def _bfloat16(flat: Array, dtype: np.dtype[Any]) -> Array:
    made = (flat.astype(np.uint16) & np.uint16(0x7F) | np.uint16(127 << 7)).view(dtype)
    return np.asarray(made - dtype.type(1))


def _random_uniform(ctx: Context, shape: Array, *, seed: int = 0, seed2: int = 0) -> Array:
    sizes = [int(n) for n in shape]
    if min(sizes, default=0) < 0:
        raise RunError(f"{sizes} is no shape")
    count = prod(sizes)
    per_block = 2 if ctx.dtype == np.float64 else 4
    bits = philox(*generator_seeds(seed, seed2), -(-count // per_block))
    return uniform(bits, ctx.dtype)[:count].reshape(sizes)


def _whole(ctx: Context, shape: Array) -> Array:
    """Integers of all their bits, from the system's own source of chance."""
    sizes = [int(n) for n in shape]
    if min(sizes, default=0) < 0:
        raise RunError(f"{sizes} is no shape")
    return np.frombuffer(secrets.token_bytes(prod(sizes) * ctx.dtype.itemsize), ctx.dtype).reshape(sizes)


RULES: dict[str, Rule] = {
    "NonDeterministicInts": _whole,
    "RandomUniform": _random_uniform,
}
