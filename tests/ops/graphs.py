"""Small graphs written in one line: an op, its inputs in words, its attributes.

| input                 | what it becomes                                                                       |
|-----------------------|---------------------------------------------------------------------------------------|
| `float32[?,3]`        | a Placeholder of that shape; `float32` alone has an unknown rank, `float32[]` is a scalar |
| `int32=[1,2]`         | a constant, as JSON                                                                    |
| `int32~[null,3]`      | a vector known in part: a Pack of constants and of scalars that are fed                |
| `&float32[2,3]`       | the reference to a variable                                                            |
| `var:float32[2,3]`    | the handle of a variable                                                               |
| `list:float32[2]`     | a list of tensors of that shape, `array:float32[2]` a TensorArray                      |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cryograph.base.dtypes import INT32, DType, dtype_of
from cryograph.base.shapes import Shape
from cryograph.base.tensors import Tensor
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node

PRODUCER = 1882
_WORDS = re.compile(r"(&|var:|list:|array:)?(\w+)(?:\[(.*)\])?")


def constant(name: str, values: Any, dtype: DType) -> Node:
    """A Const."""
    return Node.make(name, "Const", (), {"dtype": dtype, "value": Tensor.of(np.array(values, dtype.numpy), dtype)})


def placeholder(name: str, dtype: DType, shape: Shape) -> Node:
    """A Placeholder."""
    return Node.make(name, "Placeholder", (), {"dtype": dtype, "shape": shape})


def source(name: str, words: str) -> list[Node]:
    """The nodes that an input in words stands for; the last one is the input itself."""
    kind, separated, values = re.match(r"(\w+)(=|~)?(.*)", words).groups() if words[0] != "&" else (words, None, "")
    if separated == "=":
        return [constant(name, json.loads(values), dtype_of(kind))]
    if separated == "~":
        return partial(name, json.loads(values), dtype_of(kind))
    match = _WORDS.fullmatch(words)
    assert match, words
    prefix, type_name, sizes = match.groups()
    dtype = dtype_of(type_name)
    shape = None if sizes is None else tuple(None if s == "?" else int(s) for s in sizes.split(",") if s)
    if prefix == "&":
        return [Node.make(name, "VariableV2", (), {"dtype": dtype, "shape": shape, "container": "", "shared_name": ""})]
    if prefix == "var:":
        return [
            Node.make(name, "VarHandleOp", (), {"dtype": dtype, "shape": shape, "shared_name": name, "container": ""})
        ]
    if prefix == "list:":
        sizes_known = [-1 if size is None else size for size in shape or ()]
        return [
            constant(f"{name}_shape", sizes_known, INT32),
            constant(f"{name}_count", 3, INT32),
            Node.make(
                name,
                "TensorListReserve",
                [f"{name}_shape", f"{name}_count"],
                {"element_dtype": dtype, "shape_type": INT32},
            ),
        ]
    if prefix == "array:":
        attrs = {"dtype": dtype, "element_shape": shape}
        return [constant(f"{name}_size", 3, INT32), Node.make(name, "TensorArrayV3", [f"{name}_size"], attrs)]
    return [placeholder(name, dtype, shape)]


def partial(name: str, values: Sequence[int | None], dtype: DType) -> list[Node]:
    """A vector of which some elements are known."""
    parts = [
        placeholder(f"{name}_{i}", dtype, ()) if value is None else constant(f"{name}_{i}", value, dtype)
        for i, value in enumerate(values)
    ]
    attrs = {"T": dtype, "N": len(parts), "axis": 0}
    return [*parts, Node.make(name, "Pack", [part.name for part in parts], attrs)]


def single(op: str, inputs: Iterable[str] = (), attrs: Mapping[str, Any] | None = None) -> Graph:
    """A graph of one op, called `op`, whose inputs are `in0`, `in1` ..."""
    nodes: list[Node] = []
    names = []
    for index, words in enumerate(inputs):
        nodes += source(f"in{index}", words)
        names.append(f"in{index}")
    return graph(*nodes, Node.make("op", op, names, attrs))


def graph(*nodes: Node) -> Graph:
    """A graph of nodes, of the present GraphDef version."""
    made = Graph(nodes)
    made.proto.versions.producer = PRODUCER
    return made
