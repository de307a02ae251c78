"""Sessions of ONNX Runtime: made from a graph whose weights stay where they are, run with arrays in order.

Strings are bytes here and text there: they are decoded on the way in and encoded on the way out, and a run with bytes
that are not UTF-8 is an error, so that who has another engine at hand may ask that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.dtypes import FLOAT32, FLOAT64, STRING
from ...base.errors import RunError, UnsupportedError
from ...base.tensors import Array, Tensor
from .faults import TRANSPOSED, is_right
from .proto import model_proto
from .values import (
    BFLOAT16,
    ELEMENT_TYPES,
    FAILED,
    PARTS,
    OnnxGraph,
    OnnxNode,
    Value,
    joined_parts,
    reads,
    split_parts,
)
from .weights import settle_weights

SLOWER = ("SkipLayerNormFusion",)
"""Optimisers of the runtime that make things worse: its kernel of a sum and a layer norm in one takes three times as
long as one after the other."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How sessions run: threads (0: as many as the machine has cores), and whether they wait busily for the next run,
    which is faster when nothing else computes in between."""

    threads: int = 0
    spin: bool = True


class Session:
    """One graph, ready to run. Calls may come from several threads at once.

    Outputs that are inputs or constants of the graph are handed through without the runtime. At the seam complex
    numbers are viewed as the pairs that the graph has for them, and bfloat16, which the runtime's interface does not
    know, is widened to float32; both come back as they were.
    """

    def __init__(self, graph: OnnxGraph, settings: SessionSettings | None = None) -> None:
        import onnxruntime as runtime

        made = {name for node in graph.nodes for name in node.outputs}
        self._inputs = graph.inputs
        # Where each output comes from: the runtime's answers, then the inputs, then constants, all in one list.
        wanted = list(dict.fromkeys(name for name in graph.outputs if name in made))
        self._constants: list[Array] = []
        self._plan: list[int] = []
        for name in graph.outputs:
            if name in made:
                self._plan.append(wanted.index(name))
            elif name in graph.constants:
                self._plan.append(len(wanted) + len(graph.inputs) + len(self._constants))
                array = graph.constants[name].numpy()
                self._constants.append(joined_parts(array) if graph.known[name].is_pairs else array)
            else:
                self._plan.append(len(wanted) + graph.inputs.index(name))
        self._straight = self._plan == list(range(len(wanted)))
        self._run: Any = None
        used = {name for node in graph.nodes for name in reads(node)}
        self._fed = [(i, name) for i, name in enumerate(graph.inputs) if name in used and name not in graph.constants]
        self._enter = [(i, into) for i, name in self._fed if (into := entering(graph.known[name])) is not None]
        self._leave = [(i, back) for i, name in enumerate(wanted) if (back := leaving(graph.known[name])) is not None]
        if wanted:
            fed = [name for _, name in self._fed]
            part = widened(OnnxGraph(fed, wanted, graph.nodes, graph.constants, graph.known))
            self._wanted = part.outputs
            self._fed = [(i, name) for (i, _), name in zip(self._fed, part.inputs, strict=True)]
            self._session = self._make(runtime, part, settings or SessionSettings())
            self._run = self._session.run

    def _make(self, runtime: Any, graph: OnnxGraph, settings: SessionSettings) -> Any:
        model, external = model_proto(settle_weights(graph))
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # what fails is raised
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = settings.threads
        if not settings.spin:
            options.add_session_config_entry("session.force_spinning_stop", "1")
        if external:
            # The runtime copies them while it makes the session.
            values = [_ort_value(runtime, tensor) for tensor in external.values()]
            options.add_external_initializers(list(external), values)
        errors = _errors()
        try:
            return runtime.InferenceSession(
                model.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_left_out(graph),
            )
        except errors as error:
            raise UnsupportedError(f"ONNX Runtime does not take the lowered program: {error}") from error

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The outputs for inputs in order; RunError when the runtime finds the numbers at fault."""
        if self._run is None:
            made: list[Array] = []
        else:
            given = arrays
            if self._enter:
                given = list(arrays)
                for i, turned in self._enter:
                    given[i] = turned(given[i])
            try:
                made = self._run(self._wanted, {name: given[i] for i, name in self._fed})
            except _errors() as error:
                said = _SAID.search(str(error))
                raise RunError(f"ONNX Runtime failed: {said[1] if said else error}") from error
            except UnicodeDecodeError as error:
                raise RunError("An answer holds bytes that are not UTF-8, and ONNX Runtime has text only.") from error
            for i, back in self._leave:
                made[i] = back(made[i])
        if self._straight:
            return made
        everything = [*made, *arrays, *self._constants]
        return [everything[at] for at in self._plan]


