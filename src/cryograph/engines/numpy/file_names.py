"""Names of the files of sharded checkpoints. No file is touched."""

from __future__ import annotations

import numpy as np

from ...base.errors import InputError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule


def _scalars(*values: Array) -> None:
    for value in values:
        if value.ndim:
            raise InputError(f"scalars were expected, one has the shape {show(value.shape)}")


def _named(name: bytes) -> Array:
    held = np.empty((), object)
    held[()] = name
    return held


def _sharded_filename(ctx: Context, basename: Array, shard: Array, num_shards: Array) -> Array:
    _scalars(basename, shard, num_shards)
    return _named(b"%s-%05d-of-%05d" % (basename.item(), shard.item(), num_shards.item()))


def _sharded_filespec(ctx: Context, basename: Array, num_shards: Array) -> Array:
    _scalars(basename, num_shards)
    return _named(b"%s-?????-of-%05d" % (basename.item(), num_shards.item()))


RULES: dict[str, Rule] = {
    "ShardedFilename": _sharded_filename,
    "ShardedFilespec": _sharded_filespec,
}
