"""Lowerings of branches and loops whose bodies can be lowered as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...base.dtypes import BOOL, INT64, DType
from ...base.shapes import Shape
from ...program.program import Program, Step
from .builder import ABSENT, Builder, Table
from .values import Items, OnnxGraph, OnnxNode, Refusal, Value, pairs


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
            graph.known[own] = replace(known, name=own, tensor=None)
            name = own
        seen.add(name)
        outputs.append(name)
    graph.outputs = outputs
    return graph


def _branch(g: Builder, name: str, inputs: Sequence[Value]) -> OnnxGraph:
    return closed(g, g.body(name, inputs))


def items_of(g: Builder, graph: OnnxGraph, name: str) -> Items | None:
    """What a list that a body gives holds; None when it is no list."""
    known = graph.known.get(name) or g.known.get(name)
    return None if known is None else known.items


def emitted(g: Builder, emit: Callable[[], Sequence[Value]], entries: Sequence[Value] = ()) -> OnnxGraph:
    """What is emitted, as a graph of its own with these inputs."""
    outside = len(g.nodes)
    made = emit()
    nodes = g.nodes[outside:]
    del g.nodes[outside:]
    known = {**g.known, **{value.name: pairs(value) for value in (*made, *entries)}}
    return closed(g, OnnxGraph([value.name for value in entries], [value.name for value in made], nodes, {}, known))


Change = Callable[[Value, Sequence[Value]], "tuple[Value | None, Sequence[Value]]"]
"""From the number of a turn and what is carried: whether to go on (None: always), and what is carried then."""


def repeated(g: Builder, count: Value, first: Sequence[Value], change: Change) -> list[Value]:
    """Values changed so many times: ONNX's Loop."""
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    carried = [replace(x, name=g.name(), tensor=None) for x in first]

    def emit() -> Sequence[Value]:
        more, made = change(turn, carried)
        return [go_on if more is None else more, *made]

    body = emitted(g, emit, [turn, go_on, *carried])
    kinds, shapes = [x.dtype for x in first], [x.shape for x in first]
    return g.ops("Loop", count, g.const(True, BOOL), *first, dtypes=kinds, shapes=shapes, body=body)


def walked(
    g: Builder,
    count: Value,
    first: Sequence[Value],
    change: Change,
    rows: Sequence[tuple[DType, Shape]],
    start: Value | None = None,
) -> tuple[list[Value], list[Value]]:
    """The same, where what a turn gives behind what it carries are rows: what is carried at the end, and all rows, of
    these dtypes and shapes, put together. `start` tells whether there is a first turn."""
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    carried = [replace(x, name=g.name(), tensor=None) for x in first]

    def emit() -> Sequence[Value]:
        more, made = change(turn, carried)
        return [go_on if more is None else more, *made]

    body = emitted(g, emit, [turn, go_on, *carried])
    kinds = [*(x.dtype for x in first), *(dtype for dtype, _ in rows)]
    shapes = [*(x.shape for x in first), *(None if shape is None else (None, *shape) for _, shape in rows)]
    begin = g.const(True, BOOL) if start is None else start
    made = g.ops("Loop", count, begin, *first, dtypes=kinds, shapes=shapes, body=body)
    return made[: len(first)], made[len(first) :]


def _results(g: Builder, step: Step, *branches: tuple[str, OnnxGraph]) -> list[Value]:
    """What branches give. Lists must hold the same, whichever of them runs."""
    program = step.bodies[branches[0][0]]
    made = []
    for place, output in enumerate(program.outputs):
        spec = program.specs[output]
        held = {items_of(g, graph, graph.outputs[place]) for _, graph in branches}
        if len(held) > 1:
            raise Refusal("branches give lists that hold different things")
        made.append(Value("", spec.dtype.base, spec.shape, None, held.pop()))
    return made


