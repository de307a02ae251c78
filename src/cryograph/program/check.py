"""What a valid program is: a table of rules, each a function from a program to complaints in words.

Tests hold every program that they build against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..base.dtypes import DTYPES, RESOURCE
from ..base.shapes import compatible, show
from ..graph.attrs import AttrPlaceholder, FuncRef
from ..ops.signatures import signature
from .draft import BRANCHES, LOOPS
from .program import Program, Step

UNKNOWN = DTYPES[0]
"""The dtype of values behind an op that nobody knows."""

Rule = Callable[[Program], Iterator[str]]

LOWERED = frozenset(
    {
        "Enter",
        "Exit",
        "LoopCond",
        "Merge",
        "NextIteration",
        "NoOp",
        "PartitionedCall",
        "Placeholder",
        "PlaceholderV2",
        "PlaceholderWithDefault",
        "ReadVariableOp",
        "RefEnter",
        "RefExit",
        "RefMerge",
        "RefNextIteration",
        "RefSwitch",
        "StatefulPartitionedCall",
        "Switch",
        "VarHandleOp",
        "Variable",
        "VariableV2",
    }
)
"""Ops that no program holds: they are resolved while it is built."""


def complaints(program: Program) -> list[str]:
    """What is wrong with a program, bodies included, in words; empty when it is valid."""
    found: list[str] = []
    waiting = [("", program)]
    while waiting:
        where, inner = waiting.pop()
        for rule in RULES:
            found += [where + words for words in rule(inner)]
        for step in inner.steps:
            waiting += [(f"{where}{step.name}/{name}: ", body) for name, body in step.bodies.items()]
    return found


def entries(program: Program) -> list[str]:
    """The values that a run is given: inputs, then state."""
    return [*program.inputs, *(state.value for state in program.state)]


def results(program: Program) -> list[str]:
    """The values that a run gives: outputs, then what becomes of the state."""
    return [*program.outputs, *(state.result for state in program.state)]


def _written_once(program: Program) -> Iterator[str]:
    """Every value is an input, a constant or the output of one step."""
    seen: set[str] = set()
    made = [value for step in program.steps for value in step.outputs]
    for value in [*entries(program), *program.constants, *made]:
        if value in seen:
            yield f"the value {value!r} is written twice"
        seen.add(value)


def _written_before_read(program: Program) -> Iterator[str]:
    """Steps stand in running order, and every result is there at the end."""
    known = {*entries(program), *program.constants}
    for step in program.steps:
        for value in step.inputs:
            if value not in known:
                yield f"{step.name!r} ({step.op}) reads {value!r} before it is written"
        known.update(step.outputs)
    for value in results(program):
        if value not in known:
            yield f"the result {value!r} is never written"


def _specs_for_all(program: Program) -> Iterator[str]:
    """Every value has a spec, without references; a constant's is that of its tensor."""
    made = [value for step in program.steps for value in step.outputs]
    for value in [*entries(program), *program.constants, *made]:
        spec = program.specs.get(value)
        if spec is None:
            yield f"the value {value!r} has no spec"
        elif spec.dtype.is_ref:
            yield f"the value {value!r} is a reference ({spec.dtype})"
    for value, tensor in program.constants.items():
        spec = program.specs.get(value)
        if spec is not None and (spec.dtype != tensor.dtype or spec.shape != tensor.shape):
            came = f"{spec.dtype} {show(spec.shape)}"
            yield f"the constant {value!r} is {tensor.dtype} {show(tensor.shape)}, but its spec says {came}"


def _bodies_fit(program: Program) -> Iterator[str]:
    """Bodies take and give as many values as their step, of the same dtypes and of shapes that can be equal."""
    for step in program.steps:
        if step.op in BRANCHES:
            if not step.bodies:
                yield f"{step.name!r} ({step.op}) has no bodies"
            for name, body in step.bodies.items():
                yield from _fits(program, step, name, body, step.inputs[1:], step.outputs)
        elif step.op in LOOPS:
            if set(step.bodies) != {"cond", "body"}:
                yield f"{step.name!r} ({step.op}) has the bodies {sorted(step.bodies)}, where cond and body are due"
                continue
            yield from _fits(program, step, "cond", step.bodies["cond"], step.inputs, None)
            yield from _fits(program, step, "body", step.bodies["body"], step.inputs, step.outputs)
            if len(step.bodies["cond"].outputs) != 1:
                yield f"the condition of {step.name!r} gives {len(step.bodies['cond'].outputs)} values"


def _fits(
    program: Program, step: Step, name: str, body: Program, given: tuple[str, ...], taken: tuple[str, ...] | None
) -> Iterator[str]:
    where = f"{name!r} of {step.name!r} ({step.op})"
    if body.state:
        yield f"{where} has state of its own"
    pairs = [("takes", body.inputs, given)]
    if taken is not None:
        pairs.append(("gives", body.outputs, taken))
    for verb, inner, outer in pairs:
        if len(inner) != len(outer):
            yield f"{where} {verb} {len(inner)} values, where the step has {len(outer)}"
            continue
        for a, b in zip(inner, outer, strict=True):
            here, there = body.specs.get(a), program.specs.get(b)
            if here is not None and there is not None:
                if here.dtype != there.dtype and UNKNOWN not in (here.dtype, there.dtype):
                    yield f"{where} {verb} {a!r} as {here.dtype}, where the step has {there.dtype}"
                elif not compatible(here.shape, there.shape):
                    yield f"{where} {verb} {a!r} as {show(here.shape)}, where the step has {show(there.shape)}"


def _nothing_left(program: Program) -> Iterator[str]:
    """No calls, no TF1 control flow, no handles of variables, no placeholders of templates."""
    for step in program.steps:
        if step.op in LOWERED:
            yield f"{step.name!r} is a {step.op}, which should have been resolved"
        for name, value in step.attrs.items():
            items = value if isinstance(value, list) else [value]
            if any(isinstance(item, AttrPlaceholder) for item in items):
                yield f"{step.name!r} ({step.op}): the attribute {name!r} is a placeholder"
            if step.bodies and any(isinstance(item, FuncRef) for item in items):
                yield f"{step.name!r} ({step.op}): the attribute {name!r} names a function beside the bodies"


def _attributes_whole(program: Program) -> Iterator[str]:
    """Every attribute that has a default is there."""
    for step in program.steps:
        known = signature(step.op)
        if known is None or step.op in BRANCHES | LOOPS:
            continue
        for spec in known.attrs.values():
            if spec.has_default and spec.name not in step.attrs:
                yield f"{step.name!r} ({step.op}) lacks the attribute {spec.name!r}, which has a default"


def _handles(program: Program) -> Iterator[str]:
    """Inputs and outputs of a program are no handles."""
    for value in [*entries(program), *results(program)]:
        spec = program.specs.get(value)
        if spec is not None and spec.dtype == RESOURCE:
            yield f"{value!r} is a handle"


RULES: tuple[Rule, ...] = (
    _written_once,
    _written_before_read,
    _specs_for_all,
    _bodies_fit,
    _nothing_left,
    _attributes_whole,
    _handles,
)
