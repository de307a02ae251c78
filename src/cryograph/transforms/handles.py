"""Sends the value of a resource variable along the ways on which its handle travelled.

A handle leaves its VarHandleOp, passes through Identity kinds, TF1 and TF2 control flow and functions, and ends in an
op that reads or writes. With the handle replaced by the value, passing ops keep their form and change their type; the
functions among them are changed once for each combination of values that they are called with.

Cases of a node that takes a handle:
1. a passing op (PASSING): its type attribute becomes the value's;
2. a reader (READERS): it becomes the plain op on the value;
3. a writer: it becomes a NoOp that keeps its control inputs; refused where something reads the variable afterwards;
4. a call (PartitionedCall kinds, If, While, Case, a call by a function's name): the function is changed likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..base.dtypes import BOOL, INT32, DType
from ..base.errors import GraphError, LimitError
from ..base.tensors import Tensor
from ..graph.attrs import FuncRef
from ..graph.document import Variable
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..graph.walks import descendants, in_order

MAX_CALL_DEPTH = 100
"""Functions nested deeper than this are refused."""

Held = dict[tuple[str, str, int], DType]
"""Tensors that are values of variables now: (node or argument, output argument or "", index) -> dtype."""

PASSING: dict[str, str] = {
    "Identity": "T",
    "Enter": "T",
    "Exit": "T",
    "Switch": "T",
    "Merge": "T",
    "NextIteration": "T",
    "IdentityN": "T",
    "StopGradient": "T",
}
"""Ops that pass a handle on, and the attribute that tells its type."""

# op -> attributes with functions, attribute with argument types, with result types, inputs before the arguments
CALLS: dict[str, tuple[tuple[str, ...], str, str, int]] = {
    "PartitionedCall": (("f",), "Tin", "Tout", 0),
    "StatefulPartitionedCall": (("f",), "Tin", "Tout", 0),
    "RemoteCall": (("f",), "Tin", "Tout", 1),
    "If": (("then_branch", "else_branch"), "Tin", "Tout", 1),
    "StatelessIf": (("then_branch", "else_branch"), "Tin", "Tout", 1),
    "Case": (("branches",), "Tin", "Tout", 1),
    "StatelessCase": (("branches",), "Tin", "Tout", 1),
    "While": (("body", "cond"), "T", "T", 0),
    "StatelessWhile": (("body", "cond"), "T", "T", 0),
}

WRITERS = frozenset(
    {
        "AssignVariableOp",
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "DestroyResourceOp",
        "ResourceStridedSliceAssign",
    }
)
WRITER_PREFIXES = ("ResourceApply", "ResourceSparseApply", "ResourceScatter")


def is_writer(op: str) -> bool:
    """Whether an op changes the variable whose handle it takes."""
    return op in WRITERS or op.startswith(WRITER_PREFIXES)


class Handles:
    """Freezes the resource variables of one graph. `variables` maps VarHandleOp nodes to their variables."""

    def __init__(self, graph: Graph, variables: Mapping[str, Variable]) -> None:
        self._graph = graph
        self._variables = variables
        self._functions: dict[str, Function] = dict(graph.functions)
        self._done: dict[tuple[str, tuple[DType | None, ...]], tuple[str, tuple[DType | None, ...]]] = {}
        self._depth = 0

    def freeze(self) -> Graph:
        """The graph with values in the place of handles, and the functions that it needs for them."""
        if not self._variables:
            return self._graph
        self._refuse_reads_after_writes()
        held: Held = {}
        nodes, _ = self._body(self._graph, held)
        return Graph(nodes, self._functions.values(), self._graph.proto)

    def _refuse_reads_after_writes(self) -> None:
        body = self._graph
        for node in body:
            if not is_writer(node.op):
                continue
            target = self._source(node)
            if target is None:
                continue
            later = descendants(body, [node.name]) - {node.name}
            for name in sorted(later):
                reader = body.nodes[name]
                if reader.op in READERS and self._source(reader) == target:
                    raise GraphError(
                        f"{name!r} reads the variable {target!r} after {node.name!r} ({node.op}) has changed it; "
                        "a frozen graph cannot do that. Freeze outputs that do not wait for the change."
                    )

    def _source(self, node: Node) -> str | None:
        """The VarHandleOp whose handle a node takes, seen through Identity."""
        seen: set[str] = set()
        while node.data_inputs and node.name not in seen:
            seen.add(node.name)
            name = node.data_inputs[0].node
            if name in self._variables:
                return name
            found = self._graph.nodes.get(name)
            if found is None or found.op not in PASSING:
                return None
            node = found
        return None

    def _body(self, body: Body, held: Held) -> tuple[list[Node], dict[str, str]]:
        """The nodes of a body with values for handles (in the body's order), and new names of renamed outputs."""
        changed: dict[str, list[Node]] = {}
        renamed: dict[str, str] = {}
        is_graph = isinstance(body, Graph)
        for node in in_order(body):
            made = self._node(node, body, held, renamed, is_graph)
            if made is not None:
                changed[node.name] = made
        self._close_loops(body, held, changed)
        nodes: list[Node] = []
        for name, node in body.nodes.items():
            for result in changed.get(name, [node]):
                nodes.append(_with_inputs(result, renamed) if renamed else result)
        return nodes, renamed

    def _close_loops(self, body: Body, held: Held, changed: dict[str, list[Node]]) -> None:
        """Merges of loops come before their NextIteration; what they close with must be a value too."""
        for node in body:
            if node.op == "Merge" and (node.name, "", 0) in held:
                for port in node.data_inputs:
                    if _key(port) not in held:
                        raise GraphError(
                            f"{node.name!r} (Merge) takes a variable from one side and not from the other."
                        )

    def _node(self, node: Node, body: Body, held: Held, renamed: dict[str, str], is_graph: bool) -> list[Node] | None:
        """What stands in the place of a node; None when it stays as it is."""
        if node.op == "VarHandleOp":
            variable = self._variables.get(node.name) if is_graph else self._by_shared_name(node)
            if variable is None or variable.tensor is None:
                return None
            _hold(held, node.name, "resource", 0, variable.tensor.dtype)
            if not is_graph:
                renamed[f"{node.name}:resource:0"] = f"{node.name}:output:0"
            return [_constant(node, variable.tensor)]
        kinds = [held.get(_key(port)) for port in node.data_inputs]
        if not any(kinds):
            return None
        if node.op in PASSING:
            return [self._passing(node, kinds, held)]
        if node.op in READERS:
            dtype = next(k for k in kinds if k is not None)
            made, output = READERS[node.op](node, dtype, body)
            if not is_graph and output != _OUTPUT_ARGS.get(node.op, "output"):
                renamed[f"{node.name}:{_OUTPUT_ARGS[node.op]}:0"] = f"{node.name}:{output}:0"
            return made
        if is_writer(node.op):
            return [Node.make(node.name, "NoOp", [f"^{c}" for c in node.control_inputs], device=node.device)]
        if node.op in CALLS:
            return [self._call(node, kinds, held)]
        if node.op in self._functions:
            return [self._named_call(node, kinds, held)]
        raise GraphError(
            f"{node.name!r} ({node.op}) takes the handle of a variable, and it is not known what it does with it."
        )

    def _by_shared_name(self, node: Node) -> Variable | None:
        shared = node.attr("shared_name", b"").decode("utf-8", "replace") or node.name
        return next((v for v in self._variables.values() if v.name == shared), None)

    def _passing(self, node: Node, kinds: list[DType | None], held: Held) -> Node:
        copy = node.copy()
        if node.op == "IdentityN":
            types = list(node.attr("T", []))
            for index, kind in enumerate(kinds):
                if kind is not None:
                    types[index] = kind
                    _hold(held, node.name, "output", index, kind)
            copy.attrs["T"] = types
            return copy
        kind = next(k for k in kinds if k is not None)
        if node.op == "Merge" and any(k is None for k in kinds):
            # The other side is a loop's back edge, which comes later; _close_loops looks at it again.
            pass
        copy.attrs[PASSING[node.op]] = kind
        if node.op == "Switch":
            _hold(held, node.name, "output_false", 0, kind)
            _hold(held, node.name, "output_true", 0, kind)
            held[node.name, "", 1] = kind
        else:
            _hold(held, node.name, "output", 0, kind)
        return copy

    def _call(self, node: Node, kinds: list[DType | None], held: Held) -> Node:
        """Case 4: the functions of an attribute."""
        attrs, types_in, types_out, skipped = CALLS[node.op]
        given = tuple(kinds[skipped:])
        copy = node.copy()
        copy.attrs[types_in] = [k or t for k, t in zip(given, node.attr(types_in, []), strict=True)]
        results: tuple[DType | None, ...] = ()
        for attr in attrs:
            value = node.attr(attr)
            refs = value if isinstance(value, list) else [value]
            made: list[FuncRef] = []
            for ref in refs:
                name, kinds_out = self._function(ref.name, given, node)
                made.append(FuncRef(name, ref.attrs))
                if attr != "cond":
                    results = kinds_out
            copy.attrs[attr] = made if isinstance(value, list) else made[0]
        types = list(node.attr(types_out, []))
        for index, kind in enumerate(results):
            if kind is not None:
                types[index] = kind
                _hold(held, node.name, "output", index, kind)
        copy.attrs[types_out] = types
        return copy

    def _named_call(self, node: Node, kinds: list[DType | None], held: Held) -> Node:
        function = self._functions[node.op]
        name, results = self._function(node.op, tuple(kinds), node)
        copy = node.copy()
        copy.op = name
        for index, (output, kind) in enumerate(zip(function.outputs, results, strict=True)):
            if kind is not None:
                held[node.name, "", index] = kind
                held[node.name, output, 0] = kind
        return copy

    def _function(
        self, name: str, given: tuple[DType | None, ...], caller: Node
    ) -> tuple[str, tuple[DType | None, ...]]:
        """The name of the function for these arguments, and which of its results are values of variables."""
        if (name, given) in self._done:
            return self._done[name, given]
        function = self._graph.functions.get(name)
        if function is None:
            raise GraphError(f"{caller.name!r} ({caller.op}) calls the function {name!r}, which the library lacks.")
        if len(given) != len(function.inputs):
            raise GraphError(
                f"{caller.name!r} ({caller.op}) gives {len(given)} arguments to {name!r},"
                f" which takes {len(function.inputs)}."
            )
        if not any(given) and not any(node.op == "VarHandleOp" for node in function):
            self._done[name, given] = name, (None,) * len(function.outputs)
            return self._done[name, given]
        self._depth += 1
        if self._depth > MAX_CALL_DEPTH:
            raise LimitError(f"The functions called by {caller.name!r} are nested more than {MAX_CALL_DEPTH} deep.")
        taken = any(done == name and kinds != given for (done, kinds) in self._done)
        new_name = self._unique_function(name) if taken else name
        held: Held = {(arg, "", 0): kind for arg, kind in zip(function.inputs, given, strict=True) if kind is not None}
        copy = function.copy(new_name)
        nodes, renamed = self._body(copy, held)
        results: list[DType | None] = []
        for output in function.proto.signature.output_arg:
            target = function.returns[output.name]
            kind = held.get(_key(Port.parse(target)))
            results.append(kind)
            copy.proto.ret[output.name] = renamed.get(target, target)
        frozen = Function(copy.proto, nodes, copy.table)
        _retype(frozen, given, tuple(results))
        self._functions[new_name] = frozen
        self._done[name, given] = new_name, tuple(results)
        self._depth -= 1
        return self._done[name, given]

    def _unique_function(self, name: str) -> str:
        number = 1
        while f"{name}_{number}" in self._functions:
            number += 1
        return f"{name}_{number}"


def _retype(function: Function, given: tuple[DType | None, ...], results: tuple[DType | None, ...]) -> None:
    """The signature with the values' types; what it said of the handles' shapes is forgotten."""
    signature = function.proto.signature
    for index, (arg, kind) in enumerate(zip(signature.input_arg, given, strict=True)):
        if kind is not None:
            arg.type = kind.number
            del arg.handle_data[:]
            if index in function.proto.arg_attr:
                del function.proto.arg_attr[index]
            if index in function.proto.resource_arg_unique_id:
                del function.proto.resource_arg_unique_id[index]
    for arg, kind in zip(signature.output_arg, results, strict=True):
        if kind is not None:
            arg.type = kind.number
            del arg.handle_data[:]


def _key(port: Port) -> tuple[str, str, int]:
    return port.node, port.arg, port.index


def _hold(held: Held, node: str, arg: str, index: int, dtype: DType) -> None:
    """Notes a value under its name in a graph (`node:0`) and in a function's body (`node:arg:0`)."""
    held[node, "", index] = dtype
    held[node, arg, index] = dtype


def _with_inputs(node: Node, renamed: Mapping[str, str]) -> Node:
    if not any(i in renamed for i in node.proto.input):
        return node
    copy = node.copy()
    copy.inputs = [renamed.get(i, i) for i in node.inputs]
    return copy


def _constant(node: Node, tensor: Tensor) -> Node:
    made = Node.make(node.name, "Const", [f"^{c}" for c in node.control_inputs], device=node.device)
    made.attrs["dtype"] = tensor.dtype
    made.attrs["value"] = tensor
    return made


def _plain(node: Node, op: str, inputs: list[Any], attrs: dict[str, Any]) -> Node:
    made = Node.make(node.name, op, [*inputs, *(f"^{c}" for c in node.control_inputs)], attrs, node.device)
    classes = node.attrs.raw("_class")
    if classes is not None:
        made.proto.attr["_class"].CopyFrom(classes)
    return made


def _read(node: Node, dtype: DType, body: Body) -> tuple[list[Node], str]:
    return [_plain(node, "Identity", node.data_inputs[:1], {"T": dtype})], "output"


def _gather(node: Node, dtype: DType, body: Body) -> tuple[list[Node], str]:
    name = body.unique_name(f"{node.name}/axis")
    batch_dims = node.attr("batch_dims", 0)
    axis = Node.make(name, "Const", attrs={"dtype": INT32, "value": Tensor.of(np.array(batch_dims, np.int32))})
    axis_input = name if isinstance(body, Graph) else f"{name}:output:0"
    attrs = {
        "Tparams": dtype,
        "Tindices": node.attr("Tindices"),
        "Taxis": INT32,
        "batch_dims": batch_dims,
    }
    return [axis, _plain(node, "GatherV2", [*node.data_inputs, axis_input], attrs)], "output"


def _gather_nd(node: Node, dtype: DType, body: Body) -> tuple[list[Node], str]:
    attrs = {"Tparams": dtype, "Tindices": node.attr("Tindices")}
    return [_plain(node, "GatherNd", node.data_inputs, attrs)], "output"


def _shape(node: Node, dtype: DType, body: Body) -> tuple[list[Node], str]:
    attrs = {"T": dtype, "out_type": node.attr("out_type", INT32)}
    return [_plain(node, "Shape", node.data_inputs, attrs)], "output"


def _initialized(node: Node, dtype: DType, body: Body) -> tuple[list[Node], str]:
    return [_plain(node, "Const", [], {"dtype": BOOL, "value": Tensor.of(np.array(True))})], "output"


Reader = Callable[[Node, DType, Body], tuple[list[Node], str]]

READERS: dict[str, Reader] = {
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
    "VarIsInitializedOp": _initialized,
}

# What READERS call their output in a function's body; the plain ops all say "output".
_OUTPUT_ARGS = {"ReadVariableOp": "value", "VarIsInitializedOp": "is_initialized"}
