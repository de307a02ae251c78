"""Lookup tables that a vocabulary file among the assets fills."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .making import Built, recipe, v1

COLUMNS = b"a\t1\t2.5\nb\t-2\t3.5e1\r\nc d\t3\tinf\n"
LINES = b"one\ntwo\r\nthree four\nfive"
WHOLE, NUMBER = -2, -1

KINDS: dict[str, tuple[bytes, Any, Any, dict[str, Any]]] = {
    # name: file, dtypes of keys and values, what differs from whole lines and their numbers
    "lines": (LINES, tf.string, tf.int64, {}),
    "numbers": (LINES, tf.int64, tf.string, {"key_index": NUMBER, "value_index": WHOLE}),
    "some_lines": (LINES, tf.string, tf.int64, {"vocab_size": 2}),
    "numbered_from": (LINES, tf.string, tf.int64, {"offset": 10, "vocab_size": 3}),
    "numbers_from": (LINES, tf.int64, tf.string, {"key_index": NUMBER, "value_index": WHOLE, "offset": 10}),
    "columns": (COLUMNS, tf.string, tf.int64, {"key_index": 0, "value_index": 1}),
    "narrow": (COLUMNS, tf.string, tf.int32, {"key_index": 0, "value_index": 1}),
    "floats": (COLUMNS, tf.string, tf.float32, {"key_index": 0, "value_index": 2}),
    "doubles": (COLUMNS, tf.int64, tf.float64, {"key_index": 1, "value_index": 2}),
    "turned": (COLUMNS, tf.int64, tf.string, {"key_index": 1, "value_index": 0}),
    "column_and_line": (COLUMNS, tf.string, tf.string, {"key_index": 0, "value_index": WHOLE}),
    "column_and_number": (COLUMNS, tf.string, tf.int64, {"key_index": 2, "value_index": NUMBER}),
    "blanks": (b"10 x y\n20 z w\n", tf.int64, tf.string, {"key_index": 0, "value_index": 2, "delimiter": " "}),
    "commas": (b"x,1\ny,2\nx,1\n", tf.string, tf.int64, {"key_index": 0, "value_index": 1, "delimiter": ","}),
    "carriage_returns": (b"a\r\r\nb\rc\nd\r", tf.string, tf.int64, {}),
    "the_same_value": (b"a\na\n", tf.int64, tf.string, {"key_index": NUMBER, "value_index": WHOLE}),
}
ASKED: dict[Any, list[Any]] = {
    tf.string: [b"one", b"two", b"three four", b"a", b"a\r", b"b\rc", b"d", b"c d", b"x", b"y", b"2.5", b"inf", b"?"],
    tf.int64: [0, 1, 2, 10, 11, -2, 3, 20, 99],
}
OTHERWISE = {tf.string: b"none", tf.int64: -7, tf.int32: -7, tf.float32: -7.5, tf.float64: -7.5}


def looked_up(kind: str, ops: str) -> Built:
    """A table of one generation of ops, filled by a node of its own, with what is found and how many there are."""
    _, key_dtype, value_dtype, attrs = KINDS[kind]
    raw = tf.raw_ops
    keys = v1.placeholder(key_dtype, [None])
    said = {"key_index": WHOLE, "value_index": NUMBER, "vocab_size": -1, "delimiter": "\t", "offset": 0, **attrs}
    default = tf.constant(OTHERWISE[value_dtype], value_dtype)
    table = getattr(raw, f"HashTable{ops}")(key_dtype=key_dtype, value_dtype=value_dtype, shared_name=kind)
    fill = getattr(raw, f"InitializeTableFromTextFile{ops}")(table_handle=table, filename="vocab.txt", **said)
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, fill)
    found = getattr(raw, f"LookupTableFind{ops}")(table_handle=table, keys=keys, default_value=default)
    return [keys], [found, getattr(raw, f"LookupTableSize{ops}")(table_handle=table)]


for _kind, (_file, _keys, _, _) in KINDS.items():
    for _ops in ("", "V2"):

        @recipe([[ASKED[_keys]]], assets={"vocab.txt": _file}, name=f"{_kind}{_ops and '-v2'}")
        def build(kind: str = _kind, ops: str = _ops) -> Built:
            return looked_up(kind, ops)
