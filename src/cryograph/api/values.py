"""Numbers as users give and see them: feeds from text, answers as text, the statistics of one tensor."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base.errors import InputError, UnknownNameError, nearest
from ..base.feeding import Slot
from ..base.files import Path, atomic_write, open_file
from ..base.images import IMAGE_SUFFIXES
from ..base.shapes import Shape, show
from ..base.tensors import Array, Tensor
from ..formats.arrays import read_npz
from ..graph.document import Document
from ..ops.picture_inputs import PictureInput, given_levels
from .pictures import fitted_picture

RANDOM_SEED = 0
FREE_SIZE = 1
"""What an unknown size becomes when an input is filled at random."""
NPY = b"\x93NUMPY"
"""How a .npy file begins."""
SHOWN = 8
"""Elements of an answer that are printed at each end."""


def parse_feeds(texts: Iterable[str], slots: Sequence[Slot], mean: float = 0.0, std: float = 1.0) -> dict[str, Array]:
    """The values of inputs by name, from texts as `parse_feed` takes them; InputError for an input that is named
    twice."""
    found: dict[str, Array] = {}
    for text in texts:
        name, value = parse_feed(text, slots, mean, std)
        if name in found:
            raise InputError(f"Two values are given for {name!r}; one was expected.")
        found[name] = value
    return found


def parse_feed(text: str, slots: Sequence[Slot], mean: float = 0.0, std: float = 1.0) -> tuple[str, Array]:
    """The input's name and value in `NAME=VALUE`; with one input the name may be left out.

    VALUE is a .npy file, a .npz file (`FILE.npz` or `FILE.npz:KEY`), a picture, `random`, or a number, string or list
    as in JSON. Pictures become (1, H, W, C) of the input's size, (pixel - mean) / std.
    """
    name, separated, value = text.partition("=")
    if not separated:
        if len(slots) != 1:
            raise InputError(f"{text!r} does not say which input it is; write NAME={text}.")
        name, value = slots[0].name, text
    slot = next((s for s in slots if name in (s.name, s.tensor, s.tensor.removesuffix(":0"))), None)
    if slot is None:
        raise UnknownNameError(f"The model has no input {name!r}." + nearest(name, [s.name for s in slots]))
    return slot.name, _value(value, slot, mean, std)


def _value(text: str, slot: Slot, mean: float, std: float) -> Array:
    lowered = text.lower()
    if lowered == "random":
        return random_feed(slot)
    if lowered.endswith(".npy"):
        return _load_numpy(text)
    file, _, key = text.rpartition(":") if ".npz:" in lowered else (text, "", "")
    if file.lower().endswith(".npz"):
        return _load_npz(file, key, slot)
    if lowered.endswith(IMAGE_SUFFIXES):
        return _picture(text, slot, mean, std)
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    if not slot.dtype.is_string and not isinstance(parsed, int | float | list):
        raise InputError(
            f"{text!r} is no value for {slot.name!r} ({slot.dtype} {show(slot.shape)}): a .npy or .npz file, a picture,"
            " `random`, or a number or list as in JSON was expected."
        )
    try:
        array = np.array(parsed, dtype=object if slot.dtype.is_string else None)
    except ValueError as error:
        raise InputError(f"The list given for {slot.name!r} is ragged; lists of one length were expected.") from error
    return array


def random_feed(slot: Slot, batch: int = FREE_SIZE) -> Array:
    """Standard normal numbers, or small integers, of the slot's shape; unknown sizes become 1, the first `batch`."""
    if slot.shape is None:
        raise InputError(f"The input {slot.name!r} has no known shape, so that it cannot be filled at random.")
    free = [batch] + [FREE_SIZE] * len(slot.shape)
    shape = tuple(free[place] if size is None else size for place, size in enumerate(slot.shape))
    generator = np.random.default_rng(RANDOM_SEED)
    if slot.dtype.is_string or slot.dtype.numpy is None:
        raise InputError(f"The input {slot.name!r} is {slot.dtype}; it cannot be filled at random.")
    if slot.dtype.name == "bool":
        return generator.random(shape) < 0.5
    if slot.dtype.is_floating or slot.dtype.is_complex:
        return generator.standard_normal(shape).astype(slot.dtype.numpy)
    return generator.integers(0, 100, shape).astype(slot.dtype.numpy)


def _load_numpy(path: str) -> Array:
    data = open_file(path).span().read()
    if not data.startswith(NPY):
        raise InputError(f"{path} is not a .npy file that can be read: it begins with {data[:8]!r}.")
    try:
        array: Array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:  # an array of Python's objects is a ValueError, too
        raise InputError(f"{path} is not a .npy file that can be read: {str(error).rstrip('.')}.") from error
    return array


def _load_npz(path: str, key: str, slot: Slot) -> Array:
    arrays = {name: variable.tensor for name, variable in read_npz(path).variables.items()}
    wanted = key or next(
        (n for n in (slot.name, slot.tensor, slot.tensor.removesuffix(":0")) if n in arrays),
        next(iter(arrays)) if len(arrays) == 1 else "",
    )
    tensor = arrays.get(wanted)
    if tensor is None:
        raise UnknownNameError(f"{path} has no array {wanted or slot.name!r}." + nearest(wanted or slot.name, arrays))
    return tensor.numpy()


