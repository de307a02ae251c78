"""Records graph cases: a recipe builds a graph, TensorFlow runs it turn by turn.

A recipe is a function without arguments that gives the placeholders and the outputs, decorated with what is fed:

    @recipe([[1.0], [2.0]], resources=True)
    def adds_to_a_variable() -> Built:
        x = v1.placeholder(tf.float32, [])
        ...
        return [x], [after]

A module's `RECIPES` are recorded as one family, see `tools/gen_graphs.py`.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.ops import control_flow_util, resource_variables_toggle

from tests.support.graph_cases import GraphCase, Turn

v1 = tf.compat.v1
Built = tuple[Sequence[Any], Sequence[Any]]


@dataclass(frozen=True)
class Recipe:
    """How a graph is built, and what it is fed. `generation` 1 builds TF1's control flow, 2 that of TF2."""

    name: str
    build: Callable[[], Built]
    turns: Sequence[Sequence[Any]]
    generation: int
    resources: bool
    tolerance: float
    assets: Mapping[str, bytes]


NEW_EACH_TIME = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""The shared name by which TensorFlow knows a handle of its own, see program/holders.py."""

RECIPES: dict[str, list[Recipe]] = {}
"""By module."""


def recipe(
    turns: Sequence[Sequence[Any]] = ((),),
    *,
    generations: Sequence[int] = (1,),
    resources: Sequence[bool] | bool = False,
    tolerance: float = 2e-6,
    assets: Mapping[str, bytes] | None = None,
    name: str = "",
) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Registers a recipe for each generation of control flow and of variables that is asked for. `assets` are files
    that the graph names; `name` is used in place of the function's."""
    kinds = [resources] if isinstance(resources, bool) else resources

    def register(build: Callable[[], Built]) -> Callable[[], Built]:
        family = build.__module__.rpartition(".")[2]
        for generation in generations:
            for kind in kinds:
                called = name or build.__name__
                if len(generations) > 1:
                    called += f"-tf{generation}"
                if len(kinds) > 1:
                    called += "-resources" if kind else "-refs"
                made = Recipe(called, build, turns, generation, kind, tolerance, assets or {})
                RECIPES.setdefault(family, []).append(made)
        return build

    return register


@contextmanager
def behaviour(generation: int, resources: bool) -> Iterator[None]:
    """Graphs are built with the control flow and the variables of one generation; put back at the end."""
    before = control_flow_util.ENABLE_CONTROL_FLOW_V2, resource_variables_toggle._DEFAULT_USE_RESOURCE
    control_flow_util.ENABLE_CONTROL_FLOW_V2 = generation == 2
    resource_variables_toggle._DEFAULT_USE_RESOURCE = resources
    try:
        yield
    finally:
        control_flow_util.ENABLE_CONTROL_FLOW_V2, resource_variables_toggle._DEFAULT_USE_RESOURCE = before


@contextmanager
def beside(files: Mapping[str, bytes]) -> Iterator[None]:
    """In a folder that holds these files; back where we were at the end."""
    if not files:
        yield
        return
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def record(asked: Recipe) -> GraphCase:
    """Builds the graph and runs its turns in one session. Variables that are not initialised stay without a value."""
    with behaviour(asked.generation, asked.resources), beside(asked.assets), tf.Graph().as_default() as graph:
        v1.set_random_seed(7)
        random.seed(7)  # Keras draws the seeds of its initializers from here
        inputs, outputs = asked.build()
        variables = {v.op.name: v for v in v1.global_variables()}
        proto = numbered_anew(graph.as_graph_def()).SerializeToString(deterministic=True)
        starts = [v1.global_variables_initializer(), v1.tables_initializer()]
        reads = {name: v.read_value() for name, v in variables.items()}
        with v1.Session(graph=graph) as session:
            session.run(starts)
            values = _arrays(session.run(reads))
            turns = []
            for fed in asked.turns:
                feeds = [np.asarray(x, _dtype(t)) for x, t in zip(fed, inputs, strict=True)]
                try:
                    answers = [_array(a) for a in session.run(list(outputs), dict(zip(inputs, feeds, strict=True)))]
                except tf.errors.OpError:
                    answers = None
                turns.append(Turn(feeds, answers, _arrays(session.run(reads))))
    names = [t.name for t in inputs], [t.name for t in outputs]
    return GraphCase(asked.name, proto, *names, values, turns, asked.tolerance, asked.assets)


def numbered_anew(graph: Any) -> Any:
    """The graph with names that are the same each time: TensorFlow numbers functions through the life of a process, and
    gives tables random names."""
    text = text_format.MessageToString(graph)
    names = [f.signature.name for f in graph.library.function]
    bases = {name: re.sub(r"_\d+(?=_|$)", "", name) for name in names}
    names.sort(key=lambda name: (bases[name], [int(number) for number in re.findall(r"_(\d+)(?=_|$)", name)]))
    found = {name: f"{bases[name]}_n{rank}" for rank, name in enumerate(names) if bases[name] != name}
    for name in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|CustomGradient-\d+", text):
        if name != NEW_EACH_TIME:
            found.setdefault(name, f"other_{len(found)}")
    if not found:
        return graph
    either = "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True))
    made = text_format.Parse(re.sub(rf"({either})(?!\d)", lambda m: found[m[1]], text), v1.GraphDef())
    functions = sorted(made.library.function, key=lambda f: f.signature.name)
    del made.library.function[:]
    made.library.function.extend(functions)
    return made


def _dtype(tensor: Any) -> Any:
    return object if tensor.dtype == tf.string else tensor.dtype.as_numpy_dtype


def _array(value: Any) -> Any:
    made = np.asarray(value)
    return made.astype(object) if made.dtype.kind in "SU" else made


def _arrays(values: Any) -> dict[str, Any]:
    return {name: _array(value) for name, value in values.items()} if values else {}
