"""For, a loop over numbers, becomes While: its variables are the number, the limit and the step, then its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.dtypes import INT32
from ..base.tensors import Tensor
from .draft import Draft, Op


class _Writer:
    """Adds ops to a draft on behalf of a loop."""

    def __init__(self, draft: Draft, loop: Op, prefix: str = "") -> None:
        self._draft = draft
        self._loop = loop
        self._prefix = prefix

    def add(self, op: str, *inputs: str, count: int = 1, **attrs: Any) -> str:
        key = self._draft.unique(f"{self._prefix}{op}")
        self._draft.add(Op(key, self._loop.name, op, list(inputs), [], attrs, count))
        return f"{key}:0"

    def compare(self, op: str, a: str, b: str) -> str:
        return self.add(op, a, b, T=INT32)

    def between(self, start: str, limit: str, delta: str, less: str, greater: str) -> str:
        """Whether the way from a number to the limit goes in the direction of the step."""
        zero = self.add("Const", dtype=INT32, value=Tensor.of(np.array(0, np.int32)))
        up = self.add("LogicalAnd", self.compare("Greater", delta, zero), self.compare(less, start, limit))
        down = self.add("LogicalAnd", self.compare("Less", delta, zero), self.compare(greater, start, limit))
        return self.add("LogicalOr", up, down)


def as_while(draft: Draft, op: Op, body: Draft) -> None:
    """Makes a For of the draft a While; `body` takes the number and the variables, and gives the variables."""
    carried = len(op.inputs) - 3
    number = body.inputs[0]
    limit, delta = (f"{body.unique(name)}:0" for name in ("limit", "delta"))
    inner = _Writer(body, op)
    body.inputs = [number, limit, delta, *body.inputs[1:]]
    body.results = [inner.add("AddV2", number, delta, T=INT32), limit, delta, *body.results]
    cond = Draft(inputs=["number:0", "limit:0", "delta:0", *(f"carried_{place}:0" for place in range(carried))])
    cond.results = [_Writer(cond, op).between("number:0", "limit:0", "delta:0", "Less", "Greater")]
    outer = _Writer(draft, op, f"{op.key}/")
    start, last, step = op.inputs[:3]
    arrives = outer.between(start, last, step, "LessEqual", "GreaterEqual")
    same = outer.add("Equal", start, last, T=INT32, incompatible_shape_error=True)
    may = outer.add("LogicalOr", arrives, same)
    outer.add("Assert", may, start, last, step, count=0, T=[INT32] * 3, summarize=3)
    op.op, op.bodies, op.count = "While", {"cond": cond, "body": body}, carried + 3
    op.attrs = {"parallel_iterations": 10, "output_shapes": []}
    shifted = {f"{op.key}:{place}": f"{op.key}:{place + 3}" for place in range(carried)}
    for other in draft.ops.values():
        if other is not op:
            other.inputs = [shifted.get(value, value) for value in other.inputs]
    draft.results = [shifted.get(value, value) for value in draft.results]
