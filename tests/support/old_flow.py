"""Writes conditionals and loops as TF1 did: Switch and Merge, Enter and Exit; a value is taken into a context once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, DType
from cryograph.base.tensors import Tensor
from cryograph.graph.node import Node

Value = str


@dataclass
class Context:
    """A branch (`predicate`, `outcome`) or a loop (`frame`). `pivot` is what ops without inputs wait for."""

    pivot: str
    predicate: str = ""
    outcome: bool = False
    frame: str = ""
    taken: dict[Value, Value] = field(default_factory=dict)
    own: set[Value] = field(default_factory=set)


class Flow:
    """A graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.dtypes: dict[Value, DType] = {}
        self._contexts: list[Context] = []
        self._count = 0

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    def _node(self, op: str, inputs: Sequence[str], dtypes: Sequence[DType], **attrs: Any) -> list[Value]:
        name = self._name(op)
        self.nodes.append(Node.make(name, op, inputs, attrs))
        values = [name if i == 0 else f"{name}:{i}" for i in range(len(dtypes))]
        self.dtypes.update(zip(values, dtypes, strict=True))
        if self._contexts:
            self._contexts[-1].own.update(values)
        return values

    def placeholder(self, name: str, dtype: DType = FLOAT32) -> Value:
        self.nodes.append(Node.make(name, "Placeholder", (), {"dtype": dtype, "shape": ()}))
        self.dtypes[name] = dtype
        return name

    def const(self, value: Any, dtype: DType = FLOAT32) -> Value:
        waits = [f"^{self._contexts[-1].pivot}"] if self._contexts else []
        tensor = Tensor.of(np.array(value, dtype.numpy))
        return self._node("Const", waits, [dtype], dtype=dtype, value=tensor)[0]

    def op(self, op: str, *inputs: Value, result: DType | None = None, **attrs: Any) -> Value:
        taken = [self.take(value) for value in inputs]
        dtype = self.dtypes[taken[0]]
        return self._node(op, taken, [result or dtype], T=dtype, **attrs)[0]

    def take(self, value: Value, level: int | None = None) -> Value:
        """The value inside of the present context."""
        level = len(self._contexts) if level is None else level
        if level == 0:
            return value
        context = self._contexts[level - 1]
        if value in context.own:
            return value
        if value not in context.taken:
            outer = self.take(value, level - 1)
            dtype = self.dtypes[outer]
            if context.frame:
                made = self._outside(level - 1, "Enter", [outer], dtype, context, is_constant=True)[0]
            else:
                both = self._outside(level - 1, "Switch", [outer, context.predicate], dtype, context)
                made = both[int(context.outcome)]
            context.taken[value] = made
            context.own.add(made)
        return context.taken[value]

    def _outside(
        self, level: int, op: str, inputs: Sequence[str], dtype: DType, context: Context, **attrs: Any
    ) -> list[Value]:
        held, self._contexts = self._contexts, self._contexts[:level]
        if op == "Enter":
            attrs = {"frame_name": context.frame, "parallel_iterations": 10, **attrs}
        values = self._node(op, inputs, [dtype] * (2 if op == "Switch" else 1), T=dtype, **attrs)
        self._contexts = held
        return values

    def cond(
        self, predicate: Value, then: Callable[[], Sequence[Value]], otherwise: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        predicate = self.take(predicate)
        kept = self._node("Identity", [predicate], [BOOL], T=BOOL)[0]
        no, yes = self._node("Switch", [predicate, predicate], [BOOL, BOOL], T=BOOL)
        results = []
        for outcome, value, branch in ((False, no, otherwise), (True, yes, then)):
            pivot = self._node("Identity", [value], [BOOL], T=BOOL)[0]
            self._contexts.append(Context(pivot, kept, outcome))
            results.append([self.take(result) for result in branch()])
            self._contexts.pop()
        merged = []
        for no_value, yes_value in zip(*results, strict=True):
            dtype = self.dtypes[no_value]
            merged.append(self._node("Merge", [no_value, yes_value], [dtype, INT32], T=dtype, N=2)[0])
        return merged

    def loop(
        self,
        condition: Callable[[Sequence[Value]], Value],
        body: Callable[[Sequence[Value]], Sequence[Value]],
        first: Sequence[Value],
    ) -> list[Value]:
        first = [self.take(value) for value in first]
        frame = self._name("while")
        dtypes = [self.dtypes[value] for value in first]
        entered = [
            self._node("Enter", [v], [d], T=d, frame_name=frame, is_constant=False, parallel_iterations=10)[0]
            for v, d in zip(first, dtypes, strict=True)
        ]
        self._contexts.append(Context("", frame=frame))
        merges = [self._node("Merge", [e, e], [d, INT32], T=d, N=2)[0] for e, d in zip(entered, dtypes, strict=True)]
        merge_nodes = [next(n for n in reversed(self.nodes) if n.name == merge) for merge in merges]
        self._contexts[-1].pivot = merges[0]
        goes_on = self._node("LoopCond", [self.take(condition(merges))], [BOOL])[0]
        switched = [self._node("Switch", [m, goes_on], [d, d], T=d) for m, d in zip(merges, dtypes, strict=True)]
        inside = [self._node("Identity", [s[1]], [d], T=d)[0] for s, d in zip(switched, dtypes, strict=True)]
        self._contexts[-1].pivot = inside[0]
        turned = [self.take(value) for value in body(inside)]
        nexts = [self._node("NextIteration", [v], [d], T=d)[0] for v, d in zip(turned, dtypes, strict=True)]
        for node, enter, back in zip(merge_nodes, entered, nexts, strict=True):
            node.inputs = [enter, back]
        self._contexts.pop()
        return [self._node("Exit", [s[0]], [d], T=d)[0] for s, d in zip(switched, dtypes, strict=True)]
