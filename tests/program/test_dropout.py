"""Dropout of rate 0 is taken out of programs; any other stays."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32
from cryograph.base.tensors import Tensor
from cryograph.engines.numpy.engine import Numpy
from cryograph.program.dropout import without_dropout
from cryograph.program.program import Program, Spec, Step


def program(age: str, rate: float) -> Program:
    """Dropout as TensorFlow wrote it: by a floor (2016), by a mask that multiplies (2019), by a choice (2021)."""
    f, sizes = {"T": FLOAT32}, (None, 4)
    steps = [
        Step("shape", "Shape", ("x:0",), ("shape:0",), {"T": FLOAT32, "out_type": INT32}),
        Step("u", "RandomUniform", ("shape:0",), ("u:0",), {"seed": 3, "seed2": 4, "dtype": FLOAT32, "T": INT32}),
        Step("u1", "Mul", ("u:0", "one:0"), ("u1:0",), f),
        Step("scaled", "RealDiv", ("x:0", "keep:0"), ("scaled:0",), f),
    ]
    if age == "2016":
        steps += [
            Step("sum", "Add", ("keep:0", "u1:0"), ("sum:0",), f),
            Step("floor", "Floor", ("sum:0",), ("floor:0",), f),
            Step("y", "Mul", ("scaled:0", "floor:0"), ("y:0",), f),
        ]
    else:
        steps.append(Step("mask", "GreaterEqual", ("u1:0", "rate:0"), ("mask:0",), f))
    if age == "2019":
        steps += [
            Step("cast", "Cast", ("mask:0",), ("cast:0",), {"SrcT": BOOL, "DstT": FLOAT32, "Truncate": False}),
            Step("y", "Mul", ("scaled:0", "cast:0"), ("y:0",), f),
        ]
    if age == "2021":
        steps.append(Step("y", "SelectV2", ("mask:0", "scaled:0", "zero:0"), ("y:0",), f))
    constants = {"one:0": 1.0, "keep:0": 1 - rate, "rate:0": rate, "zero:0": 0.0}
    specs = {name: Spec(FLOAT32, ()) for name in constants} | {"shape:0": Spec(INT32, (2,))}
    specs |= {n: Spec(FLOAT32, sizes) for n in ("x:0", "u:0", "u1:0", "scaled:0", "sum:0", "floor:0", "cast:0", "y:0")}
    specs["mask:0"] = Spec(BOOL, sizes)
    held = {name: Tensor.of(np.array(value, np.float32)) for name, value in constants.items()}
    return Program(("x:0",), ("y:0",), tuple(steps), held, specs)


@pytest.mark.parametrize("age", ["2016", "2019", "2021"])
def test_dropout_of_rate_0_goes(age: str) -> None:
    plain = without_dropout(program(age, 0.0))
    assert [step.op for step in plain.steps] == ["RealDiv"]
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    assert np.array_equal(Numpy().prepare(plain)([x])[0], Numpy().prepare(program(age, 0.0))([x])[0])


@pytest.mark.parametrize("age", ["2016", "2019", "2021"])
def test_any_other_dropout_stays(age: str) -> None:
    kept = without_dropout(program(age, 0.5))
    assert kept.steps == program(age, 0.5).steps
    x = np.ones((100, 4), np.float32)
    dropped = Numpy().prepare(kept)([x])[0]
    assert 0.3 < float((dropped == 0).mean()) < 0.7
    assert set(np.unique(dropped)) == {0.0, 2.0}
