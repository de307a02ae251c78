"""Infers dtypes, shapes and small values of every tensor of a graph, through functions, loops and branches.

Shapes may be known in part. Values of small tensors are carried along, element by element, so that
Shape -> StridedSlice -> Pack -> Reshape resolves. Rules stand in `infer_<family>.py`, in tables keyed by TensorFlow's
op name; one without a rule has outputs of unknown shape. `_output_shapes` attributes are never read: they may be wrong.
Nothing that a graph can say is an error here: where shapes contradict each other nothing is known, and
`Inference.contradictions` says why.

Loops run to a fixed point: sizes that change from turn to turn become unknown, so that each turn of the search knows
less than the one before, and it ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..base.dtypes import DType
from ..base.errors import GraphError
from ..base.shapes import Shape, compatible
from ..base.tensors import Array
from ..graph.attrs import AttrPlaceholder, FuncRef
from ..graph.graph import Body, Function, Graph
from ..graph.node import Node, Port
from ..graph.walks import BACK_EDGES, in_order
from .facts import MAX_SIZE, MAX_VALUES, UNKNOWN, Call, Contradiction, Fact, join_facts, merge, same, settled
from .infer_rules import INFER
from .infer_values import VALUES
from .notation import OpSignature
from .signatures import of_op_def, output_arg_ranges, output_types, signature_of

MAX_DEPTH = 40
"""How deep functions may call each other before nothing more is known."""

MAX_TURNS = 200
"""The most turns of a search for a loop's fixed point; each makes at least one size unknown."""

BUDGET = 50
"""The nodes that may be looked at, as a multiple of those in the document (and 100,000 more)."""

_NUMERIC_ERRORS = (ArithmeticError, ValueError, IndexError, TypeError, MemoryError)
"""What arithmetic on values out of an untrusted graph may raise; the value is unknown then."""


class Inference:
    """What was found of each tensor, by name: `node`, `node:1`; in a function's body also `node:out:0`, `argument`."""

    def __init__(self, body: Body, facts: dict[str, list[Fact]], run: _Run) -> None:
        self._body = body
        self._facts = facts
        self._run = run
        self.contradictions: Mapping[str, str] = MappingProxyType(run.contradictions)
        """For nodes whose inputs cannot be: why, in words."""

    def fact(self, tensor: str) -> Fact:
        """All that is known of a tensor; UnknownNameError when its node does not exist."""
        port = Port.parse(tensor)
        if port.node not in self._facts:
            port = self._body.port(tensor)
        return self._run.pick(self._body, self._facts.get(port.node, []), port)

    def dtype(self, tensor: str) -> DType | None:
        """The dtype, a `_REF` kind for the reference to a variable; None behind an unknown op."""
        return self.fact(tensor).dtype

    def shape(self, tensor: str) -> Shape:
        """The shape, as far as it is known."""
        return self.fact(tensor).shape

    def value(self, tensor: str) -> Array | None:
        """The values, where all are known before anything runs and there are few."""
        return self.fact(tensor).known_value

    def outputs(self, node: str) -> Sequence[Fact]:
        """What is known of each output of a node."""
        return self._facts.get(node, ())


def infer(graph: Graph, feeds: Mapping[str, Shape] | None = None, function: str | None = None) -> Inference:
    """What is known of every tensor of the graph, or of the body of one of its functions.

    `feeds` says the shapes of tensors that are fed: they replace what the graph says of them, for anything downstream.
    UnknownNameError when a fed tensor does not exist; GraphError when the graph has a cycle outside of any loop.
    """
    body: Body = graph if function is None else graph.function(function)
    run = _Run(graph)
    given = _declared_arguments(body) if isinstance(body, Function) else {}
    fed = {}
    for name, shape in (feeds or {}).items():
        port = Port.parse(name)
        fed[port.tensor if port.node in given else body.port(name).tensor] = shape
    facts = run.body(body, given, {}, fed)
    return Inference(body, facts, run)


def infer_call(call: Call) -> list[Fact]:
    """What is known of the outputs of one op that calls no function. Contradiction when its inputs cannot be."""
    rule = INFER.get(call.op)
    results: Sequence[Shape | Fact] = ()
    if rule is None:
        # Handles of resources and of data sets are scalars.
        scalar = "Dataset" in call.op
        results = [() if dtype.number == 20 or (dtype.number == 21 and scalar) else None for dtype in call.outputs]
    else:
        try:
            results = rule(call)
        except _NUMERIC_ERRORS as error:
            raise Contradiction(f"its attributes or constant inputs make no sense ({error})") from error
    facts = _complete(call, results)
    evaluate = VALUES.get(call.op)
    if evaluate is None:
        return facts
    if any(f.shape is None or None in f.shape or _size(f.shape) > MAX_VALUES for f in facts):
        return facts
    try:
        with np.errstate(all="ignore"):
            values = evaluate(call)
    except _NUMERIC_ERRORS:
        return facts
    return [_with_value(fact, value) for fact, value in zip(facts, values, strict=False)] if values else facts


