"""Puts the values of variables into the graph as constants.

1. The graph is cut down to what the outputs reach; table initialisers that outputs depend on stay (see `tables`).
2. A ref variable (VariableV2) becomes a Const of the same name; ops on references become their plain kinds
   (RefSwitch -> Switch ...), and a write becomes the value that it would have left (AssignSub -> Sub).
3. A resource variable (VarHandleOp) becomes a Const of the same name, and wherever its handle travels (Identity, Enter,
   Switch, functions, If/While/Case bodies) the value travels instead; ReadVariableOp becomes Identity, ResourceGather
   GatherV2. A write becomes a NoOp; when the outputs read what was written, freezing is refused.
4. Calls of functions are replaced by their bodies (see `inline`), so that what reads frozen graphs finds plain ops.
5. Attributes that only a runtime guessed (`_output_shapes`, `_handle_shapes` ...) go, as they may be wrong.

Weights are not copied: the constants refer to the places where the checkpoint holds them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ..base.errors import GraphError, MissingWeightsError
from ..graph.document import Document, Variable
from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.variables import REF_VARIABLES, RESOURCE_VARIABLES, VARIABLE_COLLECTIONS
from ..graph.walks import ancestors, in_order
from ..wire import messages as pb
from .extract import extract, with_functions
from .handles import Handles
from .inline import inline_calls
from .join import some
from .references import REFERENCE_RULES, plain_node
from .tables import keep_tables

GUESSED_ATTRS = (
    "_output_shapes",
    "_handle_shapes",
    "_handle_dtypes",
    "_read_only_resource_inputs",
    "_gradient_op_type",
)
"""Attributes that a runtime infers, or that name what only its process knew; no part of the graph's meaning."""


def freeze(document: Document, outputs: Iterable[str]) -> Document:
    """A document without variables that computes the same outputs.

    MissingWeightsError when a variable that the outputs reach has no value; GraphError when the outputs depend on a
    write to a variable that has no plain form.
    """
    if not document.has_graph:
        raise GraphError(document.missing[0])
    wanted = list(outputs)
    document, initialisers = keep_tables(document, wanted)
    cut = extract(document, wanted, keep=initialisers)
    variables = _reached(cut)
    _require_values(cut, variables)
    graph = _freeze_references(cut.graph, variables)
    graph = Handles(graph, {n: v for n, v in variables.items() if graph.nodes[n].op in RESOURCE_VARIABLES}).freeze()
    graph = inline_calls(graph)
    graph = with_functions(_pruned(graph, [*wanted, *initialisers]), graph.functions)
    _forget_guesses(graph)
    return dataclasses.replace(
        cut,
        graph=graph,
        kind="graph",
        variables={},
        collections={name: c for name, c in cut.collections.items() if name not in VARIABLE_COLLECTIONS},
        meta=pb.MetaGraphDef(),
        assets={},
        extras={},
        siblings=(),
        weights="",
        nearby=(),
    )


def _reached(document: Document) -> dict[str, Variable]:
    """The variables whose nodes are in the graph, by the node's name. Two nodes may share one variable."""
    by_node = {v.node: v for v in document.variables.values() if v.node is not None}
    found: dict[str, Variable] = {}
    for node in document.graph:
        if node.op not in REF_VARIABLES | RESOURCE_VARIABLES:
            continue
        variable = by_node.get(node.name) or document.variables.get(_shared_name(node))
        if variable is None:
            raise MissingWeightsError(f"The node {node.name!r} ({node.op}) is not among the model's variables.")
        found[node.name] = variable
    return found


def _shared_name(node: Node) -> str:
    shared = node.attr("shared_name", b"")
    return shared.decode("utf-8", "replace") if shared else node.name


def _require_values(document: Document, variables: dict[str, Variable]) -> None:
    empty = sorted({v.name for v in variables.values() if v.tensor is None})
    if empty:
        beside = f" Beside the graph: {', '.join(document.nearby)}." if document.nearby else ""
        raise MissingWeightsError(
            f"The outputs need {len(empty)} variables that have no value: {some(empty)}. "
            f"Give their checkpoint with weights= (--weights).{beside}"
        )


def constant(name: str, variable: Variable, node: Node) -> Node:
    """A Const of a variable's value, in the place of its node."""
    if variable.tensor is None:
        raise MissingWeightsError(f"The variable {variable.name!r} has no value.")
    made = Node.make(name, "Const", [f"^{c}" for c in node.control_inputs], device=node.device)
    made.attrs["dtype"] = variable.tensor.dtype
    made.attrs["value"] = variable.tensor
    classes = node.attrs.raw("_class")
    if classes is not None:
        made.proto.attr["_class"].CopyFrom(classes)
    return made


def _freeze_references(graph: Graph, variables: dict[str, Variable]) -> Graph:
    """Case 2."""
    result = Graph((), graph.functions.values(), graph.proto)
    for node in graph:
        if node.op in REF_VARIABLES:
            result.add(constant(node.name, variables[node.name], node))
        elif node.op in REFERENCE_RULES:
            result.add(plain_node(node))
        else:
            result.add(node)
    return result


def _pruned(graph: Graph, outputs: list[str]) -> Graph:
    needed = ancestors(graph, [graph.port(name).node for name in outputs])
    return Graph((n for n in graph if n.name in needed), (), graph.proto)


def _forget_guesses(graph: Graph) -> None:
    """Case 5. Types that a file writes as references become plain ones: nothing refers any more."""
    for body in graph.bodies():
        for name, node in list(body.nodes.items()):
            values = node.proto.attr
            guessed = [a for a in GUESSED_ATTRS if a in values]
            references = [a for a, value in values.items() if value.type > 100]
            if not guessed and not references:
                continue
            copy = node.copy()
            for attr in guessed:
                del copy.proto.attr[attr]
            for attr in references:
                copy.proto.attr[attr].type -= 100
            body.nodes[name] = copy
    if any(node.op in REF_VARIABLES | RESOURCE_VARIABLES for node in graph):
        raise GraphError("A variable is left in the frozen graph.")  # would be a fault of ours
    in_order(graph)
