"""Loops that walk along tensors become scans: one step that says so, where a While has counters and lists.

A While of TensorFlow that reads element `i` of some lists in turn `i`, and writes element `i` of others, is a scan. It
becomes one step `cryograph.Scan`, whose lists are plain tensors, stacked along the first dimension:

    inputs   turns (less than 0 is as 0), the number of rows of each stacked result, what is carried, the sequences,
             what is the same in all turns
    body     the number of the turn, what is carried, one element of each sequence, what is the same in all turns
             -> what is carried, one element of each stacked result
    outputs  what is carried at the end, the stacked results (rows that no turn wrote are zeros)

`carried` and `sequences` are attributes that count them; `each_turn` says of each stacked result whether turn `i`
writes row `i`, or all turns write row 0. `cells` are the recurrent cells that the body is made of, where they are known
ones (see `cells`). The ops of lists around the loop become ops of tensors, or nothing.

1. A counter is a scalar int32 that begins with 0 and grows by 1; the loop goes on while counters are less than limits.
2. A list that is read comes from TensorListFromTensor, or is scattered in order; it is read at a counter.
3. A list that is written is reserved, written once a turn, and read only by TensorListStack, -Gather and -GetItem.

A loop of another form stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..base.dtypes import INT32
from ..base.shapes import Shape
from ..base.tensors import Tensor
from .cells import find_cells
from .draft import LOOPS
from .fold import is_pure
from .program import Program, Spec, Step

SCAN = "cryograph.Scan"
"""The op of a step that is a scan."""

MAX_LIMITS = 4
"""How deep LogicalAnds may stand in each other in the condition of a scan."""

_READERS = frozenset({"TensorListGather", "TensorListGetItem", "TensorListStack"})
_LISTS = frozenset({"TensorListFromTensor", "TensorListReserve", "TensorListScatterIntoExistingList"})


def with_scans(program: Program) -> Program:
    """The program with a scan in the place of each loop that is one, bodies included; itself when there is none."""
    if not any(step.bodies for step in program.steps):
        return program
    return _Rewriting(program).run()


class _Rewriting:
    """The work on one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.constants = dict(program.constants)
        self.specs = dict(program.specs)
        self.makers = {name: step for step in program.steps for name in step.outputs}
        self.readers: dict[str, list[Step]] = {}
        for step in program.steps:
            for name in step.inputs:
                self.readers.setdefault(name, []).append(step)
        self.ends = {*program.outputs, *(state.result for state in program.state)}
        self.renamed: dict[str, str] = {}
        self.stacks: dict[str, str] = {}
        """Lists that are gone, by what stands for them: the tensor of their elements."""

    def run(self) -> Program:
        steps: list[Step] = []
        for step in self.program.steps:
            if any(name in self.renamed for name in step.inputs):
                step = replace(step, inputs=tuple(self.renamed.get(name, name) for name in step.inputs))
            scan = _Loop(self, step).scan() if step.op in LOOPS else None
            if scan is not None:
                steps += scan
            elif step.op in _READERS and step.inputs[0] in self.stacks:
                steps += self._read(step)
            elif step.bodies:
                steps.append(replace(step, bodies={name: with_scans(body) for name, body in step.bodies.items()}))
            else:
                steps.append(step)
        if not self.stacks and not self.renamed:
            return replace(self.program, steps=tuple(steps))
        outputs = tuple(self.renamed.get(name, name) for name in self.program.outputs)
        state = tuple(replace(s, result=self.renamed.get(s.result, s.result)) for s in self.program.state)
        read = {*outputs, *(s.result for s in state)}
        kept = []
        for step in reversed(steps):
            if step.op in _LISTS and read.isdisjoint(step.outputs):
                continue
            kept.append(step)
            read.update(step.inputs)
        return replace(
            self.program,
            outputs=outputs,
            steps=tuple(kept[::-1]),
            constants=self.constants,
            specs=self.specs,
            state=state,
        )

    def _read(self, step: Step) -> list[Step]:
        """What reads a list after the loop, as an op of the tensor of its elements."""
        stack = self.stacks[step.inputs[0]]
        if step.op == "TensorListStack" or self.counts_up(step.inputs[1], stack):
            self.renamed[step.outputs[0]] = stack
            return []
        axis = self.constant(f"{step.outputs[0]}~axis", 0)
        attrs = {"batch_dims": 0}
        return [replace(step, op="GatherV2", inputs=(stack, step.inputs[1], axis), attrs=attrs)]

    def counts_up(self, indices: str, stack: str) -> bool:
        """Whether indices are 0, 1, ... up to the last row of a tensor."""
        shape = self.specs[stack].shape
        held = self.constants.get(indices)
        if held is None or not shape or len(held.shape) != 1 or held.shape[0] != shape[0]:
            return False
        return bool((held.numpy() == np.arange(held.shape[0])).all())

    def constant(self, name: str, value: int) -> str:
        """A new scalar constant."""
        self.constants[name] = Tensor.of(np.array(value, np.int32))
        self.specs[name] = Spec(INT32, ())
        return name

    def number(self, name: str) -> int | None:
        """The value of a scalar constant."""
        held = self.constants.get(name)
        return int(held.numpy()) if held is not None and held.shape == () and held.dtype.is_integer else None

    def elements(self, name: str) -> str | None:
        """The tensor of the elements of a list that is read in a loop (case 2)."""
        maker = self.makers.get(name)
        if maker is None:
            return None
        if maker.op == "TensorListFromTensor":
            return self.renamed.get(maker.inputs[0], maker.inputs[0])
        if maker.op != "TensorListScatterIntoExistingList":
            return None
        fresh, tensor, indices = maker.inputs
        reserved = self.makers.get(fresh)
        if reserved is None or reserved.op != "TensorListReserve":
            return None
        tensor = self.renamed.get(tensor, tensor)
        if self.counts_up(indices, tensor):
            return tensor
        # TensorFlow insists on as many indices as there are elements.
        counting = self.makers.get(indices)
        if counting is None or counting.op != "Range" or [self.number(counting.inputs[i]) for i in (0, 2)] != [0, 1]:
            return None
        return tensor


