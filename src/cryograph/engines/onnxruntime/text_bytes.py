"""The bytes of strings in ONNX, of text whose letters take up to two bytes: Latin, Greek, Cyrillic, Hebrew, Arabic.

The runtime's tokenizer gives letters, a table their numbers, and these the bytes. Other letters end the run, and numpy
has the answer.
"""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, INT64, STRING
from ...base.tensors import Tensor
from .builder import Builder
from .rows import count_of
from .values import Refusal, Value

KNOWN = 0x800
"""Letters up to here take one or two bytes."""
END = "<end>"
"""Stands behind the letters of a string that is shorter than the longest one. No letter is as long."""
_BOTH = (None, None)


def letters(g: Builder, x: Value) -> Value:
    """(N, L) of strings of any shape: single letters, and `END` behind the last of each."""
    if x.dtype != STRING or (x.shape is not None and 0 in x.shape):
        raise Refusal("strings are taken apart where there are some")
    flat = g.reshape(x, [-1])
    return g.microsoft("Tokenizer", flat, shape=_BOTH, mark=0, pad_value=END, mincharnum=1, separators=[""])


def count_letters(g: Builder, parts: Value) -> Value:
    """(N): how many letters there are in rows of them."""
    found = g.learning("LabelEncoder", parts, dtype=INT64, shape=_BOTH, keys_tensor=_texts([END]),
                       values_tensor=Tensor.of(np.zeros(1, np.int64)),
                       default_tensor=Tensor.of(np.ones(1, np.int64)))  # fmt: skip
    return g.op("ReduceSum", found, g.ints([1]), keepdims=0, shape=(None,))


def _texts(items: list[str]) -> Tensor:
    return Tensor.of(np.array([item.encode() for item in items], object), STRING)


def codes_of(g: Builder, x: Value) -> Value:
    """(N, L): the numbers of the letters of strings of any shape, `KNOWN` behind the last of each."""
    codes = g.learning(
        "LabelEncoder",
        letters(g, x),
        dtype=INT64,
        shape=_BOTH,
        keys_tensor=_texts([*map(chr, range(KNOWN)), END]),
        values_tensor=Tensor.of(np.arange(KNOWN + 1)),
        default_tensor=Tensor.of(np.array([KNOWN + 1])),
    )
    most = g.op("ReduceMax", g.concat([g.reshape(codes, [-1]), g.ints([0])], 0, (None,)), keepdims=0, shape=())
    known = g.op("LessOrEqual", most, g.const(KNOWN, INT64), dtype=BOOL, shape=())
    return Value(g.behind(codes, g.must(known, "a letter takes more than two bytes")).name, INT64, _BOTH)


def sizes_of(g: Builder, codes: Value) -> Value:
    """(N, L): how many bytes letters take; 0 behind the last."""
    one = g.op("Less", codes, g.const(0x80, INT64), dtype=BOOL, shape=_BOTH)
    some = g.op("Less", codes, g.const(KNOWN, INT64), dtype=BOOL, shape=_BOTH)
    two = g.where(some, g.const(2, INT64), g.const(0, INT64), _BOTH)
    return g.where(one, g.const(1, INT64), two, _BOTH)


def bytes_of(g: Builder, x: Value, more: int) -> tuple[Value, Value]:
    """(N, L + more): the bytes of strings of any shape as int64, zeros behind the end of each; and how many there are
    (N)."""
    codes = codes_of(g, x)
    one = g.op("Less", codes, g.const(0x80, INT64), dtype=BOOL, shape=_BOTH)
    some = g.op("Less", codes, g.const(KNOWN, INT64), dtype=BOOL, shape=_BOTH)
    zero, sizes = g.const(0, INT64), sizes_of(g, codes)
    starts = g.op("CumSum", sizes, g.const(1, INT64), exclusive=1, shape=_BOTH)
    lengths = g.op("ReduceSum", sizes, g.ints([1]), keepdims=0, shape=(None,))
    longest = g.op("ReduceMax", lengths, g.ints([0]), keepdims=1, shape=(1,))
    width = g.op("Add", longest, g.ints([more]), shape=(1,))
    upper = g.op("Add", g.op("Div", codes, g.const(64, INT64), shape=_BOTH), g.const(0xC0, INT64), shape=_BOTH)
    lower = g.op("Add", g.op("Mod", codes, g.const(64, INT64), shape=_BOTH), g.const(0x80, INT64), shape=_BOTH)
    two = g.op("And", some, g.unary("Not", one), dtype=BOOL, shape=_BOTH)
    # What is no byte goes to a column behind the others.
    shape = g.concat([count_of(g, codes), g.op("Add", width, g.ints([1]), shape=(1,))], 0, (2,))
    made = g.op("Expand", zero, shape, shape=_BOTH)
    first = g.where(one, codes, upper, _BOTH)
    made = g.op("ScatterElements", made, g.where(some, starts, width, _BOTH), first, axis=1, shape=_BOTH)
    behind = g.op("Add", starts, g.const(1, INT64), shape=_BOTH)
    made = g.op("ScatterElements", made, g.where(two, behind, width, _BOTH), lower, axis=1, shape=_BOTH)
    return Value(g.slice(made, g.ints([0]), g.ints([-1]), [1]).name, INT64, _BOTH), lengths
