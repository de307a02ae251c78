"""Where graphs are cut behind queues, iterators and the like, as the error names it."""

from __future__ import annotations

import numpy as np
import pytest

from cryograph.base.dtypes import FLOAT32, INT32, VARIANT
from cryograph.base.errors import InputError
from cryograph.graph.attrs import FuncRef
from cryograph.graph.document import Document
from cryograph.ops.signatures import signature
from cryograph.program.build import build_program
from cryograph.program.pipelines import PIPELINES
from tests.support.small_graphs import document_of, function, node

TYPES = [FLOAT32, INT32]


def cuts(document: Document, output: str) -> str:
    with pytest.raises(InputError, match="input pipeline") as raised:
        build_program(document, [output])
    return str(raised.value).partition("inputs=")[2]


def test_only_what_is_needed_is_named() -> None:
    document = document_of(
        node("queue", "RandomShuffleQueueV2", component_types=TYPES),
        node("batch", "QueueDequeueManyV2", "queue", "n", component_types=TYPES),
        node("n", "QueueSizeV2", "queue"),
        node("y", "Neg", "batch:1", T=INT32),
        node("z", "Neg", "batch", T=FLOAT32),
    )
    assert "'batch:1'" in cuts(document, "y")
    assert "'batch:0'" not in cuts(document, "y")


def test_what_an_optional_holds_is_fed_and_not_the_optional() -> None:
    document = document_of(
        node("it", "IteratorV2", output_types=TYPES, output_shapes=[(2,), ()], shared_name="", container=""),
        node("next", "IteratorGetNextAsOptional", "it", output_types=TYPES, output_shapes=[(2,), ()]),
        node("values", "OptionalGetValue", "next", output_types=TYPES, output_shapes=[(2,), ()]),
        node("y", "Neg", "values", T=FLOAT32),
    )
    assert cuts(document, "y") == "['values:0']."
    program = build_program(document, ["y"], ["values:0"])
    assert program.specs["values:0"].dtype == FLOAT32


def test_a_pipeline_in_a_function_is_cut_at_the_call() -> None:
    inner = function(
        "following",
        {},
        {"x": ("next:components:0", FLOAT32), "n": ("next:components:1", INT32)},
        [
            node("it", "IteratorV2", output_types=TYPES, output_shapes=[(2,), ()], shared_name="", container=""),
            node("next", "IteratorGetNext", "it:handle:0", output_types=TYPES, output_shapes=[(2,), ()]),
        ],
    )
    call = node("call", "StatefulPartitionedCall", f=FuncRef("following"), Tin=[], Tout=TYPES)
    document = document_of(inner, call, node("y", "Neg", "call", T=FLOAT32), node("z", "Neg", "call:1", T=INT32))
    assert cuts(document, "y") == "['call:0']."
    program = build_program(document, ["y"], ["call:0"])
    assert program.inputs == ("call:0",)
    assert np.dtype(program.specs["call:0"].dtype.numpy) == np.float32


def test_pipelines_are_ops_of_tensorflow_that_give_something() -> None:
    for op in PIPELINES:
        known = signature(op)
        assert known is not None, op
        assert known.outputs or op == "ReduceDataset", op
    assert VARIANT.numpy is None  # what an optional is, so that it cannot be fed