def if_(
    g: Builder, step: Step, condition: Value, *inputs: Value, then_branch: object = None, else_branch: object = None
) -> list[Value]:
    """Both branches see the values that they are given as those of the graph around them."""
    flag = _condition(g, condition)
    then, other = _branch(g, "then_branch", inputs), _branch(g, "else_branch", inputs)
    kinds = _results(g, step, ("then_branch", then), ("else_branch", other))
    if not kinds:
        return []
    dtypes, lists = [k.dtype for k in kinds], [k.items for k in kinds]
    return g.ops("If", flag, dtypes=dtypes, lists=lists, then_branch=then, else_branch=other)


def case(g: Builder, step: Step, index: Value, *inputs: Value, branches: object = None) -> list[Value]:
    """A chain of Ifs; the last branch also takes every index that is out of range."""
    if index.shape != ():
        raise Refusal("an index that is not known to be a scalar has no form in ONNX")
    count = len(step.bodies)
    branches = [_branch(g, f"branches:{number}", inputs) for number in range(count)]
    kinds = _results(g, step, *((f"branches:{number}", branch) for number, branch in enumerate(branches)))
    graph = branches[-1]
    if count == 1 or not kinds:
        g.nodes.extend(graph.nodes)
        return [replace(k, name=name) for name, k in zip(graph.outputs, kinds, strict=True)]
    flags = [g.op("Equal", index, g.const(number, index.dtype), dtype=BOOL, shape=()) for number in range(count - 1)]
    for number in range(count - 2, 0, -1):
        names = [g.name() for _ in kinds]
        node = OnnxNode("If", [flags[number].name], names, {"then_branch": branches[number], "else_branch": graph})
        known = {name: pairs(replace(k, name=name)) for name, k in zip(names, kinds, strict=True)}
        graph = OnnxGraph([], names, [node], {}, known)
    dtypes, lists = [k.dtype for k in kinds], [k.items for k in kinds]
    return g.ops("If", flags[0], dtypes=dtypes, lists=lists, then_branch=branches[0], else_branch=graph)


def _invariant(body: Program) -> list[bool]:
    """Which of a loop's values its body gives back as they came; they need not be carried."""
    origin = {name: name for name in body.inputs}
    for step in body.steps:
        if step.op == "Identity" and step.inputs[0] in origin:
            origin[step.outputs[0]] = origin[step.inputs[0]]
    return [origin.get(out) == name for name, out in zip(body.inputs, body.outputs, strict=True)]


MAX_TRIES = 3
"""How often a loop's body is lowered until what is known of its lists holds before and after it."""


def _common(a: Items | None, b: Items | None) -> Items | None:
    """What two lists both hold."""
    if a == b:
        return a
    if a is None or b is None or a.dtype != b.dtype or a.limit != b.limit:
        raise Refusal("a list of a loop comes to hold something else")
    shape: Shape = None
    if a.shape is not None and b.shape is not None and len(a.shape) == len(b.shape):
        shape = tuple(size if size == other else None for size, other in zip(a.shape, b.shape, strict=True))
    return replace(a, shape=shape, said=False)


def while_(g: Builder, step: Step, *inputs: Value, cond: object = None, body: object = None) -> list[Value]:
    """ONNX's Loop: the condition is asked once before it and at the end of each round."""
    program = step.bodies["body"]
    still = _invariant(program)
    before = g.body(
        "cond",
        [x if s else replace(x, shape=None, tensor=None) for x, s in zip(inputs, still, strict=True)],
    )
    g.nodes.extend(before.nodes)
    carried: list[Value] = []
    lists = [None if same else x.items for x, same in zip(inputs, still, strict=True)]
    for _ in range(MAX_TRIES):
        carried.clear()
        inner: list[Value] = []
        for x, name, same, held in zip(inputs, program.inputs, still, lists, strict=True):
            if same:
                inner.append(x)
            else:
                spec = program.specs[name]
                carried.append(Value(g.name(), spec.dtype.base, spec.shape, None, held))
                inner.append(carried[-1])
        round_ = g.body("body", inner)
        given = [None if same else items_of(g, round_, name) for name, same in zip(round_.outputs, still, strict=True)]
        if given == lists:
            break
        lists = [_common(a, b) for a, b in zip(lists, given, strict=True)]
    else:
        raise Refusal("a list of a loop comes to hold something else")
    after_values = []
    for name, output, x, same, held in zip(round_.outputs, program.outputs, inputs, still, lists, strict=True):
        spec = program.specs[output]
        after_values.append(x if same else Value(name, spec.dtype.base, spec.shape, None, held))
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
            {**round_.known, **test.known, **{value.name: pairs(value) for value in entries}},
        ),
    )
    moving = [x for x, same in zip(inputs, still, strict=True) if not same]
    if not moving:
        raise Refusal("a loop that changes nothing has no form in ONNX")
    first = Value(before.outputs[0], BOOL, ())
    dtypes, kinds = [x.dtype for x in moving], [x.items for x in carried]
    made = iter(g.ops("Loop", ABSENT, first, *moving, dtypes=dtypes, lists=kinds, body=loop))
    return [x if same else next(made) for x, same in zip(inputs, still, strict=True)]


