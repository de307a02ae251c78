"""What is known of values of a draft before it is structured: found when it is asked for, upstream only."""

from __future__ import annotations

from ..base.tensors import Array, Tensor
from ..ops.facts import UNKNOWN, Fact
from .draft import Draft, Op, index_of, key_of
from .facts import fact_of, facts_of
from .settle import PASSING


class Known:
    """Facts about the values of one draft; `producer` is the version of the graph's writer."""

    def __init__(self, draft: Draft, producer: int) -> None:
        self._draft = draft
        self._producer = producer
        self._facts: dict[str, list[Fact]] = {}

    def value(self, value: str) -> Array | None:
        """What a value is, where that hangs on constants and shapes only."""
        self._find(value)
        return self._fact(value).known_value

    def _find(self, value: str) -> None:
        """Infers upwards of a value, without recursion. An op that is met again on its own way is unknown."""
        stack = [(key_of(value), False)]
        while stack:
            key, ready = stack.pop()
            op = self._draft.ops.get(key)
            if op is None or (key in self._facts and not ready):
                continue
            if ready:
                self._facts[key] = self._outputs(op)
                continue
            self._facts[key] = [UNKNOWN] * op.count
            if op.op in _OPAQUE or op.bodies:
                continue
            stack.append((key, True))
            stack += [(key_of(value), False) for value in op.inputs]

    def _outputs(self, op: Op) -> list[Fact]:
        inputs = [self._fact(value) for value in op.inputs]
        if op.op in PASSING:
            return inputs[: op.count]
        tensor = op.attrs.get("value")
        if op.op == "Const" and isinstance(tensor, Tensor):
            return [fact_of(tensor)]
        return facts_of(op, inputs, self._producer)

    def _fact(self, value: str) -> Fact:
        facts = self._facts.get(key_of(value))
        if not facts:
            return UNKNOWN
        index = index_of(value)
        return facts[index] if index < len(facts) else UNKNOWN


_OPAQUE = frozenset({"Enter", "Exit", "Merge", "NextIteration", "RefEnter", "RefExit", "RefMerge", "RefNextIteration"})
"""Ops that a value comes through in more than one way."""
