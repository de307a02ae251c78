"""Ops on what describes data: axes and vectors of another layout, truth of a tensor, copies."""

from __future__ import annotations

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule


def _order(source: bytes, target: bytes) -> list[int]:
    """For each place of the target's layout the place of the same letter in the source's."""
    if len(source) not in (4, 5) or sorted(source) != sorted(target) or len(set(source)) != len(source):
        raise RunError(f"{source.decode()} and {target.decode()} do not name the same 4 or 5 dimensions")
    return [source.index(letter) for letter in target]


def _dim_map(ctx: Context, x: Array, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Array:
    """The place in the target's layout of each dimension, given by its place in the source's."""
    if len(src_format) not in (4, 5) or sorted(src_format) != sorted(dst_format):
        raise RunError(f"{src_format.decode()} and {dst_format.decode()} do not name the same 4 or 5 dimensions")
    places = np.array([dst_format.index(letter) for letter in src_format], x.dtype)
    return np.asarray(places[x % len(src_format)])


def _vec_permute(ctx: Context, x: Array, *, src_format: bytes = b"NHWC", dst_format: bytes = b"NCHW") -> Array:
    """Sizes or pairs in the order of another layout; without those of batch and channels, the spatial ones alone."""
    if x.ndim not in (1, 2):
        raise RunError(f"a vector or pairs were expected, not {list(x.shape)}")
    order = _order(src_format, dst_format)
    if len(x) == len(order):
        return x[order]
    if len(x) != len(order) - 2 or (x.ndim == 2 and x.shape[1] != 2):
        raise RunError(f"{list(x.shape)} does not fit the layout {src_format.decode()}")
    spatial = [letter for letter in src_format if letter not in b"NC"]
    return x[[spatial.index(letter) for letter in dst_format if letter not in b"NC"]]


def _to_bool(ctx: Context, x: Array) -> Array:
    """Of a single number whether it is not zero (a string: not empty), of another tensor whether it has elements."""
    return np.array(bool(x.item()) if x.ndim == 0 else x.size > 0)


def _same(ctx: Context, x: Array, *, tensor_name: bytes = b"", debug_ops_spec: list[bytes] = []) -> Array:  # noqa: B006
    return x


RULES: dict[str, Rule] = {
    "Copy": _same,
    "CopyHost": _same,
    "DataFormatDimMap": _dim_map,
    "DataFormatVecPermute": _vec_permute,
    "ToBool": _to_bool,
}
