"""Steps of training that a file does not hold: the loss of a program, its derivatives, and an optimizer of optax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.tensors import Array
from ...program.program import Program
from .context import apart, join
from .engine import Compiled, Traced, checked, exact, the_optax


class _Step(Traced):
    """A program with its optimizer as one function: feeds, state, what the optimizer keeps -> results, new state, what
    the optimizer keeps then. State that is not trained is what the program makes of it."""

    def __init__(self, program: Program, trained: Sequence[int], optimizer: Any, kept: Any, count: int) -> None:
        super().__init__(program)
        self.trained, self.optimizer, self.kept = list(trained), optimizer, kept
        self.names = (*self.names, *(f"optimizer/{i}" for i in range(count)))

    def call(self, feeds: Sequence[Any], big: Sequence[Any], seeds: Any, moved: Any = None) -> list[Any]:
        """The first result is the loss."""
        jax, inputs, states = self.jax, len(self.program.inputs), len(self.program.state)
        fed, state, leaves = feeds[:inputs], list(feeds[inputs : inputs + states]), feeds[inputs + states :]

        def total(weights: Sequence[Any]) -> tuple[Any, tuple[list[Any], Any]]:
            held = list(state)
            for place, value in zip(self.trained, weights, strict=True):
                held[place] = value
            results, code = apart(lambda: super(_Step, self).call([*fed, *held], big, seeds))
            loss = jax.numpy.asarray(results[0])
            if loss.dtype.kind not in "fV":
                raise InputError(f"A loss is a float; {loss.dtype} cannot be differentiated.")
            return loss.sum(), (results, code)

        weights = [state[place] for place in self.trained]
        (_, (results, code)), slopes = jax.value_and_grad(total, has_aux=True)(weights)
        join(code)
        kept = jax.tree_util.tree_unflatten(self.kept, leaves)
        updates, kept = self.optimizer.update(slopes, kept, weights)
        after = results[len(self.program.outputs) :]
        for place, weight, update in zip(self.trained, weights, updates, strict=True):
            after[place] = (weight + update).astype(weight.dtype)
        return [*results[: len(self.program.outputs)], *after, *jax.tree_util.tree_leaves(kept)]


class Trainer:
    """Trains state of a program, step by step. `trained` are the places of the variables in `program.state`; the first
    output is the loss. `optimizer` is one of optax's, or the learning rate of Adam (None: 0.001)."""

    def __init__(self, program: Program, trained: Sequence[int], optimizer: Any, state: Sequence[Array]) -> None:
        self._program = checked(program)
        rate = 1e-3 if optimizer is None else optimizer
        chosen = the_optax().adam(rate) if isinstance(rate, float) else rate
        if not (hasattr(chosen, "init") and hasattr(chosen, "update")):
            kind = type(optimizer).__name__
            raise InputError(f"An optimizer of optax was expected (optax.adam(1e-3)), but a {kind} came.")
        traced = Traced(self._program)
        with exact(traced.jax):
            weights = [traced.jax.numpy.asarray(state[place]) for place in trained]
            leaves, kept = traced.jax.tree_util.tree_flatten(chosen.init(weights))
        self._state = list(state)
        self._leaves: list[Any] = [np.asarray(leaf) for leaf in leaves]
        step = _Step(self._program, trained, chosen, kept, len(leaves))
        self._step = Compiled(self._program, step)
        self._look = Compiled(self._program, traced)
        self._spare: list[Any] = []

    def step(self, feeds: Sequence[Array], seeds: Array) -> list[Any]:
        """One step; gives the outputs before it."""
        count, states = len(self._program.outputs), len(self._state)
        before = [*self._state, *self._leaves]
        spare, self._spare = self._spare, []  # it is gone, whatever becomes of the step
        made = self._step.run([*feeds, *before], seeds, spare)
        # Handed on as it was is what no step changes; all the rest is memory for the step after the next.
        self._spare = [value for value in before if not any(value is new for new in made)]
        self._state, self._leaves = made[count : count + states], made[count + states :]
        return made[:count]

    def look(self, feeds: Sequence[Array], seeds: Array) -> list[Array]:
        """The outputs; nothing is trained, and what the program would write is not kept."""
        return [np.asarray(v) for v in self._look.run([*feeds, *self._state], seeds)[: len(self._program.outputs)]]

    @property
    def state(self) -> list[Array]:
        """The values of all state."""
        return [np.asarray(value) for value in self._state]

    @property
    def kept(self) -> list[Array]:
        """What the optimizer keeps, as arrays."""
        return [np.asarray(leaf) for leaf in self._leaves]

    def restore(self, state: Sequence[Array], kept: Sequence[Array]) -> None:
        """Goes on from values that a former run left. InputError when they are of another optimizer."""
        mine = [(leaf.shape, leaf.dtype) for leaf in self._leaves]
        theirs = [(leaf.shape, leaf.dtype) for leaf in kept]
        if mine != theirs:
            raise InputError("The checkpoint was written with another optimizer; give the one that it began with.")
        self._state, self._leaves, self._spare = list(state), list(kept), []
