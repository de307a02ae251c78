"""Follows handles from the variables and tables that give them to the ops that use them, and makes state explicit.

Ops are taken in an order that data and control edges allow. Wherever a handle goes (Identity, bodies of If, While and
Case), the walk knows what it refers to; it is no longer a value of the draft. Reads become values:
1. a variable (or table) that nothing in the draft writes is a constant, in each body that reads it;
2. one that is written becomes state: its value on entry is an input of the draft, each write makes a new value, and
   what it is at the end is a result. Bodies that touch it take it and give it back beside their own inputs and results.
Afterwards control edges have no meaning any more and are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import GraphError, UnsupportedError
from ..base.tensors import Tensor
from ..graph.document import Document
from ..ops.signatures import signature
from .accumulators import ACCUMULATORS, accumulator
from .arrays import ARRAYS, reserve
from .draft import LOOPS, TESTS, Draft, Op, in_order, index_of
from .effects import op_has_effect
from .generators import draw, generator
from .holders import HOLDER_OPS, MISSING, Holder, Holders, Part, shared_name
from .kept_arrays import (
    GRADIENTS,
    KEPT_ARRAYS,
    are_kept,
    begin,
    gradient,
    kept_array,
    leave_array,
    root_of,
    take_array,
)
from .stacks import POPS, PUSHES, STACKS, empty, stack
from .state import apply, written_inputs
from .stores import give_handles
from .temporaries import TEMPORARIES, temporary, zeros

PASSING_HANDLES = frozenset({"Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot", "RefIdentity"})
"""Ops that hand a handle on, and a reference too: TensorFlow's kernels share its buffer, so that who takes their output
sees what was written meanwhile."""

Bound = Mapping[str, Holder]
"""Values of a draft that are handles, and what they refer to."""


@dataclass(frozen=True, slots=True)
class StatePart:
    """A part that is state: the values that it has on entry and at the end."""

    part: Part
    value: str
    result: str


Holds = Callable[[Part], bool]
"""Whether a part has a value when the run begins."""


def resolve(draft: Draft, document: Document, all_state: bool = False, holds: Holds | None = None) -> list[StatePart]:
    """Resolves the handles of a draft, which is changed, and gives its state in the order in which it is met.

    With `all_state` whatever is read is state, also what nothing writes, and so are the generators of random ops that
    have seeds. Without `holds` a part has a value when it has a tensor.
    """
    for inner in draft.drafts():
        give_handles(inner)
    ops = [op for inner in draft.drafts() for op in inner.ops.values()]
    resolver = _Resolver(Holders(document, all_state), are_kept(op.op for op in ops), all_state, holds or _has_tensor)
    if all_state or resolver.keeps_arrays or any(map(_may_write, ops)):
        touched, written = resolver.touched(draft, {})
        resolver.state = (touched if all_state else written) | resolver.own
    walk = _Walk(resolver, draft, {}, {}, is_top=True)
    walk.run()
    return [StatePart(part, value, walk.current[part.name]) for part, value in walk.entries]


def _has_tensor(part: Part) -> bool:
    return part.tensor is not None


def _may_write(op: Op) -> bool:
    return op.op not in ("Assert", "CheckNumerics") and op_has_effect(op.op)


class _Resolver:
    """What the walks of a draft and of its bodies share.

    `own` are the parts that come into being in a draft, as stacks do. `gradients` are those of each array, by its name,
    `pushed` the arrays that turns of a loop leave on stacks, by the names of these.
    """

    def __init__(self, holders: Holders, keeps_arrays: bool, keeps_generators: bool, holds: Holds) -> None:
        self.holders = holders
        self.keeps_arrays = keeps_arrays
        self.keeps_generators = keeps_generators
        self.holds = holds
        self.state: set[str] = set()
        self.own: set[str] = set()
        self.gradients: dict[str, dict[str, Part]] = {}
        self.pushed: dict[str, Holder] = {}

    def held(self, op: Op) -> Holder | None:
        """What an op gives the handle of, when that is there from the beginning: a variable, a table, an
        accumulator."""
        if op.op in ACCUMULATORS:
            return self.holders.note(accumulator(op, shared_name(op) or op.name))
        return self.holders.of(op) if op.op in HOLDER_OPS else None

    def made(self, op: Op) -> Holder | None:
        """What an op gives the handle of, when that comes into being there: a stack, a temporary variable, or an array
        that is kept."""
        if op.op in STACKS:
            return self.holders.note(stack(op))
        if op.op in TEMPORARIES:
            return self.holders.note(temporary(op))
        return self.holders.note(kept_array(op)) if self.keeps_arrays and op.op in KEPT_ARRAYS else None

    def generator(self, op: Op) -> Holder | None:
        """The generator that a random op draws from, where it is state."""
        found = generator(op) if self.keeps_generators else None
        return None if found is None else self.holders.note(found)

    def gradient(self, op: Op, array: Holder) -> Holder:
        """What an op that asks for the gradient of an array gives the handle of."""
        found = self.holders.note(gradient(op, array))
        part = found.parts[0]
        self.gradients.setdefault(root_of(found), {})[part.name] = part
        return found

    def left(self, op: Op, holders: Sequence[Holder | None]) -> Holder | None:
        """The array that an op leaves on a stack."""
        if op.op not in PUSHES or len(holders) < 2 or holders[0] is None or holders[1] is None:
            return None
        stack, array = holders[0], holders[1]
        if array.kind != "array" or len(array.parts) != 1:
            return None
        if any(other != stack.name and found.name == array.name for other, found in self.pushed.items()):
            raise UnsupportedError(f"{op} leaves the array {array.name!r} on a second stack; that cannot be run.")
        self.pushed[stack.name] = array
        return array

    def taken_up(self, op: Op, holders: Sequence[Holder | None]) -> Holder | None:
        """What an op takes from a stack on which turns of a loop left arrays."""
        array = self.pushed.get(holders[0].name) if op.op in POPS and holders[0] is not None else None
        return None if array is None else self.holders.note(kept_array(replace(op, attrs=dict(array.array or {}))))

    def touched(self, draft: Draft, bound: Bound) -> tuple[set[str], set[str]]:
        """The names of the parts that a draft reads or writes, and of those that it writes, without its own."""
        tokens = dict(bound)
        made: list[Holder] = []
        touched: set[str] = set()
        written: set[str] = set()
        for op in in_order(draft.ops):
            if op.op == "NoOp":
                continue
            held = self.held(op)
            if held is not None:
                tokens[f"{op.key}:0"] = held
                continue
            own = self.made(op)
            if own is not None:
                tokens[f"{op.key}:0"] = own
                made.append(own)
                continue
            if op.op in ARRAYS:
                tokens[f"{op.key}:0"] = _array(op)
                continue
            drawn = self.generator(op)
            if drawn is not None:
                names = {part.name for part in drawn.parts}
                touched |= names
                written |= names
                continue
            holders = [tokens.get(value) for value in op.inputs]
            if not any(holders) and not op.bodies:
                continue
            if op.bodies:
                touched |= {part.name for h in read_before(op, holders).values() for part in h.parts}
                for body, inner in bound_bodies(op, holders):
                    more_touched, more_written = self.touched(body, inner)
                    touched |= more_touched
                    written |= more_written
                continue
            for index in passed_on(op, holders):
                holder = holders[index]
                if holder is not None:
                    tokens[f"{op.key}:{index}"] = holder
            left = self.left(op, holders)
            if left is not None:
                tokens[f"{op.key}:0"] = left
            taken = self.taken_up(op, holders)
            if taken is not None:
                tokens[f"{op.key}:0"] = taken
                made.append(taken)
            places = written_inputs(op)
            if op.op in GRADIENTS and holders[0] is not None:
                holders[0] = tokens[f"{op.key}:0"] = self.gradient(op, holders[0])
            for place, holder in enumerate(holders):
                if holder is None or op.op in PASSING_HANDLES:
                    continue
                names = {part.name for part in holder.parts}
                touched |= names
                if place in places or holder.kind == "array":
                    written |= names
                    if holder.is_ref:  # outputs of ops that write are references to what they wrote
                        tokens.update(dict.fromkeys(op.outputs, holder))
        for value in draft.results:
            if value in tokens and (tokens[value].is_ref or not bound):
                touched |= {part.name for part in tokens[value].parts}
        names = {part.name for holder in made for part in holder.parts}
        names.update(name for holder in made for name in self.gradients.get(holder.name, ()))
        self.own |= names
        return touched - names, written - names


def _array(op: Op) -> Holder:
    return Holder(op.key, (), False, "array", op.attrs)


def passed_on(op: Op, holders: Sequence[Holder | None]) -> list[int]:
    """The places of the handles that an op hands on as the outputs of the same places."""
    if op.op not in PASSING_HANDLES:
        return []
    return [index for index, holder in enumerate(holders) if holder is not None]


def read_before(op: Op, holders: Sequence[Holder | None]) -> dict[int, Holder]:
    """The references that a loop takes as first values of variables that change: they are read before it."""
    if op.op not in LOOPS:
        return {}
    body = op.bodies["body"]
    found = {}
    for index, holder in enumerate(holders):
        if holder is not None and holder.is_ref:
            value: str | None = body.results[index]
            while value is not None and (maker := body.maker(value)) is not None:
                value = _referred(maker, index_of(value))
            if value != body.inputs[index]:
                found[index] = holder
    return found


def _referred(op: Op, output: int) -> str | None:
    """The input to which an output of an op refers: what it hands on, or what it wrote."""
    if op.op in PASSING_HANDLES:
        return op.inputs[output]
    known = signature(op.op)
    places = [place for place, arg in enumerate(known.inputs) if arg.is_ref] if known is not None else []
    is_ref = known is not None and output < len(known.outputs) and known.outputs[output].is_ref
    return op.inputs[places[0]] if is_ref and places else None


def bound_bodies(op: Op, holders: Sequence[Holder | None]) -> list[tuple[Draft, dict[str, Holder]]]:
    """The bodies of an op, each with what is known of its inputs."""
    shift = len(op.inputs) - len(next(iter(op.bodies.values())).inputs)
    values = read_before(op, holders)
    found = []
    for body in op.bodies.values():
        inner = {}
        for index, value in enumerate(body.inputs, shift):
            holder = holders[index]
            if holder is not None and index not in values:
                inner[value] = holder
        found.append((body, inner))
    return found


class _Walk:
    """Resolves one draft. `entry` are the values, in it, of the state that it was given."""

    def __init__(
        self, resolver: _Resolver, draft: Draft, bound: Bound, entry: Mapping[str, str], is_top: bool = False
    ) -> None:
        self._resolver = resolver
        self._is_top = is_top
        self._draft = draft
        self._tokens = dict(bound)
        self._names: dict[str, str] = {}
        self._constants: dict[str, str] = {}
        self._assigned: set[str] = set()
        self._ops: dict[str, Op] = {}
        self._leaving: list[tuple[Op, Holder, Holder]] = []
        self._results = list(draft.results)
        self.current = dict(entry)
        self.entries: list[tuple[Part, str]] = []

    def run(self) -> None:
        """Rewrites the draft."""
        draft = self._draft
        draft.inputs = [value for value in draft.inputs if value not in self._tokens]
        for op in in_order(draft.ops):
            self._visit(op)
        for op, pile, array in self._leaving:  # only now they hold all that is written to them
            leave_array(self, op, pile, array)
        results = []
        for value in draft.results:
            holder = self._tokens.get(value)
            if holder is None:
                results.append(self._name(value))
            elif holder.kind == "variable" and (holder.is_ref or self._is_top):
                results.append(self.value(holder.parts[0]))
            elif self._is_top:
                raise UnsupportedError(f"{value} is the handle of the {holder.kind} {holder.name!r}, not a tensor.")
            else:
                results.append(value)  # handed on: see `_handles_given`
        draft.results = results
        draft.ops = self._ops

    def given(self, index: int) -> Holder | None:
        """What a result of the draft refers to, when it is a handle or a reference."""
        return self._tokens.get(self._results[index])

    def _name(self, value: str) -> str:
        return self._names.get(value, value)

    def _visit(self, op: Op) -> None:
        if op.op == "NoOp":  # it had a place in the order, and that is known now
            return
        held = self._resolver.held(op)
        if held is not None:
            self._tokens[f"{op.key}:0"] = held
            return
        own = self._resolver.made(op)
        if own is not None:
            self._tokens[f"{op.key}:0"] = own
            if own.kind == "stack":
                empty(self, op, own)
            elif own.kind == "variable":
                zeros(self, op, own)
            else:
                gradients = self._resolver.gradients.get(own.name, {})
                begin(self, op, self._name(op.inputs[0]), own, list(gradients.values()))
            return
        if op.op in ARRAYS:
            self._tokens[f"{op.key}:0"] = _array(op)
            self._names[f"{op.key}:1"] = reserve(self, op, [self._name(value) for value in op.inputs])
            return
        holders = [self._tokens.get(value) for value in op.inputs]
        op.controls = []
        if op.bodies:
            self._with_bodies(op, holders)
            return
        drawn = self._resolver.generator(op)
        if drawn is not None:
            draw(self, op, [self._name(value) for value in op.inputs], drawn)
            return
        if not any(holders):
            if self._names:
                op.inputs = [self._names.get(value, value) for value in op.inputs]
            self._ops[op.key] = op
            return
        left, taken = self._resolver.left(op, holders), self._resolver.taken_up(op, holders)
        if left is not None and holders[0] is not None:
            self._tokens[f"{op.key}:0"] = left
            self._leaving.append((op, holders[0], left))
            return
        if taken is not None and holders[0] is not None:
            self._tokens[f"{op.key}:0"] = taken
            take_array(self, op, holders[0], taken, list(self._resolver.gradients.get(taken.name, {}).values()))
            return
        passed = passed_on(op, holders)
        for index in passed:
            holder = holders[index]
            if holder is not None:
                self._tokens[f"{op.key}:{index}"] = holder
        if passed and len(passed) == len(op.inputs):
            return
        inputs = [self._name(value) for value in op.inputs]
        if passed:  # IdentityN of handles and values
            for index, value in enumerate(inputs):
                if index not in passed:
                    self._names[f"{op.key}:{index}"] = value
        elif not apply(self, op, inputs, holders):
            pairs = zip(inputs, holders, strict=True)
            op.inputs = [value if holder is None else self.read(holder, op) for value, holder in pairs]
            self._ops[op.key] = op

    # What rules may ask (see state.Scope)

    def value(self, part: Part) -> str:
        """The present value of a part: state, or a constant of this draft."""
        if part.name in self.current:
            return self.current[part.name]
        if part.name in self._resolver.state:
            value = f"{self._key(part.name)}:0"
            self._draft.inputs.append(value)
            self.entries.append((part, value))
            self.current[part.name] = value
            return value
        if part.name not in self._constants:
            self._constants[part.name] = self._stored(part)
        return self._constants[part.name]

    def read(self, holder: Holder, op: Op) -> str:
        """The present value of a variable that an op takes as a value."""
        if holder.kind != "variable":
            raise GraphError(f"{op} takes the handle of the {holder.kind} {holder.name!r} as a value.")
        return self.value(holder.parts[0])

    def _stored(self, part: Part) -> str:
        key = self._key(part.name)
        if part.tensor is not None:
            self._draft.constants[f"{key}:0"] = part.tensor
        else:
            attrs = {"dtype": part.dtype, "shape": part.shape, "missing": part.missing}
            self._ops[key] = Op(key, part.name, MISSING, [], [], attrs)
        return f"{key}:0"

    def write(self, part: Part, value: str) -> None:
        """The part has this value from now on."""
        if part.name not in self.current:
            self.value(part)  # notes the entry
        self.current[part.name] = value
        self._assigned.add(part.name)

    def begin(self, part: Part, value: str) -> None:
        """A part that comes into being here, and is no state of the program, has this first value."""
        self.current[part.name] = value

    def has_value(self, part: Part) -> bool:
        """Whether a part had a value on entry, or was assigned before."""
        return part.name in self._assigned or self._resolver.holds(part)

    def constant(self, key: str, tensor: Tensor) -> str:
        """A value that is a constant."""
        value = f"{self._key(key)}:0"
        self._draft.constants[value] = tensor
        return value

    def emit(self, op: Op, op_name: str, inputs: Sequence[str], attrs: Mapping[str, Any], count: int = 1) -> list[str]:
        """Adds an op in the place of another and gives its outputs."""
        key = op.key if op.key not in self._ops else self._key(op.key)
        made = Op(key, op.name, op_name, list(inputs), [], dict(attrs), count)
        self._ops[key] = made
        return made.outputs

    def rename(self, op: Op, output: int, value: str) -> None:
        """An output of an op is this value."""
        if value != f"{op.key}:{output}":
            self._names[f"{op.key}:{output}"] = value

    def refer(self, op: Op, output: int, holder: Holder) -> None:
        """An output of an op is a reference to this."""
        self._tokens[f"{op.key}:{output}"] = holder

    def _key(self, key: str) -> str:
        """A key that no op of the draft has or had; what held a value leaves its own to that value."""
        holder = self._draft.ops.get(key)
        if holder is not None and holder.op in HOLDER_OPS and key not in self._ops:
            value = f"{key}:0"
            if value not in self._draft.constants and value not in self._draft.inputs:
                return key
        found = self._draft.unique(key)
        while found in self._ops:
            found += "_"
        return found

    # Bodies

    def _with_bodies(self, op: Op, holders: list[Holder | None]) -> None:
        bodies = bound_bodies(op, holders)
        firsts = {index: self.read(holder, op) for index, holder in read_before(op, holders).items()}
        for index in firsts:
            holders[index] = None
        parts = self._state_of(op, bodies)
        values = [self.value(part) for part in parts]
        shift = len(op.inputs) - len(bodies[0][0].inputs)
        walks = []
        for body, inner in bodies:
            own = [body.unique(f"{part.name}/state") + ":0" for part in parts]
            walk = _Walk(self._resolver, body, inner, dict(zip((p.name for p in parts), own, strict=True)))
            walk._assigned |= self._assigned
            walk.run()
            body.inputs += own
            walks.append(walk)
        inputs = []
        for index, (value, holder) in enumerate(zip(op.inputs, holders, strict=True)):
            if holder is None:
                inputs.append(firsts.get(index) or self._name(value))
            elif index < shift:
                inputs.append(self.read(holder, op))  # a reference as condition
        op.inputs = [*inputs, *values]
        given_back = [walk for name, walk in zip(op.bodies, walks, strict=True) if name not in TESTS]
        gone = self._handles_given(op, holders if op.op in LOOPS else None, given_back)
        kept = [index for index in range(op.count) if index not in gone]
        for (name, body), walk in zip(op.bodies.items(), walks, strict=True):
            ends = [walk.current[part.name] for part in parts]
            if name not in TESTS:
                body.results = [*(body.results[index] for index in kept), *ends]
            elif ends != body.inputs[len(body.inputs) - len(parts) :]:
                raise UnsupportedError(f"The condition of the loop {op} writes variables; that cannot be run.")
        for after, before in enumerate(kept):
            self.rename(op, before, f"{op.key}:{after}")
        op.count = len(kept) + len(parts)
        self._ops[op.key] = op
        for index, part in enumerate(parts, len(kept)):
            self.current[part.name] = f"{op.key}:{index}"

    def _state_of(self, op: Op, bodies: Sequence[tuple[Draft, dict[str, Holder]]]) -> list[Part]:
        """The parts that are state and that a body touches, in an order of their own."""
        if not self._resolver.state:
            return []
        names: set[str] = set()
        for body, inner in bodies:
            names |= self._resolver.touched(body, inner)[0]
        return [self._resolver.holders.part(name) for name in sorted(names & self._resolver.state)]

    def _handles_given(self, op: Op, taken: Sequence[Holder | None] | None, walks: Sequence[_Walk]) -> set[int]:
        """The places of the results that are handles: those that a loop takes (`taken`) and hands on, and those that
        all branches give."""
        gone: set[int] = set()
        for index in range(op.count if walks else 0):
            given = [walk.given(index) for walk in walks]
            first = given[0] if taken is None else taken[index]
            if not any(given) or (taken is None and all(holder is not None and holder.is_ref for holder in given)):
                if first is not None and taken is not None:
                    raise UnsupportedError(f"The loop {op} takes the handle of {first.name!r} and loses it.")
                continue
            if first is None or any(holder != first for holder in given):
                if all(holder is None or holder.is_ref for holder in given):
                    continue
                raise UnsupportedError(f"{op} gives now one variable or table, now another; that cannot be run.")
            gone.add(index)
            self._tokens[f"{op.key}:{index}"] = first
        return gone
