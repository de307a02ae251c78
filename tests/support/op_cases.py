"""What op cases are, and the program of one step that an engine is given.

A case is written once, as plain data, and runs on every engine. Inputs are seeded, so that a case is always the same.
What TensorFlow answers to it stands in a golden file (see golden.py), which `tools/gen_golden.py` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from cryograph.base.tensors import Tensor
from cryograph.ops.signatures import default_attrs, input_types, output_types, signature
from cryograph.program.program import Program, Spec, Step

Array = np.ndarray[Any, Any]
F, D, N, L = np.float32, np.float64, np.int32, np.int64


@dataclass(frozen=True)
class Case:
    """One op on given inputs.

    `attrs` are those that are not their default; type attributes follow from the inputs where these say them.
    `tolerance` is relative to the largest magnitude of the output, for floats; everything else must be equal.
    `outputs` are the numbers of those that are compared (None: all). `fixed` are inputs that a graph holds as
    constants, and `sizes` says how much of the shapes an engine that compiles must know: "any", "known", "" (it need
    not take it).
    `form` names the normal form (see FORMS) in which answers are compared that are not unique.
    `asked_as` is the op that TensorFlow is asked in place of one that has no CPU kernel, and means the same.
    `turned` asks the oracle for the same numbers with the channels last, where its CPU kernel wants that. `refused`:
    TensorFlow raises an error, and so must an engine.
    """

    op: str
    inputs: tuple[Array, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 2e-6
    outputs: tuple[int, ...] | None = None
    fixed: tuple[int, ...] = ()
    sizes: str = ""
    form: str = ""
    asked_as: str = ""
    turned: bool = False
    refused: bool = False

    @property
    def id(self) -> str:
        """A readable name; not unique."""
        kinds = "-".join(f"{x.dtype.name}{list(x.shape)}" for x in self.inputs[:2])
        said = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{self.op}-{kinds}-{said}"[:120].replace(" ", "")


@dataclass(frozen=True)
class Refused:
    """TensorFlow raised an error."""

    message: str


def case(
    op: str,
    *inputs: Any,
    tolerance: float = 2e-6,
    outputs: tuple[int, ...] | None = None,
    fixed: tuple[int, ...] = (),
    sizes: str = "",
    form: str = "",
    asked_as: str = "",
    turned: bool = False,
    **attrs: Any,
) -> Case:
    """A case whose inputs are anything that numpy takes."""
    return Case(op, tuple(map(_array, inputs)), attrs, tolerance, outputs, fixed, sizes, form, asked_as, turned)


def refusal(op: str, *inputs: Any, **attrs: Any) -> Case:
    """A case that TensorFlow refuses."""
    return Case(op, tuple(map(_array, inputs)), attrs, refused=True)


def _array(value: Any) -> Array:
    made = np.asarray(value)
    return made.astype(object) if made.dtype.kind in "SU" else made


def floats(*shape: int, seed: int = 0, low: float = -2, high: float = 2, dtype: Any = F) -> Array:
    """Uniform numbers in [low, high)."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(dtype)


def ints(*shape: int, seed: int = 0, low: int = -9, high: int = 9, dtype: Any = N) -> Array:
    """Uniform integers in [low, high)."""
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


def complexes(*shape: int, seed: int = 0, dtype: Any = np.complex64) -> Array:
    """Complex numbers of the square around 0."""
    return (floats(*shape, seed=seed, dtype=D) + 1j * floats(*shape, seed=seed + 1000, dtype=D)).astype(dtype)


def bools(*shape: int, seed: int = 0) -> Array:
    """As many True as False."""
    return np.random.default_rng([seed, *shape]).integers(0, 2, shape).astype(bool)


def ivec(*values: Any, dtype: Any = N) -> Array:
    """A vector (or rows) of integers."""
    return np.asarray(values, dtype)


def strings(*values: Any) -> Array:
    """An array of byte strings, nested as given."""
    return np.array(values, dtype=object)


def values(dtype: Any, *shape: int, seed: int = 0, low: float = -9, high: float = 9) -> Array:
    """Numbers of any dtype: whole ones for integers (from 0 where they have no sign), strings as b"7"."""
    held = np.dtype(object) if dtype == "string" else dtype_of(dtype).numpy
    if held is None:
        raise LookupError(dtype)
    if held.kind == "b":
        return bools(*shape, seed=seed)
    if held.kind in "iu":
        least = max(int(low), 0) if held.kind == "u" else int(low)
        return ints(*shape, seed=seed, low=least, high=int(high), dtype=held)
    if held.kind == "c":
        return complexes(*shape, seed=seed, dtype=held)
    if held.kind == "O":
        made = np.empty(shape, object)
        made[...] = np.vectorize(lambda n: b"%d" % n, otypes=[object])(ints(*shape, seed=seed)) if made.size else b""
        return made
    return floats(*shape, seed=seed, low=low / 3, high=high / 3, dtype=held)


KERNEL_TYPES = Path(__file__).parents[1] / "engines" / "golden" / "kernel_types.txt"
"""The dtypes of the CPU kernels of TensorFlow, one line an op and attribute; written by `tools/gen_golden.py`."""


