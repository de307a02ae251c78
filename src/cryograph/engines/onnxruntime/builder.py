"""The builder that lowerings write to: it emits ONNX nodes, makes constants, and knows what is known of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...base.dtypes import BOOL, FLOAT64, INT32, INT64, STRING, UINT8, DType, dtype_of
from ...base.shapes import Shape, is_known, known
from ...base.tensors import Array, Tensor
from ...program.program import Program, Step
from .kernels import supports
from .values import ELEMENT_TYPES, FAILED, LEARNING, MICROSOFT, PARTS, Items, OnnxGraph, OnnxNode, Refusal, Value, pairs

WHOLE = frozenset({"Gather", "If", "Loop"})
"""Operators that take complex numbers as the pairs that they are: none looks at the last dimension."""

ABSENT = Value("", INT64)
"""Stands where an optional input is left out."""

SMALL = 1 << 16
"""Elements up to which a constant is computed here, when a lowering casts or reshapes it, and not in a node."""

_CHOSEN_AS = {BOOL: UINT8, **{dtype_of(name): INT32 for name in ("int16", "uint16")}}
"""In which dtype the runtime chooses between values of one that it does not choose between."""

Body = Callable[[Program, str, Sequence[Value]], OnnxGraph]


class Builder:
    """Collects the nodes of one step. Names that it makes begin with that of the step's first output, which no other
    step gives, and so are unique in the program.

    `shapes` are those of the step's outputs, as far as the program knows them, `read` says which of these anybody
    reads; `formulas` stand by the operators that have kernels for float32 only.
    """

    def __init__(
        self,
        step: Step,
        prefix: str,
        lower_body: Body,
        shapes: Sequence[Shape] = (),
        formulas: Mapping[str, Callable[..., Value]] | None = None,
        read: Sequence[bool] = (),
    ) -> None:
        self.step = step
        self.shapes = shapes
        self.read = read or [True] * len(step.outputs)
        self.nodes: list[OnnxNode] = []
        self.constants: dict[str, Tensor] = {}
        self.known: dict[str, Value] = {}
        self._prefix = f"{prefix}{step.outputs[0] if step.outputs else step.name}#"
        self._count = 0
        self._lower_body = lower_body
        self._formulas = formulas or {}

    # --- nodes

    def op(
        self,
        op: str,
        *inputs: Value,
        dtype: DType | None = None,
        shape: Shape = None,
        domain: str = "",
        **attrs: Any,
    ) -> Value:
        """Emits a node of one output, of the first input's dtype unless another is given.

        Doubles without a kernel are computed by a formula where there is one. Refusal without either.
        """
        if op in self._formulas and inputs[0].dtype == FLOAT64 and not supports(op, [FLOAT64], FLOAT64, domain):
            made: Value = self._formulas[op](self, *inputs, **attrs)
            return made
        return self.ops(op, *inputs, dtypes=[dtype or inputs[0].dtype], shapes=[shape], domain=domain, **attrs)[0]

    def ops(
        self,
        op: str,
        *inputs: Value,
        dtypes: Sequence[DType],
        shapes: Sequence[Shape] | None = None,
        lists: Sequence[Items | None] | None = None,
        domain: str = "",
        **attrs: Any,
    ) -> list[Value]:
        """Emits a node of several outputs; `lists` says which of them are lists. Attributes that are None are left
        out."""
        if op == "Gather" and inputs[0].dtype == STRING and attrs["axis"] != inputs[0].rank - 1:
            return [self._rows_of_strings(inputs[0], inputs[1], attrs["axis"])]
        held = lists or [None] * len(dtypes)
        if op in WHOLE and (any(x.dtype in PARTS for x in inputs) or any(dtype in PARTS for dtype in dtypes)):
            return self._complex_ops(op, inputs, dtypes, shapes or [None] * len(dtypes), held, attrs)
        kinds = [None if value.name == "" or value.items is not None else value.dtype for value in inputs]
        results = [None if items is not None else dtype for dtype, items in zip(dtypes, held, strict=True)]
        for dtype in (*kinds, *results):
            if dtype is not None and dtype not in ELEMENT_TYPES:
                raise Refusal(f"ONNX Runtime does not take the dtype {dtype} here")
        version = supports(op, kinds, results[0], domain)
        if not version:
            listed = ", ".join("-" if kind is None else kind.name for kind in kinds)
            raise Refusal(f"ONNX Runtime has no kernel for {op} on {listed}")
        names = [self.name() for _ in dtypes]
        given = {key: value for key, value in attrs.items() if value is not None}
        for value in inputs:
            self._note(value)
        # Absent inputs at the end are left out, as ONNX has them.
        taken = [value.name for value in inputs]
        while taken and not taken[-1]:
            taken.pop()
        self.nodes.append(OnnxNode(op, taken, names, given, domain, version))
        made = [
            Value(name, dtype, shape, None, items)
            for name, dtype, shape, items in zip(names, dtypes, shapes or [None] * len(names), held, strict=True)
        ]
        for value in made:
            self.known[value.name] = value
        return made

    def _complex_ops(
        self,
        op: str,
        inputs: Sequence[Value],
        dtypes: Sequence[DType],
        shapes: Sequence[Shape],
        lists: Sequence[Items | None],
        attrs: dict[str, Any],
    ) -> list[Value]:
        """The same of values some of which are complex."""
        whole = [Value("", *kind) for kind in zip(dtypes, shapes, [None] * len(dtypes), lists, strict=True)]
        held = [pairs(x) for x in whole]
        given = [pairs(x) if x.name else x for x in inputs]
        made = self.ops(
            op, *given, dtypes=[x.dtype for x in held], shapes=[x.shape for x in held], lists=lists, **attrs
        )
        return [replace(w, name=x.name) for x, w in zip(made, whole, strict=True)]

    def learning(self, op: str, *inputs: Value, dtype: DType, shape: Shape = None, **attrs: Any) -> Value:
        """Emits a node of ONNX's domain of classical machine learning."""
        return self.op(op, *inputs, dtype=dtype, shape=shape, domain=LEARNING, **attrs)

    def microsoft(self, op: str, *inputs: Value, shape: Shape = None, **attrs: Any) -> Value:
        """Emits a node of ONNX Runtime's own domain."""
        return self.op(op, *inputs, shape=shape, domain=MICROSOFT, **attrs)

    def name(self) -> str:
        """A new name."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def _note(self, value: Value) -> None:
        if value.name:
            self.known.setdefault(value.name, value)
            if value.tensor is not None:
                check_text(value.tensor)
                self.constants[value.name] = value.tensor

    def keep(self, x: Value) -> None:
        """Takes a constant into the graph that no node of this step reads."""
        held = pairs(x).tensor
        if held is not None:
            self.constants[x.name] = held

    def _rows_of_strings(self, x: Value, indices: Value, axis: int) -> Value:
        """Gather copies one string only where it should copy a row of them; GatherND copies all."""
        if axis:
            raise Refusal("ONNX Runtime gathers strings along the first dimension only")
        shape = None if x.shape is None or indices.shape is None else (*indices.shape, *x.shape[1:])
        return self.op("GatherND", x, self.unsqueeze(self.int64(indices), [indices.rank]), shape=shape)

    def must(self, holds: Value, words: str) -> Value:
        """The number 0 (int64 scalar) where a scalar flag holds; elsewhere the run fails with these words.

        ONNX has no operator that raises: a place in a vector of one element is asked for that is not there, by a node
        whose name holds the words (see session.py). Only what depends on the number waits for it: see `behind`.
        """
        place = self.cast(self.unary("Not", holds), INT64)
        name = f"{self.name()}{FAILED}{words}"
        self.known[name] = Value(name, INT64, ())
        zero = self.ints([0])
        self._note(zero)
        self.nodes.append(OnnxNode("Gather", [zero.name, place.name], [name], {"axis": 0}))
        return self.known[name]

    def behind(self, x: Value, zero: Value) -> Value:
        """`x`, when what `must` gave has been worked out."""
        wide = self.op("Unsqueeze", x, self.ints([0]), shape=None if x.shape is None else (1, *x.shape))
        return self.op("Gather", wide, zero, axis=0, shape=x.shape)

    # --- constants

    def const(self, values: ArrayLike, dtype: DType) -> Value:
        """A constant; Refusal for a dtype that the runtime does not take."""
        if dtype not in ELEMENT_TYPES:
            raise Refusal(f"ONNX Runtime does not take the dtype {dtype} here")
        array = np.asarray(values, dtype.numpy)
        if dtype == STRING and not all(isinstance(item, bytes) for item in array.flat):
            raise Refusal("a number in place of a string has no form in ONNX")
        return self.tensor(Tensor.of(array, dtype))

    def tensor(self, tensor: Tensor) -> Value:
        """A constant of a Tensor."""
        return Value(self.name(), tensor.dtype, tensor.shape, tensor)

    def like(self, value: float, x: Value) -> Value:
        """A scalar constant of the dtype of `x`."""
        return self.const(value, x.dtype)

    def ints(self, values: Sequence[int]) -> Value:
        """A constant int64 vector, as ONNX takes axes, shapes and pads."""
        return self.const(np.asarray(values, np.int64).reshape(-1), INT64)

    # --- what is known

    def fixed(self, x: Value, what: str) -> Array:
        """The values of an input that must be a constant; Refusal otherwise."""
        if x.array is None:
            raise Refusal(f"{what} is not a constant")
        return x.array

    def fixed_ints(self, x: Value, what: str) -> list[int]:
        """The values of an input that must be constant integers, as a flat list."""
        return [int(item) for item in self.fixed(x, what).reshape(-1)]

    def axes(self, x: Value, rank: int, what: str = "the axis") -> list[int]:
        """Constant axes counted from 0, in the order in which they stand."""
        found = self.fixed_ints(x, what)
        if any(not -rank <= axis < rank for axis in found):
            raise Refusal(f"{what} {found} is out of range for rank {rank}")
        return [axis % rank for axis in found]

    # --- small operators that many lowerings need

    def cast(self, x: Value, dtype: DType) -> Value:
        """`x` in another dtype; done at once for small constants."""
        if x.dtype == dtype:
            return x
        if dtype not in ELEMENT_TYPES:
            raise Refusal(f"ONNX Runtime does not take the dtype {dtype} here")
        if x.array is not None and x.array.size <= SMALL and STRING not in (x.dtype, dtype):
            return self.const(x.array.astype(dtype.numpy), dtype)
        return self.op("Cast", x, dtype=dtype, shape=x.shape, to=ELEMENT_TYPES[dtype])

    def int64(self, x: Value) -> Value:
        """A shape, sizes or indices in the dtype that ONNX takes."""
        return self.cast(x, INT64)

    def shape_of(self, x: Value, dtype: DType = INT64) -> Value:
        """The shape of `x` as a vector; a constant when it is known."""
        if is_known(x.shape):
            return self.const(np.asarray(known(x.shape, "x"), np.int64), dtype)
        length = None if x.shape is None else len(x.shape)
        end = -1 if x.dtype in PARTS else None
        return self.cast(self.op("Shape", pairs(x), dtype=INT64, shape=(length,), end=end), dtype)

    def sizes(self, x: Value, axes: Sequence[int]) -> Value:
        """The sizes of some dimensions of `x` as an int64 vector."""
        if x.shape is not None and all(x.shape[axis] is not None for axis in axes):
            return self.ints([x.shape[axis] or 0 for axis in axes])
        return self.op("Gather", self.shape_of(x), self.ints(axes), axis=0, shape=(len(axes),))

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """`x` with its dimensions in another order."""
        if list(perm) == list(range(len(perm))):
            return x
        shape = None if x.shape is None else tuple(x.shape[axis] for axis in perm)
        return self.op("Transpose", x, shape=shape, perm=list(perm))

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """`x` in a fixed shape; one size may be -1. A small constant is reshaped at once."""
        if x.tensor is not None:
            array = x.tensor.numpy().reshape(shape)  # a view
            return self.tensor(Tensor.of(array, x.dtype))
        return self.op(
            "Reshape", x, self.ints(shape), shape=tuple(None if s < 0 else s for s in shape), allowzero=int(0 in shape)
        )

    def reshape_to(self, x: Value, shape: Value, result: Shape = None) -> Value:
        """`x` in a shape that is a value (int64 vector). Zeros in it are sizes, as in TensorFlow."""
        return self.op("Reshape", x, shape, shape=result, allowzero=1)

    def unsqueeze(self, x: Value, axes: Sequence[int]) -> Value:
        """`x` with new dimensions of size 1 at these places of the result, counted from 0."""
        if not axes:
            return x
        shape = None
        if x.shape is not None:
            sizes = iter(x.shape)
            shape = tuple(1 if i in axes else next(sizes) for i in range(len(x.shape) + len(axes)))
            if x.tensor is not None:
                return self.reshape(x, known(shape, "x"))
        return self.op("Unsqueeze", x, self.ints(axes), shape=shape)

    def squeeze(self, x: Value, axes: Sequence[int]) -> Value:
        """`x` without these dimensions of size 1, counted from 0."""
        if not axes:
            return x
        shape = None if x.shape is None else tuple(s for i, s in enumerate(x.shape) if i not in axes)
        return self.op("Squeeze", x, self.ints(axes), shape=shape)

    def concat(self, parts: Sequence[Value], axis: int, shape: Shape = None) -> Value:
        """Parts one after the other along an axis; at once when all are small constants."""
        if len(parts) == 1:
            return parts[0]
        arrays = [part.array for part in parts]
        held = [a for a in arrays if a is not None]
        if len(held) == len(parts) and sum(a.size for a in held) <= SMALL:
            return self.const(np.concatenate(held, axis), parts[0].dtype)
        return self.op("Concat", *parts, axis=axis, shape=shape)

    def slice(self, x: Value, starts: Value, ends: Value, axes: Sequence[int], steps: Value | None = None) -> Value:
        """A part of `x`: ONNX's Slice."""
        return self.op("Slice", x, starts, ends, self.ints(axes), *([] if steps is None else [steps]))

    def where(self, condition: Value, yes: Value, no: Value, shape: Shape = None) -> Value:
        """`yes` where the condition holds, `no` elsewhere, all broadcast."""
        dtype = _CHOSEN_AS.get(yes.dtype)
        if dtype is not None:
            return self.cast(self.where(condition, self.cast(yes, dtype), self.cast(no, dtype), shape), yes.dtype)
        return self.op("Where", condition, yes, no, dtype=yes.dtype, shape=shape)

    def binary(self, op: str, x: Value, y: Value, dtype: DType | None = None) -> Value:
        """An elementwise operator of two inputs, broadcast."""
        return self.op(op, x, y, dtype=dtype, shape=broadcast(x.shape, y.shape))

    def unary(self, op: str, x: Value, dtype: DType | None = None, **attrs: Any) -> Value:
        """An elementwise operator of one input."""
        return self.op(op, x, dtype=dtype, shape=x.shape, **attrs)

    def body(self, name: str, inputs: Sequence[Value]) -> OnnxGraph:
        """The graph of one of the step's bodies, applied to values; Refusal when a step in it cannot be lowered."""
        self._count += 1
        graph = self._lower_body(self.step.bodies[name], f"{self._prefix}{name}{self._count}/", inputs)
        # Constants stand in the outermost graph, where they can lie outside of the message.
        self.constants.update(graph.constants)
        self.known.update(graph.known)
        graph.constants = {}
        return graph


def broadcast(a: Shape, b: Shape) -> Shape:
    """What is known of the shape of two values broadcast against each other."""
    if a is None or b is None:
        return None
    if len(a) < len(b):
        a, b = b, a
    sizes = list(a)
    for i, size in enumerate(b, len(a) - len(b)):
        here = sizes[i]
        if here == 1 or (here is None and size is not None and size != 1):
            sizes[i] = size
    return tuple(sizes)


def check_text(tensor: Tensor) -> None:
    """Refusal for strings that are not UTF-8."""
    if tensor.dtype == STRING:
        try:
            b"\n".join(tensor.numpy().reshape(-1).tolist()).decode()
        except UnicodeDecodeError as error:
            raise Refusal("strings that are not UTF-8 have no form in ONNX") from error


def int_dtype(x: Value) -> bool:
    """Whether a value holds int32 or int64."""
    return x.dtype in (INT32, INT64)


Lowering = Callable[..., Any]
Table = Mapping[str, Lowering]
