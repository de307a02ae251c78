"""Graphs with XLA's ops whose functions are no single op, of integers and flags too, and sorts by more than one key."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops as xla

from tests.conformance.graphs.making import Built, recipe, v1
from tests.conformance.graphs.xla_functions import compiled, function
from tests.engines.cases.xla import numbers

RNG = np.random.default_rng(12)
ROWS = RNG.uniform(-2, 2, (3, 5, 4)).astype(np.float32).tolist()
WHOLE = RNG.integers(-9, 9, (3, 5, 4)).tolist()
DISTINCT = (RNG.permutation(60) * (1 - 2 * (np.arange(60) % 2))).reshape(3, 5, 4).tolist()  # also without their signs
FLAGS = (RNG.integers(0, 3, (3, 5, 4)) > 0).tolist()


def _far(a: Any, b: Any) -> Any:
    """The number that is farther from 0."""
    return tf.where(tf.abs(a) >= tf.abs(b), a, b)


def _affine(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Two maps x -> a x + b, one after the other."""
    return a * c, c * b + d


@recipe([[ROWS, WHOLE, FLAGS]])
def odd_reductions() -> Built:
    x, y, z = (v1.placeholder(kind, [3, 5, 4]) for kind in (tf.float32, tf.int32, tf.bool))

    def body(x: Any, y: Any, z: Any) -> Any:
        made = []
        for values, start, reducer in (
            (x, 0.5, _far),
            (x, -1.0, lambda a, b: tf.sqrt(a * a + b * b)),
            (y, 3, tf.add),
            (y, 1, tf.multiply),
            (y, -100, tf.maximum),
            (y, 100, tf.minimum),
            (tf.cast(y, tf.int64), 7, tf.add),
            (z, False, tf.logical_or),
            (z, True, tf.logical_and),
        ):
            joined = function(reducer, values.dtype, values.dtype)
            init = tf.constant(start, values.dtype)
            for axes in ([1], [0, 2], [0, 1, 2]):
                made.append(xla.xla_reduce(input=values, init_value=init, dimensions_to_reduce=axes, reducer=joined))
        four = (tf.float32,) * 4
        made += xla.xla_variadic_reduce_v2(
            inputs=[x, x * 0.5 + 1.0],
            init_values=[tf.constant(1.0), tf.constant(0.0)],
            dimensions_to_reduce=[1],
            reducer=function(_affine, *four),
        )
        return made

    return [x, y, z], compiled(body, x, y, z)


@recipe([[ROWS, WHOLE, FLAGS]])
def odd_windows() -> Built:
    x, y, z = (v1.placeholder(kind, [3, 5, 4]) for kind in (tf.float32, tf.int32, tf.bool))

    def body(x: Any, y: Any, z: Any) -> Any:
        made = []
        for values, start, reducer in (
            (x, 0.25, _far),
            (y, 0, tf.add),
            (y, -50, tf.maximum),
            (x, 1.0, tf.multiply),
            (z, False, tf.logical_or),
        ):
            for sizes, strides, spread, gaps, padding in (
                ([1, 5, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [[0, 0], [4, 0], [0, 0]]),
                ([2, 3, 4], [1, 2, 1], [1, 1, 1], [1, 1, 1], [[1, 0], [1, 1], [2, 1]]),
                ([1, 2, 3], [1, 1, 2], [1, 2, 1], [2, 2, 1], [[0, 0], [0, 1], [1, 1]]),
            ):
                made.append(
                    xla.xla_reduce_window(
                        input=values,
                        init_value=tf.constant(start, values.dtype),
                        window_dimensions=sizes,
                        window_strides=strides,
                        base_dilations=spread,
                        window_dilations=gaps,
                        padding=padding,
                        computation=function(reducer, values.dtype, values.dtype),
                    )
                )
        return made

    return [x, y, z], compiled(body, x, y, z)


@recipe([[WHOLE, [[2], [0], [2], [7], [2], [-1], [0]]]])
def odd_scatters() -> Built:
    y, indices = v1.placeholder(tf.int32, [3, 5, 4]), v1.placeholder(tf.int32, [7, 1])

    def body(y: Any, indices: Any) -> Any:
        made = []
        for kind in (tf.int32, tf.int64, tf.float32, tf.float64):
            values = tf.cast(y, kind)
            rows = tf.cast(tf.reshape(tf.range(140) % 13 - 6, [7, 5, 4]), kind)
            for joined in (tf.add, tf.multiply, tf.maximum, tf.minimum, lambda a, b: b, lambda a, b: a * 2 - b):
                made.append(
                    xla.xla_scatter(operand=values, scatter_indices=indices, updates=rows,
                                    update_computation=function(joined, kind, kind),
                                    dimension_numbers=numbers(f1=[1, 2], f2=[0], f3=[0], f4=1),
                                    indices_are_sorted=False)
                )  # fmt: skip
        return made

    return [y, indices], compiled(body, y, indices)


@recipe([[DISTINCT]])
def odd_gradients_of_windows() -> Built:
    y = v1.placeholder(tf.int32, [3, 5, 4])

    def body(y: Any) -> Any:
        made = []
        for kind in (tf.int32, tf.float32):
            values = tf.cast(y, kind)
            for select in (tf.greater_equal, tf.less_equal, lambda a, b: tf.abs(a) >= tf.abs(b)):
                for scatter in (tf.add, tf.maximum, lambda a, b: a + b + 1):
                    source = tf.cast(tf.reshape(tf.range(3 * 5 * 3), [3, 5, 3]), kind) + 1
                    made.append(
                        xla.xla_select_and_scatter(
                            operand=values,
                            window_dimensions=[1, 3, 2],
                            window_strides=[1, 1, 2],
                            padding=[[0, 0], [1, 1], [1, 1]],
                            source=source,
                            init_value=tf.constant(3, kind),
                            select=function(select, kind, kind),
                            scatter=function(scatter, kind, kind),
                        )
                    )
        return made

    return [y], compiled(body, y)


def _lexical(a: Any, b: Any, c: Any, d: Any) -> Any:
    """By the first key downwards, and where that is the same by the second one upwards."""
    return tf.logical_or(a > b, tf.logical_and(tf.equal(a, b), c < d))


@recipe([[ROWS, WHOLE]])
def odd_sorts() -> Built:
    x, y = v1.placeholder(tf.float32, [3, 5, 4]), v1.placeholder(tf.int32, [3, 5, 4])

    def body(x: Any, y: Any) -> Any:
        made = []
        kinds = (tf.int32, tf.int32, tf.float32, tf.float32)
        for axis in (0, 1, 2):
            made += xla.xla_variadic_sort(
                inputs=[y % 3, x], dimension=axis, comparator=function(_lexical, *kinds), is_stable=True
            )
            made += xla.xla_variadic_sort(
                inputs=[y, x],
                dimension=axis,
                comparator=function(lambda a, b, c, d: tf.abs(a) < tf.abs(b), *kinds),
                is_stable=True,
            )
            made += xla.xla_variadic_sort(
                inputs=[y, x], dimension=axis, comparator=function(lambda a, b, c, d: d > c, *kinds), is_stable=True
            )
        return made

    return [x, y], compiled(body, x, y)
