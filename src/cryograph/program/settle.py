"""The last walk: a draft becomes one in running order, in which everything is known that can be.

In one pass from inputs to results, bodies included:
1. what only passes its input on (Identity, StopGradient, Print ...) is gone;
2. dtype, shape and small values of each value are inferred; a value that is known becomes a constant;
3. steps on constants are folded (see `fold`);
4. an If or Case whose condition is a constant becomes the branch that it takes; Assert of true is gone;
5. constants that go into a body stand in the body instead; what a loop hands on unchanged does not come out of it;
6. what nobody reads and has no effect is gone (see `prune`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..base.errors import GraphError
from ..base.tensors import Array, Tensor
from ..ops.facts import Fact, join_facts, same
from .draft import BRANCHES, LOOPS, Draft, Op, in_order, key_of
from .effects import has_effect, touches_files
from .facts import fact_of, facts_of
from .fold import Fold, Folder, is_pure
from .program import Step
from .prune import prune

MAX_TURNS = 100
"""The most turns of the search for what stays true in a loop; then nothing is taken as known."""

BUDGET = 50
"""The ops that may be looked at, as a multiple of those in the draft (and 100,000 more), before loops get one turn."""

PASSING = frozenset(
    {
        "DeepCopy",
        "GuaranteeConst",
        "Identity",
        "IdentityN",
        "PlaceholderWithDefault",
        "PreventGradient",
        "Print",
        "RefIdentity",
        "Snapshot",
        "StopGradient",
    }
)
"""Ops whose output of a number is their input of that number. Print's words are for those who debug."""


def settle(draft: Draft, inputs: Sequence[Fact], fold: Fold | None, producer: int) -> Draft:
    """The settled form of a draft, with its facts, given what is known of its inputs. The draft itself stays as it is.

    `producer` is the version of the graph's writer.
    """
    size = sum(len(inner.ops) for inner in draft.drafts())
    held = sum(tensor.nbytes for inner in draft.drafts() for tensor in inner.constants.values())
    folder = None if fold is None else Folder(fold, held)
    return _Settler(folder, producer, 100_000 + BUDGET * size).settle(draft, inputs)


class _Settler:
    """What the writers of a draft and of its bodies share."""

    def __init__(self, folder: Folder | None, producer: int, budget: int) -> None:
        self.folder = folder
        self.producer = producer
        self.budget = budget

    def settle(self, draft: Draft, inputs: Sequence[Fact]) -> Draft:
        writer = _Writer(self, draft.inputs, inputs)
        writer.out.results = writer.walk(draft, {value: value for value in draft.inputs}, "")
        prune(writer.out)
        return writer.out


