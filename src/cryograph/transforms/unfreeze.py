"""Turns constants back into variables, so that a frozen graph can be trained again.

1. Constants are chosen by glob over node names, by a predicate, or by use: the default takes the weights of matrix
   products and convolutions, biases, the four vectors of batch norms, and embeddings that are gathered from, also where
   they are used inside functions.
2. A chosen Const becomes a VarHandleOp of the same name; an Identity that read it becomes a ReadVariableOp, and what
   took it directly takes `NAME/Read/ReadVariableOp`.
3. Each gets an initialiser (`NAME/Assign`): tensors of rank two and more are drawn as Glorot and Bengio (2010) propose,
   smaller ones start at the value that they have now; the node `init` runs all of them.
4. A saver is added, and the collections `variables` and `trainable_variables`; means and variances of batch norms are
   variables that are not trainable.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..base.dtypes import INT32, DType
from ..base.errors import GraphError, UnknownNameError, nearest
from ..base.tensors import Tensor
from ..graph.document import Collection, Document, Variable
from ..graph.graph import Graph
from ..graph.node import Node, Port
from ..graph.saver import add_saver
from ..ops.weights import kept_up, weights_by_use
from ..wire import messages as pb

Chooser = Callable[[Node], bool]
"""Tells of a Const node whether it becomes a variable."""


def unfreeze(document: Document, names: Iterable[str] | Chooser | None = None) -> Document:
    """The document with constants turned into variables that hold their values.

    `names` are globs over the names of Const nodes, or a predicate over nodes; None chooses by use. UnknownNameError
    when a glob fits no constant; GraphError when nothing is chosen.
    """
    graph = document.graph
    chosen = _chosen(graph, names)
    if not chosen:
        raise GraphError("No constant was chosen; the graph has none that a weight could be. Name some with globs.")
    result = Graph((), graph.functions.values(), graph.proto).copy()
    variables = dict(document.variables)
    for node in graph:
        if node.name not in chosen:
            result.add(node)
            continue
        variable = _variable(node, chosen[node.name])
        variables[variable.name] = variable
        result.add(_handle(node, variable))
    _redirect_reads(result, set(chosen))
    made = [variables[name] for name in chosen]
    initialisers = [_add_initialiser(result, variable) for variable in made]
    result.add(Node.make(result.unique_name("init"), "NoOp", [f"^{name}" for name in initialisers]))
    meta = pb.MetaGraphDef()
    meta.CopyFrom(document.meta)
    held = [v for v in variables.values() if v.node is not None and v.node in result]
    meta.saver_def.CopyFrom(add_saver(result, held))
    collections = dict(document.collections)
    for collection, members in (
        ("variables", made),
        ("trainable_variables", [v for v in made if v.trainable]),
    ):
        before = list(collections[collection].values) if collection in collections else []
        data = [v.definition.SerializeToString(deterministic=True) for v in members if v.definition is not None]
        collections[collection] = Collection.make(collection, "bytes_list", [*before, *data])
    return dataclasses.replace(
        document, graph=result, kind="meta_graph", variables=variables, collections=collections, meta=meta
    )


def _chosen(graph: Graph, names: Iterable[str] | Chooser | None) -> dict[str, bool]:
    """The names of the chosen constants, and whether each is trainable."""
    constants = {node.name: node for node in graph if node.op == "Const"}
    untrained = kept_up(graph)
    if names is None:
        return {name: name not in untrained for name in weights_by_use(graph) if name in constants}
    if callable(names):
        return {name: name not in untrained for name, node in constants.items() if names(node)}
    found: dict[str, bool] = {}
    for pattern in [names] if isinstance(names, str) else names:
        bare = pattern.removesuffix(":0")
        fitting = [bare] if bare in constants else fnmatch.filter(constants, bare)
        if not fitting:
            raise UnknownNameError(f"No constant is called {pattern!r}." + nearest(bare, constants))
        found.update({name: name not in untrained for name in fitting})
    return found


def _variable(node: Node, trainable: bool) -> Variable:
    value = node.attr("value")
    if not isinstance(value, Tensor):
        raise GraphError(f"The constant {node.name!r} holds no tensor.")
    definition = pb.VariableDef(
        variable_name=f"{node.name}:0",
        initializer_name=f"{node.name}/Assign",
        initial_value_name=f"{node.name}/Initializer:0",
        snapshot_name=f"{node.name}/Read/ReadVariableOp:0",
        is_resource=True,
        trainable=trainable,
    )
    return Variable(
        name=node.name,
        dtype=value.dtype,
        shape=value.shape,
        key=node.name,
        node=node.name,
        trainable=trainable,
        tensor=value,
        definition=definition,
    )


def _handle(node: Node, variable: Variable) -> Node:
    attrs = {
        "dtype": variable.dtype,
        "shape": variable.shape,
        "shared_name": node.name,
        "container": "",
        "allowed_devices": [],
        "_class": [f"loc:@{node.name}"],
    }
    return Node.make(node.name, "VarHandleOp", [i for i in node.inputs if i.startswith("^")], attrs, node.device)


def _redirect_reads(graph: Graph, chosen: set[str]) -> None:
    """Case 2. Only the graph's own nodes take its constants; functions get them as arguments."""
    dtypes = {name: graph.nodes[name].attr("dtype") for name in chosen}
    for name, node in list(graph.nodes.items()):
        if node.op == "VarHandleOp" and name in chosen:
            continue
        ports = node.data_inputs
        if not any(p.node in chosen for p in ports):
            continue
        if node.op == "Identity":
            inputs = [str(ports[0]), *(f"^{c}" for c in node.control_inputs)]
            graph.replace(Node.make(name, "ReadVariableOp", inputs, {"dtype": dtypes[ports[0].node]}, node.device))
            continue
        copy = node.copy()
        copy.inputs = [
            i if i.startswith("^") or Port.parse(i).node not in chosen else f"{Port.parse(i).node}/Read/ReadVariableOp"
            for i in node.inputs
        ]
        graph.replace(copy)
    for name in chosen:
        read = f"{name}/Read/ReadVariableOp"
        if read not in graph:
            graph.add(Node.make(read, "ReadVariableOp", [name], {"dtype": dtypes[name]}))


