"""TF1's control flow becomes While and If, in a draft and in all that are inside of it."""

from __future__ import annotations

from ..base.errors import LimitError
from .conditionals import structure_conditionals
from .draft import Draft
from .loops import structure_loops

MAX_NESTING = 100
"""How deep loops and conditionals may stand in each other: later passes, and engines, recurse into them."""


def structure(draft: Draft, producer: int) -> None:
    """Structures a draft: loops first, as conditionals may stand around them, then conditionals, then the bodies."""
    waiting = [(draft, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise LimitError(f"Loops and conditionals stand in each other more than {MAX_NESTING} deep.")
        structure_loops(current)
        structure_conditionals(current, producer)
        waiting += [(body, depth + 1) for op in current.ops.values() for body in op.bodies.values()]
