"""The engine `openvino`: runs whole programs by OpenVINO, from the same lowered graph that ONNX Runtime is given."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.dtypes import STRING
from ...base.errors import MissingExtraError, RunError, UnsupportedError
from ...base.tensors import Array
from ...program.program import Program
from ...program.scans import with_scans
from ..engine import Runner, Unsupported
from ..onnxruntime.engine import unsupported
from ..onnxruntime.file import lowered_whole, message
from ..onnxruntime.lower import Lowering
from ..onnxruntime.session import entering, leaving, wide, widened
from ..onnxruntime.values import OnnxGraph


@dataclass(frozen=True, slots=True)
class OpenVino:
    """OpenVINO on the CPU, in float32 as the model says and not in what is faster."""

    name: str = "openvino"

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that have no lowering. OpenVINO itself may refuse others when it is given the model."""
        return unsupported(Lowering(with_scans(program)))

    def prepare(self, program: Program) -> Runner:
        """The program compiled; UnsupportedError when a step has no lowering or OpenVINO takes it not."""
        openvino = _package()
        graph = lowered_whole(program)
        if any(value.dtype == STRING for value in graph.known.values()):
            raise UnsupportedError('The program holds strings, which OpenVINO does not take; engine="auto" runs it.')
        made = {name for node in graph.nodes for name in node.outputs}
        if not made.intersection(graph.outputs):
            raise UnsupportedError("The program computes nothing that OpenVINO could be given.")
        try:
            core = openvino.Core()
            model = core.read_model(model=message(widened(_computed(graph))))
            hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
            compiled = core.compile_model(model, "CPU", hints)
        except RuntimeError as error:
            raise UnsupportedError(f"OpenVINO does not take the lowered program: {_first_lines(error)}") from error
        return _Compiled(graph, compiled)


def _package() -> Any:
    """OpenVINO's package. Where nobody has imported it yet, it is told that its telemetry is not there, and does
    without: it would tell its maker of each import, from a process of its own."""
    silent = "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules
    if silent:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("OpenVINO", "openvino", "The engine openvino") from None
    finally:
        if silent:
            del sys.modules["openvino_telemetry"]
    return openvino


def _computed(graph: OnnxGraph) -> OnnxGraph:
    """The graph with those outputs that nodes make, and those inputs that nodes read."""
    made = {name for node in graph.nodes for name in node.outputs}
    outputs = list(dict.fromkeys(name for name in graph.outputs if name in made))
    return OnnxGraph(graph.inputs, outputs, graph.nodes, graph.constants, graph.known)


class _Compiled:
    """A compiled model. Each thread has a request of its own; what OpenVINO gives is copied out of it."""

    def __init__(self, graph: OnnxGraph, compiled: Any) -> None:
        self._graph = graph
        self._compiled = compiled
        self._local = threading.local()
        self._fed = {port.get_any_name() for port in compiled.inputs}
        self._places = {name: place for place, port in enumerate(compiled.outputs) for name in port.get_names()}

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        given = dict(zip(self._graph.inputs, arrays, strict=True))
        feeds = {}
        for name, array in given.items():
            into = entering(self._graph.known[name])
            port = name if into is None or name in self._fed else wide(name)
            if port in self._fed:
                feeds[port] = np.ascontiguousarray(array if into is None else into(array))
        try:
            made = request.infer(feeds)
        except RuntimeError as error:
            raise RunError(f"OpenVINO failed: {_first_lines(error)}") from error
        answers = []
        for name in self._graph.outputs:
            back = leaving(self._graph.known[name])
            place = self._places.get(name, self._places.get(wide(name)))
            if place is not None:
                answer = np.array(made[place])
            elif name in given:
                answers.append(given[name])
                continue
            else:
                answer = self._graph.constants[name].numpy()
            answers.append(answer if back is None else back(answer))
        return answers


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:4])
