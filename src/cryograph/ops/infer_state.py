"""Shapes of sources and of state: constants, placeholders, TF1 control flow, variables, lists of tensors, tables."""

from __future__ import annotations

from ..base.dtypes import DType
from ..base.shapes import Shape
from ..base.tensors import Tensor
from .facts import (
    MAX_VALUES,
    UNKNOWN,
    Call,
    Dim,
    Fact,
    Rule,
    join,
    join_facts,
    merge,
    merge_dim,
    of_items,
    settled,
    times,
)
from .infer_common import (
    Result,
    every,
    fixed,
    held,
    nothing_known,
    passed_on,
    same_as_input,
    scalars,
    shape_attribute,
    shape_list_attribute,
    vectors,
)
from .signatures import signature

MAX_FLOATS = 16
"""The most elements of a constant of floats whose values are carried along."""

LEGACY_PLACEHOLDER = 21
"""Up to this version of GraphDef a Placeholder of shape () was one of unknown shape."""


def _const(call: Call) -> Result:
    tensor = call.attr("value")
    if not isinstance(tensor, Tensor):
        return [None]
    size = times(tensor.shape)
    # Shapes are made of integers; of floats a scale at most is needed, and weights are left where they lie.
    most = MAX_VALUES if tensor.dtype.is_integer or tensor.dtype.name == "bool" else MAX_FLOATS
    small = size is not None and size <= most and tensor.dtype.numpy is not None and not tensor.dtype.is_string
    return [Fact(tensor.dtype, tensor.shape, settled(tensor.numpy(), tensor.dtype) if small else None)]


def _placeholder(call: Call) -> Result:
    shape = call.shape_attr("shape")
    return [None if shape == () and call.producer <= LEGACY_PLACEHOLDER else shape]


def _placeholder_with_default(call: Call) -> Result:
    # What is fed may be any tensor that fits the attribute; the default says nothing.
    return [call.shape_attr("shape")]


# Control flow of TF1


def _first(call: Call) -> Result:
    return [call.inputs[0]]


def _switch(call: Call) -> Result:
    return [call.inputs[0]] * len(call.outputs)


def _merge(call: Call) -> Result:
    """The first output is whichever input is alive; a loop's driver leaves out what has not been seen yet."""
    alive = [fact for fact in call.inputs if fact is not UNKNOWN or len(call.inputs) == 1]
    if len(alive) < len(call.inputs):
        return [None, ()]
    joined = alive[0]
    for fact in alive[1:]:
        joined = join_facts(joined, fact)
    first: Shape | Fact = joined
    return [first, ()]


def _loop_cond(call: Call) -> Result:
    fact = call.inputs[0]
    return [Fact(fact.dtype, merge(fact.shape, ()), fact.value)]


def _ref_select(call: Call) -> Result:
    shape = call.shape(1)
    for fact in call.inputs[2:]:
        shape = join(shape, fact.shape)
    return [shape]


# Variables


def _ref_variable(call: Call) -> Result:
    shape = call.shape_attr("shape")
    # Of old, a shape of () meant that it is not known.
    return [None if shape == () and call.op == "Variable" else shape]


def _assign(call: Call) -> Result:
    if call.flag("validate_shape"):
        return [merge(call.shape(0), call.shape(1))]
    return [call.shape(1)]


def _step(call: Call) -> Result:
    """An optimizer's step: the variable, its slots and the gradient have one shape; a sparse gradient fewer rows."""
    shape: Shape = None
    known = signature(call.op)
    for fact, arg in zip(call.inputs, known.inputs if known else (), strict=False):
        if arg.is_ref:
            shape = merge(shape, fact.shape)
        elif arg.name in ("grad", "delta", "value"):
            sparse = call.op.startswith("Sparse")
            shape = merge(shape, (None, *fact.shape[1:]) if sparse and fact.shape else fact.shape)
    return [shape]


