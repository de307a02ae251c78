"""Temporary variables of TF1, which live within a run: state that begins with zeros where the graph makes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import INT32, DType
from ..base.errors import UnsupportedError
from ..base.tensors import Tensor
from .draft import Op
from .holders import Holder, Part
from .scope import Rule, Scope

TEMPORARIES = frozenset({"TemporaryVariable"})
"""Ops that give a reference to a variable of their own."""


def temporary(op: Op) -> Holder:
    """What the reference that an op gives refers to."""
    dtype, shape = op.attrs.get("dtype"), op.attrs.get("shape")
    if not isinstance(dtype, DType) or dtype.numpy is None or not isinstance(shape, tuple) or None in shape:
        raise UnsupportedError(f"{op} has no dtype and shape that say what it holds.")
    return Holder(op.name, (Part(f"{op.name}/temporary", dtype.base, shape, None),), True, "variable")


def zeros(scope: Scope, op: Op, holder: Holder) -> None:
    """It holds zeros from now on; TensorFlow promises nothing about what it holds before it is written."""
    part = holder.parts[0]
    sizes = scope.constant(f"{op.key}/shape", Tensor.of(np.array(part.shape, np.int32)))
    zero = scope.constant(f"{op.key}/zero", Tensor.of(np.zeros((), part.dtype.numpy), part.dtype))
    scope.begin(part, scope.emit(op, "Fill", [sizes, zero], {"T": part.dtype, "index_type": INT32})[0])


def _destroy(scope: Scope, op: Op, inputs: Sequence[str], holder: Holder) -> None:
    scope.rename(op, 0, scope.value(holder.parts[0]))


TEMPORARY_RULES: dict[str, Rule] = {"DestroyTemporaryVariable": _destroy}
