"""From a program to an ONNX graph: each step is lowered once, on its own, into a fragment; fragments are then joined.

As a fragment depends only on what is known of its inputs, the same fragments tell which steps cannot be taken and make
up the graph of the whole program or of any piece of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import UnsupportedError
from ...base.shapes import Shape, compatible, merge
from ...base.tensors import Tensor
from ...ops.signatures import signature
from ...program.program import Program, Spec, Step
from . import pairing, widening
from .builder import Builder
from .doubles import FORMULAS
from .left_out import LEFT_OUT
from .lowerings import LOWERINGS
from .values import ELEMENT_TYPES, PARTS, OnnxGraph, OnnxNode, Refusal, Value, pairs, plain

# Attributes that say how TensorFlow should run a step, not what it computes.
NO_MEANING = frozenset(
    {
        *("use_cudnn_on_gpu", "use_locking", "parallel_iterations", "swap_memory", "output_shapes", "container"),
        *("shared_name", "message"),
    }
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one step became. `aliases` are values of the program that are other values under a second name."""

    nodes: Sequence[OnnxNode]
    constants: Mapping[str, Tensor]
    known: Mapping[str, Value]
    aliases: Mapping[str, str]


class Lowering:
    """A program, all of whose steps that can be lowered are. Steps are called by their index in `program.steps`.

    `values` holds what is known of each value of the program. The graph inside a loop is a Lowering too: then
    `arguments` are the outer values that its inputs stand for and `prefix` keeps its names apart.
    """

    def __init__(self, program: Program, prefix: str = "", arguments: Sequence[Value] | None = None) -> None:
        self.program = program = _with_plain_kinds(program)
        self.prefix = prefix
        self.refusals: dict[int, str] = {}
        self.values: dict[str, Value] = {}
        self._fragments: dict[int, Fragment] = {}
        for name, tensor in program.constants.items():
            self.values[name] = Value(prefix + name, tensor.dtype, tensor.shape, tensor)
        entries = (*program.inputs, *(state.value for state in program.state))
        for i, name in enumerate(entries):
            spec = program.specs[name]
            if arguments is None:
                self.values[name] = Value(prefix + name, spec.dtype.base, spec.shape)
            else:
                self.values[name] = replace(arguments[i], shape=_both(arguments[i].shape, spec.shape))
        self._read = {name for step in program.steps for name in step.inputs}
        self._read.update(results(program))
        with np.errstate(all="ignore"):  # constants are worked out with IEEE numbers, as TensorFlow does
            for index, step in enumerate(program.steps):
                self._lower(index, step)
        if arguments is None:
            self._keep_lists(program)

    def _keep_lists(self, program: Program) -> None:
        """Lists have a form of their own in ONNX, in which they do not leave it."""
        leaving = {name for name in results(program) if self.values[name].items is not None}
        for index, step in enumerate(program.steps):
            if not leaving.isdisjoint(step.outputs):
                self.refusals.setdefault(index, "a list of tensors leaves the program")

    def _lower(self, index: int, step: Step) -> None:
        shapes = [self.program.specs[name].shape for name in step.outputs]
        read = [name in self._read for name in step.outputs]
        builder = Builder(step, self.prefix, _lower_body, shapes, FORMULAS, read)
        made: Sequence[Value | None] = ()
        try:
            inputs = [self.values[name] for name in step.inputs]
            made = self._apply(builder, step, inputs)
        except Refusal as refusal:
            self.refusals[index] = f"{refusal}"
            builder.nodes.clear()
        except (ValueError, ArithmeticError, IndexError) as error:  # attributes or constants that make no sense
            self.refusals[index] = f"its attributes or constants make no sense: {error}"
            builder.nodes.clear()
        aliases: dict[str, str] = {}
        renamed: dict[str, str] = {}
        produced = {name for node in builder.nodes for name in node.outputs}
        for i, name in enumerate(step.outputs):
            spec = self.program.specs[name]
            value = made[i] if i < len(made) else None
            own = self.prefix + name
            if value is None:
                self.values[name] = Value(own, spec.dtype.base, spec.shape)
                continue
            if value.name in produced and value.name not in renamed:
                renamed[value.name] = own
            else:
                aliases[own] = renamed.get(value.name, value.name)
                if value.tensor is not None:
                    builder.keep(value)
            self.values[name] = Value(own, spec.dtype.base, _both(value.shape, spec.shape), value.tensor, value.items)
            builder.known[own] = pairs(self.values[name])
        if index not in self.refusals:
            for node in builder.nodes:
                _rename(node, renamed)
            self._fragments[index] = Fragment(builder.nodes, builder.constants, builder.known, aliases)

    def _apply(self, builder: Builder, step: Step, inputs: list[Value]) -> Sequence[Value | None]:
        """What the step's rule makes; where it refuses narrow numbers, what it makes of wider ones."""
        try:
            return self._made(builder, step, inputs, {})
        except Refusal:
            kinds = [self.program.specs[name].dtype.base for name in step.outputs]
            for wider in widening.ways(step.op, [*kinds, *(x.dtype for x in inputs)]):
                builder.nodes.clear()
                try:
                    return self._made(builder, step, widening.inputs(builder, inputs, wider), wider)
                except Refusal:
                    continue
            raise

    def _made(
        self, builder: Builder, step: Step, inputs: Sequence[Value], wider: widening.Wider
    ) -> Sequence[Value | None]:
        why = LEFT_OUT.get(step.op)
        rule = None if why else LOWERINGS.get(step.op)
        if rule is None:
            raise Refusal(f"{step.op} {why}" if why else f"{step.op} has no lowering to ONNX")
        kinds = [self.program.specs[name].dtype.base for name in step.outputs]
        is_complex = any(dtype in PARTS for dtype in (*kinds, *(x.dtype for x in inputs)))
        if is_complex:
            rule = pairing.rule_for(step.op, rule)
        attrs = widening.attrs(named_attrs(step, keyword_only(rule)), wider)
        if is_complex:
            lowered = pairing.lower(builder, step, rule, inputs, attrs)
        else:
            lowered = rule(builder, step, *inputs, **attrs)
        made: list[Value | None]
        made = [lowered] if isinstance(lowered, Value) else [] if lowered is None else list(lowered)
        for i, (name, wanted) in enumerate(zip(step.outputs, kinds, strict=True)):
            value = made[i] if i < len(made) else None
            if value is None and name in self._read:
                raise Refusal(f"output {i} of {step.op} has no lowering to ONNX")
            if value is not None and value.dtype != wanted:
                if not wider:
                    raise Refusal(f"output {i} of {step.op} would be {value.dtype}, not {wanted}")
                made[i] = widening.output(builder, value, wanted, wider)
        return made

    def graph(self, steps: Iterable[int], inputs: Sequence[str], outputs: Sequence[str]) -> OnnxGraph:
        """The graph of some steps, in the program's order, from some of its values to others.

        An output that is an alias of an input or of a constant is called by that one's name. UnsupportedError when one
        of the steps has no lowering.
        """
        nodes: list[OnnxNode] = []
        constants: dict[str, Tensor] = {}
        known: dict[str, Value] = {}
        aliases: dict[str, str] = {}
        for index in steps:
            fragment = self._fragments.get(index)
            if fragment is None:
                step = self.program.steps[index]
                raise UnsupportedError(f"{step.name}: ONNX Runtime cannot take this step: {self.refusals[index]}.")
            for name, target in fragment.aliases.items():
                aliases[name] = aliases.get(target, target)
            constants.update(fragment.constants)
            known.update(fragment.known)
            for node in fragment.nodes:
                attrs = {key: _resolved(value, aliases) for key, value in node.attrs.items()}
                taken = [aliases.get(name, name) for name in node.inputs]
                nodes.append(OnnxNode(node.op, taken, list(node.outputs), attrs, node.domain, node.version))
        named = [pairs(self.values[name]) for name in (*inputs, *outputs)]
        for value in named:
            if value.is_pairs or value.name not in known:
                known[value.name] = value
            if value.tensor is not None:
                constants.setdefault(value.name, value.tensor)
        ends = [aliases.get(self.values[name].name, self.values[name].name) for name in outputs]
        for value, end in zip(named[len(inputs) :], ends, strict=True):
            if value.is_pairs or end not in known:
                known[end] = replace(value, name=end)
        return OnnxGraph([self.values[name].name for name in inputs], ends, nodes, constants, known)

    def is_alias(self, index: int) -> bool:
        """Whether a step computes nothing: it gives values on, or is a constant."""
        fragment = self._fragments.get(index)
        return fragment is not None and not fragment.nodes

    def whole(self) -> OnnxGraph:
        """The graph of the whole program."""
        program = self.program
        entries = [*program.inputs, *(state.value for state in program.state)]
        return self.graph(range(len(program.steps)), entries, results(program))


