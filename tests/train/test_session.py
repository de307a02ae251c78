"""Sessions on the demo's training graph and on small graphs: what is kept from run to run, and what is refused."""

from __future__ import annotations

import threading
from collections import defaultdict, namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING
from cryograph.base.errors import GraphError, InputError, MissingWeightsError, RunError, UnknownNameError
from cryograph.train import session as module
from tests.support.small_graphs import const, document_of, handle, ints, node, placeholder

DEMO = Path(cg.__file__).parent / "data" / "demo"


@pytest.fixture
def bare() -> cg.Model:
    return cg.load(DEMO / "graph.pbtxt")


@pytest.fixture
def session() -> Iterator[cg.Session]:
    with cg.load(DEMO / "graph.pbtxt", weights=DEMO / "digits-3000").session() as opened:
        yield opened


def batch(count: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"image": rng.random((count, 8, 8, 1)).astype(np.float32), "label": rng.integers(0, 10, count)}


def counter() -> cg.Model:
    """A variable `v` of one number, `add` that adds what is fed, `init`, and `double`, twice its value."""
    document = document_of(
        node("v", "VariableV2", dtype=FLOAT32, shape=()),
        const("zero", 0.0),
        node("v/Assign", "Assign", "v", "zero", T=FLOAT32),
        node("init", "NoOp", "^v/Assign"),
        placeholder("x", ()),
        node("add", "AssignAdd", "v", "x", T=FLOAT32),
        node("group", "NoOp", "^add"),
        const("two", 2.0),
        node("double", "Mul", "v", "two", T=FLOAT32),
    )
    return cg.Model(document.graph, "graph", variables=document.variables)


def test_answers_have_the_nest_of_what_was_asked(session: cg.Session) -> None:
    Pair = namedtuple("Pair", "step weights")
    asked = {"a": ["global_step:0", ("final/biases",)], "b": Pair("global_step", "final/weights"), "c": "^final/biases"}
    fetched = session.run(asked)
    assert fetched["a"][0] == 3000
    assert type(fetched["a"][0]) is np.int64
    assert fetched["a"][1][0].shape == (10,)
    assert isinstance(fetched["b"], Pair)
    assert fetched["b"].weights.shape[1] == 10
    assert fetched["c"] is None
    assert session.run([]) == []
    assert session.run({}) == {}


def test_nodes_ports_and_variables_are_fetched(bare: cg.Model) -> None:
    with bare.session() as s:
        assert s.run(bare.graph.node("init")) is None
        assert s.run(bare.graph.port("global_step")) == 0
        assert s.run([bare.variable("global_step"), bare.graph.node("global_step")]) == [0, None]


def test_a_training_graph_goes_on_training(session: cg.Session) -> None:
    feeds = batch(64)
    losses = [session.run(["training/loss", "train"], feeds)[0] for _ in range(20)]
    assert losses[-1] < losses[0] / 2
    assert session.run("global_step") == 3020


def test_a_bare_graph_is_initialised_first(bare: cg.Model) -> None:
    with bare.session() as s:
        with pytest.raises(MissingWeightsError, match=r"No value yet: .*'conv1/weights'.*Run the initialiser"):
            s.run("logits", batch())
        s.run("init")
        assert s.run("logits", batch()).shape == (16, 10)


def test_initialize_gives_values_to_those_that_have_none(bare: cg.Model) -> None:
    with bare.session() as s:
        s.assign("global_step", 7)
        s.initialize()
        assert s.run(["global_step", "final/biases"])[0] == 7
        s.initialize()
    document = document_of(handle("w"))
    with (
        cg.Model(document.graph, "graph", variables=document.variables).session() as s,
        pytest.raises(GraphError, match="no initialiser for w"),
    ):
        s.initialize()


def test_writes_are_seen_by_the_next_run() -> None:
    with counter().session() as s:
        s.run("init")
        assert s.run("add", {"x": 2}) == 2
        assert s.run(["group", "double"], {"x:0": 3.0})[0] is None
        assert s.run(["v", "double"]) == [5, 10]
        s.run("init")
        assert s.run("double") == 0