def _complete(call: Call, results: Sequence[Shape | Fact]) -> list[Fact]:
    """A Fact for each output, whatever a rule said of them."""
    facts = []
    for index, dtype in enumerate(call.outputs):
        result = results[index] if index < len(results) else None
        if isinstance(result, Fact):
            fact = Fact(dtype, result.shape, settled(result.value, dtype), result.holds)
        else:
            fact = Fact(dtype, result)
        if fact.shape is not None and any(size is not None and not 0 <= size <= MAX_SIZE for size in fact.shape):
            raise Contradiction(f"output {index} would have the shape {fact.shape}")
        facts.append(fact)
    return facts


def _with_value(fact: Fact, value: Array | None) -> Fact:
    kept = None if value is None else settled(np.asarray(value), fact.dtype)
    return fact if kept is None or kept.shape != fact.shape else Fact(fact.dtype, fact.shape, kept, fact.holds)


def _size(shape: Sequence[int | None]) -> int:
    size = 1
    for dim in shape:
        size *= dim or 0
    return size


def _declared_arguments(function: Function) -> dict[str, list[Fact]]:
    found = {}
    for arg in of_op_def(function.proto.signature).inputs:
        found[arg.name] = [Fact(arg.dtype.as_ref if arg.dtype is not None and arg.is_ref else arg.dtype)]
    return found


class _Attrs(dict[str, Any]):
    """The attributes of one node, decoded once, defaults filled in, placeholders of a function's template replaced."""

    def __init__(self, node: Node, known: OpSignature | None, environment: Mapping[str, Any]) -> None:
        super().__init__()
        self._attrs = node.attrs
        self._known = known
        self._environment = environment

    def __missing__(self, name: str) -> Any:
        if name in self._attrs:
            value = self._attrs[name]
            if isinstance(value, AttrPlaceholder):
                value = self._environment[value.name]
        else:
            spec = None if self._known is None else self._known.attrs.get(name)
            if spec is None or not spec.has_default:
                raise KeyError(name)
            value = list(spec.default) if spec.is_list else spec.default
        self[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name) or name in self._attrs:
            return True
        spec = None if self._known is None else self._known.attrs.get(str(name))
        return spec is not None and spec.has_default


