"""Steps of each optimizer as a raw op: on references and on resources, dense and on rows, in each dtype."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1

NUMBERS = {
    "alpha": 0.3,
    "beta": 0.8,
    "beta1": 0.9,
    "beta1_power": 0.729,
    "beta2": 0.99,
    "beta2_power": 0.970299,
    "epsilon": 1e-3,
    "global_step": 3,
    "l1": 0.25,
    "l2": 0.125,
    "l2_shrinkage": 0.0625,
    "logbase": 1.0,
    "lr": 0.2,
    "lr_power": -0.5,
    "momentum": 0.9,
    "rho": 0.75,
    "sign_decay": 0.5,
}
FLAGS = ("multiply_linear_by_lr", "update_slots", "use_nesterov")
SLOTS = ("accum", "accum_update", "gradient_accumulator", "gradient_squared_accumulator", "linear", "m", "mg", "mom")
OPTIMIZERS = (
    *("AdaMax", "Adadelta", "Adagrad", "AdagradDA", "AdagradV2", "Adam", "AdamWithAmsgrad", "AddSign"),
    *("CenteredRMSProp", "Ftrl", "FtrlV2", "GradientDescent", "KerasMomentum", "Momentum", "PowerSign"),
    *("ProximalAdagrad", "ProximalGradientDescent", "RMSProp"),
)
ROWS = [3, 0, 3, 1, 3, 0]
SHAPE = [5, 3]
VARIANTS: tuple[dict[str, float], ...] = ({}, {"l1": 0.0}, {"lr_power": -0.7})
"""What is other than NUMBERS says, where an op has it."""


def numbers(seed: int, shape: list[int], low: float, high: float) -> Any:
    return np.random.default_rng(seed).uniform(low, high, shape)


def step(op: str, dtype: Any, said: dict[str, Any], name: str, gradient: Any, rows: Any, resources: bool) -> Any:
    """Applies an op to fresh variables, and gives the first of them afterwards."""
    raw = getattr(tf.raw_ops, op)
    from tensorflow.python.framework import op_def_registry

    arguments: dict[str, Any] = {}
    first = None
    for number, arg in enumerate(op_def_registry.get(op).input_arg):
        if arg.is_ref or arg.type == tf.resource.as_datatype_enum:
            low, high = (0.5, 2.0) if arg.name in SLOTS or arg.name.startswith(("v", "ms")) else (-1.0, 1.0)
            if arg.name in ("var", "linear", "mg", "m", "mom", "gradient_accumulator"):
                low, high = (-0.1, 0.1) if arg.name == "mg" else (-1.0, 1.0)
            start = tf.constant(numbers(number, SHAPE, low, high), dtype)
            made = v1.get_variable(f"{name}/{arg.name}", initializer=start, use_resource=resources)
            first = made if first is None else first
            arguments[arg.name] = made.handle if resources else made._ref()
        elif arg.name in ("grad", "delta"):
            arguments[arg.name] = tf.cast(gradient, dtype)
        elif arg.name == "indices":
            arguments[arg.name] = rows
        else:
            kind = tf.int64 if arg.name == "global_step" else dtype
            arguments[arg.name] = tf.constant(said.get(arg.name, NUMBERS[arg.name]), kind)
    flags = {attr.name for attr in op_def_registry.get(op).attr} & set(FLAGS)
    done = raw(**arguments, **{name: value for name, value in said.items() if name in flags})
    with tf.control_dependencies([done]):
        return tf.identity(first.read_value() if first is not None else done)


def dtypes_of(op: str) -> list[Any]:
    """The dtypes for which there is a kernel on the CPU."""
    from tensorflow.python.framework import kernels

    found = set()
    for kernel in kernels.get_registered_kernels_for_op(op).kernel:
        if kernel.device_type == "CPU":
            found |= {t for c in kernel.constraint if c.name == "T" for t in c.allowed_values.list.type}
    return sorted((tf.as_dtype(t) for t in found), key=lambda t: str(t.name))


def steps(op: str, resources: bool, narrow: bool) -> Built:
    """All variants of one op in one graph, for dtypes of 16 bits or for the others."""
    from tensorflow.python.framework import op_def_registry

    names = {arg.name for arg in op_def_registry.get(op).input_arg}
    flags = [attr.name for attr in op_def_registry.get(op).attr if attr.name in FLAGS]
    gradient = v1.placeholder(tf.float32, [None, 3])
    inputs, rows = [gradient], None
    if "indices" in names:
        rows = v1.placeholder(tf.int32, [None])
        inputs.append(rows)
    outputs = []
    for dtype in (t for t in dtypes_of(op) if (t.size == 2) == narrow):
        for number, variant in enumerate(VARIANTS):
            if not variant.keys() <= names or (variant and dtype != tf.float32):
                continue
            for chosen in itertools.product((False, True), repeat=len(flags)):
                said = {**variant, **dict(zip(flags, chosen, strict=True))}
                name = f"{dtype.name}_{number}" + "".join("ny"[x] for x in chosen)
                outputs.append(step(op, dtype, said, name, gradient, rows, resources))
    return inputs, outputs


def register(op: str, resources: bool, narrow: bool) -> None:
    def build() -> Built:
        return steps(op, resources, narrow)

    build.__name__ = f"{op}-narrow" if narrow else op
    sparse = "Sparse" in op
    count = len(ROWS) if sparse else SHAPE[0]
    dense = numbers(7, [count, 3], -1.0, 1.0)
    dense[0, 1] = 0.0
    other = numbers(8, [count, 3], -1.0, 1.0)
    turns = [[dense, ROWS], [other, ROWS[::-1]], [other[:0], []], [other[:2], [1, 5]], [other[:2], [1]]]
    if not sparse:
        turns = [[dense], [other], [other[:2]]]
    # Each operation on 16 bits is rounded, and roundings add up from turn to turn.
    recipe(turns, resources=resources, tolerance=1.6e-2 if narrow else 4e-6)(build)


for word in OPTIMIZERS:
    for form, holder in itertools.product(("", "Sparse"), ("", "Resource")):
        if hasattr(tf.raw_ops, f"{holder}{form}Apply{word}"):
            for narrow in (False, True):
                if narrow in {t.size == 2 for t in dtypes_of(f"{holder}{form}Apply{word}")}:
                    register(f"{holder}{form}Apply{word}", holder == "Resource", narrow)
