"""What is known of the values that one op of a draft makes: dtype, shape, small values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from ..base.dtypes import INT64, RESOURCE, STRING
from ..base.errors import Error
from ..base.tensors import Tensor
from ..ops.facts import MAX_VALUES, UNKNOWN, Call, Contradiction, Fact, settled
from ..ops.inference import infer_call
from ..ops.signatures import output_types, signature
from .draft import Op
from .effects import op_has_effect
from .generators import DRAW, LEARN
from .holders import MISSING


def fact_of(tensor: Tensor) -> Fact:
    """What is known of a constant; its values too when they are few."""
    count = 1
    for size in tensor.shape:
        count *= size
    value = None
    if count <= MAX_VALUES and tensor.dtype.numpy is not None and not tensor.dtype.is_string:
        value = settled(tensor.numpy(), tensor.dtype)
    return Fact(tensor.dtype, tensor.shape, value)


def facts_of(op: Op, inputs: Sequence[Fact], producer: int) -> list[Fact]:
    """What is known of the outputs of an op without bodies."""
    special = SPECIAL.get(op.op)
    if special is not None:
        return special(op, inputs)
    handles = handle_places(op.op)
    if handles and op_has_effect(op.op):
        return _state_facts(op, inputs, handles, producer)
    known = signature(op.op)
    if known is None:
        return [UNKNOWN] * op.count
    try:
        dtypes = [dtype.base for dtype in output_types(known, op.attrs)]
    except Error:
        return [UNKNOWN] * op.count  # its attributes make no sense; told when an engine is asked
    try:
        facts = infer_call(Call(op.op, op.attrs, inputs, dtypes, producer))
    except Contradiction:
        facts = [Fact(dtype) for dtype in dtypes]
    return facts if len(facts) == op.count else [*facts[: op.count], *[UNKNOWN] * (op.count - len(facts))]


@lru_cache(maxsize=4096)
def handle_places(op: str) -> tuple[int, ...]:
    """Which of its declared inputs an op of TensorFlow takes as handles or references; none where their number hangs
    on attributes."""
    known = signature(op)
    if known is None or any(arg.number_attr or arg.type_list_attr for arg in known.inputs):
        return ()
    return tuple(i for i, arg in enumerate(known.inputs) if arg.is_ref or arg.dtype == RESOURCE)


def _state_facts(op: Op, inputs: Sequence[Fact], handles: Sequence[int], producer: int) -> list[Fact]:
    """A step that writes (see `state`): the new values are like the old ones, its own outputs follow."""
    known = signature(op.op)
    own: list[Fact] = []
    if known is not None:
        try:
            types = output_types(known, op.attrs)
        except Error:
            types = []
        found = [Fact(dtype.base) for dtype in types]
        if len(inputs) == len(known.inputs):
            try:
                found = infer_call(Call(op.op, op.attrs, inputs, [dtype.base for dtype in types], producer))
            except Contradiction:
                pass
        own = [fact for dtype, fact in zip(types, found, strict=False) if not dtype.is_ref]
    news = [Fact(fact.dtype, fact.shape) for fact in (inputs[i] for i in handles if i < len(inputs))]
    facts = [*news, *own]
    return facts if len(facts) == op.count else [UNKNOWN] * op.count


def _missing(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    return [Fact(op.attrs["dtype"], op.attrs["shape"])]


def _found(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """LookupTableFindV2(table keys (N, *key), table values (N, ...), keys (..., *key), default)."""
    held, values, keys = inputs[0], inputs[1], inputs[2]
    if held.shape is None or values.shape is None or keys.shape is None:
        return [Fact(values.dtype, None)]
    outer = keys.shape[: len(keys.shape) - len(held.shape) + 1]
    return [Fact(values.dtype, (*outer, *values.shape[1:]))]


def _table_written(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """New keys and values of a table that grew or shrank."""
    return [Fact(x.dtype, None if x.shape is None else (None, *x.shape[1:])) for x in inputs[:2]]


def _drawn(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """The generator, and what the op gives by itself."""
    inner = Op(op.key, op.name, op.attrs["op"], op.inputs[1:], [], op.attrs["said"], op.count - 1)
    return [inputs[0], *facts_of(inner, inputs[1:], 0)]


def _learned(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """What the op has learned, its generator where it has one, and what it gives by itself."""
    count = len(inputs) - 1
    inner = Op(op.key, op.name, op.attrs["op"], op.inputs[count:], [], op.attrs["said"], op.count - count)
    return [Fact(INT64, (None,)), *inputs[1:count], *facts_of(inner, inputs[count:], 0)]


def _stored(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """What a store of sparse tensors holds then, once the op has been given its store, and the op's own outputs."""
    held = [Fact(INT64, (None,)), Fact(STRING, (None, 3)), Fact(INT64, ())]
    own = {
        "AddSparseToTensorsMap": [Fact(INT64, ())],
        "AddManySparseToTensorsMap": [Fact(INT64, (None,))],
        "TakeManySparseFromTensorsMap": [
            Fact(INT64, (None, None)),
            Fact(op.attrs.get("dtype"), (None,)),
            Fact(INT64, (None,)),
        ],
    }[op.op]
    return own if op.count == len(own) else [*held, *own]


def _like_inputs(op: Op, inputs: Sequence[Fact]) -> list[Fact]:
    """New values of variables that are all like the old ones."""
    return [Fact(fact.dtype, fact.shape) for fact in inputs[: op.count]]


SPECIAL: dict[str, Callable[[Op, Sequence[Fact]], list[Fact]]] = {
    MISSING: _missing,
    DRAW: _drawn,
    LEARN: _learned,
    "LookupTableFindV2": _found,
    "LookupTableImportV2": _table_written,
    "LookupTableInsertV2": _table_written,
    "LookupTableRemoveV2": _table_written,
    "AddManySparseToTensorsMap": _stored,
    "AddSparseToTensorsMap": _stored,
    "TakeManySparseFromTensorsMap": _stored,
    "SdcaShrinkL1": _like_inputs,
}
"""Ops that mean something else in a program than in a graph."""
