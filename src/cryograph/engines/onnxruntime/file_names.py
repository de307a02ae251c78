"""Lowerings of the names of the files of sharded checkpoints."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT64, STRING
from ...program.program import Step
from .builder import Builder, Table
from .texts import joined, text
from .values import Refusal, Value


def _five_digits(g: Builder, number: Value) -> Value:
    """A number that is not negative, with zeros in front."""
    right = g.op("GreaterOrEqual", number, g.const(0, number.dtype), dtype=BOOL, shape=())
    held = g.behind(number, g.must(right, "the number of a file is negative"))
    ends = g.const([10, 100, 1000, 10000], INT64)
    longer = g.cast(g.op("GreaterOrEqual", g.int64(held), ends, dtype=BOOL, shape=(4,)), INT64)
    count = g.op("ReduceSum", longer, keepdims=0, shape=())
    zeros = g.const(np.array([b"0000", b"000", b"00", b"0", b""], object), STRING)
    return joined(g, g.op("Gather", zeros, count, axis=0, shape=()), g.cast(held, STRING), ())


def _scalars(*values: Value) -> None:
    if any(value.shape != () for value in values):
        raise Refusal("the names of files are made of single values")


def filename(g: Builder, step: Step, basename: Value, shard: Value, num_shards: Value) -> Value:
    _scalars(basename, shard, num_shards)
    first = joined(g, joined(g, basename, text(g, b"-"), ()), _five_digits(g, shard), ())
    return joined(g, joined(g, first, text(g, b"-of-"), ()), _five_digits(g, num_shards), ())


def filespec(g: Builder, step: Step, basename: Value, num_shards: Value) -> Value:
    _scalars(basename, num_shards)
    return joined(g, joined(g, basename, text(g, b"-?????-of-"), ()), _five_digits(g, num_shards), ())


LOWERINGS: Table = {"ShardedFilename": filename, "ShardedFilespec": filespec}