class _Writer:
    """Writes one settled draft."""

    def __init__(self, settler: _Settler, inputs: Sequence[str], facts: Sequence[Fact]) -> None:
        self._settler = settler
        self.facts: dict[str, Fact] = dict(zip(inputs, facts, strict=True))
        self.out = Draft(inputs=list(inputs), facts=self.facts)

    def walk(self, draft: Draft, names: dict[str, str], prefix: str) -> list[str]:
        """Writes the ops of a draft and gives the names of its results; `names` says what its inputs are here."""
        self._settler.budget -= len(draft.ops)
        for value, tensor in draft.constants.items():
            names[value] = self._constant(prefix + value, tensor)
        roots = [key_of(value) for value in draft.results]
        roots += [op.key for op in draft.ops.values() if has_effect(op)]
        needs = _needs_of(draft)
        for op in in_order(draft.ops, roots, needs):
            self._op(op, names, prefix)
        return [names[value] for value in draft.results]

    def _constant(self, value: str, tensor: Tensor) -> str:
        if value in self.facts:
            value = f"{self._key(key_of(value))}:0"
        self.out.constants[value] = tensor
        self.facts[value] = fact_of(tensor)
        return value

    def _key(self, key: str) -> str:
        """A key that nothing has yet."""
        return key if key not in self.out.ops and f"{key}:0" not in self.facts else self.out.unique(key)

    def _op(self, op: Op, names: dict[str, str], prefix: str) -> None:
        inputs = [names[value] for value in op.inputs]
        if op.op in PASSING:
            names.update(zip(op.outputs, inputs, strict=False))
        elif op.op == "Const" and isinstance(op.attrs.get("value"), Tensor):
            names[f"{op.key}:0"] = self._constant(f"{prefix}{op.key}:0", op.attrs["value"])
        elif op.op == "Cast" and op.attrs.get("SrcT") == op.attrs.get("DstT"):
            names[f"{op.key}:0"] = inputs[0]
        elif op.op == "Assert" and inputs and self._says(inputs[0]) is True:
            pass
        elif op.op in LOOPS:
            self._loop(op, inputs, names, prefix)
        elif op.op in BRANCHES:
            self._branches(op, inputs, names, prefix)
        else:
            self._step(op, inputs, names, prefix)

    def _step(self, op: Op, inputs: list[str], names: dict[str, str], prefix: str) -> None:
        """An op without bodies of its own kind: a step, or constants."""
        facts = facts_of(op, [self.facts[value] for value in inputs], self._settler.producer)
        made = Op(self._key(prefix + op.key), op.name, op.op, inputs, [], op.attrs, op.count)
        for name, body in op.bodies.items():
            taken = _elements(op, name, [self.facts[value] for value in inputs])
            made.bodies[name] = self._settler.settle(body, taken)
        tensors = self._worked_out(made, facts)
        if tensors is None:
            self._add(made, facts)
            names.update(zip(op.outputs, made.outputs, strict=True))
        else:
            for output, value, tensor in zip(op.outputs, made.outputs, tensors, strict=True):
                names[output] = self._constant(value, tensor)

    def _add(self, op: Op, facts: Sequence[Fact]) -> None:
        self.out.add(op)
        self.facts.update(zip(op.outputs, facts, strict=True))

    def _worked_out(self, op: Op, facts: Sequence[Fact]) -> list[Tensor] | None:
        """The outputs of an op where all are known before the run."""
        if not facts or op.bodies:
            return None
        values = [fact.known_value for fact in facts]
        if None not in [None if value is None else 0 for value in values] and is_pure(op.op):
            return [Tensor.of(v, f.dtype) for v, f in zip(values, facts, strict=True) if v is not None]
        folder, constants = self._settler.folder, self.out.constants
        if folder is None or any(value not in constants for value in op.inputs):
            return None
        step = Step(op.name, op.op, tuple(op.inputs), tuple(op.outputs), op.attrs)
        return folder.folded(step, [constants[value] for value in op.inputs], facts)

    def _says(self, value: str) -> bool | None:
        """What a condition comes to, as TensorFlow reads one; None when it is not known."""
        known: Array | None = self.facts[value].known_value
        if known is None and value in self.out.constants:
            tensor = self.out.constants[value]
            known = tensor.numpy() if tensor.shape == () else np.zeros(tensor.shape)
        if known is None:
            return None
        return bool(known.item()) if known.ndim == 0 else known.size > 0

    # Branches

    def _branches(self, op: Op, inputs: list[str], names: dict[str, str], prefix: str) -> None:
        chosen = self._chosen(op, inputs[0])
        if chosen is not None:
            inner = dict(zip(chosen.inputs, inputs[1:], strict=True))
            results = self.walk(chosen, inner, f"{prefix}{op.key}/")
            names.update(zip(op.outputs, results, strict=True))
            return
        moved = {i: value for i, value in enumerate(inputs[1:]) if value in self.out.constants}
        kept = [value for i, value in enumerate(inputs[1:]) if i not in moved]
        made = Op(self._key(prefix + op.key), op.name, op.op, [inputs[0], *kept], [], op.attrs, op.count)
        for name, body in op.bodies.items():
            branch = self._with_constants(body, moved)
            made.bodies[name] = self._settler.settle(branch, [self.facts[value] for value in kept])
        results_known = [[body.facts[value] for value in body.results] for body in made.bodies.values()]
        self._add(made, [_joined(op, facts) for facts in zip(*results_known, strict=True)])
        names.update(zip(op.outputs, made.outputs, strict=True))

    def _chosen(self, op: Op, value: str) -> Draft | None:
        """The branch that is taken, where that is known."""
        if op.op.endswith("If"):
            says = self._says(value)
            return None if says is None else op.bodies["then_branch" if says else "else_branch"]
        known = self.facts[value].known_value
        if known is None or known.ndim:
            return None
        index, bodies = int(known), list(op.bodies.values())
        return bodies[index] if 0 <= index < len(bodies) else bodies[-1]

    def _with_constants(self, body: Draft, moved: dict[int, str]) -> Draft:
        """The body with some of its inputs as constants of its own."""
        if not moved:
            return body
        own = {body.inputs[index]: self.out.constants[value] for index, value in moved.items()}
        inputs = [value for index, value in enumerate(body.inputs) if index not in moved]
        return Draft(inputs, body.results, body.ops, {**body.constants, **own})

    # Loops

    def _loop(self, op: Op, inputs: list[str], names: dict[str, str], prefix: str) -> None:
        cond, body = op.bodies["cond"], op.bodies["body"]
        unchanged = _unchanged(body)
        moved = {i: inputs[i] for i in unchanged if inputs[i] in self.out.constants}
        places = [i for i in range(len(inputs)) if i not in moved]
        kept = [inputs[i] for i in places]
        cond = self._with_constants(cond, moved)
        body = self._with_constants(body, moved)
        body = Draft(body.inputs, [body.results[i] for i in places], body.ops, body.constants)
        facts = [self.facts[inputs[i]] if i in unchanged else _without_value(self.facts[inputs[i]]) for i in places]
        for turn in range(MAX_TURNS + 1):
            if turn == MAX_TURNS or self._settler.budget < 0:
                facts = [fact if i in unchanged else Fact(fact.dtype) for i, fact in zip(places, facts, strict=True)]
            turned = self._settler.settle(body, facts)
            after = [turned.facts[value] for value in turned.results]
            joined = [
                fact if i in unchanged else _join(op, fact, found)
                for i, fact, found in zip(places, facts, after, strict=True)
            ]
            if all(map(same, joined, facts)) or turn == MAX_TURNS or self._settler.budget < 0:
                break
            facts = joined
        bodies = {"cond": self._settler.settle(cond, facts), "body": turned}
        made = Op(self._key(prefix + op.key), op.name, op.op, kept, [], op.attrs, len(kept), bodies)
        self._add(made, facts)
        for place, value in zip(places, made.outputs, strict=True):
            names[f"{op.key}:{place}"] = value
        for place in unchanged:
            names[f"{op.key}:{place}"] = inputs[place]


