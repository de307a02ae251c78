"""Derivatives that no file holds, against those that are worked out by hand or by small steps."""

from __future__ import annotations

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64
from cryograph.base.errors import InputError, UnknownNameError
from tests.support.op_cases import F, floats
from tests.support.small_graphs import const, document_of, handle, ints, node, placeholder


def model() -> cg.Model:
    """Loss = sum((relu(x w + b) - y)^2)."""
    return cg.Model.of(
        document_of(
            placeholder("x", (None, 3)),
            placeholder("y", (None, 2)),
            handle("w", shape=(3, 2)),
            node("w/read", "ReadVariableOp", "w", dtype=FLOAT32),
            handle("b", shape=(2,)),
            node("b/read", "ReadVariableOp", "b", dtype=FLOAT32),
            node("product", "MatMul", "x", "w/read", T=FLOAT32),
            node("sum", "BiasAdd", "product", "b/read", T=FLOAT32),
            node("out", "Relu", "sum", T=FLOAT32),
            node("squares", "SquaredDifference", "out", "y", T=FLOAT32),
            ints("axes", [0, 1]),
            node("loss", "Sum", "squares", "axes", T=FLOAT32, Tidx=INT32),
            values={"w": floats(3, 2, seed=1), "b": floats(2, seed=2)},
        )
    )


X, Y = floats(5, 3, seed=3), floats(5, 2, seed=4)


def by_hand() -> tuple[float, np.ndarray, np.ndarray]:
    before = X @ floats(3, 2, seed=1) + floats(2, seed=2)
    slope = 2 * (np.maximum(before, 0) - Y) * (before > 0)
    return float(((np.maximum(before, 0) - Y) ** 2).sum()), X.T @ slope, slope


def test_variables_and_tensors_by_name() -> None:
    loss, weights, slope = by_hand()
    found, slopes = model().grad("loss", ["w", "b", "x", "sum"])({"x": X, "y": Y})
    assert found == pytest.approx(loss, rel=1e-5)
    assert sorted(slopes) == ["b", "sum", "w", "x"]
    np.testing.assert_allclose(slopes["w"], weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(slopes["b"], slope.sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(slopes["sum"], slope, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(slopes["x"], slope @ floats(3, 2, seed=1).T, rtol=1e-4, atol=1e-5)


def test_other_values_of_variables_are_taken() -> None:
    gradient = model().grad("loss", "*")
    assert gradient.wrt == ("w", "b")
    loss, _ = gradient({"x": X, "y": Y}, {"w": np.zeros((3, 2), F), "b": np.zeros(2, F)})
    assert loss == pytest.approx(float((Y**2).sum()), rel=1e-5)


def test_shapes_may_change() -> None:
    gradient = model().grad("loss", "w")
    for count in (1, 4):
        assert gradient({"x": X[:count], "y": Y[:count]})[1]["w"].shape == (3, 2)


def test_the_sum_of_a_tensor_is_differentiated() -> None:
    graph = cg.Model.of(document_of(placeholder("x", (None,)), node("y", "Square", "x", T=FLOAT32)))
    _, slopes = graph.grad("y", "x")({"x": np.array([1, 2, 3], F)})
    assert slopes["x"].tolist() == [2, 4, 6]


def test_the_first_of_two_equals_gets_the_gradient_of_a_maximum() -> None:
    graph = cg.Model.of(
        document_of(placeholder("x", (None,)), placeholder("z", (None,)), node("y", "Maximum", "x", "z", T=FLOAT32))
    )
    _, slopes = graph.grad("y", ["x", "z"])({"x": np.array([1, 2], F), "z": np.array([1, 3], F)})
    assert slopes["x"].tolist() == [1, 0]
    assert slopes["z"].tolist() == [0, 1]


def test_what_is_run_step_by_step_is_differentiated_too() -> None:
    graph = cg.Model.of(
        document_of(
            placeholder("x", (None,)),
            const("zero", np.zeros((), F)),
            node("large", "Greater", "x", "zero", T=FLOAT32),
            node("places", "Where", "large", T=BOOL),
            node("chosen", "GatherNd", "x", "places", Tparams=FLOAT32, Tindices=INT64),
            node("y", "Square", "chosen", T=FLOAT32),
        )
    )
    _, slopes = graph.grad("y", "x")({"x": np.array([-1, 2, 3], F)})
    assert slopes["x"].tolist() == [0, 4, 6]


def test_names_that_are_not_there_are_told() -> None:
    with pytest.raises(UnknownNameError, match="nothing_like_it"):
        model().grad("loss", "nothing_like_it")
    with pytest.raises(InputError, match="missing: y"):
        model().grad("loss", "w")({"x": X})
    with pytest.raises(UnknownNameError, match="'v'"):
        model().grad("loss", "w")({"x": X, "y": Y}, {"v": X})
