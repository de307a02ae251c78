"""What a valid graph is: a table of rules, each a function from a graph to complaints in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..base.dtypes import DType
from ..base.errors import Error, GraphError
from ..base.tensors import Tensor
from ..graph.document import Document
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..graph.walks import in_order
from .signatures import input_types, number_of_outputs, output_types, signature

Rule = Callable[[Graph], Iterator[str]]


def complaints(document: Document) -> list[str]:
    """What is wrong with a document's graph, in words; empty when it is valid."""
    found: list[str] = []
    for rule in RULES:
        found += rule(document.graph)
    graph = document.graph
    for signed in document.signatures.values():
        for key, spec in {**signed.inputs, **signed.outputs}.items():
            if spec.tensor and Port.parse(spec.tensor).node not in graph:
                found.append(f"signature {signed.name!r}: {key!r} is {spec.tensor!r}, which is not in the graph")
    return found


def _places(graph: Graph) -> Iterator[tuple[str, Body, Node]]:
    for body in graph.bodies():
        where = f"function {body.name!r}, " if isinstance(body, Function) else ""
        for node in body:
            yield f"{where}node {node.name!r} ({node.op})", body, node


def _inputs_exist(graph: Graph) -> Iterator[str]:
    """Every input names a node (or an argument) and an output that it has."""
    for where, body, node in _places(graph):
        arguments = set(body.inputs) if isinstance(body, Function) else set()
        after_control = False
        for text in node.inputs:
            try:
                port = Port.parse(text)
            except GraphError as error:
                yield f"{where}: {error}"
                continue
            if after_control and not port.is_control:
                yield f"{where}: the input {text!r} comes after a control input"
            after_control = after_control or port.is_control
            if port.node in arguments and not port.is_control:
                continue
            if port.node not in body:
                yield f"{where}: takes {text!r}, which is not there"
            elif not port.is_control and not port.arg:
                count = _outputs(graph, body.nodes[port.node])
                if count is not None and port.index >= count:
                    yield f"{where}: takes {text!r}, but that node has {count} outputs"


def _outputs(graph: Graph, node: Node) -> int | None:
    if node.op in graph.functions:
        return len(graph.functions[node.op].outputs)
    if signature(node.op) is None:
        return None
    try:
        return number_of_outputs(node.op, dict(node.attrs))
    except Error:
        return None  # told by _attributes_fit


def _attributes_fit(graph: Graph) -> Iterator[str]:
    """Every required attribute is there, allowed, and agrees with the number of inputs."""
    for where, _, node in _places(graph):
        if signature(node.op) is None or node.op in graph.functions:
            continue
        try:
            attrs = dict(node.attrs)
            expected = len(input_types(node.op, attrs))
            output_types(node.op, attrs)
        except Error as error:
            yield f"{where}: {error}"
            continue
        given = len(node.data_inputs)
        if given != expected:
            yield f"{where}: has {given} inputs where its attributes ask for {expected}"


def _types_agree(graph: Graph) -> Iterator[str]:
    """Every edge carries the dtype that its reader expects; a reference may be read as its value."""
    for where, body, node in _places(graph):
        if isinstance(body, Function) or signature(node.op) is None or node.op in graph.functions:
            continue
        try:
            wanted = input_types(node.op, dict(node.attrs))
        except Error:
            continue
        for port, want in zip(node.data_inputs, wanted, strict=False):
            have = _type_of(graph, port)
            if have is None or have.number == 0 or want.number == 0:
                continue
            if want.is_ref and not have.is_ref:
                yield f"{where}: needs a reference, but {port.tensor!r} is {have}"
            elif have.base != want.base:
                yield f"{where}: expects {want}, but {port.tensor!r} is {have}"


def _type_of(graph: Graph, port: Port) -> DType | None:
    source = graph.nodes.get(port.node)
    if source is None or signature(source.op) is None or source.op in graph.functions:
        return None
    try:
        types = output_types(source.op, dict(source.attrs))
    except Error:
        return None
    return types[port.index] if port.index < len(types) else None


def _no_cycles(graph: Graph) -> Iterator[str]:
    """Only TF1's loops go round."""
    for body in graph.bodies():
        try:
            in_order(body)
        except GraphError as error:
            yield str(error)


def _constants_decode(graph: Graph) -> Iterator[str]:
    """Every constant has as many bytes as its dtype and shape say."""
    for where, _, node in _places(graph):
        if node.op != "Const":
            continue
        try:
            value = node.attr("value")
            if not isinstance(value, Tensor):
                yield f"{where}: holds no value"
            elif value.dtype.numpy is not None:
                value.numpy()
        except Error as error:
            yield f"{where}: {error}"


def _functions_exist(graph: Graph) -> Iterator[str]:
    """Every function that is called is in the library, and every result of a function is made in it."""
    for where, _, node in _places(graph):
        for name, value in node.proto.attr.items():
            for func in [value.func] if value.HasField("func") else list(value.list.func):
                if func.name and func.name not in graph.functions and signature(func.name) is None:
                    yield f"{where}: {name!r} names the function {func.name!r}, which is not in the library"
    for function in graph.functions.values():
        returns = function.returns
        for output in function.outputs:
            target = returns.get(output)
            if target is None:
                yield f"function {function.name!r}: the result {output!r} is not made"
            elif Port.parse(target).node not in function and target not in function.inputs:
                yield f"function {function.name!r}: the result {output!r} is {target!r}, which is not there"


RULES: tuple[Rule, ...] = (
    _inputs_exist,
    _attributes_fit,
    _types_agree,
    _no_cycles,
    _constants_decode,
    _functions_exist,
)
