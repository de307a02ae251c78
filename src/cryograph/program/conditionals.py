"""TF1's conditionals become If.

`guards` tells under which conditions each op runs. Merges that always run and choose by the same predicate become one
If: its branches hold what their inputs need of ops that do not always run; what always runs stays outside and comes in
as an input. Conditionals inside move into the branches as they are, and are structured there.

1. Merges of one predicate of which one needs the other become several Ifs, in order of their stages (how many Merges
   lie before).
2. What such an If needs of a branch of an earlier one (gradients do) is given out by that one; what runs there under
   further conditions comes through Merges, whose other side nobody reads.
3. An op with an effect that runs under a condition, and that no Merge needs, becomes an If without results.
4. An output that only sometimes runs has no value else: it is refused, as TensorFlow fails to fetch it.
5. An array that is kept, and made under a condition, is there before it, without elements: others ask for it later.
6. In a turn of a loop all results are there, or the loop would not go on: what they hang on is taken for granted. The
   gradient of a loop in a branch asks for the branch's predicate inside of its own loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..base.dtypes import BOOL, FLOAT32, INT32, DType
from ..base.errors import Error, UnsupportedError
from ..base.tensors import Tensor
from ..ops.signatures import output_types
from .draft import BRANCHES, LOOPS, Draft, Op, index_of, key_of
from .effects import has_effect
from .fold import is_pure
from .guards import NEVER, Guard, Guards, Literal, show
from .kept_arrays import RENEWED
from .known import Known
from .loops import MERGES, SWITCHES


@dataclass(slots=True, eq=False)
class _Conditional:
    """One If under construction. Values in branches are called as they are outside."""

    predicate: str
    key: str
    name: str
    merges: list[str] = field(default_factory=list)
    acting: dict[bool, list[str]] = field(default_factory=lambda: {False: [], True: []})
    branches: dict[bool, Draft] = field(default_factory=lambda: {False: Draft(), True: Draft()})
    captured: dict[str, None] = field(default_factory=dict)
    controls: dict[str, None] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)


def structure_conditionals(draft: Draft, producer: int, is_turn: bool, keeps_arrays: bool) -> None:
    """Replaces the outermost conditionals of a draft by If ops; `is_turn` tells the body of a loop, `keeps_arrays` that
    TensorArrays are state.

    UnsupportedError for what has no such form.
    """
    if any(op.op in SWITCHES or op.op in MERGES for op in draft.ops.values()):
        _Structuring(draft, producer, is_turn, keeps_arrays).run()


class _Structuring:
    """The work on one draft."""

    def __init__(self, draft: Draft, producer: int, is_turn: bool, keeps_arrays: bool) -> None:
        self._draft = draft
        self._known = Known(draft, producer)
        self._guards = Guards(draft, self._known, self._assumed() if is_turn else {})
        if keeps_arrays:
            self._hold_arrays()
        self._order = {key: number for number, key in enumerate(draft.ops)}
        self._owner: dict[str, tuple[_Conditional, bool]] = {}
        self._replaced: dict[str, str] = {}

    def _assumed(self) -> dict[str, bool]:
        """Case 6: the outcomes that all results hang on."""
        guards = Guards(self._draft.copied(), self._known, {})
        return dict(literal for value in self._draft.results for literal in guards.of_value(value))

    def _hold_arrays(self) -> None:
        """Case 5."""
        draft = self._draft
        held: dict[str, str] = {}
        for op in [op for op in draft.ops.values() if op.op == "TensorArrayV3" and self._guards.of(op.key)]:
            if self._guards.of(op.key) is NEVER:
                continue
            none, before = draft.unique(f"{op.key}/none"), draft.unique(f"{op.key}/before")
            draft.add(
                Op(none, op.name, "Const", attrs={"dtype": INT32, "value": Tensor.of(np.array(0, np.int32))}, inputs=[])
            )
            draft.add(Op(before, op.name, op.op, [f"{none}:0"], [], op.attrs, 2))
            draft.ops[op.key] = Op(op.key, op.name, RENEWED, [f"{before}:0", *op.inputs], op.controls, op.attrs, 2)
            held[f"{op.key}:0"] = f"{before}:0"
        for op in draft.ops.values() if held else ():
            op.inputs = [held.get(value, value) for value in op.inputs]

    def run(self) -> None:
        draft, guards = self._draft, self._guards
        conditionals = self._grouped()
        for conditional in conditionals:
            self._fill(conditional)
        left = [op for op in list(draft.ops.values()) if self._is_left_over(op)]
        if left:
            found: dict[str, _Conditional] = {}
            for op in left:
                predicate, outcome = self._outermost(op)
                conditional = found.setdefault(predicate, self._new(predicate, op))
                conditional.acting[outcome].append(op.key)
            for conditional in found.values():
                self._fill(conditional)
            conditionals += found.values()
        for value in draft.results:
            self._require_always(value)
        draft.ops = {
            key: op
            for key, op in draft.ops.items()
            if not guards.of(key) and op.op not in SWITCHES and op.op not in MERGES
        }
        for conditional in conditionals:
            self._require_always(conditional.predicate)
            self._add(conditional)
        for op in draft.ops.values():
            op.inputs = [self._final(value) for value in op.inputs]
            op.controls = self._controls(op.controls)
        draft.results = [self._final(value) for value in draft.results]

    def _grouped(self) -> list[_Conditional]:
        """The Merges that always run, those of one predicate and one stage together."""
        groups: dict[tuple[int, str], _Conditional] = {}
        for choice in self._guards.choices.values():
            if self._guards.of(choice.key):
                continue
            place = (self._guards.stages[choice.key], choice.predicate)
            if place not in groups:
                groups[place] = self._new(choice.predicate, self._draft.ops[choice.key])
            groups[place].merges.append(choice.key)
        return [groups[place] for place in sorted(groups, key=lambda place: place[0])]

    def _new(self, predicate: str, op: Op) -> _Conditional:
        scope = op.name.rpartition("/")[0] or op.name
        key = self._draft.unique(op.key.rpartition("/")[0] or op.key)
        self._draft.add(Op(key, scope, "NoOp", [], count=0))  # keeps the key
        return _Conditional(predicate, key, scope)

    # Case 3 and 4

    def _is_left_over(self, op: Op) -> bool:
        guard = self._guards.of(op.key)
        return bool(guard) and guard is not NEVER and has_effect(op) and op.key not in self._owner

    def _outermost(self, op: Op) -> Literal:
        """The literal of an op's guard whose predicate is there first."""
        return min(self._guards.of(op.key), key=lambda literal: self._place(literal[0]))

    def _place(self, predicate: str) -> tuple[int, int, str]:
        guards = self._guards
        return len(guards.of_value(predicate)), guards.stages.get(key_of(predicate), 0), predicate

    def _require_always(self, value: str) -> None:
        guard = self._guards.of_value(value)
        if guard is NEVER:
            raise UnsupportedError(
                f"{value} is never computed: it is in a branch that the graph's constants (or defaults) rule out."
            )
        if guard:
            raise UnsupportedError(
                f"{value} is computed only when {show(guard)}; ask for what the Merge behind it gives, or make that a "
                "constant."
            )

    # Branches

    def _fill(self, conditional: _Conditional) -> None:
        """Moves what the results need into the branches."""
        for outcome in (False, True):
            branch = conditional.branches[outcome]
            waiting = list(conditional.acting[outcome])
            results = []
            for key in conditional.merges:
                choice = self._guards.choices[key]
                results.append(self._take(conditional, outcome, choice.then if outcome else choice.otherwise, waiting))
                waiting += self._before_merge(conditional, outcome, self._draft.ops[key])
            while waiting:
                key = waiting.pop()
                if key in branch.ops:
                    continue
                op = self._draft.ops[key]
                self._note_owner(op, conditional, outcome)
                copy = Op(op.key, op.name, op.op, [], [], op.attrs, op.count, op.bodies)
                branch.ops[key] = copy
                inputs = op.inputs
                if op.op in SWITCHES:  # a predicate has one name in a branch
                    inputs = [inputs[0], self._guards.root(inputs[1])]
                copy.inputs = [self._take(conditional, outcome, value, waiting) for value in inputs]
                for control in op.controls:
                    self._wait(conditional, outcome, control, copy, waiting)
            branch.results = results
            self._in_draft_order(branch)
        for index, key in enumerate(conditional.merges):
            self._replaced[f"{key}:0"] = f"{conditional.key}:{index}"

    def _before_merge(self, conditional: _Conditional, outcome: bool, merge: Op) -> list[str]:
        """What a Merge waits for and that runs in a branch; what always runs the If waits for."""
        inside = []
        for control in merge.controls:
            guard = self._guards.of(control)
            if not guard:
                conditional.controls[control] = None
            elif (conditional.predicate, outcome) in guard and control not in self._owner:
                inside.append(control)
        return inside

    def _in_draft_order(self, branch: Draft) -> None:
        if len(branch.ops) > 1:
            order = self._order
            keys = sorted(branch.ops, key=lambda key: order.get(key, -1))
            branch.ops = {key: branch.ops[key] for key in keys}

    def _take(self, conditional: _Conditional, outcome: bool, value: str, waiting: list[str]) -> str:
        """What a value is called in a branch: it is moved there, taken in from outside, or known there."""
        draft, guards = self._draft, self._guards
        branch = conditional.branches[outcome]
        literal = (conditional.predicate, outcome)
        while True:
            while value in guards.aliases:
                value = guards.aliases[value]
            op = draft.maker(value)
            if op is None or op.op not in SWITCHES:
                break
            root = guards.root(op.inputs[1])
            if root == conditional.predicate or guards.outcome(root) is not None:
                value = op.inputs[0]
            else:
                break
        if guards.root(value) == conditional.predicate:
            return self._predicate(branch, conditional.predicate, outcome)
        guard = guards.of_value(value)
        if not guard:
            if op is not None and op.op == "Const":
                branch.ops.setdefault(op.key, Op(op.key, op.name, op.op, [], [], op.attrs, 1))
                return value
            conditional.captured[value] = None
            return value
        if op is None:
            return value
        owner = self._owner.get(op.key)
        if owner is not None and owner != (conditional, outcome):
            earlier, side = owner
            under = frozenset({(earlier.predicate, side)})
            if under == guard and under == frozenset({literal}):
                return self._captured(conditional, self._given(earlier, side, value, ()))
            if not is_pure(op.op):
                if not under < guard:
                    raise UnsupportedError(f"{op} runs in two conditionals of its predicates; that cannot be run.")
                further = self._inwards(guard - under)
                return self._kept(conditional, outcome, self._given(earlier, side, value, further), further, waiting)
        waiting.append(op.key)
        return value

    def _note_owner(self, op: Op, conditional: _Conditional, outcome: bool) -> None:
        if op.op != "Const" and op.op not in SWITCHES:
            self._owner.setdefault(op.key, (conditional, outcome))

    def _predicate(self, branch: Draft, predicate: str, outcome: bool) -> str:
        """The predicate, in a branch: a constant."""
        key = f"{key_of(predicate)}/{index_of(predicate)}/is_{str(outcome).lower()}"
        if key not in branch.ops:
            attrs = {"dtype": BOOL, "value": Tensor.of(np.array(outcome))}
            branch.ops[key] = Op(key, key_of(predicate), "Const", [], [], attrs)
        return f"{key}:0"

    def _wait(self, conditional: _Conditional, outcome: bool, control: str, copy: Op, waiting: list[str]) -> None:
        """A control edge of an op in a branch: to another there, or of the whole If."""
        op = self._draft.ops.get(control)
        if op is None:
            return
        guard = self._guards.of(control)
        if op.op in SWITCHES:
            return
        if not guard:
            conditional.controls[control] = None
            return
        value = f"{control}:0"
        if value in self._guards.aliases:  # a Merge without a choice
            taken = self._take(conditional, outcome, value, waiting)
            if key_of(taken) not in conditional.captured:
                copy.controls.append(key_of(taken))
            return
        owner = self._owner.get(control)
        if owner is not None and owner != (conditional, outcome):
            conditional.controls[owner[0].key] = None
            return
        copy.controls.append(control)
        waiting.append(control)

    # Case 2

    def _captured(self, conditional: _Conditional, value: str) -> str:
        conditional.captured[value] = None
        return value

    def _kept(
        self, conditional: _Conditional, outcome: bool, given: str, further: Sequence[Literal], waiting: list[str]
    ) -> str:
        """What an earlier If gives, in a branch: there under the same conditions as where it was made."""
        branch = conditional.branches[outcome]
        literal = (conditional.predicate, outcome)
        value = self._captured(conditional, given)
        for predicate, needed in further:
            if (predicate, needed) == literal:
                continue
            key = f"{given}/{predicate}/{needed}".replace(":", "/")
            asked = self._take(conditional, outcome, predicate, waiting)
            branch.ops.setdefault(key, Op(key, key_of(given), "Switch", [value, asked], [], {}, 2))
            value = f"{key}:{int(needed)}"
        return value

    def _inwards(self, guard: Guard) -> list[Literal]:
        """The conditions of a guard, the one that is there first in front."""
        return sorted(guard, key=lambda literal: self._place(literal[0]))

    def _given(self, earlier: _Conditional, side: bool, value: str, further: Sequence[Literal]) -> str:
        """What an earlier If gives for a value of one of its branches, that runs there under `further` conditions; the
        other gives something of that dtype."""
        if value not in earlier.given:
            op, dtype = self._draft.ops[key_of(value)], _dtype(self._draft, value)
            inside = earlier.branches[side]
            asked = [(self._called(inside, op, predicate), outcome) for predicate, outcome in further]
            merged = value
            while asked:
                merged = _or_nothing(inside, op, merged, dtype, asked)
                asked.pop()
            for outcome, branch in earlier.branches.items():
                branch.results.append(merged if outcome == side else _nothing(branch, op, dtype))
            earlier.given[value] = f"{earlier.key}:{len(earlier.merges) + len(earlier.given)}"
        return earlier.given[value]

    def _called(self, branch: Draft, op: Op, predicate: str) -> str:
        """What a predicate is called in a branch, of which some Switch there asks it."""
        for key, inner in branch.ops.items():
            if inner.op in SWITCHES and self._guards.root(self._draft.ops[key].inputs[1]) == predicate:
                return inner.inputs[1]
        raise UnsupportedError(f"{op} runs in two conditionals of its predicates; that cannot be run.")

    def _add(self, conditional: _Conditional) -> None:
        """Puts the finished If into the draft."""
        captured = list(conditional.captured)
        for branch in conditional.branches.values():
            branch.inputs = list(captured)
        bodies = {"then_branch": conditional.branches[True], "else_branch": conditional.branches[False]}
        count = len(conditional.merges) + len(conditional.given)
        inputs = [conditional.predicate, *captured]
        controls = list(conditional.controls)
        attrs = {"Tcond": BOOL, "output_shapes": []}
        self._draft.ops.pop(conditional.key, None)
        self._draft.add(Op(conditional.key, conditional.name, "If", inputs, controls, attrs, count, bodies))

    def _final(self, value: str) -> str:
        """What a value is called once all Ifs are there."""
        while value in self._guards.aliases:
            value = self._guards.aliases[value]
        return self._replaced.get(value, value)

    def _controls(self, controls: list[str]) -> list[str]:
        """The ops to wait for once all Ifs are there."""
        found = dict.fromkeys(key_of(self._final(f"{control}:0")) for control in controls)
        return [key for key in found if key in self._draft.ops]


