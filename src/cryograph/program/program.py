"""A program: what an engine sees. No functions to call by name, no TF1 control flow, no references, no devices.

A program is a list of steps over named values, each value written once and before it is read. If, While and Case hold
their bodies as programs of their own. Variables and tables are state: their values come in and go out like any other.

Some ops mean something else than in a graph, as no handle is left (`state` and `arrays` have the tables): an op that
writes variables takes their values and gives the new ones before its own outputs; LookupTableFindV2 takes the keys and
values of its table first; TensorArrays are lists (TensorList ops) that flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.dtypes import DType
from ..base.shapes import Shape
from ..base.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known of a value before anything runs. Behind an op that nobody knows the dtype is `DTYPES[0]`."""

    dtype: DType
    shape: Shape


@dataclass(frozen=True, slots=True)
class Step:
    """One op applied to values.

    `name` is the node's name in the document, for errors. `inputs` and `outputs` name values; an output that nobody
    reads keeps its place. `attrs` holds every attribute in its Python form (see `graph.attrs`), defaults filled in;
    `bodies` holds the programs of attributes that name functions (then_branch, else_branch, body, cond, branches:0).
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, Program] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """What the op is called in the document, where the step stands for another one (see `generators`)."""
        return str(self.attrs.get("op", self.op)) if self.op.startswith("cryograph.") else self.op


@dataclass(frozen=True, slots=True)
class State:
    """One variable of the program: the value that holds it on entry, the one that holds it at the end, and its tensor
    when the run starts from the document (None when it has none yet)."""

    name: str
    value: str
    result: str
    initial: Tensor | None


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in running order, from `inputs` to `outputs` (names of values; an output may be an input or a constant).

    `constants` are values known before the run. `specs` tells dtype and shape of every value, shapes as far as they can
    be inferred. `state` is empty for a program that only reads (its variables are constants then).
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    constants: Mapping[str, Tensor]
    specs: Mapping[str, Spec]
    state: tuple[State, ...] = ()
