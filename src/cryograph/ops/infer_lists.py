"""Shapes of what handles hold: lists and arrays of tensors in loops, tables, queues."""

from __future__ import annotations

from ..base.dtypes import INT64, DType
from ..base.shapes import Shape
from .facts import Call, Fact, Rule, merge
from .infer_common import Result, every, held


def _list_fact(dtype: object, shape: Shape) -> Fact:
    return Fact(None, (), holds=(Fact(dtype if isinstance(dtype, DType) else None, shape),))


def _empty_list(call: Call) -> Result:
    return [_list_fact(call.attr("element_dtype"), call.dims(0))]


def _element(call: Call, handle: int, shape: int | None) -> Shape:
    declared = held(call, handle)
    return declared if shape is None or shape >= len(call.inputs) else merge(declared, call.dims(shape))


def _list_from_tensor(call: Call) -> Result:
    shape = call.shape(0)
    element = call.dims(1) if len(call.inputs) > 1 else None
    return [_list_fact(call.attr("element_dtype"), merge(element, None if shape is None else shape[1:]))]


def _list_scatter(call: Call) -> Result:
    tensor = call.shape(0)
    return [_list_fact(call.attr("element_dtype"), merge(call.dims(2), None if tensor is None else tensor[1:]))]


def _list_split(call: Call) -> Result:
    return [_list_fact(call.attr("element_dtype"), call.dims(1))]


def _list_same(call: Call) -> Result:
    return [call.inputs[0]]


def _list_pop(call: Call) -> Result:
    first: Shape | Fact = call.inputs[0]
    return [first, _element(call, 0, 1)]


def _list_get(call: Call) -> Result:
    return [_element(call, 0, 2)]


def _list_stack(call: Call) -> Result:
    element = _element(call, 0, 1)
    count = call.integer("num_elements")
    return [None if element is None else (None if count < 0 else count, *element)]


def _list_gather(call: Call) -> Result:
    element, indices = _element(call, 0, 2), call.shape(1)
    return [None if element is None or indices is None else (*indices, *element)]


def _list_concat(call: Call) -> Result:
    element = held(call)
    if "element_shape" in call.attrs:
        element = merge(element, call.shape_attr("element_shape"))
    if call.op == "TensorListConcatV2":
        element = merge(element, call.dims(1))
    return [None if element is None else (None, *element[1:]), (None,)]


def _list_element_shape(call: Call) -> Result:
    shape = held(call)
    return [None if shape is None else (len(shape),)]


def _list_lists(call: Call) -> Result:
    return [Fact(None, call.shape(0), holds=call.inputs[0].holds)]


def _array(call: Call) -> Result:
    dtype = call.attr("dtype")
    shape = call.shape_attr("element_shape") if "element_shape" in call.attrs else None
    holds = (Fact(dtype if isinstance(dtype, DType) else None, shape),)
    found: list[Shape | Fact] = [Fact(None, (2,), holds=holds), ()]
    return found[: len(call.outputs)]


def _array_read(call: Call) -> Result:
    return [held(call)]


def _array_gather(call: Call) -> Result:
    element = held(call)
    if "element_shape" in call.attrs:
        element = merge(element, call.shape_attr("element_shape"))
    count = None
    if call.op != "TensorArrayPack":
        indices = call.shape(1)
        count = indices[0] if indices else None
    return [None if element is None else (count, *element)]


def _array_concat(call: Call) -> Result:
    rest = call.shape_attr("element_shape_except0")
    element = held(call)
    if element:
        rest = merge(rest, element[1:])
    return [None if rest is None else (None, *rest), (None,)]


def _array_grad(call: Call) -> Result:
    found: list[Shape | Fact] = [Fact(None, (2,), holds=call.inputs[0].holds), ()]
    return found[: len(call.outputs)]


def _table(call: Call) -> Result:
    """A handle: a scalar resource, or of old the reference to two strings. Keys and values are scalars."""
    return [Fact(None, (2,) if call.outputs[0].is_string else (), holds=(Fact(None, ()), Fact(None, ())))]


def _table_find(call: Call) -> Result:
    keys = call.shape(1)
    holds = call.inputs[0].holds
    if holds is None:
        return [None]
    value, key = holds[0].shape, holds[1].shape
    return [None if keys is None or value is None or key is None else (*keys[: len(keys) - len(key)], *value)]


