"""Loops over lists and arrays, in every form that programs have had: cells of recurrent nets, maps, scans, decoders."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import legacy_cells as cells

from tests.conformance.graphs.making import Built, recipe, v1

X = np.random.default_rng(3).normal(size=(2, 3, 4)).astype(np.float32)
BOTH = (1, 2)


@recipe([[X[0]], [X[0, :1]]], generations=BOTH)
def the_gradient_of_a_map() -> Built:
    x = v1.placeholder(tf.float32, [None, 4])
    y = tf.map_fn(lambda row: tf.reduce_sum(row * row) * row, x)
    return [x], [y, *tf.gradients(y, x)]


@recipe([[X[0]]], generations=BOTH)
def the_gradient_of_a_scan() -> Built:
    x = v1.placeholder(tf.float32, [None, 4])
    y = tf.scan(lambda a, row: tf.tanh(a * 0.5 + row), x)
    z = tf.foldl(lambda a, row: a * row + 1.0, x)
    return [x], [y, z, *tf.gradients([tf.reduce_sum(y * y), tf.reduce_sum(z)], x)]


@recipe([[X[0]]])
def the_gradient_of_an_array() -> Built:
    x = v1.placeholder(tf.float32, [3, 4])
    array = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(x)
    second = array.read(1) * array.read(2) + array.read(1)
    joined = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x * 2.0, [1, 2]).concat()
    gathered = array.gather([2, 0])
    loss = tf.reduce_sum(second * second) + tf.reduce_sum(joined**3) + tf.reduce_sum(gathered * 5.0)
    slope = tf.gradients(loss, x)[0]
    with tf.control_dependencies([slope]):
        close = array.close()
    with tf.control_dependencies([close]):
        return [x], [second, joined, slope * 1.0]


@recipe([[X[0], 1], [X[0], 5]])
def an_array_without_gradients() -> Built:
    x, n = v1.placeholder(tf.float32, [3, 4]), v1.placeholder(tf.int32, [])
    array = tf.TensorArray(tf.float32, 2, dynamic_size=True, element_shape=[4]).write(n, x[0]).write(0, x[1])
    size = array.size()
    parts = tf.TensorArray(tf.float32, 2, infer_shape=False, element_shape=[None, 4]).split(x, [2, 1])
    ways = tf.TensorArray(tf.float32, 3, element_shape=[4], clear_after_read=False).scatter([2, 0, 1], x)
    read = array.read(n)
    with tf.control_dependencies([read, size]):
        close = array.close()
    with tf.control_dependencies([close]):
        return [x, n], [read * 1.0, size, parts.concat(), ways.stack(), ways.gather([1, 1])]


@recipe([[X, [3, 1]]], generations=BOTH, resources=True, tolerance=1e-5)
def the_gradient_of_a_recurrent_net() -> Built:
    x, lengths = v1.placeholder(tf.float32, [None, None, 4]), v1.placeholder(tf.int32, [None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf_keras.utils.set_random_seed(5)
        cell = cells.BasicLSTMCell(3)
        y, state = v1.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
    loss = tf.reduce_sum(y * y) + tf.reduce_sum(state.c)
    return [x, lengths], [y, loss, *tf.gradients(loss, [x, *v1.trainable_variables()])]


@recipe([[X], [X[:1]]], generations=BOTH)
def maps_of_several_tensors() -> Built:
    x = v1.placeholder(tf.float32, [None, 3, 4])
    first, (second, third) = tf.map_fn(
        lambda pair: (
            tf.reduce_max(pair[0]),
            (tf.cast(pair[1], tf.int32), tf.gather([b"no", b"yes"], tf.cast(pair[0][0, 0] > 0.0, tf.int32))),
        ),
        (x, tf.range(tf.shape(x)[0])),
        fn_output_signature=(tf.float32, (tf.int32, tf.string)),
        parallel_iterations=1,
    )
    nested = tf.map_fn(lambda rows: tf.map_fn(lambda row: row[1:] * tf.reduce_sum(rows), rows), x)
    return [x], [first, second, third, nested]


@recipe([[X[0]], [X[0, :1]]], generations=BOTH)
def scans_both_ways() -> Built:
    x = v1.placeholder(tf.float32, [None, 4])
    sums, counts = tf.scan(lambda a, row: (a[0] + row, a[1] + 1), x, (tf.zeros(4), 0))
    backwards = tf.scan(lambda a, row: a * 0.5 + row, x, reverse=True)
    right = tf.foldr(lambda a, row: a * 2.0 - row, x)
    left = tf.foldl(lambda a, row: a * 2.0 - row, x, initializer=tf.ones(4))
    return [x], [sums, counts, backwards, right, left]


@recipe([[4], [0], [1]], generations=BOTH)
def a_tensor_that_grows() -> Built:
    n = v1.placeholder(tf.int32, [])
    _, grown, words = tf.while_loop(
        lambda i, *_: i < n,
        lambda i, grown, words: (i + 1, tf.concat([grown, [i * i]], 0), words + "x"),
        (0, tf.zeros([1], tf.int32), tf.constant("")),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([])),
    )
    return [n], [grown, words, tf.shape(grown)]


@recipe([[3, True], [3, False], [0, True]], generations=BOTH)
def loops_in_a_condition_in_a_loop() -> Built:
    n, flag = v1.placeholder(tf.int32, []), v1.placeholder(tf.bool, [])

    def count(i: Any, by: int) -> Any:
        return tf.while_loop(lambda j, _: j < i, lambda j, total: (j + 1, total + by * j), (0, by))[1]

    def body(i: Any, total: Any) -> Any:
        chosen = tf.math.logical_xor(flag, tf.equal(i % 2, 0))
        return i + 1, total + tf.cond(
            chosen, lambda: count(i, 3), lambda: tf.cond(i > 1, lambda: count(i, 5), lambda: -i)
        )

    return [n, flag], [
        tf.cond(flag, lambda: tf.while_loop(lambda i, _: i < n, body, (0, 0))[1], lambda: n * 100),
        *tf.while_loop(lambda i, _: i < n + 2, body, (0, 1)),
    ]


@recipe([[-1.0], [0.5], [2.0], [7.0]], generations=BOTH)
def a_case() -> Built:
    x = v1.placeholder(tf.float32, [])
    pairs = [(x < 0.0, lambda: -x), (x < 1.0, lambda: x * 10.0), (x < 5.0, lambda: x + tf.sqrt(x))]
    exclusive = [(x < 0.0, lambda: (x, 1)), (x > 1.0, lambda: (x * x, 2))]
    return [x], [tf.case(pairs, default=lambda: tf.constant(0.25)), *tf.case(exclusive, lambda: (x, 3), exclusive=True)]


@recipe([[3], [5], [0]], generations=BOTH)
def assertions_in_a_loop() -> Built:
    n = v1.placeholder(tf.int32, [])

    def body(i: Any, total: Any) -> Any:
        with tf.control_dependencies([v1.debugging.assert_less(i, 4, message="too far")]):
            return i + 1, total + tf.identity(i)

    return [n], list(tf.while_loop(lambda i, _: i < n, body, (0, 0)))


@recipe([[3, 10], [20, 5]], generations=BOTH)
def at_most_so_many_turns() -> Built:
    n, most = v1.placeholder(tf.int32, []), v1.placeholder(tf.int32, [])
    first = tf.while_loop(lambda i: i < n, lambda i: (i + 1,), (0,), maximum_iterations=most)
    second = tf.while_loop(lambda i: i < n, lambda i: (i + 2,), (0,), maximum_iterations=4, back_prop=False)
    return [n, most], [*tf.nest.flatten(first), *tf.nest.flatten(second)]


@recipe([[2.0, 3], [1.0, 0]], resources=(False, True))
def assigned_before_it_is_read_in_a_loop() -> Built:
    x, n = v1.placeholder(tf.float32, []), v1.placeholder(tf.int32, [])
    v = v1.get_variable("v", initializer=[1.0, 2.0])
    w = v1.get_variable("w", initializer=5.0)
    with tf.control_dependencies([v1.assign(w, x)]):
        start = tf.identity(w.read_value())

    def body(i: Any, total: Any) -> Any:
        with tf.control_dependencies([v1.assign_add(v, [1.0, -1.0])]):
            read = v.read_value()
        with tf.control_dependencies([read]), tf.control_dependencies([v1.assign(w, total)]):
            return i + 1, total + tf.reduce_max(read) * w.read_value()

    _, total = tf.while_loop(lambda i, _: i < n, body, (0, start), parallel_iterations=1)
    with tf.control_dependencies([total]):
        return [x, n], [total, v.read_value() * 1.0, w.read_value() + 0.0]


@recipe([[X[0], 5], [X[1], 1]], generations=BOTH, tolerance=1e-5)
def beam_search() -> Built:
    """The best of four ways, word by word: scores, words and parents in arrays, then traced back."""
    rows, steps = v1.placeholder(tf.float32, [3, 4]), v1.placeholder(tf.int32, [])
    beams, words = 2, 4
    table = tf.nn.log_softmax(tf.matmul(tf.transpose(rows), rows))
    chosen = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[beams], clear_after_read=False)
    parents = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[beams], clear_after_read=False)

    def body(i: Any, last: Any, score: Any, done: Any, chosen: Any, parents: Any) -> Any:
        all_scores = score[:, None] + tf.where(done[:, None], tf.zeros([beams, words]) - 0.5, tf.gather(table, last))
        best, where = tf.nn.top_k(tf.reshape(all_scores, [-1]), beams)
        parent, word = where // words, where % words
        done = tf.logical_or(tf.gather(done, parent), tf.equal(word, 3))
        return i + 1, word, best, done, chosen.write(i, word), parents.write(i, parent)

    start = (0, tf.zeros([beams], tf.int32), tf.constant([0.0, -1e9]), tf.zeros([beams], tf.bool), chosen, parents)
    end = tf.while_loop(
        lambda i, last, score, done, *_: tf.logical_and(i < steps, tf.logical_not(tf.reduce_all(done))), body, start
    )
    count, _, score, done, chosen, parents = end

    def back(i: Any, beam: Any, words: Any) -> Any:
        return i - 1, parents.read(i)[beam], words.write(i, chosen.read(i)[beam])

    traced = tf.TensorArray(tf.int32, count, element_shape=[])
    traced = tf.while_loop(lambda i, *_: i >= 0, back, (count - 1, 0, traced))[2]
    return [rows, steps], [score, done, traced.stack(), chosen.stack(), parents.concat()]


@recipe([[X[0], 2], [X[1], 0]], generations=BOTH, tolerance=1e-5)
def gradients_of_loops_within() -> Built:
    x, n = v1.placeholder(tf.float32, [3, 4]), v1.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, _twice(x, a) + a), (0, x * 0.5))
    (slope,) = tf.gradients(y, x)
    return [x, n], [y, slope]


def _twice(x: Any, a: Any) -> Any:
    return tf.while_loop(lambda j, _: j < 2, lambda j, b: (j + 1, tf.sin(b) * x), (0, a))[1]


@recipe([[X[0], 2], [X[1], 0]], generations=BOTH, tolerance=1e-5)
def the_gradient_of_a_loop_in_a_branch() -> Built:
    x, n = v1.placeholder(tf.float32, [3, 4]), v1.placeholder(tf.int32, [])
    y = tf.cond(n > 0, lambda: _twice(x, x * x), lambda: x * 3.0)
    (slope,) = tf.gradients(y, x)
    return [x, n], [y, slope]


@recipe([[X[0, 0], 3], [X[0, 1], 1]], generations=BOTH, tolerance=1e-5)
def a_second_gradient() -> Built:
    x, n = v1.placeholder(tf.float32, [4]), v1.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a * a * 0.5 + x), (0, x))
    (slope,) = tf.gradients(y, x)
    return [x, n], [y, slope]


@recipe([[[3, 1, 2], 9], [[0], 0], [[7, 7, 7, 7], 2]])
def statements_of_python() -> Built:
    numbers, most = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.int32, [])

    @tf.function
    def told(numbers: Any, most: Any) -> Any:
        total, seen = 0, tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[])
        for n in numbers:
            if n == 0:
                continue
            if total + n > most:
                break
            k = n
            while k > 0:
                k -= 1
                if k == 5:
                    break
                total += 1
            seen = seen.write(seen.size(), k)
        if total > 3:
            return total, seen.stack()
        return -total, tf.concat([seen.stack(), [99]], 0)

    return [numbers, most], list(told(numbers, most))


@recipe([[X, [3, 1]]], tolerance=1e-5)
def a_raw_loop_over_cells() -> Built:
    x, lengths = v1.placeholder(tf.float32, [2, 3, 4]), v1.placeholder(tf.int32, [2])
    rows = tf.TensorArray(tf.float32, 3).unstack(tf.transpose(x, [1, 0, 2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cell = cells.GRUCell(3, kernel_initializer="ones", bias_initializer="zeros")

        def step(time: Any, output: Any, state: Any, _: Any) -> Any:
            done = time >= lengths
            row = tf.cond(tf.reduce_all(done), lambda: tf.zeros([2, 4]), lambda: rows.read(time))
            return done, row, cell.zero_state(2, tf.float32) if state is None else state, output, None

        outputs, state, _ = v1.nn.raw_rnn(cell, step)
    return [x, lengths], [outputs.stack(), state]