_SAID = re.compile(rf"Name:'[^']*?{re.escape(FAILED)}([^']*)'")
"""The words of a node that fails when numbers are at fault."""


def _decoded(array: Array) -> Array:
    """Strings as the runtime takes them."""
    made = np.empty(array.shape, object)
    try:
        made.reshape(-1)[:] = [item.decode() for item in array.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise RunError(f"{error.object[:40]!r} is not UTF-8, and ONNX Runtime takes text only.") from error
    return made


def _encoded(array: Array) -> Array:
    """Strings as we have them."""
    made = np.empty(array.shape, object)
    made.reshape(-1)[:] = [item.encode() for item in array.reshape(-1).tolist()]
    return made


def _left_out(graph: OnnxGraph) -> list[str]:
    """The optimisers that the runtime is told to leave out."""
    doubles = any(PARTS.get(value.dtype, value.dtype) == FLOAT64 for value in graph.known.values())
    return [*SLOWER, "MatmulTransposeFusion"] if doubles and not is_right(TRANSPOSED) else list(SLOWER)


def entering(value: Value) -> Callable[[Array], Array] | None:
    """What is done to an array before the runtime gets it."""
    if value.is_pairs:
        return split_parts
    if value.dtype == STRING:
        return _decoded
    return (lambda array: array.astype(np.float32)) if value.dtype == BFLOAT16 else None


def leaving(value: Value) -> Callable[[Array], Array] | None:
    """What is done to an array that the runtime gave."""
    if value.is_pairs:
        return joined_parts
    if value.dtype == STRING:
        return _encoded
    return (lambda array: array.astype(BFLOAT16.numpy)) if value.dtype == BFLOAT16 else None


def wide(name: str) -> str:
    """What a bfloat16 value is called where it is float32, outside of the graph."""
    return f"{name}~float32"


def widened(graph: OnnxGraph) -> OnnxGraph:
    """The graph with float32 where bfloat16 comes in or goes out."""
    known = graph.known
    narrow = {name for name in (*graph.inputs, *graph.outputs) if known[name].dtype == BFLOAT16}
    if not narrow:
        return graph
    known = {**known, **{wide(name): Value(wide(name), FLOAT32, known[name].shape) for name in narrow}}
    kinds = {dtype: {"to": ELEMENT_TYPES[dtype]} for dtype in (FLOAT32, BFLOAT16)}
    before = [OnnxNode("Cast", [wide(name)], [name], kinds[BFLOAT16]) for name in graph.inputs if name in narrow]
    after = [OnnxNode("Cast", [name], [wide(name)], kinds[FLOAT32]) for name in graph.outputs if name in narrow]
    inputs, outputs = (
        [wide(name) if name in narrow else name for name in names] for names in (graph.inputs, graph.outputs)
    )
    return OnnxGraph(inputs, outputs, [*before, *graph.nodes, *after], graph.constants, known)


def _ort_value(runtime: Any, tensor: Tensor) -> Any:
    """A view of a tensor for the runtime; the bits alone of what its interface does not know."""
    array = shared(tensor)
    if tensor.dtype == BFLOAT16:
        return runtime.OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(np.uint16), ELEMENT_TYPES[BFLOAT16])
    return runtime.OrtValue.ortvalue_from_numpy(array)


def shared(tensor: Tensor) -> Array:
    """The values as the runtime takes them: contiguous; a view of the file in all but odd cases."""
    return np.ascontiguousarray(tensor.numpy())


def _errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    return (
        native.Fail,
        native.InvalidArgument,
        native.InvalidGraph,
        native.InvalidProtobuf,
        native.NotImplemented,
        native.RuntimeException,
    )