@dataclass(frozen=True, slots=True)
class _Written:
    """A list that a loop writes: its place among the loop's values, what is written, and where."""

    place: int
    value: str
    each_turn: bool
    rows: str


class _Loop:
    """One loop on its way to a scan."""

    def __init__(self, around: _Rewriting, step: Step) -> None:
        self._around = around
        self._step = step
        self._cond, self._body = step.bodies["cond"], step.bodies["body"]
        self._makers = {name: made for made in self._body.steps for name in made.outputs}
        self._same = {i for i, (a, b) in enumerate(zip(self._body.inputs, self._body.outputs, strict=True)) if a == b}
        self._counters = self._counting()

    def scan(self) -> list[Step] | None:
        """The steps that stand for the loop; None when it is none of that form."""
        limits = self._limits(self._cond.outputs[0])
        if not limits:
            return None
        lists = [i for i, name in enumerate(self._body.inputs) if self._body.specs[name].dtype.name == "variant"]
        sequences: dict[int, str] = {}
        written: list[_Written] = []
        for place in lists:
            if place in self._same:
                tensor = self._around.elements(self._step.inputs[place])
                if tensor is None or not self._is_read_by_turn(place):
                    return None
                sequences[place] = tensor
            else:
                found = self._written(place)
                if found is None:
                    return None
                written.append(found)
        if not sequences and not written:
            return None
        return self._made(limits, sequences, written)

    # Case 1

    def _counting(self) -> set[int]:
        found = set()
        for place, (name, end) in enumerate(zip(self._body.inputs, self._body.outputs, strict=True)):
            spec, maker = self._body.specs[name], self._makers.get(end)
            if spec.dtype != INT32 or spec.shape != () or maker is None or maker.op not in ("Add", "AddV2"):
                continue
            if name in maker.inputs and self._around.number(self._step.inputs[place]) == 0:
                other = maker.inputs[1] if maker.inputs[0] == name else maker.inputs[0]
                held = self._body.constants.get(other)
                if held is not None and held.shape == () and int(held.numpy()) == 1:
                    found.add(place)
        return found

    def _limits(self, name: str, depth: int = 0) -> list[str]:
        """What counters must be less than, as values around the loop; none when the condition is another."""
        maker = next((step for step in self._cond.steps if name in step.outputs), None)
        if maker is None or depth == MAX_LIMITS:
            return []
        if maker.op == "LogicalAnd":
            both = [self._limits(part, depth + 1) for part in maker.inputs]
            return [limit for limits in both for limit in limits] if all(both) else []
        if maker.op not in ("Greater", "Less"):
            return []
        counter, limit = maker.inputs if maker.op == "Less" else maker.inputs[::-1]
        places = {value: i for i, value in enumerate(self._cond.inputs)}
        if places.get(counter) not in self._counters:
            return []
        if limit in places:
            return [self._step.inputs[places[limit]]] if places[limit] in self._same else []
        held = self._cond.constants.get(limit)
        if held is None or held.shape != ():
            return []
        return [self._around.constant(f"{self._step.outputs[0]}~{limit}", int(held.numpy()))]

    def _is_turn(self, name: str) -> bool:
        return name in {self._body.inputs[place] for place in self._counters}

    # Case 2

    def _is_read_by_turn(self, place: int) -> bool:
        name = self._body.inputs[place]
        readers = [step for step in self._body.steps if name in step.inputs]
        return all(step.op == "TensorListGetItem" and self._is_turn(step.inputs[1]) for step in readers)

    # Case 3

    def _written(self, place: int) -> _Written | None:
        name, end = self._body.inputs[place], self._body.outputs[place]
        reserved = self._around.makers.get(self._step.inputs[place])
        write = self._makers.get(end)
        readers = [step for step in self._body.steps if name in step.inputs or end in step.inputs]
        if write is None or write.op != "TensorListSetItem" or readers != [write] or write.inputs[0] != name:
            return None
        if reserved is None or reserved.op != "TensorListReserve" or write.attrs.get("resize_if_index_out_of_bounds"):
            return None
        around = self._around
        result = self._step.outputs[place]
        after = around.readers.get(result, [])
        if result in around.ends or any(step.op not in _READERS or step.inputs[0] != result for step in after):
            return None
        rows = around.renamed.get(reserved.inputs[1], reserved.inputs[1])
        told = any(step.op == "TensorListStack" and step.attrs.get("num_elements", -1) >= 0 for step in after)
        if told and around.number(rows) is None:
            return None
        each_turn = self._is_turn(write.inputs[1])
        if not each_turn:
            held = self._body.constants.get(write.inputs[1])
            if held is None or held.shape != () or int(held.numpy()) != 0 or around.number(rows) != 1:
                return None
        return _Written(place, write.inputs[2], each_turn, rows)

    # The scan

    def _made(self, limits: Sequence[str], sequences: Mapping[int, str], written: Sequence[_Written]) -> list[Step]:
        around, step = self._around, self._step
        lists = {*sequences, *(w.place for w in written)}
        carried = [i for i in range(len(step.inputs)) if i not in self._same | self._counters | lists]
        outer = [i for i in sorted(self._same) if i not in lists]
        steps, turns = self._turns(limits)
        body = self._scan_body(carried, sequences, outer, written)
        inputs = (
            turns,
            *(w.rows for w in written),
            *(step.inputs[i] for i in carried),
            *sequences.values(),
            *(step.inputs[i] for i in outer),
        )
        stacked = tuple(f"{step.outputs[w.place]}~stacked" for w in written)
        for name, w in zip(stacked, written, strict=True):
            spec = self._body.specs[w.value]
            shape = None if spec.shape is None else (around.number(w.rows), *spec.shape)
            around.specs[name] = Spec(spec.dtype, shape)
            around.stacks[step.outputs[w.place]] = name
        for place in self._counters:
            around.renamed[step.outputs[place]] = turns
        for place in self._same:
            around.renamed[step.outputs[place]] = step.inputs[place]
        zeros = {
            name
            for name, i in zip(body.inputs[len(body.inputs) - len(outer) :], outer, strict=True)
            if self._is_zeros(i)
        }
        zeros |= {name for name, i in zip(body.inputs[1:], carried, strict=False) if self._is_zeros(i)}
        attrs = {
            "carried": len(carried),
            "sequences": len(sequences),
            "each_turn": tuple(w.each_turn for w in written),
            "cells": find_cells(body, len(carried), len(sequences), zeros),
        }
        outputs = (*(step.outputs[i] for i in carried), *stacked)
        return [*steps, Step(step.name, SCAN, inputs, outputs, attrs, {"body": with_scans(body)})]

    def _turns(self, limits: Sequence[str]) -> tuple[list[Step], str]:
        """The least of the limits: a constant, one of them, or what new steps give. Less than 0 is as 0."""
        around, first = self._around, self._step.outputs[0]
        numbers = {limit: around.number(limit) for limit in dict.fromkeys(limits)}
        fixed = [number for number in numbers.values() if number is not None]
        others = [limit for limit, number in numbers.items() if number is None]
        if fixed:
            others.append(around.constant(f"{first}~turns", max(min(fixed), 0)))
        steps = []
        turns = others[0]
        for number, limit in enumerate(others[1:]):
            made = f"{first}~turns{number}"
            around.specs[made] = Spec(INT32, ())
            steps.append(Step(self._step.name, "Minimum", (turns, limit), (made,), {"T": INT32}))
            turns = made
        return steps, turns

    def _scan_body(
        self, carried: Sequence[int], sequences: Mapping[int, str], outer: Sequence[int], written: Sequence[_Written]
    ) -> Program:
        body = self._body
        turn = next((body.inputs[i] for i in sorted(self._counters)), "turn")
        renamed = {body.inputs[place]: turn for place in self._counters}
        specs = {**body.specs, turn: Spec(INT32, ())}
        elements: dict[int, str] = {}
        dropped = {body.outputs[w.place] for w in written}
        gone: set[str] = set()
        for place in sequences:
            name = body.inputs[place]
            reads = [step.outputs[0] for step in body.steps if name in step.inputs]
            elements[place] = reads[0] if reads else name
            gone.update(reads)
            renamed.update(dict.fromkeys(reads, elements[place]))
            specs[elements[place]] = self._element(sequences[place], body.specs[elements[place]].shape)
        steps = []
        for step in body.steps:
            if gone.isdisjoint(step.outputs) and dropped.isdisjoint(step.outputs):
                steps.append(replace(step, inputs=tuple(renamed.get(name, name) for name in step.inputs)))
        ends = [renamed.get(name, name) for name in (*(body.outputs[i] for i in carried), *(w.value for w in written))]
        inputs = (turn, *(body.inputs[i] for i in carried), *elements.values(), *(body.inputs[i] for i in outer))
        return Program(inputs, tuple(ends), _needed(steps, ends), body.constants, specs)

    def _element(self, sequence: str, shape: Shape) -> Spec:
        whole = self._around.specs[sequence]
        return Spec(whole.dtype, whole.shape[1:] if whole.shape else shape)

    def _is_zeros(self, place: int) -> bool:
        """Whether a value that comes into the loop is full of zeros."""
        name = self._step.inputs[place]
        held = self._around.constants.get(name)
        if held is None:
            maker = self._around.makers.get(name)
            if maker is None or maker.op not in ("Fill", "ZerosLike"):
                return False
            if maker.op == "ZerosLike":
                return True
            held = self._around.constants.get(maker.inputs[1])
        return held is not None and held.dtype.is_floating and not held.numpy().any()


def _needed(steps: Sequence[Step], ends: Sequence[str]) -> tuple[Step, ...]:
    """The steps that the ends need, or that have an effect."""
    read = set(ends)
    kept = []
    for step in reversed(steps):
        if not read.isdisjoint(step.outputs) or not is_pure(step.op):
            kept.append(step)
            read.update(step.inputs)
    return tuple(kept[::-1])