def _var_handle(call: Call) -> Result:
    dtype = call.attr("dtype")
    holds = (Fact(dtype, call.shape_attr("shape")),) if isinstance(dtype, DType) else None
    return [Fact(None, (), holds=holds)] * len(call.outputs)


def _var_handles(call: Call) -> Result:
    dtypes, shapes = call.attr("dtypes"), call.shapes_attr("shapes")
    return [Fact(None, (), holds=(Fact(dtype, shape),)) for dtype, shape in zip(dtypes, shapes, strict=True)]


def _read_variable(call: Call) -> Result:
    return [held(call)]


def _read_variables(call: Call) -> Result:
    return [held(call, i) for i in range(len(call.inputs))]


def _resource_gather(call: Call) -> Result:
    params, indices = held(call), call.shape(1)
    batch = call.integer("batch_dims")
    if params is None or indices is None or not params:
        return [None]
    before = merge(params[:batch], indices[:batch]) or ()
    return [(*before, *indices[batch:], *params[batch + 1 :])]


def _resource_gather_nd(call: Call) -> Result:
    params, indices = held(call), call.at_least(1, 1)
    if params is None or indices is None or indices[-1] is None:
        return [None]
    return [(*indices[:-1], *params[indices[-1] :])]


def _variable_shape(call: Call) -> Result:
    shape = held(call)
    if shape is None:
        return [(None,)]
    return [Fact(call.outputs[0], (len(shape),), of_items(shape, (len(shape),), call.outputs[0]))]


def _remapped_matrix(call: Call) -> Result:
    return [(call.integer("num_rows"), call.integer("num_cols"))]


def _vocabulary(call: Call) -> Result:
    return [(call.integer("num_new_vocab"),), ()]


def _map_function(call: Call) -> Result:
    """One result for each row of the arguments."""
    rows: Dim = None
    for i in range(len(call.attr("Targuments"))):
        shape = call.at_least(i, 1)
        rows = rows if shape is None else merge_dim(rows, shape[0])
    return [None if shape is None else (rows, *shape) for shape in call.shapes_attr("output_shapes")]


def _symbolic_gradient(call: Call) -> Result:
    return [call.shape(i) for i in range(len(call.outputs))]


_PASSED = (
    "CheckNumerics CheckNumericsV2 Copy CopyHost DebugIdentity DebugIdentityV2 CrossReplicaSum DeepCopy Enter Exit"
    " GuaranteeConst CheckPinned XlaOptimizationBarrier XlaSharding Identity IdentityN NextIteration PreventGradient"
    " RefEnter RefExit RefIdentity RefNextIteration"
    " Snapshot StopGradient _EagerConst CopyToMesh DisableCopyOnRead"
)
_REF_UPDATES = (
    "ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub"
    " ScatterNdUpdate ScatterSub ScatterUpdate ZeroInitializer DestroyTemporaryVariable"
)
_STEPS = (
    "AssignAdd AssignSub ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA ApplyAdagradV2 ApplyAdam ApplyAddSign"
    " ApplyCenteredRMSProp ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum ApplyPowerSign ApplyProximalAdagrad"
    " ApplyProximalGradientDescent ApplyRMSProp SparseApplyAdadelta SparseApplyAdagrad SparseApplyAdagradDA"
    " SparseApplyAdagradV2 SparseApplyCenteredRMSProp SparseApplyFtrl SparseApplyFtrlV2 SparseApplyMomentum"
    " SparseApplyProximalAdagrad SparseApplyProximalGradientDescent SparseApplyRMSProp"
)
_SCALARS = (
    "AudioSummary AudioSummaryV2 CompressElement CountUpTo Fact GetOptions GlobalIterId ToBool WorkerHeartbeat"
    " IsBoostedTreesEnsembleInitialized IsBoostedTreesQuantileStreamResourceInitialized ResourceCountUpTo"
    " BarrierIncompleteSize BarrierReadySize ConsumeMutexLock"
    " DummyIterationCounter DummySeedGenerator ExperimentalStatsAggregatorHandle HistogramSummary"
    " ImageSummary IsVariableInitialized Iterator IteratorToStringHandle IteratorV2 LookupTableSize LookupTableSizeV2"
    " MergeSummary MutexV2 OneShotIterator QueueIsClosed QueueIsClosedV2 QueueSize"
    " QueueSizeV2 ReaderNumRecordsProduced ReaderNumRecordsProducedV2 ReaderNumWorkUnitsCompleted"
    " ReaderNumWorkUnitsCompletedV2 ReaderRead ReaderReadV2 ReaderSerializeState ReaderSerializeStateV2 ScalarSummary"
    " StatsAggregatorHandle StatsAggregatorHandleV2 SummaryWriter TensorArraySize TensorArraySizeV2"
    " TensorArraySizeV3 TensorListLength TensorMapHasKey TensorMapSize TensorSummary TensorSummaryV2 VarIsInitializedOp"
    " EmptyTensorMap TensorArrayWrite TensorArrayWriteV2 TensorArrayWriteV3 TensorArrayScatter TensorArrayScatterV2"
    " TensorArrayScatterV3 TensorArraySplit TensorArraySplitV2 TensorArraySplitV3 TensorArrayUnpack DeviceIndex"
    " AnonymousIterator IteratorFromStringHandleV2 TFRecordReaderV2 TextLineReaderV2 WholeFileReaderV2 IdentityReaderV2"
    " FixedLengthRecordReaderV2 TensorMapErase TensorMapInsert"
)