def _add_initialiser(graph: Graph, variable: Variable) -> str:
    """Case 3; gives the name of the initialising op."""
    name, tensor = variable.name, variable.tensor
    if tensor is None:
        raise GraphError(f"The variable {name!r} has no value.")
    initial = f"{name}/Initializer"
    if len(tensor.shape) < 2:
        graph.add(Node.make(initial, "Const", attrs={"dtype": variable.dtype, "value": tensor}))
    else:
        _add_glorot(graph, initial, variable.dtype, tensor.shape)
    attrs: Mapping[str, object] = {"dtype": variable.dtype, "validate_shape": False}
    return graph.add(Node.make(f"{name}/Assign", "AssignVariableOp", [name, initial], attrs)).name


def _add_glorot(graph: Graph, name: str, dtype: DType, shape: tuple[int, ...]) -> None:
    """A uniform draw from (-limit, limit), limit = sqrt(6 / (fan in + fan out)); fans as in convolution filters."""
    field = math.prod(shape[:-2])
    limit = math.sqrt(6.0 / max(1, field * (shape[-2] + shape[-1])))

    def constant(part: str, value: object, kind: DType) -> str:
        tensor = Tensor.of(np.asarray(value), kind)
        return graph.add(Node.make(f"{name}/{part}", "Const", attrs={"dtype": kind, "value": tensor})).name

    sizes = constant("shape", shape, INT32)
    attrs = {"dtype": dtype, "T": INT32, "seed": 0, "seed2": 0}
    draw = graph.add(Node.make(f"{name}/draw", "RandomUniform", [sizes], attrs)).name
    width = constant("width", 2 * limit, dtype)
    low = constant("low", -limit, dtype)
    scaled = graph.add(Node.make(f"{name}/scaled", "Mul", [draw, width], {"T": dtype})).name
    graph.add(Node.make(name, "AddV2", [scaled, low], {"T": dtype}))
