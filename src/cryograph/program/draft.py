"""A program under construction: ops that passes may change, over named values.

Passes turn one draft into what they say; `settle` makes the Program at the end. A value is called `key:index` after the
op that makes it. The bodies of If, While and Case are drafts of their own, with their own names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import GraphError
from ..base.tensors import Tensor
from ..ops.facts import Fact

BRANCHES = frozenset({"Case", "If", "StatelessCase", "StatelessIf"})
LOOPS = frozenset({"StatelessWhile", "While"})
"""Ops that run one of their bodies, and ops that run their bodies until a condition fails."""

TESTS = frozenset({"comparator", "cond"})
"""Bodies that only say yes or no: of loops, and of XLA's sorts."""


@dataclass(slots=True)
class Op:
    """One op. `key` is its name in the draft, `name` the node's in the document, with the path of calls before it.

    `controls` are keys of ops that must have run before; `count` is the number of outputs.
    """

    key: str
    name: str
    op: str
    inputs: list[str]
    controls: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)
    count: int = 1
    bodies: dict[str, Draft] = field(default_factory=dict)

    @property
    def outputs(self) -> list[str]:
        """The values that it makes."""
        if self.count == 1:
            return [f"{self.key}:0"]
        return [f"{self.key}:{i}" for i in range(self.count)]

    def __str__(self) -> str:
        """As errors call it."""
        return f"{self.name!r} ({self.op})"


@dataclass(slots=True)
class Draft:
    """Ops from `inputs` to `results`, all names of values. What stands in `ops` and has an effect is run in any case.

    `constants` are values that no op makes. `facts` is what is known of each value, once `settle` has found it.
    """

    inputs: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    ops: dict[str, Op] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)

    def maker(self, value: str) -> Op | None:
        """The op that makes a value; None for an input or a constant."""
        return self.ops.get(key_of(value))

    def add(self, op: Op) -> Op:
        """Adds an op under a key that is free."""
        self.ops[op.key] = op
        return op

    def unique(self, key: str) -> str:
        """A key that neither an op nor an input has: `key`, `key_1`, ..."""
        if self._is_free(key):
            return key
        number = 1
        while not self._is_free(f"{key}_{number}"):
            number += 1
        return f"{key}_{number}"

    def _is_free(self, key: str) -> bool:
        value = f"{key}:0"
        return key not in self.ops and value not in self.constants and value not in self.inputs

    def copied(self) -> Draft:
        """A draft of its own with the same ops."""
        return Draft(list(self.inputs), list(self.results), dict(self.ops), dict(self.constants), dict(self.facts))

    def drafts(self) -> Iterator[Draft]:
        """This draft and all that stand in its ops."""
        waiting = [self]
        while waiting:
            draft = waiting.pop()
            yield draft
            for op in draft.ops.values():
                waiting.extend(op.bodies.values())


def key_of(value: str) -> str:
    """The key of the op that makes a value."""
    return value.rpartition(":")[0]


def index_of(value: str) -> int:
    """Which output of its op a value is."""
    return int(value.rpartition(":")[2])


def needs_of(op: Op) -> list[str]:
    """The keys of what an op takes from or waits for."""
    return [*map(key_of, op.inputs), *op.controls]


def in_order(
    ops: Mapping[str, Op], roots: Iterable[str] | None = None, needs: Callable[[Op], Iterable[str]] = needs_of
) -> list[Op]:
    """The ops that the roots need (all by default), each after what it needs; the order of `ops` decides between
    equals. GraphError for a cycle."""
    done: dict[str, bool] = {}
    order: list[Op] = []
    for root in ops if roots is None else roots:
        if root in done or root not in ops:
            continue
        stack = [(root, iter(needs(ops[root])))]
        done[root] = False
        while stack:
            key, wanted = stack[-1]
            for need in wanted:
                state = done.get(need)
                if state is None:
                    if need in ops:
                        done[need] = False
                        stack.append((need, iter(needs(ops[need]))))
                        break
                elif state is False:
                    cycle = [entry for entry, _ in stack]
                    cycle = [*cycle[cycle.index(need) :], need]
                    raise GraphError(f"The graph has a cycle outside of any loop: {' <- '.join(cycle[:8])}.")
            else:
                stack.pop()
                done[key] = True
                order.append(ops[key])
    return order