@cache
def _kernel_types() -> dict[tuple[str, str], list[str]]:
    lines = (line.split() for line in KERNEL_TYPES.read_text().splitlines())
    return {(op, attr): types for op, attr, *types in lines}


def kernel_types(op: str, attr: str = "T", but: Iterable[str] = ()) -> list[str]:
    """The dtypes of an attribute for which TensorFlow has a kernel on the CPU, by name."""
    left_out = set(but)
    return [name for name in _kernel_types()[op, attr] if name not in left_out]


def _encoded(value: Any) -> Any:
    """Strings as programs hold them."""
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    return value.encode() if isinstance(value, str) else value


def attrs_of(case: Case) -> dict[str, Any]:
    """Attributes as a program holds them: defaults, those given, and the types and numbers that the inputs say."""
    known = signature(case.op)
    if known is None:
        raise LookupError(case.op)
    given = {name: _encoded(value) for name, value in case.attrs.items()}
    attrs = default_attrs(case.op)
    position = 0
    for number, arg in enumerate(known.inputs):
        left = len(known.inputs) - number - 1
        count = len(case.inputs) - position - left if arg.number_attr or arg.type_list_attr else 1
        if arg.number_attr:
            count = given.get(arg.number_attr, count)
            attrs[arg.number_attr] = count
        held = [dtype_of(x.dtype) for x in case.inputs[position : position + count]]
        if arg.type_attr and held:
            attrs[arg.type_attr] = held[0]
        if arg.type_list_attr:
            count = len(given.get(arg.type_list_attr, held))
            attrs[arg.type_list_attr] = held[:count]
        position += count
    return {**attrs, **given}


def program_of(case: Case, answers: Sequence[Array] | None = None, known_sizes: bool = True) -> Program:
    """A program of one step. The shapes of its outputs are those of the answers, unknown without."""
    attrs = attrs_of(case)
    names = [f"in{i}:0" for i in range(len(case.inputs))]
    types = output_types(case.op, attrs)
    results = [f"out:{i}" for i in range(len(types))]
    constants = {names[i]: Tensor.of(case.inputs[i]) for i in case.fixed}
    specs: dict[str, Spec] = {}
    for name, array, dtype in zip(names, case.inputs, input_types(case.op, attrs), strict=True):
        is_open = not known_sizes and name not in constants
        specs[name] = Spec(dtype.base, tuple(None if is_open else size for size in array.shape))
    for number, (name, dtype) in enumerate(zip(results, types, strict=True)):
        shape = None if answers is None else answers[number].shape
        specs[name] = Spec(dtype.base, shape if known_sizes or shape is None else (None,) * len(shape))
    wanted = [results[i] for i in case.outputs] if case.outputs is not None else results
    step = Step("out", case.op, tuple(names), tuple(results), attrs)
    fed = tuple(name for name in names if name not in constants)
    return Program(fed, tuple(wanted), (step,), constants, specs)


def feeds_of(case: Case) -> list[Array]:
    """What the program of the case is given."""
    return [array for i, array in enumerate(case.inputs) if i not in case.fixed]


def wanted_of(case: Case, answers: Sequence[Array]) -> list[Array]:
    """The answers that are compared."""
    return list(answers) if case.outputs is None else [answers[i] for i in case.outputs]


FORMS: dict[str, Callable[[Case, Sequence[Array]], Sequence[Array]]] = {}
"""Normal forms of answers that are right in more than one way, as eigenvectors are, whose sign is free: from a case and
the wanted answers to what must agree. A family of cases adds its own."""


def assert_answers(case: Case, ours: Sequence[Array], answers: Sequence[Array]) -> None:
    """What an engine made of a case (its wanted outputs) against TensorFlow's answers (all of them)."""
    wanted: Sequence[Array] = wanted_of(case, answers)
    assert len(ours) == len(wanted)
    if case.form:
        ours, wanted = FORMS[case.form](case, ours), FORMS[case.form](case, wanted)
    for mine, theirs in zip(ours, wanted, strict=True):
        assert_alike(mine, theirs, case.tolerance)


UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""One unit in the last place: narrow floats are rounded once, and two roundings can agree to no better."""


def assert_alike(ours: Array, theirs: Array, tolerance: float = 2e-6) -> None:
    """The same dtype, shape and numbers: equal, for floats within `tolerance` of the largest magnitude."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape, f"shape {ours.shape}, expected {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"dtype {ours.dtype}, expected {theirs.dtype}"
    if theirs.dtype.kind not in "fc" and theirs.dtype.name != "bfloat16":
        assert ours.tolist() == theirs.tolist()
        return
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    a, b = ours.astype(wide), theirs.astype(wide)
    finite = np.isfinite(b)
    assert np.array_equal(a[~finite], b[~finite], equal_nan=True), "infinities or NaNs differ"
    if not finite.any():
        return
    scale = max(float(np.abs(b[finite]).max()), 1e-30)
    far = float(np.abs(a[finite] - b[finite]).max()) / scale
    assert far <= max(tolerance, UNITS.get(theirs.dtype.name, 0.0)), f"differs by {far} of the largest magnitude"
