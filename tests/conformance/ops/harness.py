"""What op cases are, what TensorFlow answers to them, and the program of one step that an engine is given.

A case is written once, as plain data, and runs on every engine. Inputs are seeded, so that a case is always the same.
`run_oracle` asks TensorFlow's kernels directly by the op's own name, in this process; an op that TensorFlow refuses
gives `Refused` in place of arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute
from tensorflow.python.framework import kernels

from cryograph.base.dtypes import DType, dtype_of
from cryograph.base.tensors import Tensor
from cryograph.ops.signatures import default_attrs, input_types, number_of_outputs, output_types, signature
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
    turned: bool = False,
    **attrs: Any,
) -> Case:
    """A case whose inputs are anything that numpy takes."""
    return Case(op, tuple(map(_array, inputs)), attrs, tolerance, outputs, turned=turned)


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


def kernel_types(op: str, attr: str = "T", but: Iterable[str] = ()) -> list[str]:
    """The dtypes of an attribute for which TensorFlow has a kernel on the CPU, by name."""
    found: set[str] = set()
    for kernel in kernels.get_registered_kernels_for_op(op).kernel:
        if kernel.device_type == "CPU" and not kernel.label:
            for constraint in kernel.constraint:
                if constraint.name == attr:
                    found |= {dtype_of(number).name for number in constraint.allowed_values.list.type}
    known = signature(op)
    allowed = known.attrs[attr].allowed if known is not None and attr in known.attrs else None
    if allowed is not None:
        found &= {dtype.name for dtype in allowed}
    return sorted(found - {"resource", "variant"} - set(but))


def attrs_of(case: Case) -> dict[str, Any]:
    """Attributes as a program holds them: defaults, those given, and the types and numbers that the inputs say."""
    known = signature(case.op)
    if known is None:
        raise LookupError(case.op)
    given = {k: v.encode() if isinstance(v, str) else v for k, v in case.attrs.items()}
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


def _plain(value: Any) -> Any:
    if isinstance(value, DType):
        return value.number
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):  # a shape
        return list(value)
    return value


def _fed(array: Array, dtype: DType) -> Any:
    if dtype.is_quantized:
        return tf.bitcast(tf.constant(array), tf.dtypes.as_dtype(dtype.number))
    return tf.constant(array)


def _held(tensor: Any) -> Array:
    if tensor.dtype.is_quantized:
        plain = {1: tf.int8, 2: tf.int16, 4: tf.int32}[tensor.dtype.size]
        kind = {tf.quint8: tf.uint8, tf.quint16: tf.uint16}.get(tensor.dtype, plain)
        tensor = tf.bitcast(tensor, kind)
    return np.asarray(tensor.numpy())


def ask(case: Case) -> list[Array] | Refused:
    """TensorFlow's answer to one case."""
    if case.turned:
        return _ask_turned(case)
    attrs = attrs_of(case)
    flat = [item for name, value in attrs.items() for item in (name, _plain(value))]
    types = input_types(case.op, attrs)
    inputs = [_fed(x, dtype) for x, dtype in zip(case.inputs, types, strict=True)]
    try:
        made = execute.execute(case.op, number_of_outputs(case.op, attrs), inputs, tuple(flat), context.context())
    except tf.errors.OpError as error:
        return Refused(str(error))
    return [_held(part) for part in made]


def run_oracle(cases: Iterable[Case]) -> list[list[Array] | Refused]:
    """TensorFlow's answers to all cases, in order."""
    return [ask(case) for case in cases]


_SPATIAL_LISTS = ("strides", "ksize", "dilations")


def _channels_last(values: Sequence[Any]) -> list[Any]:
    return [values[0], *values[2:], values[1]]


def _ask_turned(case: Case) -> list[Array] | Refused:
    """A case with the channels first is asked with the channels last, and the answer turned back."""
    rank = next(x.ndim for x in case.inputs if x.ndim > 3)
    to_last, to_first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    attrs: dict[str, Any] = {**case.attrs, "data_format": "NDHWC" if rank == 5 else "NHWC"}
    for name in _SPATIAL_LISTS:
        if name in attrs:
            attrs[name] = _channels_last(attrs[name])
    if attrs.get("explicit_paddings"):
        pairs = [attrs["explicit_paddings"][2 * i : 2 * i + 2] for i in range(rank)]
        attrs["explicit_paddings"] = [p for pair in _channels_last(pairs) for p in pair]
    filters = {"Conv2D": 1, "Conv3D": 1, "DepthwiseConv2dNative": 1, "Conv2DBackpropInput": 1,
               "Conv3DBackpropInputV2": 1, "DepthwiseConv2dNativeBackpropInput": 1}.get(case.op)  # fmt: skip
    inputs = [x.transpose(to_last) if x.ndim == rank and i != filters else x for i, x in enumerate(case.inputs)]
    if case.op.startswith("MaxPool") and len(inputs) == 3 and inputs[1].ndim == 1:  # ksize and strides are inputs
        inputs[1:] = [np.asarray(_channels_last(list(x)), x.dtype) for x in inputs[1:]]
    if "BackpropInput" in case.op and len(inputs[0]) == rank:
        inputs[0] = np.asarray(_channels_last(list(inputs[0])), inputs[0].dtype)
    answers = ask(Case(case.op, tuple(inputs), attrs))
    if isinstance(answers, Refused):
        return answers
    return [answer.transpose(to_first) if answer.ndim == rank else answer for answer in answers]


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