INFER: dict[str, Rule] = {
    **every(passed_on, _PASSED),
    **every(same_as_input, _REF_UPDATES),
    **every(_step, _STEPS),
    **every(scalars, _SCALARS),
    "Assign": _assign,
    "Barrier": fixed((2,)),
    "ConditionalAccumulator": fixed((2,)),
    "Const": _const,
    "DebugGradientIdentity": passed_on,
    "DebugGradientRefIdentity": passed_on,
    "FakeParam": shape_attribute("shape"),
    "GenerateVocabRemapping": _vocabulary,
    "GetElementAtIndex": shape_list_attribute("output_shapes"),
    "HostConst": _const,
    "InfeedDequeue": shape_attribute("shape"),
    "InfeedDequeueTuple": shape_list_attribute("shapes"),
    "IteratorGetNext": shape_list_attribute("output_shapes"),
    "IteratorGetNextSync": shape_list_attribute("output_shapes"),
    "LoadAndRemapMatrix": _remapped_matrix,
    "LoopCond": _loop_cond,
    "MapDefun": _map_function,
    "Merge": _merge,
    "Placeholder": _placeholder,
    "PlaceholderV2": shape_attribute("shape"),
    "PlaceholderWithDefault": _placeholder_with_default,
    "Print": _first,
    "ReadVariableOp": _read_variable,
    "ReaderReadUpTo": vectors,
    "ReaderReadUpToV2": vectors,
    "RefMerge": _merge,
    "RefSelect": _ref_select,
    "RefSwitch": _switch,
    "ResourceGather": _resource_gather,
    "ResourceGatherNd": _resource_gather_nd,
    "StackV2": fixed((2,)),
    "Switch": _switch,
    "SymbolicGradient": _symbolic_gradient,
    "TemporaryVariable": shape_attribute("shape"),
    "UncompressElement": shape_list_attribute("output_shapes"),
    "VarHandleOp": _var_handle,
    "Variable": _ref_variable,
    "VariableShape": _variable_shape,
    "VariableV2": _ref_variable,
    "XlaCallModule": shape_list_attribute("Sout"),
    "_Arg": nothing_known,
    "_Retval": nothing_known,
    "_ReadVariablesOp": _read_variables,
    "_SwitchN": _switch,
    "_VarHandlesOp": _var_handles,
}
