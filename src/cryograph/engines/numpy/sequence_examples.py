"""Sequence examples (tf.SequenceExample messages) taken apart: features of the whole, and lists of them, one a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ...base.dtypes import DType
from ...base.errors import InputError, RunError
from ...base.shapes import Shape, show
from ...base.tensors import Array
from ...wire import messages as pb
from .context import Context, Rule
from .examples import Dense, Listed, array, items, sparse_of


@dataclass(frozen=True, slots=True)
class Steps:
    """A list of features of one shape, one a step; `may_lack` lets it be absent."""

    key: str
    dtype: DType
    shape: Shape
    may_lack: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each example, of the whole and of its lists."""

    sparse: Sequence[Listed]
    dense: Sequence[Dense]
    ragged: Sequence[Listed]
    list_sparse: Sequence[Listed]
    list_dense: Sequence[Steps]
    list_ragged: Sequence[Listed]

    def check(self) -> None:
        """InputError when one key is wanted in two ways, or a default has another shape than its feature."""
        for sparse, dense, ragged in (
            (self.sparse, self.dense, self.ragged),
            (self.list_sparse, self.list_dense, self.list_ragged),
        ):
            seen: dict[str, str] = {}
            for keys, word in (
                ({asked.key for asked in sparse}, "sparse"),
                ({asked.key for asked in dense}, "dense"),
                ({asked.key for asked in ragged}, "ragged"),
            ):
                for key in keys:
                    if key in seen:
                        raise InputError(f"the feature {key!r} is wanted {seen[key]} and {word}")
                    seen[key] = word
        for asked in self.dense:
            if asked.default.size and asked.default.shape != asked.shape:
                raise InputError(
                    f"the default of {asked.key!r} has the shape {show(asked.default.shape)}, not {show(asked.shape)}"
                )


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message, and how errors call it."""

    name: str
    features: Mapping[str, Any]
    lists: Mapping[str, Any]

    @staticmethod
    def of(serialized: bytes, name: str) -> Parsed:
        """RunError when the bytes are no SequenceExample."""
        message = pb.SequenceExample()
        try:
            message.ParseFromString(serialized)
        except DecodeError as error:
            raise RunError(f"{name} is not a SequenceExample message: {error}") from error
        return Parsed(name, message.context.feature, message.feature_lists.feature_list)

    def listed(self, asked: Listed) -> list[Any]:
        """The values of a feature of any length; none when it is not there."""
        return items(self.features, asked.key, asked.dtype, self.name) or []

    def steps(self, asked: Listed) -> list[list[Any]]:
        """The values of each step of a list; no steps when it is not there."""
        if asked.key not in self.lists:
            return []
        steps = self.lists[asked.key].feature
        found = (items({asked.key: step}, asked.key, asked.dtype, self.name) for step in steps)
        return [values or [] for values in found]

    def dense(self, asked: Dense) -> Array:
        """The values of a feature of one shape, or its default."""
        count = prod(size or 0 for size in asked.shape or ())
        if asked.key not in self.features:
            if asked.default.size != count:
                raise RunError(f"{self.name}: the feature {asked.key!r} ({asked.dtype}) is required and is not there")
            return asked.default.reshape(-1)
        return self._exactly(items(self.features, asked.key, asked.dtype, self.name), asked, count)

    def dense_steps(self, asked: Steps) -> list[Array]:
        """The values of each step of a list of one shape."""
        if asked.key not in self.lists:
            if not asked.may_lack:
                raise RunError(f"{self.name}: the list {asked.key!r} is required and is not there")
            return []
        count = prod(size or 0 for size in asked.shape or ())
        steps = self.lists[asked.key].feature
        return [
            self._exactly(items({asked.key: step}, asked.key, asked.dtype, self.name), asked, count) for step in steps
        ]

    def _exactly(self, values: list[Any] | None, asked: Dense | Steps, count: int) -> Array:
        if values is None or len(values) != count:
            there = "no kind" if values is None else f"{len(values)} values"
            raise RunError(
                f"{self.name}: the feature {asked.key!r} has {there}; the shape {show(asked.shape)} takes {count}"
            )
        return array(values, asked.dtype)


def _context(examples: Sequence[Parsed], asked: Dense) -> Array:
    """A dense feature of all examples (N, ...)."""
    sizes = [size or 0 for size in asked.shape or ()]
    if not examples and asked.default.size != prod(sizes):
        raise RunError(f"no example is given for the feature {asked.key!r}, which is required")
    return _joined([example.dense(asked) for example in examples], asked.dtype).reshape(len(examples), *sizes)


def _joined(parts: Sequence[Array], dtype: DType) -> Array:
    return np.concatenate([array([], dtype), *parts])


def _sequences(examples: Sequence[Parsed], asked: Steps) -> tuple[Array, Array]:
    """A dense list of all examples, padded to the longest (N, T, ...), and the length of each."""
    rows = [example.dense_steps(asked) for example in examples]
    sizes = [size or 0 for size in asked.shape or ()]
    lengths = np.array([len(row) for row in rows], np.int64)
    made = np.zeros((len(rows), lengths.max(initial=0), prod(sizes)), array([], asked.dtype).dtype)
    if asked.dtype.is_string:
        made[...] = b""
    for number, row in enumerate(rows):
        if row:
            made[number, : len(row)] = np.stack(row)
    return made.reshape(*made.shape[:2], *sizes), lengths


def _sparse_steps(rows: Sequence[Sequence[Sequence[Any]]], dtype: DType) -> tuple[Array, Array, Array]:
    """Lists as a sparse tensor of (example, step, value)."""
    places = [(n, t, k) for n, row in enumerate(rows) for t, step in enumerate(row) for k in range(len(step))]
    values = array([value for row in rows for step in row for value in step], dtype)
    longest = max((len(row) for row in rows), default=0)
    widest = max((len(step) for row in rows for step in row), default=0)
    return np.array(places, np.int64).reshape(-1, 3), values, np.array([len(rows), longest, widest], np.int64)


def _splits(counts: Iterable[int], dtype: DType) -> Array:
    return np.append(0, np.cumsum([*counts])).astype(dtype.numpy)


def parse(
    serialized: Array, names: Array, wanted: Wanted, splits: Sequence[DType], list_splits: Sequence[DType]
) -> list[list[Array]]:
    """The tensors of each output argument of ParseSequenceExampleV2."""
    if serialized.ndim > 1:
        raise InputError(f"a vector of examples or a single one was expected, not {show(serialized.shape)}")
    wanted.check()
    texts = serialized.reshape(-1).tolist()
    if names.size not in (0, len(texts)):
        raise InputError(f"{names.size} names were given for {len(texts)} examples")
    called = [name.decode("utf-8", "replace") for name in names.reshape(-1).tolist()]
    called = called or [f"example {number}" for number in range(len(texts))]
    examples = [Parsed.of(text, name) for text, name in zip(texts, called, strict=True)]
    is_batch = serialized.ndim > 0
    sparse = [sparse_of([e.listed(a) for e in examples], a.dtype, is_batch) for a in wanted.sparse]
    dense = [_context(examples, asked) for asked in wanted.dense]
    ragged = [[example.listed(asked) for example in examples] for asked in wanted.ragged]
    list_sparse = [_sparse_steps([e.steps(a) for e in examples], a.dtype) for a in wanted.list_sparse]
    sequences = [_sequences(examples, asked) for asked in wanted.list_dense]
    list_ragged = [[example.steps(asked) for example in examples] for asked in wanted.list_ragged]
    if not is_batch:
        list_sparse = [(indices[:, 1:], values, shape[1:]) for indices, values, shape in list_sparse]
        dense = [values[0] for values in dense]
        sequences = [(values[0], lengths[0]) for values, lengths in sequences]

    def cut(counts: Iterator[int], dtype: DType) -> Array:
        # Of a single example TensorFlow leaves this one number undefined.
        return _splits(counts, dtype) if is_batch else np.zeros((), dtype.numpy)

    return [
        *([part[n] for part in sparse] for n in range(3)),
        dense,
        [array([v for row in rows for v in row], a.dtype) for rows, a in zip(ragged, wanted.ragged, strict=True)],
        [cut(map(len, rows), dtype) for rows, dtype in zip(ragged, splits, strict=True)],
        *([part[n] for part in list_sparse] for n in range(3)),
        [values for values, _ in sequences],
        [np.asarray(lengths) for _, lengths in sequences],
        [
            array([value for row in rows for step in row for value in step], asked.dtype)
            for rows, asked in zip(list_ragged, wanted.list_ragged, strict=True)
        ],
        [cut(map(len, rows), dtype) for rows, dtype in zip(list_ragged, list_splits, strict=True)],
        [
            _splits((len(step) for row in rows for step in row), dtype)
            for rows, dtype in zip(list_ragged, list_splits, strict=True)
        ],
    ]


def _words(keys: Iterable[bytes]) -> list[str]:
    return [key.decode("utf-8", "surrogateescape") for key in keys]


def _keys(keys: Array, count: int, what: str) -> list[str]:
    if keys.size != count:
        raise InputError(f"{keys.size} keys were given for {count} {what}")
    return _words(keys.reshape(-1).tolist())


def _all(kind: Callable[..., Any], *parts: Sequence[Any]) -> list[Any]:
    if len({len(part) for part in parts}) > 1:
        raise InputError(f"keys, dtypes, shapes and defaults are as many as each other, not {[*map(len, parts)]}")
    return [kind(*each) for each in zip(*parts, strict=True)]


def _parse_sequence(
    ctx: Context,
    serialized: Array,
    debug_name: Array,
    *defaults: Array,
    feature_list_dense_missing_assumed_empty: list[bytes],
    context_sparse_keys: list[bytes],
    context_dense_keys: list[bytes],
    feature_list_sparse_keys: list[bytes],
    feature_list_dense_keys: list[bytes],
    context_sparse_types: list[DType],
    Tcontext_dense: list[DType],
    feature_list_dense_types: list[DType],
    context_dense_shapes: list[Shape],
    feature_list_sparse_types: list[DType],
    feature_list_dense_shapes: list[Shape],
    Ncontext_dense: int,
) -> tuple[Array, ...]:
    may_lack = [key in feature_list_dense_missing_assumed_empty for key in feature_list_dense_keys]
    wanted = Wanted(
        _all(Listed, _words(context_sparse_keys), context_sparse_types),
        _all(Dense, _words(context_dense_keys), Tcontext_dense, context_dense_shapes, defaults),
        (),
        _all(Listed, _words(feature_list_sparse_keys), feature_list_sparse_types),
        _all(
            Steps,
            _words(feature_list_dense_keys),
            feature_list_dense_types,
            feature_list_dense_shapes,
            may_lack,
        ),
        (),
    )
    return tuple(part for parts in parse(serialized, debug_name, wanted, (), ()) for part in parts)


def _parse_sequence_v2(
    ctx: Context,
    serialized: Array,
    debug_name: Array,
    context_sparse_keys: Array,
    context_dense_keys: Array,
    context_ragged_keys: Array,
    feature_list_sparse_keys: Array,
    feature_list_dense_keys: Array,
    feature_list_ragged_keys: Array,
    may_lack: Array,
    *defaults: Array,
    Tcontext_dense: list[DType],
    context_sparse_types: list[DType],
    context_ragged_value_types: list[DType],
    context_ragged_split_types: list[DType],
    context_dense_shapes: list[Shape],
    feature_list_dense_types: list[DType],
    feature_list_sparse_types: list[DType],
    feature_list_ragged_value_types: list[DType],
    feature_list_ragged_split_types: list[DType],
    feature_list_dense_shapes: list[Shape],
) -> tuple[Array, ...]:
    sparse = _keys(context_sparse_keys, len(context_sparse_types), "sparse features")
    dense = _keys(context_dense_keys, len(Tcontext_dense), "dense features")
    ragged = _keys(context_ragged_keys, len(context_ragged_value_types), "ragged features")
    list_sparse = _keys(feature_list_sparse_keys, len(feature_list_sparse_types), "sparse lists")
    list_dense = _keys(feature_list_dense_keys, len(feature_list_dense_types), "dense lists")
    list_ragged = _keys(feature_list_ragged_keys, len(feature_list_ragged_value_types), "ragged lists")
    lacking = may_lack.reshape(-1).tolist()
    wanted = Wanted(
        _all(Listed, sparse, context_sparse_types),
        _all(Dense, dense, Tcontext_dense, context_dense_shapes, defaults),
        _all(Listed, ragged, context_ragged_value_types),
        _all(Listed, list_sparse, feature_list_sparse_types),
        _all(Steps, list_dense, feature_list_dense_types, feature_list_dense_shapes, lacking),
        _all(Listed, list_ragged, feature_list_ragged_value_types),
    )
    made = parse(serialized, debug_name, wanted, context_ragged_split_types, feature_list_ragged_split_types)
    return tuple(part for parts in made for part in parts)


def _parse_single_sequence(
    ctx: Context,
    serialized: Array,
    may_lack: Array,
    *inputs: Array,
    Ncontext_sparse: int,
    Ncontext_dense: int,
    Nfeature_list_sparse: int,
    Nfeature_list_dense: int,
    context_sparse_types: list[DType],
    Tcontext_dense: list[DType],
    feature_list_dense_types: list[DType],
    context_dense_shapes: list[Shape],
    feature_list_sparse_types: list[DType],
    feature_list_dense_shapes: list[Shape],
) -> tuple[Array, ...]:
    debug_name = inputs[-1]
    if serialized.ndim or may_lack.ndim != 1 or (debug_name.size and debug_name.ndim):
        raise InputError(
            "one example and one name were expected, and a vector of lists that may lack, not"
            f" {show(serialized.shape)}, {show(debug_name.shape)} and {show(may_lack.shape)}"
        )
    rest = iter(inputs[:-1])
    keys = []
    for count in (Ncontext_sparse, Ncontext_dense, Nfeature_list_sparse, Nfeature_list_dense):
        taken = [next(rest) for _ in range(count)]
        if any(key.ndim for key in taken):
            raise InputError("a key is one string, not a tensor of them")
        keys.append([key.item() for key in taken])
    lacking = [key in may_lack.tolist() for key in keys[3]]
    sparse, dense, list_sparse, list_dense = map(_words, keys)
    defaults = list(rest)
    wanted = Wanted(
        _all(Listed, sparse, context_sparse_types),
        _all(Dense, dense, Tcontext_dense, context_dense_shapes, defaults),
        (),
        _all(Listed, list_sparse, feature_list_sparse_types),
        _all(Steps, list_dense, feature_list_dense_types, feature_list_dense_shapes, lacking),
        (),
    )
    made = parse(serialized, debug_name, wanted, (), ())
    del made[10]  # the lengths of dense lists
    return tuple(part for parts in made for part in parts)


RULES: dict[str, Rule] = {
    "ParseSequenceExample": _parse_sequence,
    "ParseSequenceExampleV2": _parse_sequence_v2,
    "ParseSingleSequenceExample": _parse_single_sequence,
}
