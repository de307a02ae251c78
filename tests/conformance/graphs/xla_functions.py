"""Graphs that TensorFlow compiles, with XLA's ops that hold functions: reductions, windows, scatters, sorts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops as xla

from tests.conformance.graphs.making import Built, recipe, v1
from tests.engines.cases.xla import numbers

RNG = np.random.default_rng(11)
ROWS = RNG.uniform(-2, 2, (3, 5, 4)).astype(np.float32).tolist()
WHOLE = RNG.integers(-9, 9, (3, 5, 4)).tolist()
PICTURE = RNG.permutation(2 * 7 * 6).reshape(2, 7, 6).astype(np.float32).tolist()


def function(body: Callable[..., Any], *dtypes: Any) -> Any:
    """A function of single numbers."""
    return tf.function(body).get_concrete_function(*(tf.TensorSpec([], dtype) for dtype in dtypes))


def compiled(body: Callable[..., Any], *inputs: Any) -> list[Any]:
    """What a compiled function makes of the inputs."""
    made = tf.function(body, jit_compile=True)(*inputs)
    return list(made) if isinstance(made, list | tuple) else [made]


def _both(a: Any, b: Any, c: Any, d: Any) -> Any:
    """The larger number with its place; of equal ones the first."""
    first = tf.logical_or(a > c, tf.logical_and(tf.equal(a, c), b < d))
    return tf.where(first, a, c), tf.where(first, b, d)


@recipe([[ROWS]])
def reductions() -> Built:
    x = v1.placeholder(tf.float32, [3, 5, 4])
    two = (tf.float32, tf.float32)

    def body(x: Any) -> Any:
        made = []
        for reducer, start, axes in (
            (tf.add, 0.0, [1]),
            (tf.multiply, 1.0, [0, 2]),
            (tf.maximum, -np.inf, [2, 1, 0]),
            (tf.add, 0.5, [2]),
            (tf.add, 1.0, []),
        ):
            joined = function(reducer, *two)
            init = tf.constant(start, tf.float32)
            made.append(xla.xla_reduce(input=x, init_value=init, dimensions_to_reduce=axes, reducer=joined))
        none = xla.xla_reduce(input=x[:, :0], init_value=init, dimensions_to_reduce=[1], reducer=joined)
        return [*made, none]

    return [x], compiled(body, x)


@recipe([[WHOLE]])
def the_largest_and_its_place() -> Built:
    x = v1.placeholder(tf.int32, [3, 5, 4])
    four = (tf.int32,) * 4

    def body(x: Any) -> Any:
        places = tf.broadcast_to(tf.range(5)[:, None], [3, 5, 4])
        least, none = tf.constant(-100), tf.constant(0)
        one = xla.xla_variadic_reduce_v2(
            inputs=[x, places], init_values=[least, none], dimensions_to_reduce=[1], reducer=function(_both, *four)
        )
        other = xla.xla_variadic_reduce(
            input=[x, places], init_value=[least, none], dimensions_to_reduce=[1], reducer=function(_both, *four)
        )
        return [*one, *other]

    return [x], compiled(body, x)


@recipe([[PICTURE]])
def windows() -> Built:
    x = v1.placeholder(tf.float32, [2, 7, 6])
    two = (tf.float32, tf.float32)

    def body(x: Any) -> Any:
        made = []
        for reducer, start in ((tf.add, 0.5), (tf.maximum, -1.0)):
            for strides, spread, gaps, padding in (
                ([1, 1, 1], [1, 1, 1], [1, 1, 1], [[0, 0], [0, 0], [0, 0]]),
                ([1, 2, 3], [1, 1, 1], [1, 2, 1], [[0, 0], [1, 2], [0, 1]]),
                ([1, 2, 1], [1, 2, 3], [1, 1, 2], [[0, 0], [0, 1], [-1, 2]]),
            ):
                made.append(
                    xla.xla_reduce_window(
                        input=x,
                        init_value=tf.constant(start),
                        window_dimensions=[1, 3, 2],
                        window_strides=strides,
                        base_dilations=spread,
                        window_dilations=gaps,
                        padding=padding,
                        computation=function(reducer, *two),
                    )
                )
        return made

    return [x], compiled(body, x)


@recipe([[PICTURE]])
def gradients_of_windows() -> Built:
    x = v1.placeholder(tf.float32, [2, 7, 6])
    two = (tf.float32, tf.float32)

    def body(x: Any) -> Any:
        made = []
        for strides, padding, shape in (
            ([1, 2, 2], [[0, 0], [0, 0], [0, 0]], [2, 3, 3]),
            ([1, 1, 1], [[0, 0], [1, 1], [0, 1]], [2, 7, 6]),
        ):
            source = tf.reshape(tf.range(int(np.prod(shape)), dtype=tf.float32), shape) + 1.0
            made.append(
                xla.xla_select_and_scatter(
                    operand=x,
                    window_dimensions=[1, 3, 2],
                    window_strides=strides,
                    padding=padding,
                    source=source,
                    init_value=tf.constant(0.25),
                    select=function(tf.greater_equal, *two),
                    scatter=function(tf.add, *two),
                )
            )
        return made

    return [x], compiled(body, x)


@recipe([[ROWS, [[2], [0], [2], [9], [-1]]]])
def scatters() -> Built:
    x, indices = v1.placeholder(tf.float32, [3, 5, 4]), v1.placeholder(tf.int32, [5, 1])
    two = (tf.float32, tf.float32)

    def body(x: Any, indices: Any) -> Any:
        made = []
        for joined in (tf.add, tf.minimum, lambda a, b: b, lambda a, b: a * 0.5 - b):
            reducer = function(joined, *two)
            rows = tf.reshape(tf.range(100, dtype=tf.float32), [5, 5, 4]) / 9.0
            made.append(
                xla.xla_scatter(operand=x, scatter_indices=indices, updates=rows, update_computation=reducer,
                                      dimension_numbers=numbers(f1=[1, 2], f2=[0], f3=[0], f4=1),
                                      indices_are_sorted=False)
            )  # fmt: skip
            boxes = tf.reshape(tf.range(60, dtype=tf.float32), [2, 5, 3, 2]) / 7.0
            made.append(
                xla.xla_scatter(operand=x, scatter_indices=indices, updates=boxes, update_computation=reducer,
                                      dimension_numbers=numbers(f1=[0, 2, 3], f3=[1], f4=1), indices_are_sorted=False)
            )  # fmt: skip
        return made

    return [x, indices], compiled(body, x, indices)


@recipe([[ROWS, WHOLE]])
def sorts() -> Built:
    x, y = v1.placeholder(tf.float32, [3, 5, 4]), v1.placeholder(tf.int32, [3, 5, 4])
    two = (tf.float32, tf.float32, tf.int32, tf.int32)

    def body(x: Any, y: Any) -> Any:
        made = []
        for axis in (0, 1, 2):
            made += xla.xla_variadic_sort(
                inputs=[y, x],
                dimension=axis,
                comparator=function(lambda a, b, c, d: a > b, tf.int32, tf.int32, tf.float32, tf.float32),
                is_stable=True,
            )
            made += xla.xla_variadic_sort(
                inputs=[x, y], dimension=axis, comparator=function(lambda a, b, c, d: a < b, *two), is_stable=False
            )
        made += xla.xla_variadic_sort(
            inputs=[x], dimension=1, comparator=function(lambda a, b: a < b, *two[:2]), is_stable=True
        )
        return made

    return [x, y], compiled(body, x, y)


@recipe([[ROWS]])
def a_dynamic_size() -> Built:
    x = v1.placeholder(tf.float32, [3, 5, 4])
    two = (tf.float32, tf.float32)

    def body(x: Any) -> Any:
        cut = xla.xla_set_dynamic_dimension_size(input=x, dim_index=1, size=tf.constant(2))
        zero = tf.constant(0.0)
        return xla.xla_reduce(input=cut, init_value=zero, dimensions_to_reduce=[1], reducer=function(tf.add, *two))

    return [x], compiled(body, x)
