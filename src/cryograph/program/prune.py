"""Takes out of a draft what nobody reads and has no effect: ops, constants, results of branches, variables of loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .draft import BRANCHES, LOOPS, Draft, Op
from .effects import has_effect


def prune(draft: Draft) -> None:
    """Prunes a draft whose ops stand in running order. Its inputs and results keep their places."""
    live = set(draft.results)
    renamed: dict[str, str] = {}
    kept: list[Op] = []
    for op in reversed(draft.ops.values()):
        read = [index for index, value in enumerate(op.outputs) if value in live]
        if not read and not has_effect(op):
            continue
        if op.op in BRANCHES:
            _shrink_branches(op, read, renamed)
        elif op.op in LOOPS:
            _shrink_loop(op, read, renamed)
        live.update(op.inputs)
        kept.append(op)
    kept.reverse()
    draft.ops = {op.key: op for op in kept}
    draft.constants = {value: tensor for value, tensor in draft.constants.items() if value in live}
    if renamed:
        for op in kept:
            op.inputs = [renamed.get(value, value) for value in op.inputs]
        draft.results = [renamed.get(value, value) for value in draft.results]
        for before, after in renamed.items():
            if before in draft.facts:
                draft.facts[after] = draft.facts[before]


def _shrink_branches(op: Op, read: Sequence[int], renamed: dict[str, str]) -> None:
    """Leaves the branches only the results that are read, and the inputs that they need for those."""
    bodies = list(op.bodies.values())
    if len(read) < op.count:
        for body in bodies:
            body.results = [body.results[index] for index in read]
            prune(body)
        _renumber(op, read, renamed)
    used = {index for body in bodies for index in _used_inputs(body, body.results, all_ops=True)}
    if len(used) < len(op.inputs) - 1:
        places = sorted(used)
        for body in bodies:
            body.inputs = [body.inputs[index] for index in places]
        op.inputs = [op.inputs[0], *(op.inputs[index + 1] for index in places)]


def _shrink_loop(op: Op, read: Sequence[int], renamed: dict[str, str]) -> None:
    """Leaves a loop only the variables that are read afterwards or needed to go on."""
    cond, body = op.bodies["cond"], op.bodies["body"]
    needed = set(read) | _used_inputs(cond, cond.results, all_ops=True)
    needed |= _used_inputs(body, (), all_ops=False)
    while True:
        results = [body.results[index] for index in sorted(needed)]
        more = needed | _used_inputs(body, results, all_ops=False)
        if len(more) == len(needed):
            break
        needed = more
    if len(needed) == op.count:
        return
    places = sorted(needed)
    for part in (cond, body):
        part.inputs = [part.inputs[index] for index in places]
    body.results = [body.results[index] for index in places]
    prune(body)
    op.inputs = [op.inputs[index] for index in places]
    _renumber(op, places, renamed)


def _renumber(op: Op, places: Sequence[int], renamed: dict[str, str]) -> None:
    for after, before in enumerate(places):
        if after != before:
            renamed[f"{op.key}:{before}"] = f"{op.key}:{after}"
    op.count = len(places)


def _used_inputs(draft: Draft, results: Iterable[str], all_ops: bool) -> set[int]:
    """The places of the inputs that results need; with `all_ops` those that any op takes, else also those of ops with
    effects."""
    values = set(results)
    if all_ops:
        for op in draft.ops.values():
            values.update(op.inputs)
    else:
        for op in reversed(draft.ops.values()):
            if any(value in values for value in op.outputs) or has_effect(op):
                values.update(op.inputs)
    return {index for index, value in enumerate(draft.inputs) if value in values}