def test_any_tensor_is_fed() -> None:
    with counter().session() as s:
        assert s.run("double", {"two": 5.0, "v": 4.0}) == 20
        with pytest.raises(InputError, match="placeholder that is not fed: x"):
            s.run("add", {"v": 1.0})
        with pytest.raises(InputError, match="has the shape"):
            s.run("double", {"v": 1.0, "two": [5.0, 6.0, 7.0], "x": [1.0]})
        with pytest.raises(InputError, match="cannot be fed"):
            s.run("double", {7: 1.0})
        with pytest.raises(InputError, match="cannot be fetched"):
            s.run(None)
        with pytest.raises(UnknownNameError, match=r"Nearest|Choices"):
            s.run("doubel")


def test_a_run_that_fails_changes_nothing() -> None:
    document = document_of(
        handle("v", shape=(3,)),
        placeholder("rows", None, dtype=INT64),
        const("one", 1.0),
        node("first", "AssignAddVariableOp", "v", "one", dtype=FLOAT32),
        node("then", "ResourceScatterAdd", "v", "rows", "one", "^first", dtype=FLOAT32, Tindices=INT64),
        values={"v": [1, 2, 3]},
    )
    with cg.Model(document.graph, "graph", variables=document.variables).session() as s:
        with pytest.raises(RunError):
            s.run("then", {"rows": [7]})
        assert s.value("v").tolist() == [1, 2, 3]
        s.run("then", {"rows": [2, 2]})
        assert s.value("v").tolist() == [2, 3, 6]


def test_answers_and_feeds_may_be_changed_afterwards() -> None:
    document = document_of(
        node("v", "VariableV2", dtype=FLOAT32, shape=(2,)),
        placeholder("x", (2,)),
        node("set", "Assign", "v", "x", T=FLOAT32),
        ints("shape", [2, 1]),
        node("tall", "Reshape", "v", "shape", T=FLOAT32),
        values={"v": [1, 2]},
    )
    with cg.Model(document.graph, "graph", variables=document.variables).session() as s:
        for name in ("v", "tall"):
            s.run(name)[:] = 9
        fed = np.array([3, 4], np.float32)
        s.run("set", {"x": fed})[:] = 9
        fed[:] = 8
        assert s.run("v").tolist() == [3, 4]
        with pytest.raises(ValueError, match="read-only"):
            s.value("v")[0] = 1


def test_threads_add_up() -> None:
    with counter().session() as s:
        s.run("init")

        def work() -> None:
            for _ in range(50):
                s.run("group", {"x": 1.0})
                value, double = s.run(["v", "double"])
                assert double == 2 * value

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert s.run("v") == 400


def test_what_is_kept_ready_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPILED", 2)
    with counter().session() as s:
        s.run("init")
        for feed in ({"x": 1}, {"x:0": 1}, {"x": 1, "two": 3}, {"x": 1, "zero": 3}):
            s.run("add", feed)
        assert len(s._ready) == 2
        assert s.run("v") == 4


def test_a_session_says_what_it_holds(bare: cg.Model) -> None:
    with bare.session() as s:
        assert "(17 variables, 17 without a value), 0 kinds of runs ready" in repr(s)
        s.run("init")
        assert "(17 variables), 1 kinds of runs ready" in repr(s)


def test_a_closed_session_runs_nothing(tmp_path: Path) -> None:
    s = counter().session()
    s.run("init")
    s.close()
    for touch in (
        lambda: s.run("init"),
        lambda: s.value("v"),
        lambda: s.assign("v", 1.0),
        lambda: s.save(tmp_path / "closed"),
        lambda: s.restore(tmp_path / "closed"),
        s.snapshot,
    ):
        with pytest.raises(InputError, match="The session is closed"):
            touch()
    assert list(tmp_path.iterdir()) == []


def test_odd_fetches_and_feeds(session: cg.Session, tmp_path: Path) -> None:
    asked: defaultdict[str, list[str]] = defaultdict(list, b="global_step")  # type: ignore[arg-type]
    assert session.run(asked) == {"b": 3000}
    assert type(session.run(asked)) is defaultdict
    with pytest.raises(InputError, match="What is given for 'label:0' is no array"):
        session.run("training/loss", {**batch(), "label": [[1], [1, 2]]})
    with pytest.raises(InputError, match=r"conv1/weights is float32 \[3, 3, 1, 12\], which is no step"):
        session.save(tmp_path / "x", "conv1/weights")


