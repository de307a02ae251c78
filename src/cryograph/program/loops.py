"""TF1's loops become While.

A loop of TF1 is a frame: Enter ops bring values in (constant ones for all turns), Merge joins a variable's first value
with the one of the turn before (NextIteration), LoopCond says whether to go on, Switch sends each variable to the body
(output 1) or to an Exit (output 0). Each outermost frame becomes one While: its variables are the Merges, then what
comes in through constant Enters, then values that are used inside without any Enter. Inner frames and conditionals move
into the bodies as they are, and are structured there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..base.errors import UnsupportedError
from .draft import Draft, Op, in_order, key_of, needs_of
from .effects import has_effect

ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
MERGES = frozenset({"Merge", "RefMerge"})
SWITCHES = frozenset({"RefSwitch", "Switch"})
BACK_EDGES = frozenset({"NextIteration", "RefNextIteration"})


@dataclass(slots=True, eq=False)
class _Frame:
    """One loop. `ops` are those that run in it, not those of frames inside."""

    name: str
    parent: _Frame | None
    ops: list[Op] = field(default_factory=list)
    inner: dict[str, _Frame] = field(default_factory=dict)

    def depth(self) -> int:
        count, frame = 0, self.parent
        while frame is not None:
            count, frame = count + 1, frame.parent
        return count

    def members(self) -> Iterable[Op]:
        """All ops that run in it or in frames inside."""
        waiting = [self]
        while waiting:
            frame = waiting.pop()
            yield from frame.ops
            waiting.extend(frame.inner.values())


def structure_loops(draft: Draft) -> None:
    """Replaces the outermost loops of a draft by While ops. UnsupportedError for a loop of another form."""
    if not any(op.op in ENTERS for op in draft.ops.values()):
        return
    frames = _frames(draft)
    replaced: dict[str, str] = {}
    waited: dict[str, str] = {}
    for frame in frames:
        _Loop(draft, frame).replace(replaced, waited)
    for op in draft.ops.values():
        if any(value in replaced for value in op.inputs):
            op.inputs = [replaced.get(value, value) for value in op.inputs]
        if any(control in waited for control in op.controls):
            op.controls = list(dict.fromkeys(waited.get(control, control) for control in op.controls))
    draft.results = [replaced.get(value, value) for value in draft.results]
    for value in draft.results:
        _require_outside(draft, value, waited)
    for op in draft.ops.values():
        for value in op.inputs:
            _require_outside(draft, value, waited)


def _require_outside(draft: Draft, value: str, inside: Mapping[str, str]) -> None:
    if key_of(value) in inside and key_of(value) not in draft.ops and value not in draft.inputs:
        raise UnsupportedError(
            f"{value} is inside of a loop and has another value in each turn; ask for what leaves it (an Exit)."
        )


def _needs_forward(draft: Draft) -> dict[str, list[str]]:
    """What each op needs, the edges that close loops left out."""
    needs = {}
    for key, op in draft.ops.items():
        found = needs_of(op)
        if op.op in MERGES:
            found = [need for need in found if need not in draft.ops or draft.ops[need].op not in BACK_EDGES]
        needs[key] = found
    return needs


def _frames(draft: Draft) -> list[_Frame]:
    """The outermost frames, each with its ops and the frames inside."""
    needs = _needs_forward(draft)
    root = _Frame("", None)
    leaving: dict[str, _Frame] = {}  # the frame in which an op's outputs are
    for op in in_order(draft.ops, needs=lambda op: needs[op.key]):
        frame = root
        for need in needs[op.key]:
            other = leaving.get(need, root)
            if other is not frame and other.depth() > frame.depth():
                frame = other
        if op.op in ENTERS:
            name = _text(op.attrs.get("frame_name"))
            frame = frame.inner.setdefault(name, _Frame(name, frame))
        if frame is not root:
            frame.ops.append(op)
        if op.op in EXITS:
            if frame.parent is None:
                raise UnsupportedError(f"{op} leaves a loop, but what it takes is not in one.")
            leaving[op.key] = frame.parent
        else:
            leaving[op.key] = frame
    return list(root.inner.values())


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


class _Loop:
    """One outermost frame on its way to a While."""

    def __init__(self, draft: Draft, frame: _Frame) -> None:
        self._draft = draft
        self._members = {op.key: op for op in frame.members()}
        own = frame.ops
        conditions = [op for op in own if op.op == "LoopCond"]
        if len(conditions) != 1:
            raise UnsupportedError(
                f"The loop {frame.name!r} has {len(conditions)} conditions (LoopCond), where one is expected."
            )
        self._condition = conditions[0]
        self._name = self._condition.name.rpartition("/")[0] or frame.name or self._condition.name
        self._enters = [op for op in own if op.op in ENTERS]
        self._exits = [op for op in own if op.op in EXITS]
        self._switches = {op.key: op for op in own if op.op in SWITCHES and key_of(op.inputs[1]) == self._condition.key}
        self._variables = [op for op in own if op.op in MERGES and self._next(op) is not None]
        self._own = own

    def _next(self, merge: Op) -> str | None:
        """What a Merge takes from the turn before; None when it joins branches instead."""
        for value in merge.inputs:
            maker = self._draft.maker(value)
            if maker is not None and maker.op in BACK_EDGES:
                return maker.inputs[0]
        return None

    def _first(self, merge: Op) -> Op:
        """The Enter of a variable."""
        found = [self._draft.maker(value) for value in merge.inputs]
        enters = [op for op in found if op is not None and op.op in ENTERS]
        if len(found) != 2 or len(enters) != 1:
            raise UnsupportedError(f"{merge} begins a turn of a loop, but does not join an Enter and a NextIteration.")
        return enters[0]

    def replace(self, replaced: dict[str, str], waited: dict[str, str]) -> None:
        """Puts the While into the draft; notes what its Exits and its ops are from now on."""
        draft = self._draft
        firsts = [self._first(merge) for merge in self._variables]
        constant = [op for op in self._enters if op not in firsts]
        arguments = [f"{op.key}:0" for op in [*self._variables, *constant]]
        given = [op.inputs[0] for op in [*firsts, *constant]]

        aliases = {f"{key}:1": op.inputs[0] for key, op in self._switches.items()}
        acting = self._acting()
        condition = self._pull([self._condition.inputs[0]], acting[False], arguments, {}, "its condition")
        ends = [self._next(merge) or "" for merge in self._variables]
        body = self._pull(ends, acting[True], arguments, aliases, "its body")

        outside = list(dict.fromkeys([*condition.inputs, *body.inputs]))
        own = [*arguments, *outside]
        condition.inputs = list(own)
        body.inputs = list(own)
        body.results = [*body.results, *own[len(self._variables) :]]
        controls = [c for op in self._members.values() for c in op.controls if c not in self._members]
        key = draft.unique(self._name)
        attrs = {"parallel_iterations": self._enters[0].attrs.get("parallel_iterations", 10), "output_shapes": []}
        for member in self._members:
            del draft.ops[member]
            waited[member] = key
        bodies = {"cond": condition, "body": body}
        inputs = [*given, *outside]
        draft.add(Op(key, self._name, "While", inputs, list(dict.fromkeys(controls)), attrs, len(own), bodies))
        for leaving in self._exits:
            replaced[f"{leaving.key}:0"] = self._left(leaving, key, arguments, inputs)
            waited[leaving.key] = key

    def _left(self, leaving: Op, key: str, arguments: Sequence[str], inputs: Sequence[str]) -> str:
        """What an Exit gives: an output of the While."""
        switch = self._switches.get(key_of(leaving.inputs[0]))
        if switch is not None and leaving.inputs[0].endswith(":0") and switch.inputs[0] in arguments:
            return f"{key}:{arguments.index(switch.inputs[0])}"
        if leaving.inputs[0] in arguments:
            return f"{key}:{arguments.index(leaving.inputs[0])}"
        raise UnsupportedError(f"{leaving} gives something else than a variable of the loop {self._name!r}.")

    def _acting(self) -> dict[bool, list[str]]:
        """The ops with an effect: of the condition (False), and of the body (True), which wait for a Switch."""
        after: set[str] = set()
        found: dict[bool, list[str]] = {False: [], True: []}
        needs = _needs_forward(Draft(ops=self._members))
        for op in in_order(self._members, needs=lambda op: needs[op.key]):
            if op.key in self._switches or any(need in after for need in needs[op.key]):
                after.add(op.key)
            if has_effect(op):
                found[op.key in after].append(op.key)
        return found

    def _pull(
        self, results: list[str], acting: Sequence[str], arguments: Sequence[str], aliases: dict[str, str], what: str
    ) -> Draft:
        """The part of the loop that makes `results`, as a draft whose inputs are only those from outside of the loop
        that have no Enter."""
        borders = {key_of(value) for value in arguments} | {self._condition.key} | set(self._switches)
        known = set(arguments)
        pulled: dict[str, Op] = {}
        outside: dict[str, None] = {}

        def resolve(value: str) -> str:
            while value in aliases:
                value = aliases[value]
            if value not in known and key_of(value) in borders:
                raise UnsupportedError(f"The loop {self._name!r} uses {value} in {what}, where it has no meaning.")
            return value

        results = [resolve(value) for value in results]
        waiting = [*acting]
        for value in results:
            self._need(value, known, waiting, outside)
        while waiting:
            key = waiting.pop()
            if key in pulled:
                continue
            op = self._members[key]
            inputs = [resolve(value) for value in op.inputs]
            controls = [c for c in op.controls if c in self._members and c not in borders]
            pulled[key] = Op(op.key, op.name, op.op, inputs, controls, op.attrs, op.count, op.bodies)
            waiting += controls
            for value in inputs:
                self._need(value, known, waiting, outside)
        ops = {key: pulled[key] for key in self._members if key in pulled}
        return Draft(list(outside), results, ops)

    def _need(self, value: str, known: set[str], waiting: list[str], outside: dict[str, None]) -> None:
        if value in known:
            return
        key = key_of(value)
        if key in self._members:
            waiting.append(key)
        else:
            outside[value] = None
