"""A program's meaning in the fewest words: some ops, bodies and state, for tests of what programs are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cryograph.base.errors import UnsupportedError
from cryograph.program.check import complaints
from cryograph.program.program import Program, Step

Array = np.ndarray[Any, Any]


def run(program: Program, *inputs: Any, state: Sequence[Any] | None = None) -> list[Array]:
    """The outputs, then what becomes of the state. The program must be valid."""
    assert complaints(program) == []
    given = [np.asarray(x) for x in inputs]
    if state is None:
        state = [None if s.initial is None else s.initial.numpy() for s in program.state]
    return evaluate(program, [*given, *state])


def evaluate(program: Program, given: Sequence[Any]) -> list[Array]:
    names = [*program.inputs, *(s.value for s in program.state)]
    values: dict[str, Any] = dict(zip(names, given, strict=True))
    values.update({name: tensor.numpy() for name, tensor in program.constants.items()})
    for step in program.steps:
        outputs = apply(step, [values[v] for v in step.inputs])
        for name, value in zip(step.outputs, outputs, strict=True):
            spec = program.specs[name]
            if spec.dtype.numpy is not None:
                value = np.asarray(value)
                assert value.dtype == spec.dtype.numpy, (step, value.dtype, spec)
                assert spec.shape is None or len(spec.shape) == value.ndim, (step, value.shape, spec)
                pairs = zip(spec.shape or (), value.shape, strict=False)
                assert all(a is None or a == b for a, b in pairs), (step, value.shape, spec)
            values[name] = value
    return [values[v] for v in [*program.outputs, *(s.result for s in program.state)]]


def fold(step: Step, inputs: Sequence[Array]) -> list[Array]:
    """What `build_program` is lent in tests."""
    try:
        return apply(step, list(inputs))
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise UnsupportedError(f"{step.op}: {error}") from error


def apply(step: Step, inputs: list[Any]) -> list[Any]:
    if step.op in ("If", "StatelessIf"):
        return evaluate(step.bodies["then_branch" if inputs[0] else "else_branch"], inputs[1:])
    if step.op in ("Case", "StatelessCase"):
        bodies = list(step.bodies.values())
        index = int(inputs[0])
        return evaluate(bodies[index if 0 <= index < len(bodies) else -1], inputs[1:])
    if step.op in ("While", "StatelessWhile"):
        while evaluate(step.bodies["cond"], inputs)[0]:
            inputs = evaluate(step.bodies["body"], inputs)
        return inputs
    result = OPS[step.op](step.attrs, *inputs)
    return list(result) if isinstance(result, tuple) else [result]


class AssertionFailed(Exception):
    """What Assert raises."""


def _assert(attrs: Mapping[str, Any], condition: Array, *data: Array) -> tuple[()]:
    if not condition:
        raise AssertionFailed([d.tolist() for d in data])
    return ()


def _find(attrs: Mapping[str, Any], table_keys: Array, table_values: Array, keys: Array, default: Array) -> Array:
    table = dict(zip(table_keys.tolist(), table_values, strict=True))
    found = [table.get(k, default) for k in keys.reshape(-1).tolist()]
    return np.array(found, table_values.dtype).reshape(keys.shape + table_values.shape[1:])


def _insert(attrs: Mapping[str, Any], table_keys: Array, table_values: Array, keys: Array, values: Array) -> Any:
    table = dict(zip(table_keys.tolist(), table_values, strict=True))
    table.update(zip(keys.tolist(), values, strict=True))
    return np.array(list(table), table_keys.dtype), np.array(list(table.values()), table_values.dtype)


def _set_item(attrs: Mapping[str, Any], items: list[Any], index: Array, item: Array) -> Any:
    copy = list(items)
    copy[int(index)] = item
    return (copy,)


OPS: dict[str, Callable[..., Any]] = {
    "Add": lambda attrs, a, b: a + b,
    "AddN": lambda attrs, *xs: sum(xs[1:], xs[0]),
    "AddV2": lambda attrs, a, b: a + b,
    "ApplyGradientDescent": lambda attrs, v, alpha, delta: v - alpha * delta,
    "Assert": _assert,
    "Cast": lambda attrs, x: x.astype(attrs["DstT"].numpy),
    "ConcatV2": lambda attrs, *xs: np.concatenate(xs[:-1], int(xs[-1])),
    "Equal": lambda attrs, a, b: np.equal(a, b),
    "Exp": lambda attrs, x: np.exp(x),
    "ExpandDims": lambda attrs, x, axis: np.expand_dims(x, int(axis)),
    "Fill": lambda attrs, dims, value: np.full(tuple(dims), value),
    "GatherV2": lambda attrs, x, i, axis: np.take(x, i, int(axis)),
    "Greater": lambda attrs, a, b: np.greater(a, b),
    "GreaterEqual": lambda attrs, a, b: np.greater_equal(a, b),
    "Less": lambda attrs, a, b: np.less(a, b),
    "LogicalAnd": lambda attrs, a, b: np.logical_and(a, b),
    "LogicalNot": lambda attrs, x: np.logical_not(x),
    "LookupTableFindV2": _find,
    "LookupTableInsertV2": _insert,
    "MatMul": lambda attrs, a, b: a @ b,
    "Maximum": lambda attrs, a, b: np.maximum(a, b),
    "Mean": lambda attrs, x, axes: np.mean(x, tuple(np.ravel(axes)), keepdims=attrs["keep_dims"], dtype=x.dtype),
    "Minimum": lambda attrs, a, b: np.minimum(a, b),
    "Mul": lambda attrs, a, b: a * b,
    "Neg": lambda attrs, x: -x,
    "Pack": lambda attrs, *xs: np.stack(xs, attrs["axis"]),
    "Range": lambda attrs, a, b, step: np.arange(a, b, step, dtype=a.dtype),
    "Rank": lambda attrs, x: np.array(x.ndim, np.int32),
    "RealDiv": lambda attrs, a, b: a / b,
    "Relu": lambda attrs, x: np.maximum(x, 0),
    "Reshape": lambda attrs, x, shape: np.reshape(x, tuple(shape)),
    "Rsqrt": lambda attrs, x: 1 / np.sqrt(x),
    "Select": lambda attrs, c, a, b: np.where(c, a, b),
    "Shape": lambda attrs, x: np.array(x.shape, attrs["out_type"].numpy),
    "Sigmoid": lambda attrs, x: (1 / (1 + np.exp(-x))).astype(x.dtype),
    "Size": lambda attrs, x: np.array(x.size, attrs["out_type"].numpy),
    "Softmax": lambda attrs, x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "Split": lambda attrs, axis, x: tuple(np.split(x, attrs["num_split"], int(axis))),
    "Sqrt": lambda attrs, x: np.sqrt(x),
    "Square": lambda attrs, x: x * x,
    "SquaredDifference": lambda attrs, a, b: (a - b) ** 2,
    "Squeeze": lambda attrs, x: np.squeeze(x, tuple(attrs["squeeze_dims"]) or None),
    "StridedSlice": lambda attrs, x, b, e, s: (
        x[tuple(map(slice, b, e, s))] if not attrs["shrink_axis_mask"] else x[b[0]]
    ),
    "Sub": lambda attrs, a, b: a - b,
    "Sum": lambda attrs, x, axes: np.sum(x, tuple(np.ravel(axes)), keepdims=attrs["keep_dims"]),
    "Tanh": lambda attrs, x: np.tanh(x),
    "TensorListGetItem": lambda attrs, items, i, shape: (items[int(i)],),
    "TensorListReserve": lambda attrs, shape, n: ([None] * int(n),),
    "TensorListSetItem": _set_item,
    "TensorListStack": lambda attrs, items, shape: np.stack(items),
    "Transpose": lambda attrs, x, axes: np.transpose(x, axes),
    "ZerosLike": lambda attrs, x: np.zeros_like(x),
}
