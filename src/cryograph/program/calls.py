"""Puts functions where they are called, and gives If, While and Case their bodies.

1. A call (PartitionedCall kinds, an op that is called after a function, as old files do it) becomes the function's
   body, its names `call/node`. What has an effect in the body waits for all that the call waits for, and what waits
   for the call, or takes a result of one that has effects, waits for them.
2. If, While and Case keep their functions as bodies, each a draft with its own calls resolved; For becomes While.
3. The gradient of a function (SymbolicGradient) is a call of the function that the library names for it; one that
   TensorFlow would derive itself is refused, as is a function that calls itself.
"""

from __future__ import annotations

from collections.abc import Callable

from ..base.errors import GraphError, LimitError, UnsupportedError, nearest
from ..graph.attrs import FuncRef
from ..graph.graph import Graph
from ..graph.node import Node
from .draft import BRANCHES, LOOPS, Draft, Op, key_of
from .effects import is_ordered, op_has_effect
from .for_loops import as_while
from .reading import Reader

MAX_DEPTH = 100
"""How deep functions may call each other."""

MAX_OPS = 1 << 21
"""The most ops that a document may become when its functions are put where they are called."""

# op -> the attribute with the function, and how many inputs at the beginning and at the end are not its arguments
CALLS: dict[str, tuple[str, int, int]] = {
    "PartitionedCall": ("f", 0, 0),
    "StatefulPartitionedCall": ("f", 0, 0),
    "TPUPartitionedCall": ("f", 0, 1),
    "BatchFunction": ("f", 0, 0),
    "RemoteCall": ("f", 1, 0),
    "SymbolicGradient": ("f", 0, 0),
}

BODIES: dict[str, tuple[str, ...]] = {
    "If": ("then_branch", "else_branch"),
    "StatelessIf": ("then_branch", "else_branch"),
    "Case": ("branches",),
    "StatelessCase": ("branches",),
    "While": ("cond", "body"),
    "StatelessWhile": ("cond", "body"),
    "MapDefun": ("f",),
    "XlaReduce": ("reducer",),
    "XlaReduceWindow": ("computation",),
    "XlaScatter": ("update_computation",),
    "XlaSelectAndScatter": ("select", "scatter"),
    "XlaVariadicReduce": ("reducer",),
    "XlaVariadicReduceV2": ("reducer",),
    "XlaVariadicSort": ("comparator",),
}
"""Ops that hold programs, and the attributes that name them."""


