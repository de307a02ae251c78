"""Lowerings of crosses of features: each combination of one value from each column, row by row, joined or hashed. See
the reference's `crosses`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import BOOL, INT64, STRING, DType
from ...program.program import Step
from ..numpy.hashes import MURMUR_PRIME
from .builder import Builder, Table
from .hashed import Texts, fingerprint64, mixed, remainder, short_fingerprint, siphash, texts_of, word_of
from .philox import work
from .rows import all_hold, count_of, lengths_of, most, offsets_in, rows_of, scalar, splits_of, starts_of, tallied
from .texts import joined
from .traced import Traced
from .values import Refusal, Value

_ROWS = (None,)
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class _Column:
    """The values of one column, one row behind the other, where each row begins, and how many of them it has."""

    values: Value
    starts: Value
    counts: Value
    is_dense: bool = False


@dataclass(frozen=True, slots=True)
class _Crosses:
    """Which value of each column stands in each cross; the row of each and its number there; how many rows have."""

    places: tuple[Value, ...]
    rows: Value
    numbers: Value
    counts: Value
    splits: Value


def _dense(g: Builder, tensor: Value, size: Value) -> _Column:
    columns = tensor.size(1) if tensor.rank == 2 else None
    if columns is None:
        raise Refusal("dense columns are matrices of a known width")
    width = g.const(columns, INT64)
    number = g.op("Range", g.const(0, INT64), scalar(g, size), g.const(1, INT64), shape=_ROWS)
    counts = g.op("Expand", width, size, shape=_ROWS)
    return _Column(g.reshape(tensor, [-1]), g.op("Mul", number, width, shape=_ROWS), counts, True)


def _sparse(g: Builder, indices: Value, values: Value, size: Value) -> _Column:
    """Rows must rise, and be among those that there are."""
    if values.rank != 1 or indices.rank != 2:
        raise Refusal("a sparse column has indices and values")
    if indices.array is not None and (np.diff(indices.array[:, 0]) < 0).any():
        raise Refusal("the rows of a sparse column do not rise")
    rows = g.squeeze(g.slice(indices, g.ints([0]), g.ints([1]), [1]), [1])
    rows = Value(rows.name, INT64, _ROWS)
    below = g.slice(rows, g.ints([0]), g.ints([-1]), [0])
    after = g.slice(rows, g.ints([1]), g.ints([1 << 62]), [0])
    flags = [
        g.op("LessOrEqual", below, after, dtype=BOOL, shape=_ROWS),
        g.op("Less", rows, size, dtype=BOOL, shape=_ROWS),
        g.op("GreaterOrEqual", rows, g.const(0, INT64), dtype=BOOL, shape=_ROWS),
    ]
    right = all_hold(g, g.op("Concat", *flags, axis=0, shape=_ROWS))
    rows = Value(g.behind(rows, g.must(right, "the rows of a sparse column do not rise")).name, INT64, _ROWS)
    counts = tallied(g, rows, size)
    return _Column(values, starts_of(g, splits_of(g, counts)), counts)


def _ragged(g: Builder, values: Value, splits: Value) -> _Column:
    if values.rank != 1 or splits.rank != 1:
        raise Refusal("a ragged column has values and splits")
    held = g.int64(splits)
    counts = lengths_of(g, held)
    ends = [g.slice(held, g.ints([at]), g.ints([at + 1] if at == 0 else [1 << 62]), [0]) for at in (0, -1)]
    flags = [
        g.op("Equal", ends[0], g.ints([0]), dtype=BOOL, shape=_ROWS),
        g.op("Equal", ends[1], count_of(g, values), dtype=BOOL, shape=_ROWS),
        g.op("GreaterOrEqual", counts, g.const(0, INT64), dtype=BOOL, shape=_ROWS),
    ]
    right = all_hold(g, g.op("Concat", *flags, axis=0, shape=_ROWS))
    counts = g.behind(counts, g.must(right, "the row splits do not go from 0 to the number of values"))
    return _Column(values, starts_of(g, held), Value(counts.name, INT64, _ROWS))


def _crosses(g: Builder, columns: Sequence[_Column]) -> _Crosses:
    """All combinations, of which the last column turns fastest."""
    if not columns:
        raise Refusal("there are no columns to be crossed")
    counts = columns[0].counts
    for column in columns[1:]:
        counts = g.op("Mul", counts, column.counts, shape=_ROWS)
    splits = splits_of(g, counts)
    rows = rows_of(g, splits)
    numbers = offsets_in(g, rows, starts_of(g, splits))
    places, number = [], numbers
    for column in reversed(columns):
        each = g.op("Max", g.op("Gather", column.counts, rows, axis=0, shape=_ROWS), g.const(1, INT64), shape=_ROWS)
        start = g.op("Gather", column.starts, rows, axis=0, shape=_ROWS)
        places.append(g.op("Add", start, g.op("Mod", number, each, shape=_ROWS), shape=_ROWS))
        number = g.op("Div", number, each, shape=_ROWS)
    return _Crosses(tuple(reversed(places)), rows, numbers, counts, splits)


def _taken(x: Traced, places: Value) -> Traced:
    g = x.g
    held = g.cast(x.value, INT64)
    return Traced(g, g.cast(g.op("Gather", held, places, axis=0, shape=_ROWS), work()))


def _cat(first: Traced, second: Traced) -> Traced:
    """Two fingerprints as one."""
    prime = word_of(first.g, MURMUR_PRIME)
    made = (first ^ prime ^ mixed(second * prime) * prime) * prime
    return mixed(mixed(made) * prime)


def _fingerprints(g: Builder, column: _Column) -> Traced:
    """Strings by their fingerprints, integers as they are."""
    if column.values.dtype == STRING:
        return fingerprint64(texts_of(g, column.values))
    return Traced(g, g.cast(column.values, work()))


def _from_key(g: Builder, columns: Sequence[_Column], found: _Crosses, hash_key: int, num_buckets: int) -> Value:
    """The hash of each cross, which begins with the key."""
    made: Traced = word_of(g, hash_key)
    for column, places in zip(columns, found.places, strict=True):
        made = _cat(made, _taken(_fingerprints(g, column), places))
    return remainder(made, num_buckets if num_buckets > 0 else _LARGEST)


def _joined(g: Builder, columns: Sequence[_Column], found: _Crosses, separator: Value) -> Value:
    made: Value | None = None
    for column, places in zip(columns, found.places, strict=True):
        part = g.op("Gather", g.cast(column.values, STRING), places, axis=0, shape=_ROWS)
        made = part if made is None else joined(g, joined(g, made, separator, _ROWS), part, _ROWS)
    if made is None:
        raise Refusal("there are no columns to be joined")
    return made


def _columns(g: Builder, inputs: Sequence[Value], count: int) -> tuple[list[_Column], Value]:
    """Sparse columns and dense ones behind them, and the number of rows (a vector of one int64)."""
    indices, values, shapes = (inputs[n * count : (n + 1) * count] for n in range(3))
    dense = inputs[3 * count :]
    sizes = [g.slice(shape, g.ints([0]), g.ints([1]), [0]) for shape in shapes] + [count_of(g, x) for x in dense]
    if not sizes:
        raise Refusal("there are no columns to be crossed")
    size = Value(sizes[0].name, INT64, (1,), sizes[0].tensor)
    for other in sizes[1:]:
        same = g.reshape(g.op("Equal", size, other, dtype=BOOL, shape=(1,)), [])
        size = g.behind(size, g.must(same, "columns do not have as many rows as each other"))
        size = Value(size.name, INT64, (1,))
    columns = [_sparse(g, i, v, size) for i, v in zip(indices, values, strict=True)]
    return [*columns, *(_dense(g, tensor, size) for tensor in dense)], size


def _sparse_result(g: Builder, found: _Crosses, values: Value, size: Value) -> list[Value]:
    both = [g.unsqueeze(part, [1]) for part in (found.rows, found.numbers)]
    return [g.concat(both, 1, (None, 2)), values, g.concat([size, most(g, found.counts)], 0, (2,))]


def sparse_cross(
    g: Builder,
    step: Step,
    *inputs: Value,
    N: int,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    out_type: DType,
    internal_type: DType,
) -> list[Value]:
    columns, size = _columns(g, inputs, N)
    if internal_type == STRING and any(column.values.dtype != STRING for column in columns):
        raise Refusal("a column holds integers, where the op says that all hold strings")
    found = _crosses(g, columns)
    if out_type == INT64:
        return _sparse_result(g, found, _from_key(g, columns, found, hash_key, num_buckets), size)
    return _sparse_result(g, found, _joined(g, columns, found, _text(g, b"_X_")), size)


def _text(g: Builder, value: bytes) -> Value:
    return g.const(np.array(value, object), STRING)


def sparse_cross_v2(g: Builder, step: Step, *inputs: Value, N: int) -> list[Value]:
    columns, size = _columns(g, inputs[:-1], N)
    found = _crosses(g, columns)
    return _sparse_result(g, found, _joined(g, columns, found, scalar(g, inputs[-1])), size)


def _lower_half(g: Builder, values: Value) -> Texts:
    """The lower half of integers as four bytes, of which TensorFlow's kernel takes the hash."""
    low = Traced(g, g.cast(values, work())) & word_of(g, 0xFFFFFFFF)
    words = [g.unsqueeze((low >> 8 * at).value if at else low.value, [1]) for at in range(4)]
    sizes = g.op("Expand", g.const(4, INT64), count_of(g, values), shape=_ROWS)
    return Texts(g, g.concat(words, 1, (None, 4)), sizes)