class _Run:
    """One inference: the library of functions, what was already found in it, and how much may still be looked at."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.contradictions: dict[str, str] = {}
        self._budget = 100_000 + BUDGET * sum(len(body) for body in graph.bodies())
        self._depth = 0
        self._orders: dict[int, list[Node]] = {}
        self._memory: dict[str, list[tuple[Sequence[Fact], list[Fact]]]] = {}
        self._active: set[str] = set()
        self._reshaped = False

    def body(
        self, body: Body, given: Mapping[str, list[Fact]], environment: Mapping[str, Any], fed: Mapping[str, Shape]
    ) -> dict[str, list[Fact]]:
        """The facts of each node's outputs, the arguments' among them."""
        order = self._orders.get(id(body))
        if order is None:
            order = self._orders[id(body)] = in_order(body)
        facts: dict[str, list[Fact]] = dict(given)
        for name in given:
            facts[name] = _fed(name, facts[name], fed)
        for node in order:
            facts[node.name] = self._visit(body, node, facts, environment, fed)
        if any(node.op in BACK_EDGES for node in order):
            self._settle(body, order, facts, environment, fed)
        return facts

    def _visit(
        self,
        body: Body,
        node: Node,
        facts: Mapping[str, list[Fact]],
        environment: Mapping[str, Any],
        fed: Mapping[str, Shape],
    ) -> list[Fact]:
        self._budget -= 1
        inputs = []
        is_merge = node.op in ("Merge", "RefMerge")
        for text in node.proto.input:
            if text[:1] == "^" or (is_merge and _op(body, text) in BACK_EDGES):  # `_settle` adds what comes back
                continue
            node_name, colon, _ = text.partition(":")
            found = facts.get(node_name)
            if not found:
                inputs.append(UNKNOWN)
            else:
                inputs.append(self.pick(body, found, Port.parse(text)) if colon else found[0])
        known = signature_of(node)
        attrs = _Attrs(node, known, environment)
        outputs = self._outputs(node, known, attrs, inputs)
        if not fed:
            return outputs
        declared = _fed(node.name, outputs, fed)
        if declared is not outputs and any(
            not compatible(a.shape, b.shape) for a, b in zip(declared, outputs, strict=True)
        ):
            self._reshaped = True
        return declared

    def _outputs(self, node: Node, known: OpSignature | None, attrs: _Attrs, inputs: list[Fact]) -> list[Fact]:
        if known is None:
            return self._called(node.op, {name: attrs[name] for name in node.attrs}, inputs)
        try:
            dtypes = output_types(known, attrs)
        except (GraphError, KeyError):
            return []
        call = Call(node.op, attrs, inputs, dtypes, self.graph.producer)
        try:
            calling = CALLING.get(node.op)
            if calling is not None:
                return _complete(call, getattr(self, calling)(call))
            return infer_call(call)
        except Contradiction as error:
            self.contradictions.setdefault(node.name, str(error))
            return [Fact(dtype) for dtype in dtypes]

    def pick(self, body: Body, outputs: Sequence[Fact], port: Port) -> Fact:
        """The fact of one output, called by its number, or in a function's body by the name of its argument."""
        index = port.index
        if port.arg and port.node in body.nodes:
            index = self._number(body.nodes[port.node], port)
        return outputs[index] if 0 <= index < len(outputs) else UNKNOWN

    def _number(self, node: Node, port: Port) -> int:
        known = signature_of(node)
        if known is None:
            function = self.graph.functions.get(node.op)
            names = [] if function is None else function.outputs
            return names.index(port.arg) if port.arg in names else -1
        if len(known.outputs) == 1:
            return port.index if known.outputs[0].name == port.arg else -1
        try:
            return output_arg_ranges(known, node.attrs)[port.arg][port.index]
        except (GraphError, LookupError):
            return -1

    # Functions

    def _called(self, name: str, environment: Mapping[str, Any], inputs: Sequence[Fact]) -> list[Fact]:
        """The facts of a function's results; empty for one that is not in the library, or is called too deep."""
        function = self.graph.functions.get(name)
        if function is None:
            return []
        remembered = self._memory.setdefault(name, [])
        if not environment:
            for before, results in remembered:
                if len(before) == len(inputs) and all(map(same, before, inputs)):
                    return results
        declared = list(_declared_arguments(function).items())
        if name in self._active or self._depth >= MAX_DEPTH or self._budget < 0:
            return _result_types(function)
        given = {
            arg: [_argument(fact[0], inputs[i])] if i < len(inputs) else fact for i, (arg, fact) in enumerate(declared)
        }
        self._active.add(name)
        self._depth += 1
        facts = self.body(function, given, environment, {})
        self._depth -= 1
        self._active.discard(name)
        results = []
        for output, fallback in zip(function.outputs, _result_types(function), strict=True):
            port = Port.parse(function.returns.get(output, output))
            found = self.pick(function, facts.get(port.node, []), port)
            results.append(found if found.dtype is not None else fallback)
        if not environment and len(remembered) < 64:
            remembered.append((tuple(inputs), results))
        return results

    def _function(self, call: Call, attribute: str, inputs: Sequence[Fact]) -> list[Fact]:
        ref = call.attr(attribute)
        return self._named(ref, inputs) if isinstance(ref, FuncRef) else []

    def _named(self, ref: FuncRef, inputs: Sequence[Fact]) -> list[Fact]:
        return self._called(ref.name, ref.attrs, inputs)

    def _declared(self, call: Call, facts: Sequence[Fact]) -> list[Fact]:
        """Facts, and what the op's own `output_shapes` adds; that is stale once a feed has another shape."""
        shapes = [] if self._reshaped or "output_shapes" not in call.attrs else call.shapes_attr("output_shapes")
        found = []
        for index in range(len(call.outputs)):
            fact = facts[index] if index < len(facts) else UNKNOWN
            declared = shapes[index] if index < len(shapes) else None
            if compatible(fact.shape, declared):
                fact = Fact(fact.dtype, merge(fact.shape, declared), fact.value, fact.holds)
            found.append(fact)
        return found

    def _infer_call(self, call: Call) -> list[Fact]:
        return self._function(call, "f", call.inputs)

    def _infer_if(self, call: Call) -> list[Fact]:
        condition = call.value(0) if call.inputs else None
        inputs = call.inputs[1:]
        if condition is not None and condition.size == 1 and condition.ndim == 0:
            taken = "then_branch" if condition.item() else "else_branch"
            return self._function(call, taken, inputs)
        return self._declared(call, self._either([call.attr("then_branch"), call.attr("else_branch")], inputs))

    def _infer_case(self, call: Call) -> list[Fact]:
        branches = call.attr("branches")
        if not isinstance(branches, list) or not branches:
            return []
        chosen = call.scalar(0)
        if chosen is not None:  # out of range: the last one
            branches = [branches[chosen if 0 <= chosen < len(branches) else -1]]
        return self._declared(call, self._either(branches, call.inputs[1:]))

    def _either(self, branches: Sequence[Any], inputs: Sequence[Fact]) -> list[Fact]:
        results: list[Fact] | None = None
        for ref in branches:
            found = self._named(ref, inputs) if isinstance(ref, FuncRef) else []
            if results is not None and len(results) != len(found):
                return []
            results = found if results is None else list(map(join_facts, results, found))
        return results or []

    def _infer_while(self, call: Call) -> list[Fact]:
        return self._settled(call, [], call.inputs)

    def _infer_for(self, call: Call) -> list[Fact]:
        """`start`, `limit` and `delta`, then what the body takes and gives beside the number of the turn."""
        return self._settled(call, [Fact(call.inputs[0].dtype, ())], call.inputs[3:])

    def _settled(self, call: Call, first: Sequence[Fact], carried: Sequence[Fact]) -> list[Fact]:
        """The fixed point of what a loop's body does to the tensors that it carries."""
        current = list(carried)
        for _ in range(MAX_TURNS):
            if self._budget < 0:
                break
            turned = self._function(call, "body", [*first, *current])
            if len(turned) != len(current):
                break
            joined = list(map(join_facts, current, turned))
            if all(map(same, joined, current)):
                return self._declared(call, current)
            current = joined
        return self._declared(call, [Fact(fact.dtype) for fact in carried])

    # TF1 loops

    def _settle(
        self,
        body: Body,
        order: Sequence[Node],
        facts: dict[str, list[Fact]],
        environment: Mapping[str, Any],
        fed: Mapping[str, Shape],
    ) -> None:
        """Runs TF1 loops to their fixed point: Merge knows what its Enter and its NextIteration have in common."""
        back = {
            node.name: [Port.parse(i) for i in node.proto.input if _op(body, i) in BACK_EDGES]
            for node in order
            if node.op in ("Merge", "RefMerge")
        }
        back = {name: ports for name, ports in back.items() if ports}
        consumers = body.consumers()
        for turn in range(MAX_TURNS):
            give_up = turn == MAX_TURNS - 1 or self._budget < 0
            dirty: set[str] = set()
            for name, ports in back.items():
                if not facts[name]:
                    continue
                current = joined = facts[name][0]
                for port in ports:
                    joined = join_facts(joined, self.pick(body, facts.get(port.node, []), port))
                if give_up:
                    joined = Fact(current.dtype)
                if not same(joined, current):
                    facts[name] = [joined, *facts[name][1:]]
                    dirty.update(node.name for node in consumers.get(name, ()))
            if not dirty:
                return
            for node in order:
                if node.name not in dirty:
                    continue
                before = facts[node.name]
                after = self._visit(body, node, facts, environment, fed)
                if node.name in back and before and after:  # an inner loop: its entry may have changed, never back
                    after = [join_facts(before[0], after[0]), *after[1:]]
                if len(before) != len(after) or not all(map(same, before, after)):
                    facts[node.name] = after
                    dirty.update(consumer.name for consumer in consumers.get(node.name, ()))


