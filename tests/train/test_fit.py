"""Fitting: what is learned, told, kept and gone on with after a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, INT32, RESOURCE
from cryograph.base.errors import InputError, MissingWeightsError, UnknownNameError
from cryograph.graph.document import Collection
from cryograph.graph.variables import find_variables
from cryograph.train.fit import OWN
from cryograph.wire import messages as pb
from tests.support.op_cases import floats
from tests.support.small_graphs import const, document_of, function, handle, ints, node, placeholder

TRUE = floats(4, 1, seed=9)
X = floats(64, 4, seed=10)
DATA = {"x": X, "y": X @ TRUE + 0.5}


def model(noise: bool = False, values: bool = True) -> cg.Model:
    """Loss = mean((x w + b - y)^2), with random numbers added to it where there is noise."""
    drawn = (
        ints("shape", [4, 1]),
        node("drawn", "RandomStandardNormal", "shape", T=INT32, dtype=FLOAT32),
        const("small", np.float32(0.01)),
        node("noise", "Mul", "drawn", "small", T=FLOAT32),
        node("used", "AddV2", "w/read", "noise", T=FLOAT32),
    )
    plain = (node("used", "Identity", "w/read", T=FLOAT32),)
    return cg.Model.of(
        document_of(
            placeholder("x", (None, 4)),
            placeholder("y", (None, 1)),
            handle("w", shape=(4, 1)),
            node("w/read", "ReadVariableOp", "w", dtype=FLOAT32),
            handle("b", shape=(1,)),
            node("b/read", "ReadVariableOp", "b", dtype=FLOAT32),
            *(drawn if noise else plain),
            node("product", "MatMul", "x", "used", T=FLOAT32),
            node("out", "BiasAdd", "product", "b/read", T=FLOAT32),
            node("squares", "SquaredDifference", "out", "y", T=FLOAT32),
            ints("axes", [0, 1]),
            node("loss", "Mean", "squares", "axes", T=FLOAT32, Tidx=INT32),
            values={"w": np.zeros((4, 1)), "b": np.zeros(1)} if values else {},
        )
    )


def weights(fitted: cg.train.Fitted) -> dict[str, Any]:
    return {name: v.tensor.numpy() for name, v in fitted.model.variables.items()}


def test_what_is_true_is_learned() -> None:
    start = model()
    made = cg.train.fit(start, DATA, loss="loss", optimizer=optax.adam(0.1), epochs=40, batch_size=16)
    assert made.history[-1]["loss"] < 1e-3 < made.history[0]["loss"]
    assert made.step == 40 * 4
    np.testing.assert_allclose(weights(made)["w"], TRUE, atol=0.02)
    assert isinstance(made.model, cg.Model)
    assert not start.variables["w"].tensor.numpy().any(), "the model that was given has not changed"
    answer = made.model.compile("out", "x")(X)
    assert np.abs(next(iter(answer.values())) - DATA["y"]).max() < 0.1


def test_only_what_globs_choose_is_trained() -> None:
    made = cg.train.fit(model(), DATA, loss="loss", trainable="b", optimizer=optax.sgd(0.1))
    assert not weights(made)["w"].any()
    assert weights(made)["b"].any()


def normed(mean: str, collections: Iterable[str] = ()) -> cg.Model:
    """A batch norm of x, in a function that gets the variables, and the loss of what it gives. `collections` tell of
    all variables."""
    vectors = ("gamma", "beta", mean, "variance")
    reads = [node(f"{n}_read", "ReadVariableOp", n, dtype=FLOAT32) for n in ("a", "b", "c", "d")]
    ports = ["x", *(f"{n}_read:value:0" for n in ("a", "b", "c", "d"))]
    norm = node("norm", "FusedBatchNormV3", *ports, T=FLOAT32, U=FLOAT32, is_training=False, epsilon=1e-3)
    arguments = {"x": FLOAT32, **dict.fromkeys(("a", "b", "c", "d"), RESOURCE)}
    document = document_of(
        placeholder("x", (None, 1, 1, 2)),
        *(handle(name, shape=(2,)) for name in vectors),
        function("layer", arguments, {"y": ("norm:y:0", FLOAT32)}, [*reads, norm]),
        node("y", "layer", "x", *vectors),
        node("squares", "Square", "y", T=FLOAT32),
        ints("axes", [0, 1, 2, 3]),
        node("loss", "Mean", "squares", "axes", T=FLOAT32, Tidx=INT32),
        values={"gamma": [1, 2], "beta": [0.5, 1], mean: [0.1, 0.2], "variance": [1, 1.5]},
    )
    definitions = [pb.VariableDef(variable_name=f"{name}:0", is_resource=True).SerializeToString() for name in vectors]
    held = {name: Collection.make(name, "bytes_list", definitions) for name in collections}
    variables = find_variables(document.graph, held)
    values = {name: variable.with_tensor(document.variables[name].tensor) for name, variable in variables.items()}
    return cg.Model.of(dataclasses.replace(document, collections=held, variables=values))


@pytest.mark.parametrize(
    ("collections", "globs", "trained"),
    [
        ((), "*", {"gamma", "beta"}),
        (("variables",), "*", {"gamma", "beta"}),
        (("variables", "trainable_variables"), "*", {"gamma", "beta", "mean", "variance"}),
        ((), ["*a", "mean"], {"gamma", "beta", "mean"}),
    ],
)
def test_what_batch_norms_keep_up_is_not_trained(
    collections: tuple[str, ...], globs: str | list[str], trained: set[str]
) -> None:
    x = floats(8, 1, 1, 2, seed=4)
    start = normed("mean", collections)
    made = cg.train.fit(start, {"x": x}, loss="loss", trainable=globs, optimizer=optax.sgd(0.1))
    before = {name: v.tensor.numpy() for name, v in start.variables.items()}
    assert {name for name, value in weights(made).items() if not np.array_equal(value, before[name])} == trained


def test_names_tell_of_what_is_kept_up_where_the_graph_does_not() -> None:
    start = cg.Model.of(
        document_of(
            placeholder("x", (None, 2)),
            handle("bn/moving_mean", shape=(2,)),
            node("read", "ReadVariableOp", "bn/moving_mean", dtype=FLOAT32),
            node("centred", "SquaredDifference", "x", "read", T=FLOAT32),
            ints("axes", [0, 1]),
            node("loss", "Mean", "centred", "axes", T=FLOAT32, Tidx=INT32),
            values={"bn/moving_mean": [0.1, 0.2]},
        )
    )
    with pytest.raises(InputError, match="none is trainable"):
        cg.train.fit(start, {"x": X[:, :2]}, loss="loss")
    assert cg.train.fit(start, {"x": X[:, :2]}, loss="loss", trainable="bn/moving_mean").history


def test_steps_are_those_of_the_optimizer() -> None:
    made = cg.train.fit(model(), DATA, loss="loss", optimizer=optax.sgd(0.5), batch_size=64)
    residue = -DATA["y"]
    np.testing.assert_allclose(weights(made)["w"], -0.5 * 2 * (X.T @ residue) / 64, rtol=1e-4, atol=1e-6)


class Killed(Exception):
    """What stands for a kill."""


@pytest.mark.parametrize("steps", [1, 4, 6, 9])
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(tmp_path: Path, steps: int) -> None:
    how: dict[str, Any] = {"loss": "loss", "epochs": 3, "batch_size": 16, "validation": DATA, "seed": 5}
    whole = cg.train.fit(model(noise=True), DATA, optimizer=optax.adam(0.05), **how)

    def until_killed(epoch: int) -> Iterator[dict[str, Any]]:
        order = np.random.default_rng([5, epoch]).permutation(64)
        for number, first in enumerate(range(0, 64, 16)):
            if epoch * 4 + number >= steps:
                raise Killed
            yield {name: array[order[first : first + 16]] for name, array in DATA.items()}

    kept = {"directory": tmp_path, "save_every": 1}
    with pytest.raises(Killed):
        cg.train.fit(model(noise=True), until_killed, optimizer=optax.adam(0.05), **how, **kept)
    again = cg.train.fit(model(noise=True), DATA, optimizer=optax.adam(0.05), **how, **kept)
    assert again.step == whole.step
    assert list(again.history) == list(whole.history)
    for name, value in weights(whole).items():
        assert np.array_equal(weights(again)[name], value), name


def test_checkpoints_hold_the_variables_under_their_keys(tmp_path: Path) -> None:
    made = cg.train.fit(model(), DATA, loss="loss", directory=tmp_path, epochs=2)
    found = cg.Checkpoint(cg.latest_checkpoint(tmp_path))
    assert np.array_equal(found["w"].numpy(), weights(made)["w"])
    assert f"{OWN}/run" in found
    joined, report = model(values=False).join(tmp_path, partial=False)
    assert np.array_equal(joined.variables["b"].tensor.numpy(), weights(made)["b"])
    assert not report.missing


def test_a_run_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    first = cg.train.fit(model(), DATA, loss="loss", directory=tmp_path)
    second = cg.train.fit(model(), DATA, loss="loss", directory=tmp_path)
    assert second.step == first.step
    assert np.array_equal(weights(second)["w"], weights(first)["w"])


def test_no_progress_ends_the_run_with_the_best_weights() -> None:
    made = cg.train.fit(
        model(), DATA, loss="loss", optimizer=optax.sgd(3.0), epochs=50, validation=DATA, patience=2, batch_size=64
    )
    found = [row["val_loss"] for row in made.history]
    assert len(found) < 50
    best = min(found)
    assert len(found) - found.index(best) == 3
    loss, _ = made.model.grad("loss", "w")(DATA)
    assert float(loss) == pytest.approx(best, rel=1e-5)


def test_metrics_are_means_over_examples() -> None:
    made = cg.train.fit(
        model(), DATA, loss="loss", optimizer=optax.sgd(0.0), metrics=["squares"], batch_size=48, validation=DATA
    )
    expected = float((DATA["y"] ** 2).mean())
    for name in ("loss", "squares", "val_loss", "val_squares"):
        assert made.history[0][name] == pytest.approx(expected, rel=1e-5)


def test_a_bar_is_shown_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    cg.train.fit(model(), DATA, loss="loss", progress=True)
    assert "epoch 1/1" in capsys.readouterr().err
    cg.train.fit(model(), DATA, loss="loss", progress=False)
    assert capsys.readouterr().err == ""


def test_what_makes_no_sense_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epochs"):
        cg.train.fit(model(), DATA, loss="loss", epochs=0)
    with pytest.raises(InputError, match="The seed is -1"):
        cg.train.fit(model(), DATA, loss="loss", seed=-1)
    with pytest.raises(InputError, match="The data is a list; arrays by the names of inputs"):
        cg.train.fit(model(), [1], loss="loss")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="examples"):
        cg.train.fit(model(), {"x": X, "y": X[:3, :1]}, loss="loss")
    with pytest.raises(InputError, match="missing: y"):
        cg.train.fit(model(), {"x": X}, loss="loss")
    with pytest.raises(UnknownNameError, match="'v'"):
        cg.train.fit(model(), DATA, loss="loss", trainable="v")
    with pytest.raises(MissingWeightsError):
        cg.train.fit(model(values=False), DATA, loss="loss")
    with pytest.raises(InputError, match="optax"):
        cg.train.fit(model(), DATA, loss="loss", optimizer="adam")
    with pytest.raises(InputError, match="no examples"):
        cg.train.fit(model(), lambda epoch: [], loss="loss")
    constant = cg.Model.of(document_of(placeholder("x"), node("y", "Square", "x", T=FLOAT32)))
    with pytest.raises(InputError, match="unfreeze"):
        cg.train.fit(constant, {"x": X}, loss="y")
    cg.train.fit(model(), DATA, loss="loss", directory=tmp_path, seed=1)
    with pytest.raises(InputError, match="another seed"):
        cg.train.fit(model(), DATA, loss="loss", directory=tmp_path, seed=2)
    for other in (optax.sgd(0.1), optax.sgd(0.1, momentum=0.9)):
        with pytest.raises(InputError, match="another optimizer"):
            cg.train.fit(model(), DATA, loss="loss", directory=tmp_path, seed=1, optimizer=other, epochs=2)
