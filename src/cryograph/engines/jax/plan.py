"""Runs the steps of a program on values of which JAX may know shapes alone: what is traced, compiled, differentiated.

A step whose inputs are all numpy arrays is worked out by the reference engine while the program is traced: shapes, and
what follows from them, never get into compiled code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...base.errors import Error, RunError
from ...base.shapes import show
from ...program.program import Program, Step
from ..numpy.context import Context, Rule, parameters
from ..numpy.rules import RULES as PLAIN
from .context import JaxContext, NeedsValue, at_step, known
from .hosted import ANEW
from .random import DRAWING
from .rows import Rows, is_list

ASSERT = "Assert"
"""The op that takes strings and numbers: it tells what it can, and need not know them all."""

BIG = 4096
"""Bytes from which on a constant is handed to the compiled program, and is not a part of it."""


class _Action:
    """One step with everything looked up."""

    __slots__ = ("bodies", "dtypes", "inputs", "kwargs", "outputs", "plain", "plain_kwargs", "rule", "step")

    def __init__(self, program: Program, step: Step, rules: Mapping[str, Rule], slots: Mapping[str, int]) -> None:
        self.step = step
        self.rule = rules[step.op]
        self.kwargs = _taken(step, self.rule)
        is_own = bool(step.bodies) or step.op == ASSERT or _differs_each_run(step)
        self.plain = None if is_own else PLAIN.get(step.op)
        self.plain_kwargs = {} if self.plain is None else _taken(step, self.plain)
        self.inputs = tuple(slots[name] for name in step.inputs)
        self.outputs = tuple(slots[name] for name in step.outputs)
        self.dtypes = tuple(program.specs[name].dtype.base for name in step.outputs)
        self.bodies = {name: Plan(body, rules) for name, body in step.bodies.items()}


def _taken(step: Step, rule: Rule) -> dict[str, Any]:
    return {name: value for name, value in step.attrs.items() if name in parameters(rule)}


def _differs_each_run(step: Step) -> bool:
    return step.op in DRAWING | ANEW and not step.attrs.get("seed") and not step.attrs.get("seed2")


class Plan:
    """A program with values in numbered slots."""

    def __init__(self, program: Program, rules: Mapping[str, Rule]) -> None:
        self.program = program
        slots: dict[str, int] = {}
        names = [*program.constants, *program.inputs, *(s.value for s in program.state)]
        names += [name for step in program.steps for name in step.outputs]
        for name in names:
            slots.setdefault(name, len(slots))
        self.slots = slots
        self.entries = [slots[name] for name in (*program.inputs, *(s.value for s in program.state))]
        self.results = [slots[name] for name in (*program.outputs, *(s.result for s in program.state))]
        self.actions = [_Action(program, step, rules, slots) for step in program.steps]
        used = {slot for action in self.actions for slot in action.inputs} | set(self.results)
        self.constants = {slots[name]: tensor for name, tensor in program.constants.items() if slots[name] in used}
        self.big = [slot for slot, tensor in self.constants.items() if tensor.nbytes > BIG]
        self.draws: bool = any(
            _differs_each_run(a.step) or any(p.draws for p in a.bodies.values()) for a in self.actions
        )

    def run(
        self,
        jax: Any,
        unknown: tuple[type[Exception], ...],
        feeds: Sequence[Any],
        big: Sequence[Any] | None = None,
        seeds: Any = None,
        moved: Mapping[int, Any] | None = None,
        watched: Sequence[int] | None = None,
    ) -> list[Any]:
        """Runs all steps. `big` are the values of big constants where they are not to be a part of what is traced;
        `moved` is added to slots, so that their derivatives can be asked for. With `watched` the values of these
        slots are given, and not the results."""
        values: list[Any] = [None] * len(self.slots)
        for slot, tensor in self.constants.items():
            values[slot] = tensor.numpy()
        for slot, value in zip(self.big, big or (), strict=False):
            values[slot] = value
        for slot, value in zip(self.entries, feeds, strict=True):
            values[slot] = value
        added = dict(moved or {})
        for slot, value in added.items():
            if values[slot] is not None:
                values[slot] = values[slot] + value
        with np.errstate(all="ignore"):
            for action in self.actions:
                made = self._step(jax, unknown, action, [values[slot] for slot in action.inputs], seeds)
                for slot, value in zip(action.outputs, made, strict=False):
                    values[slot] = value + added[slot] if slot in added else value
        return [values[slot] for slot in (self.results if watched is None else watched)]

    def _step(
        self, jax: Any, unknown: tuple[type[Exception], ...], action: _Action, inputs: Sequence[Any], seeds: Any
    ) -> Sequence[Any]:
        try:
            if action.plain is not None and any(_is_text(value) for value in inputs):
                inputs = [value if is_list(value) else known(value, "what is done to strings") for value in inputs]
            if action.plain is not None and all(isinstance(value, np.ndarray) for value in inputs):
                context = Context(np, action.step, action.dtypes, _no_bodies)
                return [_unboxed(value) for value in _arrays(action.plain(context, *inputs, **action.plain_kwargs))]

            def run_body(name: str, values: Sequence[Any]) -> list[Any]:
                return action.bodies[name].run(jax, unknown, values, seeds=seeds)

            held = JaxContext(jax.numpy, action.step, action.dtypes, run_body, jax, seeds, unknown)
            with at_step(_where(action.step)):
                made = action.rule(held, *inputs, **action.kwargs)
            return made if isinstance(made, tuple) else (made,)
        except NeedsValue as error:
            raise NeedsValue(f"{_where(action.step)}: {error}", action.step.inputs) from error
        except Error as error:
            raise type(error)(f"{_where(action.step)}: {error}") from error
        except unknown as error:
            reason = str(error).splitlines()[0]
            raise NeedsValue(f"{_where(action.step)}: {reason}", action.step.inputs) from error
        except (ValueError, IndexError, TypeError, ArithmeticError, AttributeError, NotImplementedError) as error:
            said = (str(error).strip().splitlines() or [repr(error)])[0]
            raise RunError(f"{_where(action.step)}: {said}; inputs {_shapes(inputs)}.") from error


def _is_text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object and not is_list(value)


def _no_bodies(name: str, values: Sequence[Any]) -> list[Any]:
    raise RunError(f"the body {name} is not run here")


def _unboxed(value: Any) -> Any:
    """What a list of lists gave, as rows where a loop made it."""
    held = value.item() if value.dtype == object and not value.ndim else None
    return held if isinstance(held, Rows) else value


def _arrays(made: Any) -> tuple[Any, ...]:
    values = made if isinstance(made, tuple) else (made,)
    return tuple(
        v if isinstance(v, np.ndarray) else np.array(v, object) if isinstance(v, bytes) else np.asarray(v)
        for v in values
    )


def _where(step: Step) -> str:
    return f"node {step.name!r} ({step.origin})"


def _shapes(inputs: Sequence[Any]) -> str:
    return ", ".join("a list" if isinstance(i, Rows) else f"{i.dtype} {show(tuple(i.shape))}" for i in inputs)