@pytest.mark.parametrize("wrong", [10, -1])
def test_labels_of_no_class_are_refused(wrong: int, session: cg.Session) -> None:
    feeds = batch(4)
    feeds["label"][2] = wrong
    before = session.value("conv1/weights")
    with pytest.raises(RunError, match=r"a label is outside of \[0, 10\)"):
        session.run("train", feeds)
    np.testing.assert_array_equal(session.value("conv1/weights"), before)


def test_random_ops_with_seeds_go_on_from_run_to_run() -> None:
    document = document_of(
        ints("shape", [3]),
        node("a", "RandomUniform", "shape", dtype=FLOAT32, T=INT32, seed=5, seed2=7),
        node("b", "RandomUniform", "shape", dtype=FLOAT32, T=INT32, seed=5, seed2=7),
    )
    model = cg.Model(document.graph, "graph")
    with model.session() as s, model.session() as other:
        first, second = s.run("a"), s.run("a")
        assert first.tolist() != second.tolist()
        assert s.run("b").tolist() == first.tolist()
        assert [x.tolist() for x in (other.run("a"), other.run("a"))] == [first.tolist(), second.tolist()]


def test_the_model_of_a_moment() -> None:
    with counter().session() as s:
        s.run("init")
        s.run("add", {"x": 4.5})
        before = s.snapshot()
        s.run("add", {"x": 1.0})
        assert isinstance(before, cg.Model)
        assert before.freeze("double").compile("double")()["double"] == 9
        assert s.snapshot().variables["v"].tensor.numpy() == 5.5  # type: ignore[union-attr]


def test_tables_fill_themselves() -> None:
    document = document_of(
        node("table", "HashTableV2", key_dtype=STRING, value_dtype=INT64, shared_name=b"words"),
        const("keys", np.array([b"a", b"b"], object)),
        ints("two", 2),
        ints("zero", 0),
        ints("one", 1),
        node("numbers", "Range", "zero", "two", "one", Tidx=INT32),
        node("noise", "RandomShuffle", "numbers", T=INT32),
        node("sum", "Sum", "noise", "zero", T=INT32, Tidx=INT32, keep_dims=False),
        node("wide", "Cast", "sum", SrcT=INT32, DstT=INT64),
        node("values", "Pack", "wide", "wide", T=INT64, N=2, axis=0),
        node("fill", "InitializeTableV2", "table", "keys", "values", Tkey=STRING, Tval=INT64),
        placeholder("x", (None,), dtype=STRING),
        const("none", -1, dtype=np.int64),
        node("found", "LookupTableFindV2", "table", "x", "none", Tin=STRING, Tout=INT64),
    )
    with cg.Model(document.graph, "graph").session() as s:
        assert s.run("found", {"x": ["b", "z"]}).tolist() == [1, -1]


def test_an_accumulator_gives_when_enough_is_there() -> None:
    document = document_of(
        node("held", "ConditionalAccumulator", dtype=FLOAT32, shape=(2,), reduction_type=b"MEAN"),
        placeholder("x", (2,)),
        const("now", 0, dtype=np.int64),
        node("apply", "AccumulatorApplyGradient", "held", "now", "x", dtype=FLOAT32),
        ints("two", 2),
        node("take", "AccumulatorTakeGradient", "held", "two", dtype=FLOAT32),
        node("count", "AccumulatorNumAccumulated", "held"),
    )
    with cg.Model(document.graph, "graph").session("numpy") as s:
        s.run("apply", {"x": [1, 2]})
        with pytest.raises(RunError, match="fewer gradients were accumulated than are required"):
            s.run("take")
        s.run("apply", {"x": [3, 4]})
        assert s.run(["count", "take"])[1].tolist() == [2, 3]
        assert s.run("count") == 0
        s.run("apply", {"x": [5, 6]})
        assert s.run("count") == 0  # of step 0, where 1 has come