def _with_plain_kinds(program: Program) -> Program:
    """The program with quantised integers as the plain ones in which they are held."""
    changed = {name: spec for name, spec in program.specs.items() if plain(spec.dtype) != spec.dtype.base}
    if not changed:
        return program
    specs = {**program.specs, **{name: Spec(plain(spec.dtype), spec.shape) for name, spec in changed.items()}}
    constants = {
        name: Tensor.of(tensor.numpy(), plain(tensor.dtype)) if name in changed else tensor
        for name, tensor in program.constants.items()
    }
    return replace(program, specs=specs, constants=constants)


def results(program: Program) -> list[str]:
    """The values that a run gives: outputs, then what becomes of the state."""
    return [*program.outputs, *(state.result for state in program.state)]


def named_attrs(step: Step, taken: frozenset[str]) -> dict[str, Any]:
    """The attributes that a rule takes by name; Refusal when another one is not at its default.

    Types and numbers of arguments are not asked for, as the inputs tell them.
    """
    known = signature(step.op)
    implied: set[str] = set()
    if known is not None:
        for arg in (*known.inputs, *known.outputs):
            implied.update((arg.type_attr, arg.number_attr, arg.type_list_attr))
    named: dict[str, Any] = {}
    for name, value in step.attrs.items():
        if name in taken:
            named[name] = value
        elif not (name in implied or name.startswith("_") or name in NO_MEANING or _is_type(value)):
            spec = None if known is None else known.attrs.get(name)
            default = None if spec is None else list(spec.default) if spec.is_list else spec.default
            if spec is None or not spec.has_default or value != default:
                raise Refusal(f"the attribute {name} = {value!r} of {step.op} has no lowering to ONNX")
    return named


