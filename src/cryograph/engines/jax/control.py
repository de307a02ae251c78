"""Branches, loops and scans inside of a compiled program.

1. A branch whose condition is known is the branch; else `lax.cond` (of several, `lax.switch`).
2. A loop that hands on a value as it is has that value as a constant.
3. A loop whose number of turns is known is a `lax.scan`, which can be differentiated; one whose shapes change from
   turn to turn, or that needs to know the turn, is written out turn by turn, up to UNROLLED.
4. Any other loop is a `lax.while_loop`.

A program that is run step by step, not compiled, knows all conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError
from ..numpy.context import Rule
from .context import JaxContext, NeedsValue, apart, check, is_known, join, known
from .rows import as_rows, count_of, element_shape, is_list, list_of, tree, with_room, without_room
from .turns import known_turns

UNROLLED = 512
"""Turns of a loop that are written out at most."""


def truth(x: Any) -> Any:
    """Whether a condition holds: a scalar by its value, a string when it is not empty, any other array when it has
    elements."""
    if x.ndim:
        return x.size > 0
    if is_known(x):
        return bool(known(x).item())
    return x != 0 if x.dtype != bool else x


def _if(ctx: JaxContext, cond: Any, *inputs: Any) -> tuple[Any, ...]:
    chosen = truth(cond)
    if isinstance(chosen, bool):
        return tuple(ctx.run_body("then_branch" if chosen else "else_branch", inputs))
    return _chosen(ctx, chosen.astype(np.int32), ["else_branch", "then_branch"], inputs)


def _case(ctx: JaxContext, branch_index: Any, *inputs: Any) -> tuple[Any, ...]:
    count = sum(name.startswith("branches:") for name in ctx.step.bodies)
    names = [f"branches:{i}" for i in range(count)]
    if is_known(branch_index):
        index = int(known(branch_index))
        return tuple(ctx.run_body(names[index if 0 <= index < count else count - 1], inputs))
    index = ctx.xp.where((branch_index >= 0) & (branch_index < count), branch_index, count - 1)
    return _chosen(ctx, index, names, inputs)


def _chosen(ctx: JaxContext, index: Any, names: Sequence[str], inputs: Sequence[Any]) -> tuple[Any, ...]:
    def branch(name: str) -> Callable[[], Any]:
        return lambda: apart(lambda: [tree(ctx, value) for value in ctx.run_body(name, inputs)])

    try:
        made, code = ctx.lax.switch(index, [branch(name) for name in names])
    except TypeError as error:
        if "branch" not in str(error) and "cond" not in str(error):
            raise
        raise NeedsValue(f"the branches give values of several shapes: {str(error).splitlines()[0]}") from error
    join(code)
    return tuple(made)


def _while(ctx: JaxContext, *inputs: Any, maximum_iterations: int | None = None) -> tuple[Any, ...]:
    turns = known_turns(ctx.step, inputs)
    if turns is None and all(is_known(value) for value in inputs):  # it runs step by step
        return _step_by_step(ctx, inputs)
    if turns is not None and turns < 2:
        return _written_out(ctx, turns, inputs)
    if turns is None:
        return _until(ctx, inputs)
    try:
        return _loop(ctx, turns, inputs)
    except RunError as error:
        if turns > UNROLLED:
            raise NeedsValue(f"a loop of {turns} turns is too long to be written out: {error}") from error
    return _written_out(ctx, turns, inputs)


def _step_by_step(ctx: JaxContext, inputs: Sequence[Any]) -> tuple[Any, ...]:
    values = list(inputs)
    while truth(ctx.run_body("cond", values)[0]):
        values = ctx.run_body("body", values)
    return tuple(values)


def _written_out(ctx: JaxContext, turns: int, inputs: Sequence[Any]) -> tuple[Any, ...]:
    values = list(inputs)
    for _ in range(turns):
        values = ctx.run_body("body", values)
    return tuple(values)


class _Carried:
    """The values that change from turn to turn; what a loop hands on as it is stays what it is."""

    def __init__(self, ctx: JaxContext, inputs: Sequence[Any], turns: int | None) -> None:
        body = ctx.body("body")
        self.ctx, self.inputs, self.turns = ctx, inputs, turns
        self.places = [i for i, name in enumerate(body.outputs) if name != body.inputs[i]]
        self.growth = dict.fromkeys(self.places, 0)
        self.shapes: dict[int, tuple[int, ...] | None] = {}
        lists = [i for i in self.places if is_list(inputs[i])]
        if lists:
            self._look_at(lists)

    def _look_at(self, lists: Sequence[int]) -> None:
        """Finds out by one turn what becomes of the lists."""
        made: dict[int, Any] = {}

        def turn(arrays: Sequence[Any]) -> int:
            values = list(self.inputs)
            rest = iter(arrays)
            for place in self.places:
                if place not in lists:
                    values[place] = next(rest)
            found, _ = apart(lambda: self.ctx.run_body("body", values))
            made.update({place: found[place] for place in lists})
            return 0

        self.ctx.jax.eval_shape(turn, [tree(self.ctx, self.inputs[i]) for i in self.places if i not in lists])
        for place in lists:
            self.growth[place] = count_of(made[place]) - count_of(self.inputs[place])
            self.shapes[place] = element_shape(made[place])
            if self.growth[place] and self.turns is None:
                raise NeedsValue("a list grows in a loop of which nobody knows how often it turns")

    def start(self) -> list[Any]:
        """What the loop starts with."""
        made = []
        for place in self.places:
            value = self.inputs[place]
            if is_list(value):
                rows = as_rows(self.ctx, list_of(value), element_shape(value) or self.shapes[place])
                if self.growth[place]:
                    rows = with_room(self.ctx, rows, self.growth[place], self.turns or 0)
                made.append(rows)
            else:
                made.append(tree(self.ctx, value))
        return made

    def values(self, carried: Sequence[Any]) -> list[Any]:
        """All values of a turn."""
        held = list(self.inputs)
        for place, value in zip(self.places, carried, strict=True):
            held[place] = value
        return held

    def turn(self, held: tuple[Any, Sequence[Any]]) -> tuple[Any, list[Any]]:
        """One turn; before the values stands the number of the check that failed."""
        before, carried = held
        made, code = apart(lambda: self.ctx.run_body("body", self.values(carried)))
        return self.ctx.xp.where(before == 0, code, before), [tree(self.ctx, made[i]) for i in self.places]

    def end(self, carried: Sequence[Any]) -> tuple[Any, ...]:
        """All values after the loop."""
        made = self.values(carried)
        for place, growth in self.growth.items():
            if growth:
                made[place] = without_room(made[place], count_of(self.inputs[place]) + growth * (self.turns or 0))
        return tuple(made)


def _until(ctx: JaxContext, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """A loop that goes on while the program finds that it does."""
    held = _Carried(ctx, inputs, None)

    def looked(code: Any, values: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
        """Whether another turn follows. It is found out at the end of a turn, as a loop's own condition tells nothing
        of what fails in it."""
        (found,), later = apart(lambda: ctx.run_body("cond", held.values(values)))
        code = ctx.xp.where(code == 0, later, code)
        return code, ctx.xp.asarray(truth(found)) & (code == 0), values

    def turn(carried: tuple[Any, Any, Sequence[Any]]) -> tuple[Any, Any, Sequence[Any]]:
        return looked(*held.turn((carried[0], carried[2])))

    start = looked(np.int32(0), held.start())
    must_agree(ctx, start, ctx.jax.eval_shape(turn, start))
    code, _, last = ctx.lax.while_loop(lambda carried: carried[1], turn, start)
    join(code)
    return held.end(last)


def _loop(ctx: JaxContext, turns: int, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """A loop of which the number of turns is known."""
    held = _Carried(ctx, inputs, turns)
    start = (np.int32(0), held.start())
    must_agree(ctx, start, ctx.jax.eval_shape(held.turn, start))
    (code, last), _ = ctx.lax.scan(lambda carried, _: (held.turn(carried), None), start, None, length=turns)
    join(code)
    return held.end(last)


def must_agree(ctx: JaxContext, start: Any, later: Any) -> None:
    """NeedsValue where a turn leaves another form than it found."""
    flat = [ctx.jax.tree_util.tree_flatten(held) for held in (start, later)]
    if flat[0][1] != flat[1][1]:
        raise NeedsValue("a list of a loop has not the same form in every turn")
    for a, b in zip(flat[0][0], flat[1][0], strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise NeedsValue(f"a value of a loop is {a.dtype} {a.shape} first and {b.dtype} {b.shape} later")


def _scan(
    ctx: JaxContext, turns: Any, *inputs: Any, carried: int, sequences: int, each_turn: Sequence[bool], cells: object
) -> tuple[Any, ...]:
    """A loop along tensors, as `program.scans` describes it."""
    rows = [int(known(r, "the rows of a scan")) for r in inputs[: len(each_turn)]]
    count = max(0, int(known(turns, "the turns of a scan")))
    first = list(inputs[len(each_turn) : len(each_turn) + carried])
    start = len(each_turn) + carried
    read, outer = inputs[start : start + sequences], inputs[start + sequences :]
    body = ctx.body("body")
    if not count:
        return (*first, *(_blank(ctx, body, i, n) for i, n in enumerate(rows, carried)))

    def turn(held: tuple[Any, Sequence[Any]], at: Any) -> Any:
        before, values = held
        number, parts = at
        made, code = apart(lambda: ctx.run_body("body", [number, *values, *parts, *outer]))
        code = ctx.xp.where(before == 0, code, before)
        return (code, [tree(ctx, v) for v in made[:carried]]), [ctx.xp.asarray(v) for v in made[carried:]]

    held = (np.int32(0), [tree(ctx, value) for value in first])
    elements = [ctx.xp.asarray(x)[:count] for x in read]
    must_agree(ctx, held, ctx.jax.eval_shape(lambda c: turn(c, (np.int32(0), [x[0] for x in elements]))[0], held))
    (code, last), stacked = ctx.lax.scan(turn, held, (np.arange(count, dtype=np.int32), elements))
    join(code)
    made = []
    for each, n, whole in zip(each_turn, rows, stacked, strict=True):
        kept = whole if each else whole[-1:]
        made.append(ctx.xp.pad(kept, [(0, n - len(kept)), *[(0, 0)] * (kept.ndim - 1)]) if n > len(kept) else kept[:n])
    return (*last, *made)


def _blank(ctx: JaxContext, body: Any, place: int, rows: int) -> Any:
    spec = body.specs[body.outputs[place]]
    return ctx.xp.zeros((rows, *(size or 0 for size in spec.shape or ())), spec.dtype.numpy)


def _assert(ctx: JaxContext, condition: Any, *data: Any, summarize: int = 3) -> tuple[()]:
    """What is told beside is what is known when the program is compiled: the words, seldom the numbers."""
    told = (known(item).reshape(-1)[: summarize if summarize >= 0 else None] for item in data if is_known(item))
    shown = "; ".join(str(item.tolist()) for item in told)
    check(ctx.xp.logical_not(condition) if not is_known(condition) else ~known(condition), _failed(shown))
    return ()


def _failed(shown: str) -> str:
    return f"the assertion failed: {shown}" if shown else "the assertion failed"


def _ref_select(ctx: JaxContext, index: Any, *inputs: Any) -> Any:
    place = int(known(index, "which is chosen"))
    if not 0 <= place < len(inputs):
        raise RunError(f"there is no input {place} among {len(inputs)}")
    return inputs[place]


RULES: dict[str, Rule] = {
    "Assert": _assert,
    "Case": _case,
    "If": _if,
    "RefSelect": _ref_select,
    "StatelessCase": _case,
    "StatelessIf": _if,
    "StatelessWhile": _while,
    "While": _while,
    "cryograph.Scan": _scan,
}