def _picture(path: str, slot: Slot, mean: float, std: float) -> Array:
    shape = slot.shape
    if slot.dtype.is_string:
        data = open_file(path).span().read()
        return np.array(data if shape == () else [data], dtype=object)
    channels, size = 3, None
    if shape is not None and len(shape) == 4:
        channels = shape[3] if shape[3] in (1, 3, 4) else 3
        if shape[1] is not None and shape[2] is not None:
            size = (shape[1], shape[2])
    levels = given_levels((mean,), (std,), channels)
    return fitted_picture(path, PictureInput(slot.tensor, False, None, size, channels, slot.dtype, *levels))[None]


def save_answers(path: Path, answers: Mapping[str, Array]) -> None:
    """Writes answers as a .npz file, under their names."""
    data = io.BytesIO()
    np.savez(data, **{name: _plain(array) for name, array in answers.items()})  # type: ignore[arg-type]
    with atomic_write(path) as out:
        out.write(data.getbuffer())


def _plain(array: Array) -> Array:
    """An array that a .npz file can hold without pickles: strings as S, bfloat16 and its kin as float32."""
    if array.dtype.kind == "O":
        return np.array([bytes(item) for item in array.ravel()]).reshape(array.shape)
    return array if array.dtype.isbuiltin else array.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by name, as text (the middle of long ones left out) or as JSON (whole)."""

    values: Mapping[str, Array]

    def to_json(self) -> str:
        """All values, as lists; NaN and infinities as strings."""
        return json.dumps({name: _listed(array) for name, array in self.values.items()})

    def __str__(self) -> str:
        lines = []
        for name, array in self.values.items():
            kind = "string" if array.dtype.kind == "O" else array.dtype.name
            lines.append(f"{name}: {kind} {show(array.shape)}")
            text = np.array2string(array, threshold=4 * SHOWN, edgeitems=3, max_line_width=100, prefix="  ")
            lines.append("  " + text.replace("\n", "\n  "))
        return "\n".join(lines)


def _listed(array: Array) -> Any:
    if array.dtype.kind == "O":
        return [_text(item) for item in array.ravel()] if array.ndim == 1 else _nested(array)
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], -1).tolist()
    if array.dtype.kind in "iub":
        return array.tolist()
    wide = array.astype(np.float64) if not array.dtype.isbuiltin else array
    if np.isfinite(wide).all():
        return wide.tolist()
    return _nested(np.array([x if np.isfinite(x) else str(x) for x in wide.ravel()], dtype=object).reshape(array.shape))


def _nested(array: Array) -> Any:
    if array.ndim == 0:
        return _text(array.item())
    return [_nested(item) if isinstance(item, np.ndarray) else _text(item) for item in array]


def _text(item: Any) -> Any:
    return item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else item


@dataclass(frozen=True, slots=True)
class ValueSummary:
    """The values of one tensor and what they are like. Statistics are None where elements are no numbers."""

    name: str
    dtype: str
    shape: Shape
    nbytes: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    deviation: float | None
    zeros: int | None
    not_finite: int | None
    text: str

    def to_json(self) -> str:
        """The summary as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.dtype} {show(self.shape)}, {self.nbytes} bytes"]
        if self.minimum is not None:
            lines.append(
                f"  from {self.minimum:.6g} to {self.maximum:.6g}, mean {self.mean:.6g},"
                f" deviation {self.deviation:.6g}, {self.zeros} zeros, {self.not_finite} not finite"
            )
        return "\n".join([*lines, "  " + self.text.replace("\n", "\n  ")])


def value_summary(document: Document, name: str) -> ValueSummary:
    """The values of a variable, or of a constant of the graph or of one of its functions."""
    tensor = _find_tensor(document, name)
    values = tensor.numpy()
    text = np.array2string(values, threshold=4 * SHOWN, edgeitems=3, max_line_width=100)
    statistics: list[Any] = [None] * 6
    if values.size and not tensor.dtype.is_string and not tensor.dtype.is_complex:
        wide = values.astype(np.float64)
        finite = wide[np.isfinite(wide)]
        bad = int(wide.size - finite.size)
        if finite.size:
            parts = (finite.min(), finite.max(), finite.mean(), finite.std())
            statistics = [*map(float, parts), int((wide == 0).sum()), bad]
    low, high, mean, deviation, zeros, not_finite = statistics
    return ValueSummary(
        name, tensor.dtype.name, tensor.shape, tensor.nbytes, low, high, mean, deviation, zeros, not_finite, text
    )


def _find_tensor(document: Document, name: str) -> Tensor:
    bare = name.removesuffix(":0")
    constants = {n.name: n for body in document.graph.bodies() for n in body if n.op == "Const"}
    if bare in document.variables:
        found = document.variables[bare].tensor
        if found is None:
            raise InputError(f"The variable {bare!r} has no value here; give its checkpoint with --weights.")
        return found
    if bare in constants:
        value = constants[bare].attr("value")
        if isinstance(value, Tensor):
            return value
    choices = [*document.variables, *constants]
    raise UnknownNameError(f"There is no variable or constant {bare!r}." + nearest(bare, choices))
