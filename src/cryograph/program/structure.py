"""TF1's control flow becomes While and If, in a draft and in all that are inside of it."""

from __future__ import annotations

import numpy as np

from ..base.dtypes import INT32
from ..base.errors import GraphError, LimitError
from ..base.tensors import Tensor
from .calls import MAX_OPS
from .conditionals import structure_conditionals
from .draft import LOOPS, Draft, Op
from .kept_arrays import are_kept
from .loops import BACK_EDGES, ENTERS, EXITS, structure_loops

MAX_NESTING = 100
"""How deep loops and conditionals may stand in each other: later passes, and engines, recurse into them."""

LOOP_OPS = ENTERS | EXITS | BACK_EDGES | {"LoopCond"}
"""What TF1's loops are made of."""


def structure(draft: Draft, producer: int) -> None:
    """Structures a draft: loops first, as conditionals may stand around them, then conditionals, then the bodies."""
    ops = 0
    keeps_arrays = are_kept(op.op for op in draft.ops.values())
    waiting = [(draft, 0, False)]
    while waiting:
        current, depth, is_turn = waiting.pop()
        if depth > MAX_NESTING:
            raise LimitError(f"Loops and conditionals stand in each other more than {MAX_NESTING} deep.")
        ops += len(current.ops)
        if ops > MAX_OPS:
            raise LimitError(f"With its loops and conditionals taken apart, the graph has more than {MAX_OPS} ops.")
        split_switches(current)
        structure_loops(current)
        structure_conditionals(current, producer, is_turn, keeps_arrays)
        for op in current.ops.values():
            if op.op in LOOP_OPS:
                raise GraphError(f"{op} stands outside of any loop.")
        for op in current.ops.values():
            waiting += [(body, depth + 1, op.op in LOOPS) for body in op.bodies.values()]


def split_switches(draft: Draft) -> None:
    """Takes _SwitchN, to which TensorFlow lowers Case, apart into Switches: output k is there when the index is k, the
    last also when the index is out of range."""
    switches = [op for op in draft.ops.values() if op.op == "_SwitchN"]
    predicates: dict[tuple[str, int], str] = {}
    replaced: dict[str, str] = {}
    for op in switches:
        data, index = op.inputs
        rest = data
        for output in range(op.count - 1):
            if (index, output) not in predicates:
                predicates[index, output] = _is_equal(draft, op, index, output)
            key = draft.unique(f"{op.key}/{output}")
            inputs = [rest, predicates[index, output]]
            draft.add(Op(key, op.name, "Switch", inputs, list(op.controls), {"T": op.attrs.get("T")}, 2))
            replaced[f"{op.key}:{output}"] = f"{key}:1"
            rest = f"{key}:0"
        replaced[f"{op.key}:{op.count - 1}"] = rest
        del draft.ops[op.key]
    if switches:
        for op in draft.ops.values():
            op.inputs = [replaced.get(value, value) for value in op.inputs]
        draft.results = [replaced.get(value, value) for value in draft.results]


def _is_equal(draft: Draft, op: Op, index: str, number: int) -> str:
    constant = draft.unique(f"{op.key}/number_{number}")
    attrs = {"dtype": INT32, "value": Tensor.of(np.array(number, np.int32))}
    draft.add(Op(constant, op.name, "Const", [], [], attrs))
    equal = draft.unique(f"{op.key}/is_{number}")
    draft.add(Op(equal, op.name, "Equal", [index, f"{constant}:0"], [], {"T": INT32, "incompatible_shape_error": True}))
    return f"{equal}:0"
