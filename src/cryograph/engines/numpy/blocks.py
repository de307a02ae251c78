"""Space, depth and batch turned into each other, block by block, in any array namespace."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...base.errors import RunError
from .context import Context, Rule
from .slices import pairs_of


def _blocks(x: Any, size: int, data_format: bytes, to_depth: bool) -> Any:
    if x.ndim != 4:
        raise RunError(f"{x.ndim} dimensions were given where 4 are taken")
    if data_format == b"NCHW":
        x = x.transpose(0, 2, 3, 1)
    n, h, w, c = x.shape
    if to_depth:
        if h % size or w % size:
            raise RunError(f"the size {h} x {w} is no multiple of the block {size}")
        made = x.reshape(n, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)
        made = made.reshape(n, h // size, w // size, size * size * c)
    else:
        if c % (size * size):
            raise RunError(f"{c} channels are no multiple of the block {size} x {size}")
        inner = c // (size * size)
        made = x.reshape(n, h, w, size, size, inner).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * size, w * size, inner)
    return made.transpose(0, 3, 1, 2) if data_format == b"NCHW" else made


def _space_to_depth(ctx: Context, x: Any, *, block_size: int, data_format: bytes = b"NHWC") -> Any:
    return _blocks(x, block_size, data_format, True)


def _depth_to_space(ctx: Context, x: Any, *, block_size: int, data_format: bytes = b"NHWC") -> Any:
    return _blocks(x, block_size, data_format, False)


def _block_of(ctx: Context, x: Any, block_shape: Any, pairs: Any) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    block = ctx.sizes(block_shape)
    if any(b < 1 for b in block) or len(block) >= x.ndim:
        raise RunError(f"blocks of {list(block)} do not fit {x.ndim} dimensions")
    return block, pairs_of(ctx.known(pairs), len(block))


def _space_to_batch_nd(ctx: Context, x: Any, block_shape: Any, paddings: Any) -> Any:
    """(N * blocks, H / b, W / b, ...): the place inside of the block is the slowest index of the new batch."""
    block, pairs = _block_of(ctx, x, block_shape, paddings)
    m = len(block)
    padded = ctx.xp.pad(x, [(0, 0), *pairs, *[(0, 0)] * (x.ndim - 1 - m)])
    shape, rest = [padded.shape[0]], padded.shape[1 + m :]
    for size, b in zip(padded.shape[1 : 1 + m], block, strict=True):
        if size % b:
            raise RunError(f"the padded size {size} is not a multiple of the block {b}")
        shape += [size // b, b]
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m + 1, 2), *range(2 * m + 1, 2 * m + 1 + len(rest))]
    made = padded.reshape(*shape, *rest).transpose(order)
    return made.reshape(x.shape[0] * prod(block), *shape[1::2], *rest)


def _batch_to_space_nd(ctx: Context, x: Any, block_shape: Any, crops: Any) -> Any:
    block, pairs = _block_of(ctx, x, block_shape, crops)
    m, rest = len(block), x.shape[1 + len(block) :]
    batch, odd = divmod(x.shape[0], prod(block))
    if odd:
        raise RunError(f"the batch {x.shape[0]} is not a multiple of the blocks {list(block)}")
    order = [m]
    for i in range(m):
        order += [m + 1 + i, i]
    order += range(2 * m + 1, 2 * m + 1 + len(rest))
    sizes = [size * b for size, b in zip(x.shape[1 : 1 + m], block, strict=True)]
    if any(a + b > size for size, (a, b) in zip(sizes, pairs, strict=True)):
        raise RunError(f"the crops {pairs} leave nothing of {sizes}")
    made = x.reshape(*block, batch, *x.shape[1:]).transpose(order).reshape(batch, *sizes, *rest)
    return made[(slice(None), *(slice(a, size - b) for size, (a, b) in zip(sizes, pairs, strict=True)))]


def _space_to_batch(ctx: Context, x: Any, paddings: Any, *, block_size: int) -> Any:
    return _space_to_batch_nd(ctx, x, np.array([block_size] * 2), paddings)


def _batch_to_space(ctx: Context, x: Any, crops: Any, *, block_size: int) -> Any:
    return _batch_to_space_nd(ctx, x, np.array([block_size] * 2), crops)


RULES: dict[str, Rule] = {
    "BatchToSpace": _batch_to_space,
    "BatchToSpaceND": _batch_to_space_nd,
    "DepthToSpace": _depth_to_space,
    "SpaceToBatch": _space_to_batch,
    "SpaceToBatchND": _space_to_batch_nd,
    "SpaceToDepth": _space_to_depth,
}
