"""Programs with their derivatives: how the sum of an output changes with variables, inputs, constants or any value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...base.errors import InputError
from ...base.tensors import Array
from ...program.program import Program
from .context import apart, join
from .engine import Compiled, Traced, checked


class Slopes(Traced):
    """A program whose results are its own and then the derivatives of its first output by the values `wrt`."""

    def __init__(self, program: Program, wrt: Sequence[str]) -> None:
        super().__init__(program)
        self._wrt = [self.plan.slots[name] for name in wrt]

    def call(
        self, feeds: Sequence[Any], big: Sequence[Any], seeds: Any, moved: Mapping[int, Any] | None = None
    ) -> list[Any]:
        """All results and the derivatives.

        Derivatives are those by what is added to a value, so that they can be asked for where nothing is fed.
        """
        xp = self.jax.numpy
        given = dict(zip(self.plan.entries, feeds, strict=True))
        if set(self._wrt) <= given.keys():
            seen: Sequence[Any] = [given[slot] for slot in self._wrt]
        else:
            seen = self.jax.eval_shape(lambda: apart(lambda: self._values(feeds, big, seeds))[0])
        nothing = [xp.zeros(value.shape, value.dtype) for value in seen]

        def total(added: Sequence[Any]) -> tuple[Any, tuple[list[Any], Any]]:
            moved = dict(zip(self._wrt, added, strict=True))
            results, code = apart(lambda: super(Slopes, self).call(feeds, big, seeds, moved))
            loss = xp.asarray(results[0])
            if loss.dtype.kind not in "fV":
                raise InputError(f"A loss is a float; {loss.dtype} cannot be differentiated.")
            return loss.sum(), ([0 if _is_text(result) else result for result in results], code)

        (_, (results, code)), slopes = self.jax.value_and_grad(total, has_aux=True)(nothing)
        join(code)
        return [*results, *slopes]

    def _values(self, feeds: Sequence[Any], big: Sequence[Any], seeds: Any) -> list[Any]:
        with self.jax.default_matmul_precision("float32"):
            return [
                self.jax.numpy.asarray(value)
                for value in self.plan.run(self.jax, self.unknown, feeds, big, seeds, watched=self._wrt)
            ]


def _is_text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object


class Differentiated:
    """A callable from the program's inputs and state to its results and the derivatives of its first output."""

    def __init__(self, program: Program, wrt: Sequence[str]) -> None:
        whole = checked(program)
        self._count = len(program.outputs) + len(program.state)
        self._compiled = Compiled(whole, Slopes(whole, wrt))

    def __call__(self, arrays: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        made = self._compiled.run(arrays)
        found = [np.asarray(value) for value in made]
        return found[: self._count], found[self._count :]
