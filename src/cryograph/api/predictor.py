"""A compiled model as a callable: feeds by name, by position or by a signature's names; answers by the names asked
for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..base.dtypes import DType
from ..base.errors import InputError, UnknownNameError, nearest
from ..base.shapes import Shape, compatible, show
from ..base.tensors import Array, Tensor, to_bytes
from ..engines.engine import Runner
from ..program.program import Program, State


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output of a predictor: the name that users say, the tensor that it is, and what is known of it."""

    name: str
    tensor: str
    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {show(self.shape)}"


def from_the_start(run: Runner, program: Program) -> Runner:
    """A runner without state of one with: each call begins with the values that the model holds, and what it writes is
    seen by itself only. A session is what remembers."""
    if not program.state:
        return run
    count = len(program.outputs)

    def first(state: State) -> Array:
        if state.initial is not None:
            return state.initial.numpy()
        spec = program.specs[state.value]  # it is written before it is read
        return np.zeros([size or 0 for size in spec.shape or ()], spec.dtype.numpy)

    def begun(feeds: Sequence[Array]) -> list[Array]:
        return run([*feeds, *map(first, program.state)])[:count]

    return begun


class Predictor:
    """What `Model.compile` gives. `inputs` and `outputs` tell what goes in and comes out, in order.

    Call it with one dict (`predict({"input:0": x})`), with arrays in the order of `inputs`, or with keywords (a
    signature's names). The answer is a dict by the names under which the outputs were asked for. Strings go in as
    str, bytes or numpy strings of any kind and come out as object arrays of bytes. Calls from several threads are safe.
    `run` is the bare runner: arrays of exactly the right kind in the order of `inputs`, answers in that of `outputs`.
    """

    __slots__ = ("_by_name", "inputs", "outputs", "pieces", "run")

    def __init__(
        self, run: Runner, inputs: Sequence[Slot], outputs: Sequence[Slot], pieces: tuple[str, ...] = ()
    ) -> None:
        self.run = run
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.pieces = pieces
        self._by_name: dict[str, int] = {}
        for index, slot in enumerate(self.inputs):
            for name in (slot.tensor, slot.tensor.removesuffix(":0"), slot.name):
                self._by_name[name] = index

    def __call__(self, *args: Any, **named: ArrayLike) -> dict[str, Array]:
        """Runs the model; InputError for feeds that are missing, too many, or of the wrong dtype or shape."""
        feeds: dict[str, Any] = {}
        if len(args) == 1 and isinstance(args[0], Mapping):
            feeds.update(args[0])
            args = ()
        feeds.update(named)
        values: list[Array | None] = [None] * len(self.inputs)
        if len(args) > len(values):
            raise InputError(f"{len(args)} inputs were given; the model takes {self._signature()}.")
        for index, value in enumerate(args):
            values[index] = fitted(value, self.inputs[index])
        for name, value in feeds.items():
            index = self.index(name)
            if values[index] is not None:
                raise InputError(f"The input {self.inputs[index].name!r} was given twice.")
            values[index] = fitted(value, self.inputs[index])
        absent = [slot.name for slot, value in zip(self.inputs, values, strict=True) if value is None]
        if absent:
            raise InputError(f"No value was given for {', '.join(absent)}; the model takes {self._signature()}.")
        answers = self.run([value for value in values if value is not None])
        return {slot.name: answer for slot, answer in zip(self.outputs, answers, strict=True)}

    def _signature(self) -> str:
        return "; ".join(map(str, self.inputs)) or "no inputs"

    def index(self, name: str) -> int:
        """The place of an input among `inputs`; UnknownNameError with the nearest names."""
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name.get(str(name).removeprefix("import/"))
        if found is None:
            raise UnknownNameError(
                f"The model has no input {name!r}." + nearest(str(name), [s.name for s in self.inputs])
            )
        return found

    def __repr__(self) -> str:
        return f"<Predictor ({self._signature()}) -> ({'; '.join(map(str, self.outputs))})>"


def fitted(value: ArrayLike | Tensor, slot: Slot) -> Array:
    """The array that is fed for `value`: of the slot's dtype, where that loses nothing that users mean; InputError
    otherwise. Python numbers and float64 arrays become float32, integers any wider kind; floats never become
    integers."""
    array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    wanted = slot.dtype.numpy
    if slot.dtype.is_string:
        array = to_bytes(array) if array.dtype.kind in "SUO" else _wrong_dtype(array, slot)
    elif wanted is not None and array.dtype != wanted:
        if not _may_become(array, wanted):
            _wrong_dtype(array, slot)
        converted = array.astype(wanted)
        if array.dtype.kind in "iu" and wanted.kind in "iu" and not np.array_equal(converted, array):
            raise InputError(f"The values given for {slot.name!r} do not fit into {slot.dtype}.")
        array = converted
    if not compatible(array.shape, slot.shape):
        raise InputError(
            f"The input {slot.name!r} has the shape {show(slot.shape)}, but an array of {show(array.shape)} was given."
            + _shape_hint(array.shape, slot.shape)
        )
    return array


def _may_become(array: Array, wanted: np.dtype[Any]) -> bool:
    have, want = array.dtype, wanted
    if have.kind == "b" or want.kind == "b":
        return have.kind == want.kind
    if have.kind in "iu":
        return want.kind != "O"
    if have.kind in "OSU":
        return False
    is_float = want.kind == "f" or want.name.startswith(("bfloat", "float"))
    return is_float or want.kind == "c"


def _wrong_dtype(array: Array, slot: Slot) -> Array:
    raise InputError(f"The input {slot.name!r} is {slot.dtype}, but an array of {array.dtype} was given.")


def _shape_hint(given: tuple[int, ...], wanted: Shape) -> str:
    if wanted is None:
        return ""
    if len(given) + 1 == len(wanted) and compatible((1, *given), wanted):
        return " A batch is expected: add a first dimension, x[None]."
    if len(given) == len(wanted) == 4 and compatible((given[0], given[2], given[3], given[1]), wanted):
        return " The channels come last here: x.transpose(0, 2, 3, 1)."
    return ""