def sparse_cross_hashed(g: Builder, step: Step, *inputs: Value, N: int) -> list[Value]:
    (buckets,) = g.fixed_ints(inputs[-3], "the number of buckets")
    is_strong = bool(g.fixed(inputs[-2], "strong_hash"))
    salt = g.fixed_ints(inputs[-1], "the salt")
    if len(salt) != 2:
        raise Refusal(f"the salt is two numbers, not {len(salt)}")

    def hash_of(column: _Column) -> Traced:
        if column.values.dtype == STRING:
            texts = texts_of(g, column.values)
            return siphash(texts, salt) if is_strong else fingerprint64(texts)
        if column.is_dense:
            return Traced(g, g.cast(column.values, work()))
        half = _lower_half(g, column.values)
        return siphash(half, salt) if is_strong else short_fingerprint(half)

    columns, size = _columns(g, inputs[:-3], N)
    if is_strong and any(column.is_dense and column.values.dtype != STRING for column in columns):
        raise Refusal("dense integers have no strong hash")
    found = _crosses(g, columns)
    made: Traced | None = None
    for column, places in zip(columns, found.places, strict=True):
        part = _taken(hash_of(column), places)
        made = part if made is None else _cat(made, part)
    if made is None:
        raise Refusal("there are no columns to be crossed")
    return _sparse_result(g, found, remainder(made, buckets if buckets > 0 else _LARGEST), size)


