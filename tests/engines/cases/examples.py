"""Cases of tf.Example messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cryograph.base.dtypes import FLOAT32, INT32, INT64, STRING
from cryograph.wire import messages as pb
from tests.support.op_cases import Array, Case, F, L, case, floats, ivec, refusal, strings


def example(**features: Any) -> bytes:
    """A message with these features: lists of bytes, floats or ints; None is a feature without a kind."""
    message = pb.Example()
    for key, given in features.items():
        feature = message.features.feature[key]
        if given is None:
            continue
        kind = (
            feature.bytes_list
            if given and isinstance(given[0], bytes)
            else feature.float_list
            if given and isinstance(given[0], float)
            else feature.int64_list
        )
        kind.SetInParent()
        kind.value.extend(given)
    return message.SerializeToString(deterministic=True)


ONE = example(a=[1.5, -2.0], n=[3, 4, 5], t=[b"x", b"", b"long"], pair=[1, 2], r=[1, 2, 3])
TWO = example(a=[0.25, 8.0], n=[7], pair=[3, 4], odd=None)
THREE = example(a=[1.0, 2.0], t=[b"y"], pair=[5, 6], r=[4])
NONE = np.zeros(0, object)


def text(value: bytes) -> Array:
    held = np.empty((), object)
    held[()] = value
    return held


def batches() -> Iterator[Case]:
    three = strings(ONE, TWO, THREE)
    alone: dict[str, Any] = {"num_sparse": 0, "sparse_types": [], "ragged_value_types": [], "ragged_split_types": []}
    said = {
        "num_sparse": 2,
        "sparse_types": [INT64, STRING],
        "ragged_value_types": [INT64],
        "ragged_split_types": [INT32],
    }
    keys = (strings(b"n", b"t"), strings(b"a", b"pair"), strings(b"r"))
    for serialized in (three, strings(TWO), NONE, text(ONE)):
        yield case("ParseExampleV2", serialized, NONE, *keys, floats(0), ivec([0, 0], dtype=L),
                   Tdense=[FLOAT32, INT64], dense_shapes=[(2,), (1, 2)], **said)  # fmt: skip
    yield case("ParseExampleV2", three, strings(b"one", b"two", b"three"), NONE, strings(b"n", b"t", b"absent"), NONE,
               L(-1), text(b"?"), F(0.5), Tdense=[INT64, STRING, FLOAT32],
               dense_shapes=[(None,), (None,), (None, 2)], **alone)  # fmt: skip
    for shape, default in (((), L(9)), ((1,), ivec(9, dtype=L))):
        for given in (TWO, THREE):
            yield case("ParseExampleV2", strings(given), NONE, NONE, strings(b"n"), NONE, default, Tdense=[INT64],
                       dense_shapes=[shape], **alone)  # fmt: skip
    yield refusal("ParseExampleV2", strings(TWO), NONE, NONE, strings(b"n"), NONE, ivec(9, dtype=L), Tdense=[INT64],
                  dense_shapes=[()], **alone)  # fmt: skip
    yield case("ParseExample", three, NONE, text(b"t"), text(b"n"), text(b"a"), text(b"absent"), floats(2, seed=1),
               ivec(7, 8, dtype=L), Nsparse=2, Ndense=2, sparse_types=[STRING, INT64], Tdense=[FLOAT32, INT64],
               dense_shapes=[(2,), (2,)])  # fmt: skip
    yield case("ParseSingleExample", text(ONE), floats(0), num_sparse=1, sparse_keys=["t"], dense_keys=["a"],
               sparse_types=[STRING], Tdense=[FLOAT32], dense_shapes=[(2,)])  # fmt: skip
    for wrong in (b"no message", TWO):
        yield refusal("ParseExampleV2", strings(wrong), NONE, NONE, strings(b"t"), NONE, NONE, Tdense=[STRING],
                      dense_shapes=[(1,)], **alone)  # fmt: skip
    yield refusal("ParseExampleV2", strings(ONE), NONE, NONE, strings(b"a"), NONE, ivec(0, dtype=L), Tdense=[INT64],
                  dense_shapes=[(2,)], **alone)  # fmt: skip
    yield refusal("ParseExampleV2", strings(ONE), NONE, NONE, strings(b"a"), NONE, floats(3), Tdense=[FLOAT32],
                  dense_shapes=[(3,)], **alone)  # fmt: skip


CASES: list[Case] = [*batches()]
