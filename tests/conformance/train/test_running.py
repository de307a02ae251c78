"""What sessions run, feed and give, beside TensorFlow's own session on the same graph, one run after the other."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from cryograph.base.errors import Error
from tests.conformance.program.oracle import behaviour

from .graphs import v1

Pair = collections.namedtuple("Pair", "a b")


@dataclass
class Both:
    """A session of each."""

    theirs: Any
    ours: cg.Session


@pytest.fixture(params=[False, True], ids=["refs", "resources"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    with behaviour(1, request.param), tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], name="x")
        v = v1.get_variable("v", initializer=[1.0, 2.0])
        w = v1.get_variable("w", initializer=5.0)
        tf.identity(w.read_value(), name="now")
        added = v1.assign_add(v, [1.0, 1.0])
        with tf.control_dependencies([added]):
            tf.multiply(v.read_value(), 2.0, name="twice")
        numbers, places = tf.unique(x)
        tf.add(numbers * 2, tf.cast(tf.reduce_sum(places), tf.float32), name="whole")
        middle = tf.square(x, name="middle")
        with tf.control_dependencies([v1.assign_add(w, 1.0)]):
            bumped = tf.identity(middle, name="bumped")
        tf.negative(bumped, name="end")
        first, second = tf.split(x, 2, name="parts")
        tf.add(first * 10, second, name="joined")
        with tf.control_dependencies([v1.assign(w, w * 10)]), tf.control_dependencies([v1.assign_add(w, 1.0)]):
            tf.identity(w.read_value(), name="after")
        tf.identity(v1.placeholder_with_default([7.0, 8.0], [None], name="given"), name="chosen")
        tf.reduce_sum(tf.constant([1.0, 2.0, 3.0], name="held"), name="sum")
        tf.group(added, name="nothing")
        init = v1.global_variables_initializer()
        path = tmp_path / "graph.meta"
        v1.train.export_meta_graph(str(path))
        with v1.Session(graph=graph) as theirs, cg.load(path).session("numpy") as ours:
            theirs.run(init)
            ours.run(f"^{init.name}")
            yield Both(theirs, ours)


RUNS: list[tuple[Any, dict[str, Any]]] = [
    ({"k": ["twice:0", ("x:0", Pair("whole:0", {"q": "middle:0"}))]}, {"x:0": [1, 2, 3]}),
    (collections.OrderedDict([("b", "whole:0"), ("a", "middle:0")]), {"x:0": [1, 2, 2]}),
    (("sum:0",), {}),
    (["sum:0", "sum:0"], {}),
    ([], {}),
    ({}, {}),
    (["nothing"], {}),
    ("nothing", {}),
    (["twice:0", "nothing"], {}),
    (["x:0", "middle:0"], {"x:0": [1, 2], "middle:0": [9, 9]}),
    (["end:0"], {"x:0": [1, 2]}),
    (["now:0"], {}),
    (["end:0"], {"middle:0": [3, 4]}),
    (["now:0"], {}),
    (["end:0"], {"bumped:0": [3, 4]}),
    (["now:0"], {}),
    (["whole:0"], {"x:0": [1, 2, 2], "Unique:0": [5, 6, 7]}),
    (["whole:0"], {"Unique:0": [5, 6, 7]}),
    (["whole:0"], {"Unique:0": [5, 6, 7], "Unique:1": [1, 1]}),
    (["joined:0"], {"x:0": [1, 2, 3, 4], "parts:1": [9, 9]}),
    (["sum:0"], {"held:0": [1, 1, 1]}),
    (["sum:0"], {"held:0": [1, 1]}),
    (["chosen:0"], {"given:0": [1]}),
    (["chosen:0"], {}),
    (["after:0"], {}),
    (["now:0"], {}),
    (["twice:0"], {}),
    (["middle:0"], {}),
    (["middle:0"], {"x:0": [[1.0]]}),
    (["middle:0"], {"x:0": np.array([1.0, 2.0])}),
    (["middle:0"], {"x:0": np.array([1, 2])}),
    (["middle:0"], {"x:0": []}),
    (["sum:0"], {"x:0": [1, 2]}),
    (["sum:0"], {"nope:0": [1, 2]}),
    (["sum:0", "nope:0"], {}),
    (["sum:7"], {}),
    ("nothing:0", {}),
    (None, {}),
    (["sum:0", None], {}),
    ({"a": None}, {}),
]


def shown(answer: Any) -> Any:
    """An answer with all its types, to be compared."""
    if isinstance(answer, dict):
        return type(answer).__name__, {key: shown(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer).__name__, [shown(value) for value in answer]
    if answer is None:
        return None
    return type(answer).__name__, np.asarray(answer).dtype, np.asarray(answer).tolist()


def test_runs_give_what_tensorflow_gives(both: Both) -> None:
    """All runs after each other, as each may change what the next ones see."""
    for fetches, feeds in RUNS:
        try:
            expected = shown(both.theirs.run(fetches, feeds))
        except (TypeError, ValueError, KeyError, tf.errors.OpError):
            with pytest.raises(Error):
                both.ours.run(fetches, feeds)
            continue
        assert shown(both.ours.run(fetches, feeds)) == expected, (fetches, feeds)
