"""Lowerings of branches and loops whose bodies can be lowered as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.dtypes import BOOL, INT64
from ...program.program import Program, Step
from .builder import ABSENT, Builder, Table
from .values import OnnxGraph, OnnxNode, Refusal, Value


def _condition(g: Builder, x: Value) -> Value:
    """A scalar as a flag: a number holds when it is not 0. Of unknown rank it is taken for one, as in all graphs."""
    if x.shape not in (None, ()):
        raise Refusal("a condition that is not a scalar has no form in ONNX")
    return g.cast(x, BOOL)


def closed(g: Builder, graph: OnnxGraph) -> OnnxGraph:
    """The graph with every output given by a node of its own, as ONNX wants it for what comes from outside."""
    made = {name for node in graph.nodes for name in node.outputs}
    seen: set[str] = set()
    outputs = []
    for name in graph.outputs:
        if name not in made or name in seen:
            own = g.name()
            graph.nodes.append(OnnxNode("Identity", [name], [own], {}))
            known = graph.known.get(name) or g.known.get(name)
            if known is None:
                raise Refusal(f"nothing is known of {name!r}, which a body gives")
            graph.known[own] = Value(own, known.dtype, known.shape)
            name = own
        seen.add(name)
        outputs.append(name)
    graph.outputs = outputs
    return graph


def _branch(g: Builder, name: str, inputs: Sequence[Value]) -> OnnxGraph:
    return closed(g, g.body(name, inputs))


def _dtypes(g: Builder, step: Step, name: str) -> list[Value]:
    body = step.bodies[name]
    return [Value("", body.specs[output].dtype.base, body.specs[output].shape) for output in body.outputs]


def if_(
    g: Builder, step: Step, condition: Value, *inputs: Value, then_branch: object = None, else_branch: object = None
) -> list[Value]:
    """Both branches see the values that they are given as those of the graph around them."""
    flag = _condition(g, condition)
    then, other = _branch(g, "then_branch", inputs), _branch(g, "else_branch", inputs)
    kinds = _dtypes(g, step, "then_branch")
    if not kinds:
        return []
    return g.ops("If", flag, dtypes=[k.dtype for k in kinds], then_branch=then, else_branch=other)


def case(g: Builder, step: Step, index: Value, *inputs: Value, branches: object = None) -> list[Value]:
    """A chain of Ifs; the last branch also takes every index that is out of range."""
    if index.shape != ():
        raise Refusal("an index that is not known to be a scalar has no form in ONNX")
    count = len(step.bodies)
    kinds = _dtypes(g, step, "branches:0")
    graph = _branch(g, f"branches:{count - 1}", inputs)
    if count == 1 or not kinds:
        g.nodes.extend(graph.nodes)
        return [Value(name, k.dtype, k.shape) for name, k in zip(graph.outputs, kinds, strict=True)]
    flags = [g.op("Equal", index, g.const(number, index.dtype), dtype=BOOL, shape=()) for number in range(count - 1)]
    for number in range(count - 2, 0, -1):
        chosen = _branch(g, f"branches:{number}", inputs)
        names = [g.name() for _ in kinds]
        node = OnnxNode("If", [flags[number].name], names, {"then_branch": chosen, "else_branch": graph})
        known = {name: Value(name, k.dtype, k.shape) for name, k in zip(names, kinds, strict=True)}
        graph = OnnxGraph([], names, [node], {}, known)
    first = _branch(g, "branches:0", inputs)
    return g.ops("If", flags[0], dtypes=[k.dtype for k in kinds], then_branch=first, else_branch=graph)


def _invariant(body: Program) -> list[bool]:
    """Which of a loop's values its body gives back as they came; they need not be carried."""
    origin = {name: name for name in body.inputs}
    for step in body.steps:
        if step.op == "Identity" and step.inputs[0] in origin:
            origin[step.outputs[0]] = origin[step.inputs[0]]
    return [origin.get(out) == name for name, out in zip(body.inputs, body.outputs, strict=True)]


def while_(g: Builder, step: Step, *inputs: Value, cond: object = None, body: object = None) -> list[Value]:
    """ONNX's Loop: the condition is asked once before it and at the end of each round."""
    program = step.bodies["body"]
    still = _invariant(program)
    before = g.body(
        "cond",
        [
            Value(x.name, x.dtype, x.shape if s else None, x.tensor if s else None)
            for x, s in zip(inputs, still, strict=True)
        ],
    )
    g.nodes.extend(before.nodes)
    carried: list[Value] = []
    inner: list[Value] = []
    for x, name, same in zip(inputs, program.inputs, still, strict=True):
        if same:
            inner.append(x)
        else:
            spec = program.specs[name]
            carried.append(Value(g.name(), spec.dtype.base, spec.shape))
            inner.append(carried[-1])
    round_ = g.body("body", inner)
    after_values = []
    for name, output, x, same in zip(round_.outputs, program.outputs, inputs, still, strict=True):
        spec = program.specs[output]
        after_values.append(x if same else Value(name, spec.dtype.base, spec.shape))
    test = g.body("cond", after_values)
    count, go_on = g.name(), g.name()
    entries = [Value(count, INT64, ()), Value(go_on, BOOL, ()), *carried]
    kept = [name for name, same in zip(round_.outputs, still, strict=True) if not same]
    loop = closed(
        g,
        OnnxGraph(
            [value.name for value in entries],
            [*test.outputs, *kept],
            [*round_.nodes, *test.nodes],
            {},
            {**round_.known, **test.known, **{value.name: value for value in entries}},
        ),
    )
    moving = [x for x, same in zip(inputs, still, strict=True) if not same]
    if not moving:
        raise Refusal("a loop that changes nothing has no form in ONNX")
    first = Value(before.outputs[0], BOOL, ())
    made = iter(g.ops("Loop", ABSENT, first, *moving, dtypes=[x.dtype for x in moving], body=loop))
    return [x if same else next(made) for x, same in zip(inputs, still, strict=True)]


LOWERINGS: Table = {
    "Case": case,
    "If": if_,
    "StatelessCase": case,
    "StatelessIf": if_,
    "StatelessWhile": while_,
    "While": while_,
}