def _unchanged(body: Draft) -> set[int]:
    """The places of a loop's variables that its body hands on as they are."""
    found = set()
    for index, value in enumerate(body.results):
        while (op := body.maker(value)) is not None and op.op in PASSING:
            value = op.inputs[int(value.rpartition(":")[2])]
        if value == body.inputs[index]:
            found.add(index)
    return found


def _without_value(fact: Fact) -> Fact:
    return Fact(fact.dtype, fact.shape, None, fact.holds)


def _joined(op: Op, facts: Sequence[Fact]) -> Fact:
    result = facts[0]
    for fact in facts[1:]:
        result = _join(op, result, fact)
    return result


def _join(op: Op, a: Fact, b: Fact) -> Fact:
    """What two facts of one value have in common; a dtype that only one knows is that of both."""
    dtype = a.dtype or b.dtype
    if b.dtype not in (None, dtype):
        raise GraphError(f"{op} gives now {a.dtype}, now {b.dtype}; its bodies must agree.")
    found = join_facts(a, b)
    return found if found.dtype is dtype else Fact(dtype, found.shape, found.value, found.holds)


def _elements(op: Op, name: str, facts: Sequence[Fact]) -> list[Fact]:
    """What a body takes. Of MapDefun: the elements of the first inputs, the others whole. Of XLA's ops: numbers at two
    places of each input; their shape is left open, as engines join many of them at once."""
    if op.op.startswith("Xla"):
        each = [Fact(fact.dtype) for fact in facts[: op.count]]
        return [fact for fact in each for _ in range(2)] if name == "comparator" else [*each, *each]
    types = op.attrs.get("Targuments")
    count = len(types) if isinstance(types, list) else len(facts)
    return [
        Fact(fact.dtype, None if not fact.shape else fact.shape[1:]) if index < count else fact
        for index, fact in enumerate(facts)
    ]


def _needs_of(draft: Draft) -> Callable[[Op], list[str]]:
    """What an op needs: what makes its inputs; for one that touches files also the one before it that does."""
    files = [op.key for op in draft.ops.values() if touches_files(op)]
    if len(files) < 2:
        return _data_needs
    before = dict(zip(files[1:], files, strict=False))
    return lambda op: [*_data_needs(op), *([before[op.key]] if op.key in before else [])]


def _data_needs(op: Op) -> list[str]:
    return [key_of(value) for value in op.inputs]