class Caller:
    """Resolves the calls of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._reader = Reader(graph)
        self._acting: dict[str, bool] = {}
        self._ops = 0

    def read(self, results: list[str], feeds: list[str], targets: list[str]) -> Draft:
        """A draft of what the results and the targets (names of nodes) need, without calls."""
        draft = self._reader.graph_draft(results, feeds, targets)
        self._expand(draft, ())
        return draft

    def _function(self, ref: FuncRef, path: str, caller: Op, trail: tuple[str, ...]) -> Draft:
        """A function's body as a draft, without calls."""
        function = self._graph.functions.get(ref.name)
        if function is None:
            close = nearest(ref.name, self._graph.functions)
            raise GraphError(f"{caller} calls the function {ref.name!r}, which is not in the library.{close}")
        if ref.name in trail:
            circle = " -> ".join([*trail[trail.index(ref.name) :], ref.name])
            raise UnsupportedError(f"{caller} calls a function that calls itself ({circle}); recursion cannot be run.")
        if len(trail) >= MAX_DEPTH:
            raise LimitError(f"{caller}: functions call each other more than {MAX_DEPTH} deep.")
        draft = self._reader.function_draft(function, ref.attrs, path, self._acts)
        self._expand(draft, (*trail, ref.name))
        return draft

    def _acts(self, node: Node) -> bool:
        """Whether a node has an effect, itself or in what it calls."""
        if node.op in self._graph.functions:
            return self._function_acts(node.op)
        if node.op in CALLS or node.op in BODIES:
            names = CALLS[node.op][:1] if node.op in CALLS else BODIES[node.op]
            values = [node.attr(name) for name in names]
            refs = [ref for value in values for ref in (value if isinstance(value, list) else [value])]
            return any(isinstance(ref, FuncRef) and self._function_acts(ref.name) for ref in refs)
        return op_has_effect(node.op)

    def _function_acts(self, name: str) -> bool:
        """The same of a function; found without recursion, as its calls may nest deep or go round."""
        if name in self._acting:
            return self._acting[name]
        seen: set[str] = set()
        waiting = [name]
        acts = False
        while waiting and not acts:
            current = waiting.pop()
            if current in seen or current not in self._graph.functions:
                continue
            seen.add(current)
            for node in self._graph.functions[current]:
                if node.op in self._graph.functions:
                    waiting.append(node.op)
                elif op_has_effect(node.op):
                    acts = True
                    break
                else:
                    waiting += _mentioned(node)
        self._acting[name] = acts
        return acts

    def _expand(self, draft: Draft, trail: tuple[str, ...]) -> None:
        self._ops += len(draft.ops)
        if self._ops > MAX_OPS:
            raise LimitError(f"With functions put where they are called, the graph has more than {MAX_OPS} ops.")
        calls = [op for op in draft.ops.values() if op.op in CALLS or op.op in self._graph.functions]
        if calls:
            _Inlining(draft).inline([(op, *self._callee(op, trail)) for op in calls])
        for op in draft.ops.values():
            if op.op in BODIES and not op.bodies:
                self._bodies(op, trail)
        for op in [op for op in draft.ops.values() if op.op == "For"]:
            self._for(draft, op, trail)

    def _callee(self, op: Op, trail: tuple[str, ...]) -> tuple[Draft, list[str]]:
        if op.op in self._graph.functions:
            ref, arguments = FuncRef(op.op, op.attrs), op.inputs
        else:
            attr, first, rest = CALLS[op.op]
            ref, arguments = _named(op, attr), op.inputs[first : len(op.inputs) - rest]
        if op.op == "SymbolicGradient":
            ref = self._gradient(op, ref)
        inner = self._function(ref, op.name, op, trail)
        if len(arguments) != len(inner.inputs):
            raise GraphError(f"{op} gives {len(arguments)} arguments to {ref.name!r}, which takes {len(inner.inputs)}.")
        return inner, arguments

    def _gradient(self, op: Op, ref: FuncRef) -> FuncRef:
        """The function that is the gradient of another."""
        found = self._graph.gradients.get(ref.name)
        if found is None:
            raise UnsupportedError(
                f"{op} is the gradient of the function {ref.name!r}, for which the library names none: TensorFlow"
                " derives it when the graph runs. Take outputs that do not need gradients, and derive them with"
                " model.grad(loss, wrt)."
            )
        return FuncRef(found, ref.attrs)

    def _for(self, draft: Draft, op: Op, trail: tuple[str, ...]) -> None:
        body = self._function(_named(op, "body"), op.name, op, trail)
        takes = len(op.inputs) - 2
        if takes < 1 or len(body.inputs) != takes or len(body.results) != op.count or op.count != takes - 1:
            raise GraphError(
                f"{op} carries {takes - 1} values and gives {op.count}, but its body takes {len(body.inputs)} and"
                f" gives {len(body.results)}."
            )
        as_while(draft, op, body)

    def _bodies(self, op: Op, trail: tuple[str, ...]) -> None:
        for attr in BODIES[op.op]:
            value = op.attrs.pop(attr, None)
            refs = value if isinstance(value, list) else [value]
            for index, ref in enumerate(refs):
                if not isinstance(ref, FuncRef):
                    raise GraphError(f"{op} does not say in {attr!r} which function it calls.")
                name = f"{attr}:{index}" if isinstance(value, list) else attr
                op.bodies[name] = self._function(ref, op.name, op, trail)
        check_bodies(op)


def _named(op: Op, attr: str) -> FuncRef:
    """The function that an attribute names."""
    found = op.attrs.get(attr)
    if not isinstance(found, FuncRef):
        raise GraphError(f"{op} does not say in {attr!r} which function it calls.")
    return found


