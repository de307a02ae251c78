"""Which ops do more than give their outputs: they are run when something waits for them, even if nobody reads them."""

from __future__ import annotations

from functools import lru_cache

from ..ops.care import CARE, FILES
from ..ops.signatures import signature
from .draft import Op

# These have outputs and an effect besides.
_WITH_OUTPUTS = frozenset(
    {
        "AccumulatorTakeGradient",
        "AddManySparseToTensorsMap",
        "AddSparseToTensorsMap",
        "Assign",
        "AssignAdd",
        "AssignSub",
        "CheckNumerics",
        "CheckNumericsV2",
        "CountUpTo",
        "EagerPyFunc",
        "PyFunc",
        "ResourceAccumulatorTakeGradient",
        "ResourceCountUpTo",
        "RngReadAndSkip",
        "ScatterAdd",
        "ScatterDiv",
        "ScatterMax",
        "ScatterMin",
        "ScatterMul",
        "ScatterSub",
        "ScatterUpdate",
        "StackPop",
        "StackPopV2",
        "StackPush",
        "StackPushV2",
        "StridedSliceAssign",
        "TakeManySparseFromTensorsMap",
    }
)
_PREFIXES_WITH_OUTPUTS = ("Apply", "SparseApply", "ScatterNd", "Stateful", "Collective")

# These have no outputs, are called stateful, and change nothing that a program can see.
HARMLESS = frozenset(
    {
        "DeleteIterator",
        "DeleteMemoryCache",
        "DeleteMultiDeviceIterator",
        "DeleteRandomSeedGenerator",
        "DeleteSeedGenerator",
        "DestroyResourceOp",
        "DisableCopyOnRead",
        "PrintV2",
        "StackClose",
        "StackCloseV2",
        "SyncDevice",
        "TensorArrayClose",
        "TensorArrayCloseV2",
        "TensorArrayCloseV3",
    }
)

READS = frozenset(
    {
        "AccumulatorNumAccumulated",
        "LookupTableExport",
        "LookupTableExportV2",
        "LookupTableFind",
        "LookupTableFindV2",
        "LookupTableSize",
        "LookupTableSizeV2",
        "ReadVariableOp",
        "ResourceAccumulatorNumAccumulated",
        "ResourceGather",
        "ResourceGatherNd",
        "VarIsInitializedOp",
    }
)
"""Ops that see what others have written: their place in the order matters."""

# What the functions that they call do is seen once these are resolved.
CALLING = frozenset(
    {
        "BatchFunction",
        "Case",
        "If",
        "PartitionedCall",
        "StatefulPartitionedCall",
        "StatelessCase",
        "StatelessIf",
        "StatelessWhile",
        "TPUPartitionedCall",
        "While",
    }
)


@lru_cache(maxsize=4096)
def op_has_effect(name: str) -> bool:
    """Whether an op of TensorFlow's has an effect of its own. Ops that nobody knows may have one."""
    if name in HARMLESS or name in CALLING:
        return False
    if name in _WITH_OUTPUTS:
        return True
    if name.startswith(_PREFIXES_WITH_OUTPUTS):
        # ScatterNd itself is a pure op: what writes takes a reference, or a handle and is stateful.
        known = signature(name)
        return known is None or known.is_stateful or any(arg.is_ref for arg in known.inputs)
    known = signature(name)
    if known is None:
        return True
    return not known.outputs and (known.is_stateful or any(arg.is_ref for arg in known.inputs))


def has_effect(op: Op) -> bool:
    """Whether an op of a draft has an effect, or holds one in its bodies."""
    if op.bodies:
        return any(has_effect(inner) for body in op.bodies.values() for inner in body.ops.values())
    return op_has_effect(op.op)


def touches_files(op: Op) -> bool:
    """Whether an op reads or writes files, or holds one that does in its bodies."""
    if op.bodies:
        return any(touches_files(inner) for body in op.bodies.values() for inner in body.ops.values())
    return CARE.get(op.op) == FILES


def is_ordered(op: Op) -> bool:
    """Whether it matters when an op runs: it writes or reads what another may write."""
    if op.bodies:
        return any(is_ordered(inner) for body in op.bodies.values() for inner in body.ops.values())
    return op.op in READS or op_has_effect(op.op)