def _mutable_table(call: Call) -> Result:
    value = call.shape_attr("value_shape") if "value_shape" in call.attrs else ()
    # Keys of a dense table have the shape of `empty_key`; all others are scalars.
    key = call.shape(0) if "Dense" in call.op and call.inputs else ()
    holds = None if key is None else (Fact(None, value), Fact(None, key))
    return [Fact(None, (2,) if call.outputs[0].is_string else (), holds=holds)]


def _table_export(call: Call) -> Result:
    holds = call.inputs[0].holds
    if not holds or len(holds) < 2 or holds[0].shape is None or holds[1].shape is None:
        return [None, None]
    return [(None, *holds[1].shape), (None, *holds[0].shape)]


def _queue(call: Call) -> Result:
    dtypes, shapes = call.attr("component_types"), call.shapes_attr("shapes")
    holds = None
    if isinstance(dtypes, list) and len(dtypes) == len(shapes):
        # A priority comes before the components, which do not speak of it.
        first = (Fact(INT64, ()),) if call.op.startswith("PriorityQueue") else ()
        holds = (*first, *(Fact(dtype, shape) for dtype, shape in zip(dtypes, shapes, strict=True)))
    return [Fact(None, (2,) if call.outputs[0].is_string else (), holds=holds)]


def _dequeue(call: Call) -> Result:
    holds = call.inputs[0].holds or ()
    return [fact.shape for fact in holds]


def _dequeue_many(call: Call) -> Result:
    count = None if call.op.startswith("QueueDequeueUpTo") else call.scalar(1)
    holds = call.inputs[0].holds or ()
    return [None if fact.shape is None else (count, *fact.shape) for fact in holds]


_QUEUES = (
    "FIFOQueue FIFOQueueV2 PaddingFIFOQueue PaddingFIFOQueueV2 PriorityQueue PriorityQueueV2 RandomShuffleQueue"
    " RandomShuffleQueueV2"
)
_HANDLES = "HashTable HashTableV2 AnonymousHashTable"
_MUTABLE = (
    "MutableHashTable MutableHashTableV2 MutableHashTableOfTensors MutableHashTableOfTensorsV2"
    " MutableDenseHashTable MutableDenseHashTableV2 AnonymousMutableHashTable AnonymousMutableHashTableOfTensors"
    " AnonymousMutableDenseHashTable"
)

INFER: dict[str, Rule] = {
    **every(_table, _HANDLES),
    **every(_mutable_table, _MUTABLE),
    **every(_queue, _QUEUES),
    "EmptyTensorList": _empty_list,
    "LookupTableExport": _table_export,
    "LookupTableExportV2": _table_export,
    "LookupTableFind": _table_find,
    "LookupTableFindV2": _table_find,
    "QueueDequeue": _dequeue,
    "QueueDequeueMany": _dequeue_many,
    "QueueDequeueManyV2": _dequeue_many,
    "QueueDequeueUpTo": _dequeue_many,
    "QueueDequeueUpToV2": _dequeue_many,
    "QueueDequeueV2": _dequeue,
    "TensorArray": _array,
    "TensorArrayConcat": _array_concat,
    "TensorArrayConcatV2": _array_concat,
    "TensorArrayConcatV3": _array_concat,
    "TensorArrayGather": _array_gather,
    "TensorArrayGatherV2": _array_gather,
    "TensorArrayGatherV3": _array_gather,
    "TensorArrayGrad": _array_grad,
    "TensorArrayGradV2": _array_grad,
    "TensorArrayGradV3": _array_grad,
    "TensorArrayPack": _array_gather,
    "TensorArrayRead": _array_read,
    "TensorArrayReadV2": _array_read,
    "TensorArrayReadV3": _array_read,
    "TensorArrayV2": _array,
    "TensorArrayV3": _array,
    "TensorListConcat": _list_concat,
    "TensorListConcatLists": _list_lists,
    "TensorListConcatV2": _list_concat,
    "TensorListElementShape": _list_element_shape,
    "TensorListFromTensor": _list_from_tensor,
    "TensorListGather": _list_gather,
    "TensorListGetItem": _list_get,
    "TensorListPopBack": _list_pop,
    "TensorListPushBack": _list_same,
    "TensorListPushBackBatch": _list_lists,
    "TensorListReserve": _empty_list,
    "TensorListResize": _list_same,
    "TensorListScatter": _list_scatter,
    "TensorListScatterIntoExistingList": _list_same,
    "TensorListScatterV2": _list_scatter,
    "TensorListSetItem": _list_same,
    "TensorListSplit": _list_split,
    "TensorListStack": _list_stack,
}