def check_bodies(op: Op) -> None:
    """GraphError when the bodies of an op do not take and give as many values as it does."""
    if op.op.startswith("Xla"):
        return _check_of_numbers(op)
    takes = len(op.inputs) - (op.op in BRANCHES)
    if not op.bodies:
        raise GraphError(f"{op} has no branches.")
    if op.op in LOOPS and op.count != takes:
        raise GraphError(f"{op} takes {takes} values and gives {op.count}; a loop gives as many as it takes.")
    for name, body in op.bodies.items():
        gives = 1 if name == "cond" else op.count
        if len(body.inputs) != takes or len(body.results) != gives:
            raise GraphError(
                f"{op} gives {takes} values to its {name!r} and takes {gives},"
                f" but that takes {len(body.inputs)} and gives {len(body.results)}."
            )


def _check_of_numbers(op: Op) -> None:
    """The same of XLA's ops, whose bodies join (or compare) the numbers at two places of all inputs."""
    for name, body in op.bodies.items():
        gives = 1 if name == "comparator" else op.count
        if len(body.inputs) != 2 * op.count or len(body.results) != gives:
            raise GraphError(
                f"{op} gives {2 * op.count} numbers to its {name!r} and takes {gives},"
                f" but that takes {len(body.inputs)} and gives {len(body.results)}."
            )


def _mentioned(node: Node) -> list[str]:
    found = []
    for value in node.proto.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            found.append(value.func.name)
        elif kind == "list":
            found += [func.name for func in value.list.func]
    return found


class _Inlining:
    """Puts the bodies of calls into one draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._replaced: dict[str, str] = {}
        self._waited: dict[str, str] = {}

    def inline(self, calls: list[tuple[Op, Draft, list[str]]]) -> None:
        draft = self._draft
        waited_for = {control for op in draft.ops.values() for control in op.controls}
        bodies = {op.key: (op, inner, arguments) for op, inner, arguments in calls}
        before = draft.ops
        taken = set(before) | {key_of(value) for value in draft.inputs}
        draft.ops = {}
        for key, op in before.items():
            if key in bodies:
                self._inline(*bodies[key], key in waited_for, taken)
            else:
                draft.ops[key] = op
        for op in draft.ops.values():
            if any(value in self._replaced for value in op.inputs):
                op.inputs = [self._final(value) for value in op.inputs]
            if any(control in self._waited for control in op.controls):
                op.controls = [self._waited.get(control, control) for control in op.controls]
        draft.results = [self._final(value) for value in draft.results]

    def _final(self, value: str) -> str:
        """What a call's result is: perhaps the result of another call, which was its argument."""
        while value in self._replaced:
            value = self._replaced[value]
        return value

    def _inline(self, call: Op, inner: Draft, arguments: list[str], is_waited_for: bool, taken: set[str]) -> None:
        draft = self._draft

        def free(key: str) -> str:
            found, number = key, 0
            while found in taken:
                number += 1
                found = f"{key}_{number}"
            taken.add(found)
            return found

        keys = {key: free(f"{call.key}/{key}") for key in inner.ops}
        values = dict(zip(inner.inputs, arguments, strict=True))

        def value_of(value: str) -> str:
            if value in values:
                return values[value]
            key, _, index = value.rpartition(":")
            return f"{keys[key]}:{index}"

        ordered = [keys[op.key] for op in inner.ops.values() if is_ordered(op)]
        barrier = ""
        if call.controls or ordered:
            barrier = free(f"{call.key}/arguments")
            draft.add(Op(barrier, call.name, "NoOp", list(arguments), list(call.controls), count=0))
        for op in inner.ops.values():
            op.inputs = [value_of(value) for value in op.inputs]
            op.controls = [keys[control] for control in op.controls]
            op.key = keys[op.key]
            if barrier and (not (op.inputs or op.controls) or op.key in ordered):
                op.controls.append(barrier)
            draft.add(op)
        results = [value_of(value) for value in inner.results]
        if is_waited_for or ordered:
            after = free(f"{call.key}/results")
            controls = list(dict.fromkeys([*ordered, *([barrier] if barrier else [])]))
            draft.add(Op(after, call.name, "NoOp", list(results), controls, count=0))
            self._waited[call.key] = after
            if ordered:
                results = [self._after(call, value, after, free) for value in results]
        for i, value in enumerate(results):
            self._replaced[f"{call.key}:{i}"] = value

    def _after(self, call: Op, value: str, after: str, free: Callable[[str], str]) -> str:
        """A result that is there once the whole call has run."""
        key = free(f"{call.key}/result")
        self._draft.add(Op(key, call.name, "Identity", [value], [after]))
        return f"{key}:0"
