"""Cases of tf.SequenceExample messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING, DType
from cryograph.wire import messages as pb
from tests.support.op_cases import Array, Case, L, case, ivec, refusal, strings

NONE = np.zeros(0, object)


def feature(message: Any, given: Any) -> None:
    """Fills a feature: bytes, floats or ints; None is one without a kind."""
    if not given:
        return
    kind = {bytes: "bytes_list", float: "float_list", int: "int64_list"}[type(given[0])]
    getattr(message, kind).value.extend(given)


def sequence(features: dict[str, Any], **lists: Any) -> bytes:
    """A message with these features of the whole, and these lists, a row a step."""
    message = pb.SequenceExample()
    for key, given in features.items():
        feature(message.context.feature[key], given)
    for key, rows in lists.items():
        made = message.feature_lists.feature_list[key]
        for row in rows:
            feature(made.feature.add(), row)
    return message.SerializeToString(deterministic=True)


ONE = sequence(
    {"d": [1, 2], "s": [b"x", b"y"], "r": [1.5]},
    ld=[[1.0, 2.0], [3.0, 4.0]], ls=[[1], [], [2, 3]], lr=[[b"a"], [b"b", b"c"]],
)  # fmt: skip
TWO = sequence({"d": [3, 4]}, ld=[[5.0, 6.0]], ls=[], lr=[[]])
LACKING = sequence({"d": [5, 6], "s": None, "other": [1]}, ls=[[4], None])
BARE = sequence({}, ld=[[1.0, 2.0]])
NOTHING = sequence({})


def text(value: bytes) -> Array:
    return strings(value).reshape(())


KINDS: dict[str, list[DType]] = {
    "context_sparse_types": [STRING],
    "feature_list_sparse_types": [INT64],
    "feature_list_dense_types": [FLOAT32],
}
RAGGED = {
    "context_ragged_value_types": [FLOAT32],
    "context_ragged_split_types": [INT32],
    "feature_list_ragged_value_types": [STRING],
    "feature_list_ragged_split_types": [INT64],
}
COUNTS = {"Ncontext_sparse": 1, "Nfeature_list_sparse": 1, "Nfeature_list_dense": 1}
SHAPES: dict[str, Any] = {"context_dense_shapes": [(2,)], "feature_list_dense_shapes": [(2,)]}
UNSET = np.zeros(0, L)
SET = ivec(7, 8, dtype=L)


def second(given: Array, lacking: Any = (False,), default: Array = UNSET, names: Array = NONE, make: Any = case,
           sparse: bytes = b"ls", outputs: Any = None, **attrs: Any) -> Case:  # fmt: skip
    keys = [strings(key) for key in (b"s", b"d", b"r", sparse, b"ld", b"lr")]
    said = {**COUNTS, **SHAPES, **KINDS, **RAGGED, **attrs}
    made: Case = make("ParseSequenceExampleV2", given, names, *keys, np.array(lacking, bool), default,
                      **(said if outputs is None else {**said, "outputs": outputs}))  # fmt: skip
    return made


def first(given: Array, lacking: Any = (), default: Array = UNSET, make: Any = case, **attrs: Any) -> Case:
    said = {**COUNTS, **SHAPES, **KINDS, "Ncontext_dense": 1, **attrs}
    keys = {"context_sparse_keys": ["s"], "context_dense_keys": ["d"], "feature_list_sparse_keys": ["ls"],
            "feature_list_dense_keys": ["ld"]}  # fmt: skip
    made: Case = make("ParseSequenceExample", given, NONE, default,
                      feature_list_dense_missing_assumed_empty=list(lacking), **{**keys, **said})  # fmt: skip
    return made


def single(given: Array, lacking: Array = NONE, default: Array = UNSET, name: Array | None = None, make: Any = case,
           keys: Any = (b"s", b"d", b"ls", b"ld"), **attrs: Any) -> Case:  # fmt: skip
    said = {**COUNTS, **SHAPES, **KINDS, "Ncontext_dense": 1, **attrs}
    called = text(b"one") if name is None else name
    made: Case = make("ParseSingleSequenceExample", given, lacking, *map(text, keys), default, called, **said)
    return made


DEFINED = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 13)
"""The outputs of which TensorFlow sets every number when one example is parsed alone."""


def answered() -> Iterator[Case]:
    batches: list[tuple[Array, bool, Array]] = [
        (strings(ONE, TWO), False, UNSET),
        (strings(ONE), False, SET),
        (strings(ONE, LACKING), True, UNSET),
        (strings(LACKING), True, UNSET),
        (strings(ONE, BARE, TWO), False, SET),
        (strings(NOTHING, NOTHING), True, SET),
        (NONE, True, SET),
    ]
    for given, may_lack, default in batches:
        yield second(given, [may_lack], default)
        yield first(given, ["ld"] if may_lack else [], default)
    for alone, may_lack, default in (
        (ONE, False, UNSET),
        (TWO, False, UNSET),
        (LACKING, True, SET),
        (NOTHING, True, SET),
    ):
        yield second(text(alone), [may_lack], default, outputs=DEFINED)
        yield first(text(alone), ["ld"] if may_lack else [], default)
        yield single(text(alone), strings(b"ld", b"no") if may_lack else NONE, default)
    yield second(strings(ONE, TWO), names=strings(b"first", b"second"))
    yield single(text(sequence({"d": [1, 2], "s": None}, ld=[[1.0, 2.0]], ls=[None, [1]])))
    yield single(text(sequence({"d": [1, 2]}, ld=[])), name=text(b""))
    flat = sequence({"d": [5]}, ld=[[1.0], [2.0]])
    for shape in ((), (1,), (1, 1)):
        yield second(strings(flat), context_dense_shapes=[shape], feature_list_dense_shapes=[()])
        yield single(text(flat), context_dense_shapes=[()], feature_list_dense_shapes=[shape])
    words = sequence({"d": [b"a", b""]}, ld=[[1, 2]], ls=[[0.5]])
    kinds = {"feature_list_dense_types": [INT64], "feature_list_sparse_types": [FLOAT32]}
    for default in (NONE, strings(b"p", b"q")):
        yield second(strings(words, NOTHING) if default.size else strings(words), [True], default, **kinds)
        yield single(text(words), default=default, **kinds)
    texts = sequence({"d": [1, 2]}, ld=[[b"a", b"bc"], [b"", b"d"]])
    yield second(strings(texts, TWO[:0]), [True], SET, feature_list_dense_types=[STRING])
    yield single(text(texts), feature_list_dense_types=[STRING])
    twice: dict[str, Any] = {
        "Ncontext_sparse": 2, "context_sparse_types": [INT64, INT64], "context_dense_shapes": [],
        "context_ragged_value_types": [], "context_ragged_split_types": [], "Nfeature_list_sparse": 0,
        "feature_list_sparse_types": [], "Nfeature_list_dense": 2, "feature_list_dense_types": [FLOAT32, FLOAT32],
        "feature_list_dense_shapes": [(2,), (1, 2)], "feature_list_ragged_value_types": [INT64, INT64],
        "feature_list_ragged_split_types": [INT32, INT64],
    }  # fmt: skip
    yield case("ParseSequenceExampleV2", strings(ONE, TWO), NONE, strings(b"d", b"d"), NONE, NONE, NONE,
               strings(b"ld", b"ld"), strings(b"ls", b"ls"), np.array([False, True]), **twice)  # fmt: skip
    nothing: dict[str, Any] = {key: [] for key in (*KINDS, *RAGGED, *SHAPES)} | dict.fromkeys(COUNTS, 0)
    yield case("ParseSequenceExampleV2", strings(ONE), NONE, *[NONE] * 6, np.zeros(0, bool), outputs=(), **nothing)


def refused() -> Iterator[Case]:
    wrong: list[tuple[bytes, dict[str, Any]]] = [
        (LACKING, {}),
        (b"junk", {}),
        (BARE, {}),
        (ONE, {"feature_list_dense_types": [INT64]}),
        (ONE, {"feature_list_sparse_types": [FLOAT32]}),
        (ONE, {"context_sparse_types": [INT64]}),
        (ONE, {"feature_list_dense_shapes": [(3,)]}),
        (ONE, {"context_dense_shapes": [(3,)]}),
        (ONE, {"default": ivec([7, 8], dtype=L)}),
        (ONE, {"default": ivec(7, dtype=L)}),
        (sequence({"d": [1.0, 2.0]}, ld=[[1.0, 2.0]]), {}),
        (sequence({"d": None}, ld=[[1.0, 2.0]]), {"default": SET}),
        (sequence({"d": [1, 2]}, ld=[[1.0, 2.0], []]), {}),
        (sequence({"d": [1, 2]}, ld=[[1.0], [2.0, 3.0, 4.0]]), {}),
        (sequence({"d": [1, 2], "s": [1]}, ld=[[1.0, 2.0]]), {}),
        (sequence({"d": [1, 2]}, ld=[[1.0, 2.0]], ls=[[1.0]]), {}),
    ]
    for given, attrs in wrong:
        yield second(strings(given), make=refusal, **attrs)
        yield first(strings(given), make=refusal, **attrs)
        yield single(text(given), make=refusal, **attrs)
    for given in (
        sequence({"d": [1, 2], "r": [1]}, ld=[[1.0, 2.0]]),
        sequence({"d": [1, 2]}, ld=[[1.0, 2.0]], lr=[[1]]),
    ):
        yield second(strings(given), make=refusal)
    yield second(strings(ONE, BARE), make=refusal)
    yield second(NONE, make=refusal)
    yield second(strings([ONE]), make=refusal)
    yield second(strings(ONE, TWO), names=strings(b"n"), make=refusal)
    yield second(strings(ONE), (), make=refusal)
    yield second(strings(ONE), (True, False), make=refusal)
    yield second(strings(ONE), sparse=b"ld", make=refusal)
    yield single(strings(ONE), make=refusal)
    yield single(text(ONE), strings([b"ld"]), make=refusal)
    yield single(text(ONE), name=strings(b"n"), make=refusal)


CASES: list[Case] = [*answered(), *refused()]