def _dtype(draft: Draft, value: str) -> DType:
    """The dtype of a value: a loop gives what went in, a conditional what a branch gives; else float32."""
    while (op := draft.maker(value)) is not None:
        index = index_of(value)
        if op.op in LOOPS:
            value = op.inputs[index]
        elif op.op in BRANCHES:
            draft = next(iter(op.bodies.values()))
            value = draft.results[index]
        else:
            try:
                return output_types(op.op, op.attrs)[index].base
            except (Error, IndexError):
                break
    return FLOAT32


def _or_nothing(branch: Draft, op: Op, value: str, dtype: DType, asked: Sequence[Literal]) -> str:
    """A Merge of a value that is there under conditions, and of nothing where only the last of them does not hold."""
    attrs = {"T": dtype}
    other = _nothing(branch, op, dtype)
    for number, (predicate, outcome) in enumerate(asked, 1):
        switch = branch.unique(f"{op.key}/or_nothing")
        branch.add(Op(switch, op.name, "Switch", [other, predicate], [], attrs, 2))
        other = f"{switch}:{int(outcome if number < len(asked) else not outcome)}"
    merge = branch.unique(f"{op.key}/given")
    branch.add(Op(merge, op.name, "Merge", [other, value], [], attrs, 2))
    return f"{merge}:0"


def _nothing(branch: Draft, op: Op, dtype: DType) -> str:
    """A value in the branch where an op does not run; nobody reads it."""
    if dtype.numpy is None:
        raise UnsupportedError(f"{op} gives a {dtype} from one conditional to another; that cannot be run.")
    key = branch.unique(f"{op.key}/not_run")
    empty = np.empty((), dtype.numpy)
    empty[...] = b"" if dtype.is_string else 0
    branch.add(Op(key, op.name, "Const", [], [], {"dtype": dtype, "value": Tensor.of(empty, dtype)}))
    return f"{key}:0"