def ragged_cross(
    g: Builder,
    step: Step,
    *inputs: Value,
    Nsparse: int,
    input_order: bytes,
    hashed_output: bool,
    num_buckets: int,
    hash_key: int,
    ragged_values_types: Sequence[DType],
    ragged_splits_types: Sequence[DType],
    dense_types: Sequence[DType],
    out_values_type: DType,
    out_row_splits_type: DType,
) -> list[Value]:
    count = len(ragged_values_types)
    if any(dtype != out_row_splits_type for dtype in ragged_splits_types):
        raise Refusal("the row splits of all columns are not of the dtype of those that come out")
    ragged = [_ragged(g, v, s) for v, s in zip(inputs[:count], inputs[count : 2 * count], strict=True)]
    rest = inputs[2 * count :]
    if rest:
        others, size = _columns(g, rest, Nsparse)
    else:
        others, size = [], count_of(g, ragged[0].counts) if ragged else g.ints([0])
    for column in ragged:
        same = g.reshape(g.op("Equal", size, count_of(g, column.counts), dtype=BOOL, shape=(1,)), [])
        size = Value(g.behind(size, g.must(same, "columns do not have as many rows")).name, INT64, (1,))
    waiting = {"R": ragged, "S": others[:Nsparse], "D": others[Nsparse:]}
    columns: list[_Column] = []
    for letter in input_order.decode("latin-1"):
        if not waiting.get(letter):
            raise Refusal(f"{input_order!r} is not an order of the columns")
        columns.append(waiting[letter].pop(0))
    if any(waiting.values()):
        raise Refusal(f"{input_order!r} does not name all columns")
    found = _crosses(g, columns)
    if out_values_type == INT64:
        made = _from_key(g, columns, found, hash_key, num_buckets)
    else:
        made = _joined(g, columns, found, _text(g, b"_X_"))
    # That all columns have as many rows is to be found out before anything leaves.
    same = g.op("Equal", size, count_of(g, found.counts), dtype=BOOL, shape=(1,))
    splits = g.behind(found.splits, g.must(g.reshape(same, []), "columns do not have as many rows"))
    return [made, g.cast(Value(splits.name, INT64, _ROWS), out_row_splits_type)]


LOWERINGS: Table = {
    "RaggedCross": ragged_cross,
    "SparseCross": sparse_cross,
    "SparseCrossHashed": sparse_cross_hashed,
    "SparseCrossV2": sparse_cross_v2,
}
