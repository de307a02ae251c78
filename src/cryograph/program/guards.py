"""When ops of TF1's conditionals run: for each op the conditions that must hold, as its Switches say.

A guard is a set of literals (predicate, outcome). The output 1 of a Switch is there when the predicate is true, output
0 when it is false; an op runs when all that it takes and waits for is there; a Merge when one of its inputs is. Where
two inputs of a Merge differ in the outcome of one predicate, the Merge chooses by it. A predicate that is known before
the run leaves no choice: what hangs on the other outcome is dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..base.dtypes import INT32
from ..base.errors import UnsupportedError
from ..base.tensors import Tensor
from .draft import Draft, Op, in_order, index_of, key_of, needs_of
from .known import Known
from .loops import MERGES, SWITCHES
from .settle import PASSING

Literal = tuple[str, bool]
"""A predicate (a value) and its outcome."""

Guard = frozenset[Literal]

ALWAYS: Guard = frozenset()
NEVER: Guard = frozenset({("", False), ("", True)})
"""The guard of what is dead. No value is called ''."""


@dataclass(slots=True)
class Choice:
    """A Merge of two inputs: `otherwise` when the predicate is false, `then` when it is true."""

    key: str
    predicate: str
    otherwise: str
    then: str


class Guards:
    """The guards of the ops of a draft.

    `aliases` are outputs of Merges and Switches that leave no choice, and what they are; `choices` the other Merges. A
    Merge of more than two inputs, or one whose number of the chosen input is asked for, is taken apart into such of
    two: these are added to the draft.
    """

    def __init__(self, draft: Draft, known: Known, assumed: Mapping[str, bool]) -> None:
        """`assumed` are outcomes of predicates that are taken for granted."""
        self._draft = draft
        self._known = known
        self._roots: dict[str, str] = {}
        self._outcomes: dict[str, bool | None] = dict(assumed)
        self._unions: dict[tuple[Guard, Guard], Guard] = {}
        self._ops: dict[str, Guard] = {}
        self.aliases: dict[str, str] = {}
        self.choices: dict[str, Choice] = {}
        self.stages: dict[str, int] = {}
        read = {value for op in draft.ops.values() for value in op.inputs} | set(draft.results)
        for op in in_order(draft.ops):
            if op.op in MERGES:
                self._merge(op, f"{op.key}:1" in read)
            else:
                guard = ALWAYS
                for value in op.inputs:
                    guard = self._both(guard, self.of_value(value))
                for control in op.controls:
                    guard = self._both(guard, self._ops.get(control, ALWAYS))
                self._ops[op.key] = guard
                self.stages[op.key] = self._stage(needs_of(op))
                if op.op in SWITCHES and guard is not NEVER:
                    self._switch(op, guard)

    def _switch(self, op: Op, guard: Guard) -> None:
        """A Switch without a choice hands its input on."""
        outcome = self.outcome(self.root(op.inputs[1]))
        if outcome is not None and guard == self.of_value(op.inputs[0]):
            self.aliases[f"{op.key}:{int(outcome)}"] = op.inputs[0]

    def of(self, key: str) -> Guard:
        """The guard of an op."""
        return self._ops.get(key, ALWAYS)

    def of_value(self, value: str) -> Guard:
        """The guard of a value."""
        while value in self.aliases:
            value = self.aliases[value]
        key = key_of(value)
        op = self._draft.ops.get(key)
        if op is None:
            return ALWAYS
        guard = self._ops.get(key, ALWAYS)
        if op.op not in SWITCHES or guard is NEVER:
            return guard
        predicate, outcome = self.root(op.inputs[1]), index_of(value) == 1
        known = self.outcome(predicate)
        if known is not None:
            return guard if known == outcome else NEVER
        return self._both(guard, frozenset({(predicate, outcome)}))

    def root(self, value: str) -> str:
        """Where a predicate comes from: seen through Identity, Switch and Merges without a choice."""
        if value in self._roots:
            return self._roots[value]
        found = value
        while True:
            while found in self.aliases:
                found = self.aliases[found]
            op = self._draft.maker(found)
            if op is None or not (op.op in PASSING or op.op in SWITCHES) or not op.inputs:
                break
            found = op.inputs[index_of(found) if op.op in PASSING else 0]
        self._roots[value] = found
        return found

    def outcome(self, predicate: str) -> bool | None:
        """What a predicate comes to, when that is known before the run."""
        if predicate not in self._outcomes:
            known = self._known.value(predicate)
            self._outcomes[predicate] = None if known is None or known.size != 1 else bool(known.reshape(-1)[0])
        return self._outcomes[predicate]

    def _stage(self, needs: Iterable[str]) -> int:
        return max((self.stages.get(need, 0) for need in needs), default=0)

    def _both(self, a: Guard, b: Guard) -> Guard:
        if a is b or not b:
            return a
        if not a:
            return b
        if a is NEVER or b is NEVER:
            return NEVER
        found = self._unions.get((a, b))
        if found is None:
            found = a | b
            if any((predicate, not outcome) in found for predicate, outcome in found):
                found = NEVER
            self._unions[a, b] = found
        return found

    # Merges

    def _merge(self, op: Op, counts: bool) -> None:
        live = [(value, self.of_value(value)) for value in op.inputs]
        places = [index for index, (_, guard) in enumerate(live) if guard is not NEVER]
        self.stages[op.key] = self._stage(needs_of(op)) + 1
        if not places:  # what a Merge waits for may be dead: that only puts it in order
            self._ops[op.key] = NEVER
            return
        if counts:
            numbers = [(live[i][1], self._number(op, i, live[i][1], len(places) > 2)) for i in places]
            self.aliases[f"{op.key}:1"] = self._joined(op, numbers, "")[1]
        guard, value = self._joined(op, [(live[i][1], live[i][0]) for i in places], op.key)
        self._ops[op.key] = guard
        if value != f"{op.key}:0":
            self.aliases[f"{op.key}:0"] = value

    def _number(self, op: Op, index: int, guard: Guard, waits: bool) -> str:
        """A constant that says which input it is. It `waits` for the input, where a choice of choices is still to be
        told apart by what they wait for."""
        draft = self._draft
        key = draft.unique(f"{op.key}/{index}")
        attrs = {"dtype": INT32, "value": Tensor.of(np.array(index, np.int32))}
        number = draft.add(Op(key, op.name, "Const", [], [], attrs))
        if waits:
            gate = draft.unique(f"{op.key}/{index}/there")
            draft.add(Op(gate, op.name, "Identity", [op.inputs[index]], [], {"T": op.attrs.get("T")}))
            number.controls.append(gate)
            self._ops[gate] = self._ops[key] = guard
        return f"{key}:0"

    def _joined(self, op: Op, leaves: list[tuple[Guard, str]], last: str) -> tuple[Guard, str]:
        """One value that chooses among several, and its guard. `last` is the key of the last choice."""
        while len(leaves) > 1:
            first, second, predicate, outcome = self._pair(op, leaves)
            (guard_a, a), (guard_b, b) = leaves[first], leaves[second]
            otherwise, then = (a, b) if outcome else (b, a)
            guard = guard_a & guard_b
            if len(leaves) == 2 and last:
                key = last
            else:
                key = self._draft.unique(f"{op.key}/choice")
                self._draft.add(Op(key, op.name, "Merge", [otherwise, then], [], op.attrs, 1))
                self._ops[key] = guard
            self.stages[key] = max(self.stages.get(key, 0), self._stage([key_of(a), key_of(b)]) + 1)
            self.choices[key] = Choice(key, predicate, otherwise, then)
            leaves = [leaf for i, leaf in enumerate(leaves) if i not in (first, second)]
            leaves.append((guard, f"{key}:0"))
        return leaves[0]

    def _pair(self, op: Op, leaves: list[tuple[Guard, str]]) -> tuple[int, int, str, bool]:
        """Two leaves between which one predicate chooses, that predicate, and its outcome for the second.

        The best are two that differ in nothing else; then one that is there in more cases than the other, which then is
        taken where it can be; then any two that some predicate tells apart.
        """
        pairs = [(i, j) for j in range(len(leaves)) for i in range(j)]
        for i, j in pairs:
            only_a, only_b = leaves[i][0] - leaves[j][0], leaves[j][0] - leaves[i][0]
            if len(only_a) == len(only_b) == 1:
                ((predicate, outcome),) = only_b
                if (predicate, not outcome) in only_a:
                    return i, j, predicate, outcome
        for i, j in pairs:
            for first, second in ((i, j), (j, i)):
                more = leaves[second][0] - leaves[first][0]
                if leaves[first][0] < leaves[second][0] and len(more) == 1:
                    ((predicate, outcome),) = more
                    return first, second, predicate, outcome
        for i, j in pairs:
            for predicate, outcome in sorted(leaves[j][0]):
                if (predicate, not outcome) in leaves[i][0]:
                    return i, j, predicate, outcome
        raise UnsupportedError(
            f"{op} takes whichever of its inputs comes first; no Switch tells which one that is: "
            + ", ".join(value for _, value in leaves)
        )


def show(guard: Guard) -> str:
    """A guard in words."""
    return " and ".join(f"{predicate} is {str(outcome).lower()}" for predicate, outcome in sorted(guard))