def map_defun(
    g: Builder,
    step: Step,
    *inputs: Value,
    Targuments: Sequence[DType],
    output_shapes: object = None,
    max_intra_op_parallelism: int = 1,
    f: object = None,
) -> list[Value]:
    """A function of each row of the first inputs, and of the others whole: a Loop that puts rows together."""
    rows, whole = inputs[: len(Targuments)], inputs[len(Targuments) :]
    if not rows or any(not row.rank for row in rows):
        raise Refusal("a function is mapped over rows")
    turn, go_on = Value(g.name(), INT64, ()), Value(g.name(), BOOL, ())
    program = step.bodies["f"]
    specs = [program.specs[name] for name in program.outputs]

    def emit() -> Sequence[Value]:
        each = [g.op("Gather", row, turn, axis=0, shape=(row.shape or ())[1:]) for row in rows]
        graph = g.body("f", [*each, *whole])
        g.nodes.extend(graph.nodes)
        made = [Value(name, spec.dtype.base, spec.shape) for name, spec in zip(graph.outputs, specs, strict=True)]
        return [go_on, *made]

    body = emitted(g, emit, [turn, go_on])
    kinds = [spec.dtype.base for spec in specs]
    shapes = [None if spec.shape is None else (rows[0].size(0), *spec.shape) for spec in specs]
    count = g.squeeze(g.sizes(rows[0], [0]), [0])
    for row in rows[1:]:
        if row.size(0) is None or row.size(0) != rows[0].size(0):
            same = g.op("Equal", count, g.squeeze(g.sizes(row, [0]), [0]), dtype=BOOL, shape=())
            count = g.behind(count, g.must(same, "a function is mapped over different numbers of rows"))
    return g.ops("Loop", count, g.const(True, BOOL), dtypes=kinds, shapes=shapes, body=body)


def ref_select(g: Builder, step: Step, index: Value, *inputs: Value) -> Value:
    """The value of the chosen variable."""
    if index.array is not None:
        number = int(index.array)
        if not 0 <= number < len(inputs):
            raise Refusal(f"there is no input {number} among {len(inputs)}")
        return inputs[number]
    if any(x.shape is None or x.shape != inputs[0].shape for x in inputs):
        raise Refusal("variables to choose from are not known to be of one shape")
    place = g.int64(index)
    right = g.op("GreaterOrEqual", place, g.const(0, INT64), dtype=BOOL, shape=())
    sure = g.behind(place, g.must(right, "there is no such input"))
    rows = g.concat([g.unsqueeze(x, [0]) for x in inputs], 0, (len(inputs), *(inputs[0].shape or ())))
    return g.op("Gather", rows, sure, axis=0, shape=inputs[0].shape)


LOWERINGS: Table = {
    "Case": case,
    "If": if_,
    "MapDefun": map_defun,
    "RefSelect": ref_select,
    "StatelessCase": case,
    "StatelessIf": if_,
    "StatelessWhile": while_,
    "While": while_,
}
