"""Lookups in tables by ONNX Runtime: what a graph holds and what a run changes, against the reference engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import RunError
from cryograph.base.tensors import Tensor
from cryograph.engines.numpy.engine import Numpy
from cryograph.engines.onnxruntime.engine import OnnxRuntime
from cryograph.program.program import Program, Spec, Step
from tests.support.op_cases import Array, assert_alike, strings

WORDS = strings(b"a", b"", "é".encode(), b"a\0b", b"longer than a short string")
NUMBERS = np.array([7, -3, 2**40, 0], np.int64)
KEYS: list[tuple[Array, Array, Array]] = [
    # keys, values, what is wanted
    (WORDS, np.arange(5), strings(b"a\0b", b"A", b"", b"a")),
    (WORDS, np.arange(10, dtype=np.float32).reshape(5, 2), strings(b"", b"?")),
    (NUMBERS, strings(b"w", b"x", b"", b"z"), np.array([[0, 1], [2**40, -3]])),
    (np.arange(4), strings(b"w", b"x", b"y", b"z"), np.array([3, -1, 4, 0])),
    (NUMBERS.astype(np.int32), np.array([True, False, True, True]), np.array([7, 8, 0], np.int32)),
    (np.array([0.5, -2.0], np.float32), np.array([1, 2], np.int32), np.array([[-2.0], [0.25]], np.float32)),
    (np.array([[1, 2], [3, 4]]), np.array([1.5, 2.5]), np.array([[3, 4], [1, 4], [1, 2]])),
    (NUMBERS[:0], np.zeros(0), np.array([[7]])),
]


def _table(op: str, inputs: Sequence[Array], fixed: Sequence[int], results: Sequence[Array]) -> Program:
    names = [f"in{i}:0" for i in range(len(inputs))]
    given = [f"out:{i}" for i in range(len(results))]
    specs: dict[str, Spec] = {}
    for number, (name, array) in enumerate(zip(names, inputs, strict=True)):
        sizes = array.shape if number > 1 else (None, *array.shape[1:])  # how many keys there are is not known
        specs[name] = Spec(dtype_of(array.dtype), sizes)
    specs.update(
        {name: Spec(dtype_of(array.dtype), (None,) * array.ndim) for name, array in zip(given, results, strict=True)}
    )
    constants = {names[i]: Tensor.of(inputs[i]) for i in fixed}
    fed = tuple(name for name in names if name not in constants)
    return Program(fed, tuple(given), (Step("out", op, tuple(names), tuple(given), {}),), constants, specs)


def _agree(op: str, inputs: Sequence[Array], results: Sequence[Array], fixed: Sequence[int] = ()) -> None:
    program = _table(op, inputs, fixed, results)
    feeds = [array for i, array in enumerate(inputs) if i not in fixed]
    expected = Numpy().prepare(program)(feeds)
    made = OnnxRuntime().prepare(program)(feeds)
    for ours, theirs in zip(made, expected, strict=True):
        assert_alike(np.asarray(ours), np.asarray(theirs), 0)


def _default(values: Array) -> Array:
    filler: Any = b"none" if values.dtype == object else values.dtype.type(1)
    made = np.empty(values.shape[1:], values.dtype)
    made[...] = filler
    return made


@pytest.mark.parametrize("fixed", [(), (0,), (0, 1)])
@pytest.mark.parametrize("number", range(len(KEYS)))
def test_what_is_wanted_is_found(number: int, fixed: tuple[int, ...]) -> None:
    keys, values, wanted = KEYS[number]
    _agree("LookupTableFindV2", [keys, values, wanted, _default(values)], [values], fixed)


@pytest.mark.parametrize("op", ["LookupTableInsertV2", "LookupTableImportV2"])
@pytest.mark.parametrize("number", range(len(KEYS)))
def test_later_values_win(number: int, op: str) -> None:
    keys, values, wanted = KEYS[number]
    added = np.concatenate([wanted.reshape(-1, *keys.shape[1:])] * 2)
    given = np.empty((len(added), *values.shape[1:]), values.dtype)
    for place in range(len(added)):
        given[place] = values[place % len(values)] if len(values) else 0
    _agree(op, [keys, values, added, given], [keys, values])


@pytest.mark.parametrize("number", range(len(KEYS)))
def test_keys_are_removed_counted_and_exported(number: int) -> None:
    keys, values, wanted = KEYS[number]
    _agree("LookupTableRemoveV2", [keys, values, wanted.reshape(-1, *keys.shape[1:])], [keys, values])
    _agree("LookupTableSizeV2", [keys, values], [np.zeros((), np.int64)])
    _agree("LookupTableExportV2", [keys, values], [keys, values])


def test_bytes_that_are_no_text_are_an_error() -> None:
    program = _table("LookupTableFindV2", [WORDS, np.arange(5), WORDS, np.array(-1)], (0, 1), [np.arange(5)])
    runner = OnnxRuntime().prepare(program)
    with pytest.raises(RunError, match="is not UTF-8"):
        runner([strings(b"\xff"), np.array(-1)])


def test_a_table_with_keys_that_are_no_text_is_refused() -> None:
    keys = strings(b"\xff", b"a")
    program = _table("LookupTableFindV2", [keys, np.arange(2), WORDS, np.array(-1)], (0, 1), [np.arange(5)])
    (refused,) = OnnxRuntime().missing(program)
    assert "not UTF-8" in refused.reason
