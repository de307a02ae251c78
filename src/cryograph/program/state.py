"""What each op does with the values behind its handles: reads become plain ops, writes become new values.

| op                                          | becomes                                                        |
|---------------------------------------------|----------------------------------------------------------------|
| ReadVariableOp                              | the value                                                      |
| ResourceGather, ResourceGatherNd            | GatherV2 (along `batch_dims`), GatherNd                        |
| VariableShape                               | Shape                                                          |
| IsVariableInitialized, VarIsInitializedOp   | a constant: whether there is a value                           |
| Assign, AssignVariableOp                    | the assigned value from then on                                |
| AssignAdd, AssignSub, Assign*VariableOp     | AddV2, Sub                                                     |
| LookupTableFind                             | LookupTableFindV2(table keys, table values, keys, default)     |
| LookupTableSize, LookupTableExport          | Size of the keys; keys and values themselves                   |
| InitializeTable                             | the given keys and values from then on                         |
| InitializeTableFromTextFile                 | keys and values of the vocabulary among the assets             |
| any other op that writes                    | a step of the same op, see below                               |

An op that writes and has no row (Apply*, Scatter*, ResourceApply*, LookupTableInsert, RngSkip ...) stays as a step.
Where it took a handle or a reference it takes the value (of a table: keys, then values). It gives the new value of
each, in that order, then its own outputs; references among these are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import BOOL, INT32, INT64, RESOURCE
from ..base.errors import Error, GraphError, UnsupportedError
from ..base.tensors import Tensor
from ..ops.signatures import input_types, signature
from .accumulators import ACCUMULATOR_READING, ACCUMULATOR_WRITING
from .arrays import ARRAY_RULES
from .draft import Op
from .effects import HARMLESS, op_has_effect
from .holders import Holder, Part
from .kept_arrays import KEPT_RULES
from .scope import Rule, Scope
from .stacks import STACK_RULES
from .stores import STORING
from .temporaries import TEMPORARY_RULES


def written_inputs(op: Op) -> list[int]:
    """The places of the handles and references that an op writes, or may write."""
    if op.op in STORING:
        return [0]
    if (
        op.op in READING
        or op.op in ARRAY_RULES
        or op.op in HARMLESS
        or not (op.op in WRITING or op.op in STACK_RULES or op_has_effect(op.op))
    ):
        return []
    known = signature(op.op)
    if known is None:
        return []
    try:
        types = input_types(known, op.attrs)
    except Error:
        return [0]
    return [index for index, dtype in enumerate(types) if dtype.is_ref or dtype == RESOURCE]


def apply(scope: Scope, op: Op, inputs: Sequence[str], holders: Sequence[Holder | None]) -> bool:
    """Applies an op that takes handles; False when it is left as it is (it took references as values only)."""
    first = holders[0] if holders else None
    if first is not None and first.kind == "array":
        rule = (KEPT_RULES if first.parts else ARRAY_RULES).get(op.op)
    else:
        rule = READING.get(op.op) or WRITING.get(op.op) or STACK_RULES.get(op.op)
    if rule is not None and first is not None:
        pairs = zip(inputs[1:], holders[1:], strict=True)
        if first.kind != _kind(op.op):
            raise GraphError(f"{op} takes the handle of a {_kind(op.op)}, but {first.name!r} is a {first.kind}.")
        rule(scope, op, [inputs[0], *(v if h is None else scope.read(h, op) for v, h in pairs)], first)
        return True
    if op.op in HARMLESS:
        return True
    places = [place for place in written_inputs(op) if place < len(holders) and holders[place] is not None]
    for place, holder in enumerate(holders):
        if holder is not None and not holder.is_ref and place not in places:
            raise UnsupportedError(
                f"{op} takes the handle of the {holder.kind} {holder.name!r} as input {place};"
                " what it does with it is not known."
            )
    if not places:
        return False
    _step(scope, op, inputs, holders, places)
    return True


def _kind(op: str) -> str:
    """What the handle that an op of a rule takes refers to."""
    if op.startswith("TensorArray"):
        return "array"
    if op.startswith("Stack"):
        return "stack"
    if "Accumulator" in op:
        return "accumulator"
    return "table" if op.startswith(("LookupTable", "InitializeTable")) else "variable"


def _step(scope: Scope, op: Op, inputs: Sequence[str], holders: Sequence[Holder | None], places: Sequence[int]) -> None:
    """The last row of the table."""
    taken: list[str] = []
    parts: list[Part] = []
    for place, (value, holder) in enumerate(zip(inputs, holders, strict=True)):
        if holder is not None and place in places:
            taken += [scope.value(part) for part in holder.parts]
            parts += holder.parts
        elif holder is not None:
            taken.append(scope.read(holder, op))
        else:
            taken.append(value)
    known = signature(op.op)
    refs = [arg.is_ref for arg in known.outputs] if known is not None else []
    own = [index for index in range(op.count) if not (index < len(refs) and refs[index])]
    outputs = scope.emit(op, _NEWER.get(op.op, op.op), taken, op.attrs, len(parts) + len(own))
    for part, value in zip(parts, outputs, strict=False):
        scope.write(part, value)
    for index, value in zip(own, outputs[len(parts) :], strict=True):
        scope.rename(op, index, value)
    referred = holders[places[0]]
    for index in range(op.count):
        if index not in own and referred is not None:
            scope.refer(op, index, referred)


def _read(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.rename(op, 0, scope.value(holder.parts[0]))


def _gather(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    batch_dims = op.attrs.get("batch_dims", 0)
    axis = scope.constant(f"{op.key}/axis", Tensor.of(np.array(batch_dims, np.int32)))
    attrs = {
        "Tparams": holder.parts[0].dtype,
        "Tindices": op.attrs.get("Tindices"),
        "Taxis": INT32,
        "batch_dims": batch_dims,
    }
    scope.rename(op, 0, scope.emit(op, "GatherV2", [scope.value(holder.parts[0]), inputs[1], axis], attrs)[0])


def _gather_nd(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    attrs = {"Tparams": holder.parts[0].dtype, "Tindices": op.attrs.get("Tindices"), "bad_indices_policy": b""}
    scope.rename(op, 0, scope.emit(op, "GatherNd", [scope.value(holder.parts[0]), inputs[1]], attrs)[0])


def _shape(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    attrs = {"T": holder.parts[0].dtype, "out_type": op.attrs.get("out_type", INT32)}
    scope.rename(op, 0, scope.emit(op, "Shape", [scope.value(holder.parts[0])], attrs)[0])


def _is_initialized(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    known = Tensor.of(np.array(scope.has_value(holder.parts[0])), BOOL)
    scope.rename(op, 0, scope.constant(op.key, known))


def _find(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    table = [scope.value(part) for part in holder.parts]
    scope.rename(op, 0, scope.emit(op, "LookupTableFindV2", [*table, *inputs[1:]], op.attrs)[0])


def _size(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    shape = holder.parts[0].shape
    if shape is None or len(shape) > 1:  # keys that are vectors
        table = [scope.value(part) for part in holder.parts]
        scope.rename(op, 0, scope.emit(op, "LookupTableSizeV2", table, op.attrs)[0])
        return
    attrs = {"T": holder.parts[0].dtype, "out_type": INT64}
    scope.rename(op, 0, scope.emit(op, "Size", [scope.value(holder.parts[0])], attrs)[0])


def _export(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    for index, part in enumerate(holder.parts):
        scope.rename(op, index, scope.value(part))


def _assign(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.write(holder.parts[0], inputs[1])
    if op.count:
        scope.refer(op, 0, holder)


def _update(kind: str) -> Rule:
    def rule(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
        part = holder.parts[0]
        scope.write(part, scope.emit(op, kind, [scope.value(part), inputs[1]], {"T": part.dtype})[0])
        if op.count:
            scope.refer(op, 0, holder)

    return rule


def _fill(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    for part, value in zip(holder.parts, inputs[1:], strict=False):
        scope.write(part, value)


def _fill_from_file(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    for part in holder.parts:
        if part.tensor is None:
            raise UnsupportedError(f"{op} reads a vocabulary that is not among the model's assets: {part.missing}.")
        scope.write(part, scope.constant(f"{op.key}/{part.name.rpartition('/')[2]}", part.tensor))


READING: dict[str, Rule] = {
    **ACCUMULATOR_READING,
    **TEMPORARY_RULES,
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
    "IsVariableInitialized": _is_initialized,
    "VarIsInitializedOp": _is_initialized,
    "LookupTableFind": _find,
    "LookupTableFindV2": _find,
    "LookupTableSize": _size,
    "LookupTableSizeV2": _size,
    "LookupTableExport": _export,
    "LookupTableExportV2": _export,
}

WRITING: dict[str, Rule] = {
    **ACCUMULATOR_WRITING,
    "Assign": _assign,
    "AssignVariableOp": _assign,
    "AssignAdd": _update("AddV2"),
    "AssignAddVariableOp": _update("AddV2"),
    "AssignSub": _update("Sub"),
    "AssignSubVariableOp": _update("Sub"),
    "InitializeTable": _fill,
    "InitializeTableV2": _fill,
    "InitializeTableFromTextFile": _fill_from_file,
    "InitializeTableFromTextFileV2": _fill_from_file,
}

_NEWER = {"LookupTableImport": "LookupTableImportV2", "LookupTableInsert": "LookupTableInsertV2"}
