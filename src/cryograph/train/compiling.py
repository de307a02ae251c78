"""One kind of run made ready: certain fetches, computed from certain feeds on the state of a session."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from ..base.errors import MissingWeightsError
from ..base.feeding import Slot
from ..base.tensors import Array
from ..engines.engine import Prepared, Runner
from ..engines.engines import fold, prepare
from ..grants.grants import granted_rules
from ..graph.document import Document
from ..program.build import build_program
from ..program.program import Program, State
from .fetching import Fetches
from .granting import SAVER_OPS, granted, holds_ops
from .iterators import Next
from .pinning import PACKING, Pinning
from .store import Store

Fill = Callable[[Sequence[State]], bool]
"""Gives values to state that has none, where the model says how; whether it did."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A runner of feeds, then the state `reads`, to `count` tensors, then the state `writes`; both by name. `pinning`
    does the same, and more quickly where the state stays as it is.

    `places` says for each fetched thing which of the tensors it is. Iterators are made by the nodes `makes` before, and
    what `nexts` take from them is fed behind what the user feeds."""

    feeds: tuple[Slot, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    count: int
    places: tuple[int | None, ...]
    run: Runner
    pinning: Pinning | None = None
    pieces: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    nexts: tuple[Next, ...] = ()


def compiled(
    document: Document,
    fetches: Fetches,
    feeds: Sequence[str],
    store: Store,
    engine: str,
    allow: Collection[str],
    fill: Fill,
) -> Compiled:
    """Makes a run ready. MissingWeightsError when it would read state that has no value and that nothing fills."""
    if not fetches.outputs and not fetches.targets:
        return Compiled((), (), (), 0, fetches.places, _nothing)
    program = _program(document, fetches, feeds, store)
    lacking = _lacking(program, store)
    if lacking and fill(lacking):
        program = _program(document, fetches, feeds, store)
        lacking = _lacking(program, store)
    if lacking:
        raise MissingWeightsError(_without_value(lacking))
    return _ready(program, fetches, engine, allow)


def _program(document: Document, fetches: Fetches, feeds: Sequence[str], store: Store) -> Program:
    program = build_program(
        document,
        fetches.outputs,
        feeds,
        fold,
        targets=fetches.targets,
        all_state=True,
        holds=lambda part: store.holds(part.name) if part.name in store else part.tensor is not None,
    )
    store.begin({state.name: state.initial for state in program.state})
    return program


def _ready(program: Program, fetches: Fetches, engine: str, allow: Collection[str]) -> Compiled:
    """State that is only read becomes an input, state that is only written an output; what is neither is left out."""
    read = _read(program)
    reading = [state for state in program.state if state.value in read]
    only_read = [state for state in reading if state.result == state.value]
    both = [state for state in reading if state.result != state.value]
    only_written = [s for s in program.state if s.value not in read and s.result != s.value]
    made = replace(
        program,
        inputs=(*program.inputs, *(state.value for state in only_read)),
        outputs=(*program.outputs, *(state.result for state in only_written)),
        state=tuple(both),
    )
    engine = engine if made.steps else "numpy"
    start = time.perf_counter()
    pinning: Pinning | None = None
    if holds_ops(made, SAVER_OPS):
        prepared = Prepared(granted(made, len(program.inputs), allow), ("numpy: all steps",))
    else:
        rules = granted_rules(allow) if holds_ops(made, allow) else None
        prepared = prepare(made, engine, rules)
        if only_read and engine in PACKING and not rules:
            names = [state.value for state in only_read]
            pinning = Pinning(made, names, engine, prepared.run, time.perf_counter() - start)
    return Compiled(
        feeds=tuple(Slot(n, n, program.specs[n].dtype, program.specs[n].shape) for n in program.inputs),
        reads=tuple(state.name for state in (*only_read, *both)),
        writes=tuple(state.name for state in (*only_written, *both)),
        count=len(program.outputs),
        places=fetches.places,
        run=prepared.run,
        pinning=pinning,
        pieces=prepared.pieces,
    )


def _read(program: Program) -> set[str]:
    """The values that a run needs: those of steps, those that come out, and those that go into other state."""
    read = {name for step in program.steps for name in step.inputs}.union(program.outputs)
    return read.union(state.result for state in program.state if state.result != state.value)


def _lacking(program: Program, store: Store) -> list[State]:
    read = _read(program)
    return [state for state in program.state if state.value in read and not store.holds(state.name)]


def _without_value(lacking: Sequence[State]) -> str:
    names = [repr(state.name) for state in lacking]
    some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    it = "it is" if len(names) == 1 else "they are"
    return (
        f"No value yet: {some}; {it} read before anything was written. Run the initialiser of the graph (often "
        "'init'), call initialize(), or restore a checkpoint: restore(prefix), or cryograph.load(..., weights=prefix)."
    )


def _nothing(values: Sequence[Array]) -> list[Array]:
    return []
