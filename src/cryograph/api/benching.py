"""How fast a model runs on each engine that is installed."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from ..base.errors import Error, InputError, MissingExtraError
from ..base.feeding import fitted
from ..base.tensors import Array
from ..engines.engines import ENGINES
from ..engines.fastest import measured
from .model import Model
from .predictor import Predictor
from .values import random_feed


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine: seconds to make it ready (compile and first answer), median seconds of a run after that, and which
    engine ran what; or, in `problem`, why it cannot run the model."""

    engine: str
    ready: float
    median: float
    pieces: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Measurements:
    """All engines, the fastest first."""

    rows: tuple[Measurement, ...]

    def to_json(self) -> str:
        """The rows as JSON."""
        return json.dumps([dataclasses.asdict(row) for row in self.rows], indent=2)

    def __str__(self) -> str:
        best = next((row.median for row in self.rows if not row.problem), 0.0)
        lines = [f"{'engine':<12} {'first answer':>13} {'then':>11} {'ratio':>7}"]
        for row in self.rows:
            if row.problem:
                lines.append(f"{row.engine:<12} cannot: {row.problem}")
            else:
                times = f"{row.ready:>11.2f} s {row.median * 1e3:>8.2f} ms {row.median / best:>7.2f}"
                lines.append(f"{row.engine:<12} {times}  {'; '.join(row.pieces)}".rstrip())
        return "\n".join(lines)


def bench(
    model: Model,
    feeds: Mapping[str, ArrayLike] | None = None,
    outputs: Sequence[str] | str | None = None,
    engines: Sequence[str] | None = None,
    batch: int = 1,
) -> Measurements:
    """Runs the model on every engine that is installed, in turns, and tells how fast each is.

    Inputs that `feeds` does not name are filled at random; their unknown sizes become 1, the first one `batch`. An
    engine that cannot run the model is told with its reason. InputError when none can.
    """
    chosen = list(engines or (name for name in ENGINES if name != "fastest"))
    ready: dict[str, tuple[float, Predictor]] = {}
    problems: dict[str, str] = {}
    arrays: list[Array] = []
    for name in chosen:
        start = time.perf_counter()
        try:
            predict = model.compile(outputs, engine=name)
            arrays = _feeds(predict, feeds or {}, batch)
            predict.run(arrays)
        except MissingExtraError as error:
            if engines:  # asked for by name
                problems[name] = str(error)
            continue
        except Error as error:
            problems[name] = str(error)
            continue
        ready[name] = (time.perf_counter() - start, predict)
    if not ready:
        if len(set(problems.values())) == 1:  # it is not the engines' fault
            raise InputError(next(iter(problems.values())))
        raise InputError("No engine can run this model. " + "; ".join(f"{n}: {p}" for n, p in problems.items()))
    runners = {name: predict.run for name, (_, predict) in ready.items()}
    medians = measured(runners, arrays)
    rows = [Measurement(name, took, medians[name], predict.pieces) for name, (took, predict) in ready.items()]
    rows.sort(key=lambda row: row.median)
    return Measurements((*rows, *(Measurement(name, 0.0, 0.0, (), problem) for name, problem in problems.items())))


def _feeds(predict: Predictor, feeds: Mapping[str, ArrayLike], batch: int) -> list[Array]:
    given = {predict.index(name): value for name, value in feeds.items()}
    return [
        fitted(given[place], slot) if place in given else random_feed(slot, batch)
        for place, slot in enumerate(predict.inputs)
    ]
