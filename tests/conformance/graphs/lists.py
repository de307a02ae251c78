"""Lists and maps of tensors and optional values: every op, what it refuses, and loops over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import composite_tensor_ops as composites
from tensorflow.python.ops import gen_list_ops as lists
from tensorflow.python.ops import gen_map_ops as maps
from tensorflow.python.ops import gen_optional_ops as optionals

from tests.conformance.graphs.making import Built, recipe, v1

X = np.arange(12, dtype=np.float32).reshape(4, 3)
SCALAR = np.zeros(0, np.int32)
KINDS = [
    *(tf.bool, tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32, tf.uint32, tf.int64, tf.uint64, tf.float16),
    *(tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.string),
]


def f32(*shape: int | None) -> Any:
    return v1.placeholder(tf.float32, list(shape))


def i32(*shape: int | None) -> Any:
    return v1.placeholder(tf.int32, list(shape))


def cast(x: Any, dtype: Any) -> Any:
    return (
        tf.gather(tf.constant([b"%d" % i for i in range(12)]), tf.cast(x, tf.int32))
        if dtype == tf.string
        else tf.cast(x, dtype)
    )


@recipe([[X]])
def lists_of_every_dtype() -> Built:
    x, found = f32(4, 3), []
    for dtype in KINDS:
        rows = cast(x, dtype)
        held = lists.tensor_list_from_tensor(rows, [3])
        held = lists.tensor_list_push_back(held, rows[0])
        held = lists.tensor_list_resize(held, 7)
        held = lists.tensor_list_set_item(held, 1, rows[3])
        found.append(lists.tensor_list_stack(held, [3], dtype))
        found.append(lists.tensor_list_gather(held, [6, 0], [-1], dtype))
        _, last = lists.tensor_list_pop_back(held, [-1], dtype)
        found.append(last)
    return [x], found


@recipe([[X, 0], [X, 3], [X, 4], [X, -1]])
def one_element() -> Built:
    x, index = f32(None, 3), i32()
    held = lists.tensor_list_from_tensor(x, [-1])
    later = lists.tensor_list_set_item(held, index, [7.0, 8.0, 9.0])
    read = lists.tensor_list_get_item(held, index, [3], tf.float32)
    return [x, index], [read, lists.tensor_list_stack(later, -1, tf.float32), lists.tensor_list_length(later)]


@recipe([[2], [9]])
def an_element_beyond_the_end() -> Built:
    index = i32()
    held = lists.tensor_list_reserve([2], 3, tf.float32)
    held = lists.tensor_list_set_item(held, index, [1.0, 2.0], resize_if_index_out_of_bounds=True)
    return [index], [lists.tensor_list_stack(held, [2], tf.float32)]


@recipe([[0], [1], [3]])
def pushed_and_popped() -> Built:
    count = i32()
    held = lists.empty_tensor_list(SCALAR, 2, tf.int64)
    _, held = tf.while_loop(
        lambda i, _: i < count,
        lambda i, held: (i + 1, lists.tensor_list_push_back(held, tf.cast(i, tf.int64) * 3)),
        (0, held),
    )
    left, last = lists.tensor_list_pop_back(held, SCALAR, tf.int64)
    return [count], [last, lists.tensor_list_length(left), lists.tensor_list_length(held)]


@recipe([[0], [3], [-1]])
def reserved_elements_are_zeros() -> Built:
    count = i32()
    held = lists.tensor_list_reserve([2, -1], count, tf.float32)
    shapes = [lists.tensor_list_element_shape(held, kind) for kind in (tf.int32, tf.int64)]
    unknown = lists.tensor_list_reserve(-1, count, tf.string)
    return [count], [
        lists.tensor_list_stack(held, [-1, 3], tf.float32),
        lists.tensor_list_stack(unknown, [1], tf.string),
        lists.tensor_list_element_shape(unknown, tf.int32),
        *shapes,
    ]


@recipe([[X, [0]], [X, [3, 0, 0]], [X, []], [X, [4]], [X, [-1]]])
def gathered() -> Built:
    x, indices = f32(None, 3), i32(None)
    held = lists.tensor_list_from_tensor(x, [3])
    return [x, indices], [lists.tensor_list_gather(held, indices, [3], tf.float32)]


@recipe([[X, [0, 1, 2, 3]], [X, [5, 1, 2, 0]], [X, [1, 1, 1, 1]], [X, [0, 1]]])
def scattered() -> Built:
    x, indices = f32(None, 3), i32(None)
    first = lists.tensor_list_scatter(x, indices, [3])
    second = lists.tensor_list_scatter_v2(x, indices, [-1], 6)
    return [x, indices], [lists.tensor_list_stack(held, [3], tf.float32) for held in (first, second)]


@recipe([[X, [0, 1, 2, 3]], [X, [2, 1, 1, 0]], [X, [0, 1]]])
def scattered_into_a_list() -> Built:
    x, indices = f32(None, 3), i32(None)
    held = lists.tensor_list_reserve([3], 3, tf.float32)
    held = lists.tensor_list_scatter_into_existing_list(held, x + 1.0, indices)
    return [x, indices], [lists.tensor_list_stack(held, [3], tf.float32), lists.tensor_list_length(held)]


@recipe([[X, [0, 1, 2, 3]], [X, [0, 1, 2, 4]]])
def scattered_to_a_number_of_elements() -> Built:
    x, indices = f32(None, 3), i32(None)
    held = lists.tensor_list_scatter_v2(x, indices, [3], 4)
    return [x, indices], [lists.tensor_list_stack(held, [3], tf.float32)]


@recipe([[X, [1, 0, 3]], [X, [4]], [X, [1, 1]], [X, [5, -1]], [X[:0], []]])
def split_and_concatenated() -> Built:
    x, lengths = f32(None, 3), v1.placeholder(tf.int64, [None])
    held = lists.tensor_list_split(x, [-1, 3], lengths)
    first = lists.tensor_list_concat(held, tf.float32, [None, 3])
    second = lists.tensor_list_concat_v2(held, [-1, 3], tf.constant([], tf.int64), tf.float32)
    return [x, lengths], [*first, *second, lists.tensor_list_length(held)]


@recipe([[X, [2, 1, 0]], [X, [0, 0, 3]]])
def concatenated_with_elements_that_are_not_set() -> Built:
    x, leading = f32(None, 3), v1.placeholder(tf.int64, [None])
    held = lists.tensor_list_reserve([-1, 3], 3, tf.float32)
    held = lists.tensor_list_set_item(held, 1, x)
    return [x, leading], list(lists.tensor_list_concat_v2(held, [-1, 3], leading, tf.float32))


@recipe([[X]])
def lists_of_lists() -> Built:
    x = f32(4, 3)
    a, b = lists.tensor_list_from_tensor(x, [3]), lists.tensor_list_from_tensor(x + 20.0, [3])
    both = tf.stack([a, b])
    pushed = lists.tensor_list_push_back_batch(both, x[:2])
    joined = lists.tensor_list_concat_lists(pushed, both, tf.float32)
    outer = lists.tensor_list_from_tensor(joined, SCALAR)
    second = lists.tensor_list_get_item(outer, 1, SCALAR, tf.variant)
    return [x], [
        *(lists.tensor_list_stack(joined[i], [3], tf.float32) for i in (0, 1)),
        lists.tensor_list_stack(second, [3], tf.float32),
    ]


@recipe([[X]])
def sums_and_zeros() -> Built:
    x = f32(4, 3)
    a, b = lists.tensor_list_from_tensor(x, [3]), lists.tensor_list_from_tensor(x * x, [3])
    return [x], [lists.tensor_list_stack(held, [3], tf.float32) for held in (tf.add_n([a, b, a]), tf.zeros_like(a))]


def _hidden(make: Callable[..., Any], *args: Any) -> Any:
    """A variant of which nothing is known when the graph is built, so that it is refused when it runs."""
    return v1.placeholder_with_default(make(*args), [])


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "pop_from_an_empty_list": lambda x, n: lists.tensor_list_pop_back(
        _hidden(lists.empty_tensor_list, [3], n - 5, tf.float32), [3], tf.float32
    )[1],
    "push_an_element_of_another_shape": lambda x, n: lists.tensor_list_length(
        lists.tensor_list_push_back(_hidden(lists.empty_tensor_list, [2], n, tf.float32), x[0])
    ),
    "push_an_element_of_another_dtype": lambda x, n: lists.tensor_list_length(
        lists.tensor_list_push_back(_hidden(lists.empty_tensor_list, [3], n, tf.float64), x[0])
    ),
    "set_an_element_of_another_shape": lambda x, n: lists.tensor_list_length(
        lists.tensor_list_set_item(_hidden(lists.tensor_list_reserve, [2], n, tf.float32), 0, x[0])
    ),
    "read_an_element_of_another_dtype": lambda x, n: lists.tensor_list_get_item(
        _hidden(lists.tensor_list_reserve, [3], n, tf.float32), 0, [3], tf.int32
    ),
    "read_what_is_not_set_and_has_no_shape": lambda x, n: lists.tensor_list_get_item(
        _hidden(lists.tensor_list_reserve, -1, n, tf.float32), 0, [-1], tf.float32
    ),
    "stack_another_number": lambda x, n: lists.tensor_list_stack(
        _hidden(lists.tensor_list_reserve, [3], n, tf.float32), [3], tf.float32, num_elements=4
    ),
    "stack_elements_of_several_shapes": lambda x, n: lists.tensor_list_stack(
        lists.tensor_list_push_back(_hidden(lists.tensor_list_from_tensor, x, [-1]), [1.0] * 2), [-1], tf.float32
    ),
    "stack_nothing_of_unknown_shape": lambda x, n: lists.tensor_list_stack(
        _hidden(lists.empty_tensor_list, [-1], n, tf.float32), [-1], tf.float32
    ),
    "make_a_list_of_a_scalar": lambda x, n: lists.tensor_list_length(
        _hidden(lists.tensor_list_from_tensor, tf.reshape(x[0, :1], tf.fill([n - 5], 1)), SCALAR)
    ),
    "make_a_list_of_another_shape": lambda x, n: lists.tensor_list_length(
        _hidden(lists.tensor_list_from_tensor, x, tf.fill([n - 3], n))
    ),
    "resize_to_less_than_nothing": lambda x, n: lists.tensor_list_length(
        lists.tensor_list_resize(_hidden(lists.tensor_list_from_tensor, x, [3]), n - 9)
    ),
    "join_elements_of_several_widths": lambda x, n: lists.tensor_list_concat(
        lists.tensor_list_push_back(_hidden(lists.tensor_list_from_tensor, tf.ones([2, 3, 3]), -1), tf.ones([1, n])),
        tf.float32,
    )[0],
    "join_scalars": lambda x, n: lists.tensor_list_concat(
        _hidden(lists.tensor_list_reserve, SCALAR, n, tf.float32), tf.float32
    )[0],
    "look_up_a_key_that_is_not_there": lambda x, n: maps.tensor_map_lookup(
        _hidden(maps.empty_tensor_map), n, tf.float32
    ),
    "erase_a_key_that_is_not_there": lambda x, n: maps.tensor_map_size(
        maps.tensor_map_erase(_hidden(maps.empty_tensor_map), n, tf.float32)
    ),
    "take_a_value_that_is_missing": lambda x, n: optionals.optional_get_value(
        _hidden(optionals.optional_none), [tf.float32], [[3]]
    )[0],
    "take_a_value_of_another_dtype": lambda x, n: optionals.optional_get_value(
        _hidden(optionals.optional_from_value, [x]), [tf.int32], [None]
    )[0],
    "take_a_value_of_another_shape": lambda x, n: optionals.optional_get_value(
        _hidden(optionals.optional_from_value, [x]), [tf.float32], [[5]]
    )[0],
}


def _refused(name: str, made: Callable[[Any, Any], Any]) -> None:
    def build() -> Built:
        x, n = f32(None, None), i32()
        return [x, n], [made(x, n)]

    build.__name__ = name
    recipe([[X, 5]])(build)


for _name, _made in REFUSED.items():
    _refused(_name, _made)


@recipe([[X, 1], [X, 0]])
def a_map() -> Built:
    x, n = f32(4, 3), i32()
    held = maps.empty_tensor_map()
    held = maps.tensor_map_insert(held, 1, x[0])
    held = maps.tensor_map_insert(held, n, x[1])
    held = maps.tensor_map_insert(held, [1, 2], [b"two keys"])
    held = maps.tensor_map_insert(held, b"a", 3)
    size, has = maps.tensor_map_size(held), [maps.tensor_map_has_key(held, key) for key in (0, 1, 2, b"a", [1, 2])]
    read = maps.tensor_map_lookup(held, n, tf.float32), maps.tensor_map_lookup(held, [1, 2], tf.string)
    less = maps.tensor_map_erase(held, n, tf.float32)
    return [x, n], [size, *has, *read, maps.tensor_map_size(less), maps.tensor_map_has_key(less, n)]


@recipe([[[5, 3]], [[3, 3]]])
def keys_of_a_map() -> Built:
    keys = i32(2)
    held = maps.tensor_map_insert(maps.empty_tensor_map(), keys[0], 1.0)
    held = maps.tensor_map_insert(held, keys[1], 2.0)
    return [keys], [tf.sort(maps.tensor_map_stack_keys(held, tf.int32))]


@recipe([[X, True], [X, False]], generations=(1, 2))
def an_optional_value() -> Built:
    x, there = f32(None, 3), v1.placeholder(tf.bool, [])
    held = tf.cond(there, lambda: optionals.optional_from_value([x, [b"s"]]), optionals.optional_none)
    has = optionals.optional_has_value(held)
    read = tf.cond(
        has,
        lambda: optionals.optional_get_value(held, [tf.float32, tf.string], [[None, 3], [1]]),
        lambda: [x * 0.0, tf.constant([b"none"])],
    )
    return [x, there], [has, *read]


@recipe([[[1, 2, 3, 4], [1, 0, 3]]])
def a_ragged_tensor_as_a_composite() -> Built:
    values, lengths = i32(None), i32(None)
    ragged = tf.RaggedTensor.from_row_lengths(values, lengths)
    held = composites.composite_tensor_to_variants(ragged)
    back = composites.composite_tensor_from_variant(tf.identity(held), tf.RaggedTensorSpec([None, None], tf.int32))
    return [values, lengths], [back.flat_values, back.row_splits]


@recipe([[1000]])
def a_long_loop() -> Built:
    count = i32()
    held = lists.tensor_list_reserve(SCALAR, count, tf.int32)
    kept = lists.empty_tensor_list(SCALAR, -1, tf.int32)
    _, held, kept = tf.while_loop(
        lambda i, *_: i < count,
        lambda i, held, kept: (
            i + 1,
            lists.tensor_list_set_item(held, count - 1 - i, i * i),
            lists.tensor_list_push_back(kept, i),
        ),
        (0, held, kept),
    )
    return [count], [
        tf.reduce_sum(lists.tensor_list_stack(kept, SCALAR, tf.int32)),
        lists.tensor_list_stack(held, SCALAR, tf.int32)[:5],
    ]
