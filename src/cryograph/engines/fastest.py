"""The engine `fastest`: at its first run it measures the engines that are installed, on what it was given, and keeps
the fastest. It remembers by the program's content, in the user's cache directory, so that each is measured once."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..base.cache import remember, remembered
from ..base.errors import Error, UnsupportedError
from ..base.tensors import Array
from ..program.program import Program
from .engine import Runner, Unsupported
from .split import Auto

BUDGET = 0.3
"""Seconds for which each engine is measured, in turns."""

MOST_RUNS = 50
TURNS = 5

PAUSE = 0.05
"""Seconds of rest before a turn, until threads that wait busily for the engine before have gone to sleep."""


def candidates() -> dict[str, Callable[[Program], Runner]]:
    """The engines that are worth measuring here, `auto` first: on a tie it stays."""
    found: dict[str, Callable[[Program], Runner]] = {"auto": lambda program: Auto().prepare(program)}
    if importlib.util.find_spec("openvino") is not None:
        from .openvino.engine import OpenVino

        found["openvino"] = lambda program: OpenVino().prepare(program)
    return found


@dataclass(frozen=True, slots=True)
class Fastest:
    """Whatever runs the program fastest on this machine."""

    name: str = "fastest"

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that `auto` cannot take, which is always among the engines that are measured."""
        return Auto().missing(program)

    def prepare(self, program: Program) -> Runner:
        """A callable that chooses at its first call; UnsupportedError when `auto` cannot run the program."""
        key = fingerprint(program)
        known = remembered(f"fastest/{key}")
        makers = candidates()
        if isinstance(known, str) and known in makers:
            try:
                return makers[known](program)
            except UnsupportedError:  # remembered by another version of that engine
                pass
        lacking = self.missing(program)
        if lacking:
            return makers["auto"](program)  # which says it in its own words
        return _Choosing(program, makers, key)


class _Choosing:
    """Measures at the first call, and hands over to the winner from then on."""

    def __init__(self, program: Program, makers: Mapping[str, Callable[[Program], Runner]], key: str) -> None:
        self._program = program
        self._makers = makers
        self._key = key
        self._chosen: Runner | None = None
        self._lock = threading.Lock()

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        if self._chosen is None:
            with self._lock:
                if self._chosen is None:
                    self._chosen = self._choose(arrays)
        return self._chosen(arrays)

    def _choose(self, arrays: Sequence[Array]) -> Runner:
        runners: dict[str, Runner] = {}
        for name, make in self._makers.items():
            try:
                runner = make(self._program)
                runner(arrays)
                runners[name] = runner
            except Error:
                if name == "auto":
                    raise
        if len(runners) == 1:
            return runners["auto"]
        medians = measured(runners, arrays)
        winner = min(medians, key=lambda name: medians[name])
        remember(f"fastest/{self._key}", winner)
        return runners[winner]


def measured(runners: Mapping[str, Runner], arrays: Sequence[Array]) -> dict[str, float]:
    """The median seconds of each, which take turns so that what else the machine does meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(TURNS):
        for name, runner in runners.items():
            time.sleep(PAUSE)
            runner(arrays)  # what another engine left in the caches is not this one's fault
            end = time.perf_counter() + BUDGET / TURNS
            for _ in range(MOST_RUNS):
                start = time.perf_counter()
                runner(arrays)
                now = time.perf_counter()
                times[name].append(now - start)
                if now > end:
                    break
    return {name: statistics.median(found) for name, found in times.items()}


def fingerprint(program: Program) -> str:
    """What decides which engine is fastest: the program with its shapes and weights, the machine, the versions."""
    said = hashlib.blake2b(digest_size=16)
    said.update(repr((platform.machine(), platform.processor(), os.cpu_count())).encode())
    for package in ("cryograph", "onnxruntime", "openvino", "numpy"):
        try:
            said.update(f"{package} {importlib.metadata.version(package)};".encode())
        except importlib.metadata.PackageNotFoundError:
            said.update(f"no {package};".encode())
    _add(program, said)
    return said.hexdigest()


def _add(program: Program, said: hashlib.blake2b) -> None:
    said.update(repr((program.inputs, program.outputs, [(s.name, s.value) for s in program.state])).encode())
    for name in program.inputs:
        said.update(repr((name, program.specs[name])).encode())
    for name, tensor in program.constants.items():
        said.update(repr((name, tensor.dtype.name, tensor.shape)).encode())
        for piece in tensor.chunks():
            said.update(piece)
    for step in program.steps:
        plain = sorted((key, repr(value)) for key, value in step.attrs.items())
        said.update(repr((step.op, step.inputs, step.outputs, plain)).encode())
        for name, body in step.bodies.items():
            said.update(name.encode())
            _add(body, said)