def _op(body: Body, text: str) -> str:
    node = body.nodes.get(text.removeprefix("^").partition(":")[0])
    return "" if node is None else node.op


def _fed(name: str, facts: list[Fact], fed: Mapping[str, Shape]) -> list[Fact]:
    """The facts of a node's outputs, those that are fed with the shape that is fed."""
    if not any(f"{name}:{index}" in fed for index in range(len(facts))):
        return facts
    return [
        Fact(fact.dtype, fed[f"{name}:{index}"]) if f"{name}:{index}" in fed else fact
        for index, fact in enumerate(facts)
    ]


def _argument(declared: Fact, passed: Fact) -> Fact:
    return passed if passed.dtype is not None else declared


def _result_types(function: Function) -> list[Fact]:
    return [Fact(arg.dtype) for arg in of_op_def(function.proto.signature).outputs]


CALLING: dict[str, str] = {
    "For": "_infer_for",
    "PartitionedCall": "_infer_call",
    "StatefulPartitionedCall": "_infer_call",
    "RemoteCall": "_infer_call",
    "If": "_infer_if",
    "StatelessIf": "_infer_if",
    "_If": "_infer_if",
    "Case": "_infer_case",
    "StatelessCase": "_infer_case",
    "While": "_infer_while",
    "StatelessWhile": "_infer_while",
    "_While": "_infer_while",
}
"""Ops that call functions, and the method of `_Run` that looks into them."""
