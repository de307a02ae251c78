"""From a document and what is wanted of it to a Program.

1. What the outputs need is read, cut at the inputs (`reading`); functions are put where they are called (`calls`).
2. TF1's control flow becomes While and If (`structure`).
3. Handles are resolved: variables and tables become constants, or state where they are written (`resolve`).
4. Everything is settled: shapes inferred, constants folded, what is not needed dropped (`settle`).
5. What is left of inputs that nobody feeds, and of variables without values, is told in one error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.dtypes import DTYPES
from ..base.errors import InputError, MissingWeightsError, UnknownNameError, UnsupportedError
from ..base.shapes import show
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.walks import ancestors
from ..ops.facts import Fact
from ..ops.inference import infer
from ..ops.ranking import INPUT_OPS
from .calls import Caller
from .draft import BRANCHES, LOOPS, Draft, Op
from .fold import Fold
from .holders import MISSING
from .pipelines import PIPELINES, pipeline_error, where_to_cut
from .program import Program, Spec, State, Step
from .resolve import Holds, StatePart, resolve
from .settle import settle
from .state import READING, WRITING
from .structure import structure

PLACEHOLDERS = INPUT_OPS - {"PlaceholderWithDefault"}

_OF_VALUES = {"LookupTableFindV2": 4, "LookupTableSizeV2": 2}
"""What lookups become, and how many inputs they have when keys and values stand where the handle was."""


def build_program(
    document: Document,
    outputs: Sequence[str],
    inputs: Sequence[str] | None = None,
    fold: Fold | None = None,
    *,
    targets: Sequence[str] = (),
    all_state: bool = False,
    holds: Holds | None = None,
) -> Program:
    """The program that computes `outputs` from `inputs`, both names of tensors (`node` or `node:0`).

    Any tensor may be an input: the graph is cut there. Without `inputs`, the placeholders that the outputs need are the
    inputs, in file order; a PlaceholderWithDefault that is no input takes its default. `fold` works out steps on
    constants. `targets` are nodes that are to be run though they give nothing (`init`, `train`). With `all_state` every
    variable that is read is state, as a session wants it, not only those that are written, and random ops with seeds
    draw from generators that are state; then their values may be missing. `holds` tells which have one as the run
    begins; those that have a tensor, without it.

    UnknownNameError for a name that is not in the graph; InputError for inputs that are missing or given twice;
    MissingWeightsError when variables or tables have no values; GraphError, LimitError and UnsupportedError for what
    cannot be made a program. A dtype that nobody knows (behind a custom op) is `DTYPES[0]` in the specs.
    """
    graph = document.graph
    wanted = [_tensor(graph, name) for name in outputs]
    run = [graph.node(name).name for name in targets]
    if not wanted and not run:
        raise InputError("At least one output, or a target, must be given.")
    feeds = [_tensor(graph, name) for name in inputs or ()]
    twice = sorted({name for name in feeds if feeds.count(name) > 1}) if len(set(feeds)) < len(feeds) else []
    if twice:
        raise InputError(f"These inputs are given twice: {', '.join(twice)}.")
    facts = _feed_facts(graph, feeds)
    draft = Caller(graph).read(wanted, feeds, run)
    structure(draft, graph.producer)
    state = resolve(draft, document, all_state, holds)
    draft.results += [part.result for part in state]
    facts += [Fact(part.part.dtype, part.part.shape) for part in state]
    settled = settle(draft, facts, fold, graph.producer)
    count = len(wanted)
    if inputs is None:
        _placeholders_as_inputs(settled, graph, len(state))
    _require_fed(settled, graph, [*(name.rpartition(":")[0] for name in wanted), *run])
    _require_resolved(settled)
    _require_values(settled, document, () if all_state else state)
    program = program_of(settled)
    if not state:
        return program
    parts = [
        State(part.part.name, part.value, result, part.part.tensor)
        for part, result in zip(state, program.outputs[count:], strict=True)
    ]
    given = program.inputs[: len(program.inputs) - len(state)]
    return Program(given, program.outputs[:count], program.steps, program.constants, program.specs, tuple(parts))


def program_of(draft: Draft) -> Program:
    """The Program of a settled draft."""
    steps = tuple(
        Step(
            op.name,
            op.op,
            tuple(op.inputs),
            tuple(op.outputs),
            _attrs(op, draft),
            {name: program_of(body) for name, body in op.bodies.items()},
        )
        for op in draft.ops.values()
    )
    values = [*draft.inputs, *draft.constants, *(value for op in draft.ops.values() for value in op.outputs)]
    specs = {value: _spec(draft.facts[value]) for value in values}
    return Program(tuple(draft.inputs), tuple(draft.results), steps, dict(draft.constants), specs)


def _attrs(op: Op, draft: Draft) -> Mapping[str, Any]:
    """The attributes of an op; those of If, Case and While as its inputs and outputs are now."""
    if op.op not in BRANCHES | LOOPS:
        return op.attrs
    taken, given = ([_spec(draft.facts[value]).dtype for value in values] for values in (op.inputs, op.outputs))
    if op.op in LOOPS:
        return {**op.attrs, "T": taken, "output_shapes": []}
    return {**op.attrs, "Tin": taken[1:], "Tout": given, "output_shapes": []}


def _spec(fact: Fact) -> Spec:
    return Spec(DTYPES[0] if fact.dtype is None else fact.dtype.base, fact.shape)


def _tensor(graph: Graph, name: str) -> str:
    """The full name of a tensor of the graph; errors for what is not there."""
    port = graph.port(name)
    if port.is_control:
        raise InputError(f"{name!r} is a control input, where a tensor was expected.")
    return port.tensor


def _feed_facts(graph: Graph, feeds: Sequence[str]) -> list[Fact]:
    """What the graph says of the tensors that are fed: dtypes, and shapes without values."""
    if not feeds:
        return []
    needed = _upstream(graph, feeds)
    inference = infer(needed)
    found = []
    for name in feeds:
        fact = inference.fact(name)
        node, _, index = name.rpartition(":")
        count = len(inference.outputs(node))
        if count and int(index) >= count:
            raise UnknownNameError(f"{name} does not exist: {node!r} ({graph.nodes[node].op}) has {count} outputs.")
        found.append(Fact(None if fact.dtype is None else fact.dtype.base, fact.shape))
    return found


def _upstream(graph: Graph, tensors: Sequence[str]) -> Graph:
    """The part of the graph that makes these tensors, or the graph when that is no smaller."""
    nodes = [name.rpartition(":")[0] for name in tensors]
    if all(graph.nodes[name].op in PLACEHOLDERS for name in nodes):
        return Graph((graph.nodes[name] for name in dict.fromkeys(nodes)), (), graph.proto)
    found = ancestors(graph, nodes)
    return Graph((n for n in graph if n.name in found), graph.functions.values(), graph.proto)


def _placeholders_as_inputs(draft: Draft, graph: Graph, states: int) -> None:
    """Placeholders that are left become inputs, before the state."""
    found = {op.key: op for op in draft.ops.values() if op.op in PLACEHOLDERS}
    if not found:
        return
    order = {name: number for number, name in enumerate(graph.nodes)} if len(found) > 1 else {}
    keys = sorted(found, key=lambda key: order.get(found[key].name, len(order)))
    start = len(draft.inputs) - states
    draft.inputs[start:start] = [f"{key}:0" for key in keys]
    draft.ops = {key: op for key, op in draft.ops.items() if key not in found}


def _require_fed(draft: Draft, graph: Graph, wanted: Sequence[str]) -> None:
    """InputError when a placeholder, a queue or an iterator is left; `wanted` are the nodes that are asked for."""
    unfed: list[str] = []
    pipelines: list[str] = []
    for inner in draft.drafts():
        for op in inner.ops.values():
            if op.op in PLACEHOLDERS:
                fact = inner.facts[f"{op.key}:0"]
                unfed.append(f"{op.name} ({fact.dtype} {show(fact.shape)})")
            elif op.op in PIPELINES:
                pipelines.append(op.name)
    if unfed:
        raise InputError(
            f"The outputs need {'a placeholder that is' if len(unfed) == 1 else 'placeholders that are'} not fed: "
            f"{', '.join(unfed)}. Name {'it' if len(unfed) == 1 else 'them'} among the inputs, or name inputs that lie "
            "between there and the outputs."
        )
    if pipelines:
        raise pipeline_error(where_to_cut(graph, pipelines, wanted))


def _require_resolved(draft: Draft) -> None:
    """UnsupportedError when something reads or writes behind a handle that leads to no variable and no table."""
    for inner in draft.drafts():
        for op in inner.ops.values():
            if op.op in _OF_VALUES and len(op.inputs) == _OF_VALUES[op.op]:
                continue
            if op.op in READING or op.op in WRITING:
                handle = op.inputs[0] if op.inputs else ""
                raise UnsupportedError(
                    f"{op} uses the handle {handle!r}, which does not come from a variable or a table of the model."
                )


def _read(draft: Draft) -> set[str]:
    return {value for op in draft.ops.values() for value in op.inputs} | set(draft.results)


def _require_values(draft: Draft, document: Document, state: Sequence[StatePart]) -> None:
    """MissingWeightsError when a variable or a table without values is left."""
    missing = [op for inner in draft.drafts() for op in inner.ops.values() if op.op == MISSING]
    words: dict[str, str] = {op.name: op.attrs["missing"] for op in missing}
    if state:
        read = _read(draft)
        empty = [p for p in state if p.part.tensor is None and p.value in read]
        words.update({p.part.name: p.part.missing for p in empty})
    if not words:
        return
    variables = sorted(name for name, why in words.items() if why.startswith("a variable"))
    tables = {name.rpartition("/")[0]: why for name, why in words.items() if not why.startswith("a variable")}
    sentences = []
    if variables:
        some = ", ".join(variables[:5]) + (", ..." if len(variables) > 5 else "")
        noun = "a variable that has" if len(variables) == 1 else f"{len(variables)} variables that have"
        beside = f" Beside the graph: {', '.join(document.nearby)}." if document.nearby else ""
        sentences.append(
            f"The outputs need {noun} no value: {some}. Give their checkpoint with weights= (--weights).{beside}"
        )
    sentences += [f"The outputs look something up in {name!r}, {why}." for name, why in sorted(tables.items())]
    raise MissingWeightsError(" ".join(sentences))