def _is_type(value: Any) -> bool:
    return isinstance(value, DType) or (isinstance(value, list) and bool(value) and isinstance(value[0], DType))


@cache
def keyword_only(rule: Any) -> frozenset[str]:
    """The attributes that a lowering takes: of one made for several ops, those that it says it does."""
    said = getattr(rule, "__signature__", None)
    if said is not None:
        return frozenset(name for name, each in said.parameters.items() if each.kind is each.KEYWORD_ONLY)
    code = rule.__code__
    return frozenset(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])


def _both(a: Shape, b: Shape) -> Shape:
    return merge(a, b) if compatible(a, b) else b


def _rename(node: OnnxNode, renamed: Mapping[str, str]) -> None:
    if renamed:
        node.inputs = [renamed.get(name, name) for name in node.inputs]
        node.outputs = [renamed.get(name, name) for name in node.outputs]
        for value in node.attrs.values():
            if isinstance(value, OnnxGraph):
                value.outputs = [renamed.get(name, name) for name in value.outputs]
                for inner in value.nodes:
                    _rename(inner, renamed)


def _resolved(attr: Any, aliases: Mapping[str, str]) -> Any:
    """An attribute with the names in an inner graph resolved; inner graphs use the values of the outer one."""
    if not isinstance(attr, OnnxGraph):
        return attr
    nodes = [
        OnnxNode(
            node.op,
            [aliases.get(name, name) for name in node.inputs],
            list(node.outputs),
            {key: _resolved(value, aliases) for key, value in node.attrs.items()},
            node.domain,
            node.version,
        )
        for node in attr.nodes
    ]
    ends = [aliases.get(name, name) for name in attr.outputs]
    return OnnxGraph(attr.inputs, ends, nodes, attr.constants, attr.known)


def _lower_body(program: Program, prefix: str, arguments: Sequence[Value]) -> OnnxGraph:
    lowering = Lowering(program, prefix, arguments)
    if lowering.refusals:
        index, reason = next(iter(lowering.refusals.items()))
        raise Refusal(f"in its body, {program.steps[index].name}: {reason}")
    graph = lowering.whole()
    return OnnxGraph([], graph.outputs, graph.nodes, graph.constants, graph.known)


def type_known(dtype: DType) -> bool:
    """Whether values of a dtype can enter or leave ONNX Runtime."""
    return dtype.base in ELEMENT_TYPES or dtype.base in PARTS
