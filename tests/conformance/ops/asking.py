"""How TensorFlow is given a single op: its values in and out, as a graph of one node, and by its compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from cryograph.base.dtypes import DType
from cryograph.graph.attrs import encode_attr
from cryograph.ops.signatures import input_types, number_of_outputs
from cryograph.wire import messages as pb
from tests.support.op_cases import Array, Case, Refused, attrs_of


def plain(value: Any) -> Any:
    if isinstance(value, DType):
        return value.number
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):  # a shape
        return list(value)
    return value


def fed(array: Array, dtype: DType) -> Any:
    if dtype.is_quantized:
        return tf.bitcast(tf.constant(array), tf.dtypes.as_dtype(dtype.number))
    return tf.constant(array)


def held(tensor: Any) -> Array:
    if tensor.dtype.is_quantized:
        plain = {1: tf.int8, 2: tf.int16, 4: tf.int32}[tensor.dtype.size]
        kind = {tf.quint8: tf.uint8, tf.quint16: tf.uint16}.get(tensor.dtype, plain)
        tensor = tf.bitcast(tensor, kind)
    return np.asarray(tensor.numpy(), object if tensor.dtype == tf.string else None)


def compiled(case: Case) -> list[Array] | Refused:
    """By TensorFlow's compiler, XLA."""
    attrs = attrs_of(case)
    types = input_types(case.op, attrs)

    @tf.function(jit_compile=True)
    def run(*given: Any) -> Any:
        return imported(case, given)

    try:
        made = run(*(fed(x, dtype) for x, dtype in zip(case.inputs, types, strict=True)))
    except (tf.errors.OpError, ValueError) as error:
        return Refused(str(error))
    return [held(part) for part in made]


def imported(case: Case, given: Sequence[Any]) -> Any:
    """The outputs of the op, put into the current graph with these inputs."""
    attrs = attrs_of(case)
    graph = one_node(case, attrs, input_types(case.op, attrs))
    del graph.node[: len(given)]
    proto = tf.compat.v1.GraphDef.FromString(graph.SerializeToString())
    names = [f"in{number}:0" for number in range(len(given))]
    results = [f"out:{number}" for number in range(number_of_outputs(case.op, attrs))]
    return tf.import_graph_def(proto, dict(zip(names, given, strict=True)), results, name="")


def one_node(case: Case, attrs: dict[str, Any], types: Sequence[DType]) -> Any:
    """A graph of placeholders `in0`, `in1` ... and the op as `out`."""
    proto = pb.GraphDef()
    for number, dtype in enumerate(types):
        node = proto.node.add(name=f"in{number}", op="Placeholder")
        node.attr["dtype"].CopyFrom(encode_attr(dtype)[0])
    node = proto.node.add(name="out", op=case.op, input=[f"in{number}" for number in range(len(types))])
    for name, value in attrs.items():
        node.attr[name].CopyFrom(encode_attr(value)[0])
    return proto
