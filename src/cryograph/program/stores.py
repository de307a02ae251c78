"""Stores of sparse tensors, which TF1's batches keep under numbers: state of a program, in three plain tensors.

| op                             | takes, before its own inputs             | gives, before its own outputs |
|--------------------------------|------------------------------------------|-------------------------------|
| AddSparseToTensorsMap          | numbers (N), tensors (N, 3), next number | the same as they are then     |
| AddManySparseToTensorsMap      | the same                                 | the same                      |
| TakeManySparseFromTensorsMap   | the same                                 | the same                      |

A tensor is three strings: its indices, values and shape, as SerializeSparse writes them. Ops name their store; in a
graph nothing else joins them. So each is first given the handle of its store, which no op of TensorFlow's gives.
"""

from __future__ import annotations

from .draft import Draft, Op
from .holders import STORE

STORING = frozenset({"AddManySparseToTensorsMap", "AddSparseToTensorsMap", "TakeManySparseFromTensorsMap"})


def give_handles(draft: Draft) -> None:
    """Puts the handle of its store in front of the inputs of each op that uses one."""
    for op in [op for op in draft.ops.values() if op.op in STORING]:
        shared = op.attrs.get("shared_name", b"")
        name = shared.decode("utf-8", "replace") if isinstance(shared, bytes) and shared else op.name
        key = draft.unique(f"{op.key}/store")
        draft.add(Op(key, name, STORE, [], []))
        op.inputs = [f"{key}:0", *op.inputs]
