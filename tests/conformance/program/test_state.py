"""Variables and tables that a program reads and writes, in the order that TensorFlow keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops import gen_lookup_ops as lookup

from cryograph.base.errors import MissingWeightsError
from cryograph.engines.numpy.engine import Numpy
from cryograph.program.build import build_program
from cryograph.program.check import complaints

from .oracle import Question, document_of, run

v1 = tf.compat.v1


def turns(question: Question, *feeds: Any) -> None:
    """Runs several times, the state of one run going into the next, and compares outputs and variables."""
    program = question.program()
    assert complaints(program) == []
    runner = Numpy().prepare(program)
    state = [s.initial.numpy() for s in program.state]
    for feed in feeds:
        expected = question.ask(*feed)
        given = [np.asarray(x, program.specs[n].dtype.numpy) for x, n in zip(feed, program.inputs, strict=True)]
        answers = runner([*given, *state])
        for name, a, b in zip(question.outputs, expected, answers, strict=False):
            np.testing.assert_allclose(b, a, rtol=1e-6, err_msg=name)
        state = answers[len(expected) :]
        values = question.values()
        for kept, value in zip(program.state, state, strict=True):
            np.testing.assert_allclose(value, values[kept.name], rtol=1e-6, err_msg=kept.name)
    assert {s.name for s in program.state} <= set(question.values())


@pytest.mark.parametrize("resources", [False, True])
def test_writes_before_and_after_reads(resources: bool) -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])
        v = v1.get_variable("v", initializer=1.0)
        before = v.read_value() if resources else tf.identity(v)
        with tf.control_dependencies([before]):
            added = v.assign_add(x)
        with tf.control_dependencies([added]):
            between = v * 10.0 if not resources else v.read_value() * 10.0
        with tf.control_dependencies([between]):
            less = v.assign_sub(0.5)
        with tf.control_dependencies([less]):
            after = v.read_value() + 0.0
        return [x], [before, between, after]

    turns(Question(make, resources=resources), [2.0], [3.0], [-1.0])


@pytest.mark.parametrize("resources", [False, True])
@pytest.mark.parametrize("generation", [1, 2])
def test_writes_in_branches_and_loops(generation: int, resources: bool) -> None:
    if generation == 2 and not resources:
        return  # control flow of TF2 takes resource variables only

    def make() -> Any:
        flag, x = v1.placeholder(tf.bool, []), v1.placeholder(tf.float32, [])
        v = v1.get_variable("v", initializer=1.0)
        w = v1.get_variable("w", initializer=5.0)

        def yes() -> Any:
            with tf.control_dependencies([v.assign_add(x)]):
                return w + 1.0

        y = v1.cond(flag, yes, lambda: tf.identity(x))
        with tf.control_dependencies([y]):
            now = v.read_value() * 1.0

        def body(i: Any, total: Any) -> Any:
            with tf.control_dependencies([w.assign_add(total)]):
                return i + 1, total * 2.0 + v

        with tf.control_dependencies([now]):
            total = v1.while_loop(lambda i, _: i < 3, body, [0, x], parallel_iterations=1)[1]
        with tf.control_dependencies([total]):
            end = w.read_value() + 0.0
        return [flag, x], [y, now, total, end]

    turns(Question(make, generation, resources), [True, 2.0], [False, 3.0], [True, -1.0])


@pytest.mark.parametrize("resources", [False, True])
def test_optimizers_are_steps(resources: bool) -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [2])
        v = v1.get_variable("v", initializer=[1.0, 2.0])
        loss = tf.reduce_sum(tf.square(v.read_value() if resources else v) * x)
        train = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf.control_dependencies([train]):
            after = v.read_value() + 0.0
        return [x], [loss, after]

    question = Question(make, resources=resources)
    program = question.program()
    apply = next(s for s in program.steps if "ApplyGradientDescent" in s.op)
    assert apply.inputs[0] == program.state[0].value
    assert apply.outputs == (program.state[0].result,)
    assert program.specs[program.state[0].result].shape == (2,)


def test_adam_gives_all_that_it_writes() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [2])
        v = v1.get_variable("v", initializer=[1.0, 2.0])
        train = v1.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(tf.square(v - x)))
        with tf.control_dependencies([train]):
            return [x], [tf.constant(1.0)]

    program = Question(make).program()
    adam = next(s for s in program.steps if s.op == "ApplyAdam")
    assert len(adam.outputs) == 3
    results = {s.name: s.result for s in program.state}
    assert [results["v"], results["v/Adam"], results["v/Adam_1"]] == list(adam.outputs)
    assert {"beta1_power", "beta2_power"} <= set(results)


def test_only_what_is_written_is_state_unless_all_is_wanted() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])
        v = v1.get_variable("v", initializer=1.0)
        w = v1.get_variable("w", initializer=2.0)
        return [x], [v.assign_add(x) * w]

    question = Question(make)
    assert [s.name for s in question.program().state] == ["v"]
    assert sorted(s.name for s in question.program(all_state=True).state) == ["v", "w"]
    turns(question, [1.0], [2.0])


def test_initializers_run_without_values() -> None:
    def make() -> Any:
        v1.get_variable("v", initializer=1.0)
        v1.get_variable("w", initializer=[2.0, 3.0])
        return [], [tf.constant(1.0)]

    question = Question(make)
    bare = document_of(question.graph.as_graph_def())
    program = build_program(bare, ["v/Assign", "w/Assign"])
    assert [s.initial for s in program.state] == [None, None]
    results = Numpy().prepare(program)([np.float32(0), np.zeros(2, np.float32)])
    np.testing.assert_array_equal(results[2], 1.0)
    np.testing.assert_array_equal(results[3], [2.0, 3.0])
    with pytest.raises(MissingWeightsError, match="The outputs need 2 variables that have no value: v, w"):
        build_program(bare, ["v", "w"])


def test_a_variable_is_fetched_as_it_is_at_the_end() -> None:
    def make() -> Any:
        x = v1.placeholder(tf.float32, [])
        v = v1.get_variable("v", initializer=1.0)
        return [x], [v.assign_add(x), v]

    question = Question(make)
    program = question.program(["AssignAdd:0", "v:0"])
    assert run(program, [2.0])[:2] == [3.0, 3.0]


# Tables


def table(kind: str, generation: int) -> Question:
    words, ids = [b"the", b"cat", b"sat"], [10, 20, 30]

    def make() -> Any:
        text = v1.placeholder(tf.string, [None])
        if kind == "ref":
            handle = lookup.hash_table(tf.string, tf.int64, shared_name="old")
            filled = lookup.initialize_table(handle, tf.constant(words), tf.constant(ids, tf.int64))
            v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, filled)
            found = lookup.lookup_table_find(handle, text, tf.constant(-1, tf.int64))
            size = lookup.lookup_table_size(handle)
        else:
            fill = tf.lookup.KeyValueTensorInitializer(words, ids, tf.string, tf.int64)
            static = tf.lookup.StaticHashTable(fill, -1)
            found = static.lookup(text)
            if kind == "branch":
                longer = tf.size(text) > 1
                found = v1.cond(longer, lambda: static.lookup(text), lambda: tf.constant([7], tf.int64))
            size = static.size()
        return [text], [found, size]

    return Question(make, generation, resources=generation == 2)


@pytest.mark.parametrize(
    ("kind", "generation"), [("ref", 1), ("resource", 1), ("resource", 2), ("branch", 1), ("branch", 2)]
)
def test_lookups_see_keys_and_values(kind: str, generation: int) -> None:
    question = table(kind, generation)
    some = np.array([b"cat", b"dog", b"the"], object)
    program = question.check([some], [some[:1]])
    if kind != "branch":
        find = next(s for s in program.steps if s.op == "LookupTableFindV2")
        keys, values = (program.constants[v] for v in find.inputs[:2])
        assert keys.numpy().tolist() == [b"the", b"cat", b"sat"]
        assert values.numpy().tolist() == [10, 20, 30]
        assert program.specs[find.outputs[0]].shape == (None,)


def test_a_table_that_changes_is_state() -> None:
    def make() -> Any:
        keys, values = v1.placeholder(tf.string, [None]), v1.placeholder(tf.float32, [None])
        mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, -1.0)
        before = mutable.lookup(keys)
        with tf.control_dependencies([before]):
            inserted = mutable.insert(keys, values)
        with tf.control_dependencies([inserted]):
            return [keys, values], [before, mutable.lookup(keys) + 0.0, mutable.size()]

    question = Question(make, resources=True)
    program = question.program()
    assert [s.name.rpartition("/")[2] for s in program.state] == ["keys", "values"]
    runner = Numpy().prepare(program)
    state = [s.initial.numpy() for s in program.state]
    for words, numbers in (([b"a", b"b"], [1.0, 2.0]), ([b"b", b"c"], [5.0, 6.0])):
        feeds = [np.array(words, object), np.array(numbers, np.float32)]
        expected = question.ask(*feeds)
        answers = runner([*feeds, *state])
        for a, b in zip(expected, answers, strict=False):
            np.testing.assert_array_equal(a, b)
        state = answers[3:]


def test_a_table_that_nothing_fills() -> None:
    def make() -> Any:
        text = v1.placeholder(tf.string, [None])
        handle = lookup.hash_table_v2(tf.string, tf.int64, name="empty")
        return [text], [lookup.lookup_table_find_v2(handle, text, tf.constant(-1, tf.int64))]

    with pytest.raises(MissingWeightsError) as caught:
        Question(make).program()
    assert str(caught.value) == (
        "The outputs look something up in 'empty', a lookup table that nothing in the model fills."
    )
