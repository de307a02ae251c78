"""Draws without a seed on ONNX Runtime: whose numbers are nobody's to name, but how often each comes is."""

from __future__ import annotations

from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, INT64, dtype_of
from cryograph.base.tensors import Tensor
from cryograph.engines.onnxruntime.engine import OnnxRuntime
from cryograph.program.program import Program, Spec, Step
from tests.support.op_cases import Array


def drawing(op: str, result: Any, *inputs: Array, fixed: tuple[int, ...] = (), **attrs: Any) -> Program:
    names = tuple(f"in{i}" for i in range(len(inputs)))
    specs = {name: Spec(dtype_of(x.dtype), x.shape) for name, x in zip(names, inputs, strict=True)}
    specs["out"] = Spec(result, None)
    constants = {names[i]: Tensor.of(inputs[i]) for i in fixed}
    fed = tuple(name for name in names if name not in constants)
    return Program(fed, ("out",), (Step("draw", op, names, ("out",), attrs),), constants, specs)


def test_classes_are_drawn_by_their_chances() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [1e-9, 1e-9, 1.0]], np.float32))
    many = np.array(4000, np.int32)
    program = drawing("Multinomial", INT64, logits, many, fixed=(1,), seed=0, seed2=0, output_dtype=INT64)
    (made,) = OnnxRuntime().prepare(program)([logits])
    assert made.shape == (2, 4000)
    assert made.dtype == np.int64
    shares = np.bincount(made[0], minlength=3) / 4000
    assert np.abs(shares - [0.5, 0.25, 0.25]).max() < 0.06
    assert (made[1] == 2).mean() > 0.99


def test_whole_numbers_fill_their_range() -> None:
    shape, low, high = np.array([5000], np.int32), np.array(-2, np.int32), np.array(3, np.int32)
    program = drawing("RandomUniformInt", INT32, shape, low, high, seed=0, seed2=0)
    (made,) = OnnxRuntime().prepare(program)([shape, low, high])
    counts = np.bincount(made + 2, minlength=5)
    assert counts.size == 5
    assert np.abs(counts / 5000 - 0.2).max() < 0.05


def test_rows_are_shuffled_whole() -> None:
    x = np.arange(200, dtype=np.int32).reshape(100, 2)
    run = OnnxRuntime().prepare(drawing("RandomShuffle", INT32, x, seed=0, seed2=0))
    (first,), (second,) = run([x]), run([x])
    assert sorted(first.tolist()) == x.tolist()
    assert first.tolist() != second.tolist()
