"""Iterators of sessions on graphs made by hand; conformance tests compare each dataset with TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import INT64, RESOURCE
from cryograph.base.errors import OutOfRangeError, RunError, UnsupportedError
from cryograph.graph.attrs import FuncRef
from cryograph.graph.graph import Function
from cryograph.graph.node import Node
from cryograph.train.shuffling import Numbers, shuffled
from tests.support.small_graphs import const, document_of, function, handle, node, placeholder

KINDS = {"output_types": [INT64], "output_shapes": [None]}


def whole(name: str, value: Any) -> Node:
    return const(name, value, dtype=np.int64)


def pipeline(*datasets: Node | Function, last: str, values: Any = None, more: tuple[Node, ...] = ()) -> cg.Session:
    """A session of datasets, an iterator `it` that `begin` begins, and `next` that takes an element."""
    document = document_of(
        *datasets,
        node("it", "IteratorV2", shared_name=b"", container=b"", **KINDS),
        node("begin", "MakeIterator", last, "it"),
        node("next", "IteratorGetNext", "it", **KINDS),
        whole("ten", 10),
        node("more", "Mul", "next", "ten", T=INT64),
        *more,
        values=values,
    )
    return cg.Model(document.graph, "graph", variables=document.variables).session("numpy")


def counted() -> tuple[Node, ...]:
    """`range`: 0, 1 ... below what is fed as `stop`."""
    ends = (whole("start", 0), placeholder("stop", (), INT64), whole("step", 1))
    return (*ends, node("range", "RangeDataset", "start", "stop", "step", **KINDS))


def test_elements_come_until_the_end() -> None:
    with pipeline(*counted(), last="range") as s:
        with pytest.raises(RunError, match=r"'it' has not begun: run 'begin' first, or feed \['next:0'\]"):
            s.run("next")
        for stop in (2, 1):
            s.run("begin", {"stop": stop})
            assert [s.run("more") for _ in range(stop)] == [0, 10][:stop]
            with pytest.raises(OutOfRangeError, match="The iterator 'it' has come to its end"):
                s.run("more")
        assert s.run("more", {"next": 7}) == 70


def test_what_is_taken_once_is_seen_by_all() -> None:
    with pipeline(*counted(), last="range") as s:
        s.run("begin", {"stop": 4})
        assert s.run(["next", "more", {"again": "next:0"}]) == [0, 0, {"again": 0}]
        s.run("^next")
        assert s.run(["more", "next"]) == [20, 2]


def test_functions_see_variables_as_they_are() -> None:
    adds = function(
        "adds",
        {"n": INT64, "v": RESOURCE},
        {"sum": ("total:z:0", INT64)},
        [
            node("read", "ReadVariableOp", "v", dtype=INT64),
            node("total", "AddV2", "n", "read:value:0", T=INT64),
        ],
    )
    mapped = node("map", "MapDataset", "range", "v", f=FuncRef("adds", {}), Targuments=[RESOURCE], **KINDS)
    with pipeline(*counted(), handle("v", INT64, ()), mapped, adds, last="map") as s:
        s.assign("v", 100)
        s.run("begin", {"stop": 9})
        assert s.run("next") == 100
        s.assign("v", 200)
        assert s.run("next") == 201


def test_a_dataset_that_is_not_run() -> None:
    lines = node("lines", "TextLineDataset", "files", "none", "size")
    names = const("files", np.array([b"x"], object)), const("none", np.array(b"", object)), whole("size", 0)
    with (
        pipeline(*names, lines, last="lines") as s,
        pytest.raises(UnsupportedError, match=r"'lines' \(TextLineDataset\).*Feed what the iterator would give"),
    ):
        s.run("begin")


def test_batches_of_no_element() -> None:
    batch = node("batch", "BatchDataset", "range", "start", **KINDS)
    with pipeline(*counted(), batch, last="batch") as s, pytest.raises(RunError, match="a batch of 0 elements"):
        s.run("begin", {"stop": 3})


@pytest.mark.parametrize("size", [1, 3, 50])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_epoch_has_every_element(size: int, count: int) -> None:
    def start() -> Any:
        return ((np.array(n),) for n in range(7))

    given = [int(element[0]) for element in shuffled(start, size, Numbers(3, 4), count)]
    again = [int(element[0]) for element in shuffled(start, size, Numbers(3, 4), count)]
    assert given == again
    assert [sorted(given[n : n + 7]) for n in range(0, 7 * count, 7)] == [list(range(7))] * count
    assert list(shuffled(lambda: iter(()), size, Numbers(0, 0), -1)) == []


def test_variants_are_no_answers() -> None:
    with pipeline(*counted(), last="range") as s, pytest.raises(cg.Error):
        s.run("range:0", {"stop": 3})
