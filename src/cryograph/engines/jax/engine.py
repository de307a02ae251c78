"""The engine `jax`: programs compiled whole by XLA, one for each set of shapes, and their derivatives.

This is the file that imports jax. A run gives the state that comes out, and takes it back the next time without
copying it. What a program does with int64 and float64 is done in int64 and float64, whatever the user's own setting.

A program is compiled once for all inputs of the same shapes. Where it must know an input's value (a shape that is fed,
a number of turns), it is compiled for each value of that input; where it must know what it works out itself, it runs
step by step. The programs of the last MAX_COMPILED sets of shapes are kept.

Compiled code cannot raise. What its ops would (an index out of range, a failed assertion, a division by zero) it tells
by one number more that comes out of it: that of the first check that failed, 0 where none did. It is looked at before
anything else of the run is used.
"""

from __future__ import annotations

import os
import secrets
import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ...base.errors import InputError, MissingExtraError, RunError
from ...base.tensors import Array
from ...program.program import Program
from ...program.scans import with_scans
from ..engine import Runner, Unsupported, cannot_take
from ..numpy.engine import refusals
from .context import NeedsValue, checking
from .plan import Plan
from .rows import register
from .rules import RULES

MAX_COMPILED = 32
"""Compiled programs that are kept for one program."""
MAX_BY_VALUE = 64
"""Programs that are compiled for values of inputs; one that needs more of them is run step by step."""
MAX_LOOKED_AT = 1024
"""Elements of an input up to which a program may be compiled for its value."""
YNN = "xla_cpu_experimental_ynn_fusion_type"
"""XLA's option that lists what YNNPACK computes on a CPU."""


def the_jax() -> Any:
    """The package, told how lists are handed on."""
    try:
        import jax
    except ImportError:
        raise MissingExtraError("JAX", "jax", "The engine jax") from None
    _tell_of_lists()
    return jax


@cache
def _tell_of_lists() -> None:
    """Once for each process."""
    register(import_module("jax"))


def the_optax() -> Any:
    """The package of optimizers."""
    try:
        import optax
    except ImportError:
        raise MissingExtraError("optax", "jax", "Training") from None
    return optax


def exact(jax: Any) -> AbstractContextManager[Any]:
    """A context in which int64 and float64 are what they say."""
    # Its place has changed: older versions have it among what is tried out.
    make = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    context: AbstractContextManager[Any] = make(True)
    return context


@cache
def compiler_options(jax: Any) -> dict[str, str] | None:
    """Options for XLA that make programs faster and change no answer; None where it does not know them."""
    if jax.default_backend() != "cpu" or YNN in os.environ.get("XLA_FLAGS", ""):
        return None
    # YNNPACK, which has come to be the default, multiplies matrices well, but convolves on a single core.
    options = {YNN: ",".join(f"LIBRARY_FUSION_TYPE_{kind}" for kind in ("DOT", "INDIVIDUAL_DOT", "REDUCE"))}
    try:
        jax.jit(lambda: 0, compiler_options=options)()
    except (TypeError, ValueError, RuntimeError):  # what says so differs with the version
        return None
    return options


def unknown_errors(jax: Any) -> tuple[type[Exception], ...]:
    """What JAX raises where a value is asked for that a trace does not know."""
    names = (
        "ConcretizationTypeError",
        "TracerArrayConversionError",
        "TracerIntegerConversionError",
        "TracerBoolConversionError",
        "NonConcreteBooleanIndexError",
    )
    return tuple(getattr(jax.errors, name) for name in names if hasattr(jax.errors, name))


class Jax:
    """JAX on the devices that it finds."""

    name = "jax"

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that have no rule, bodies included."""
        return refusals(with_scans(program), RULES)

    def prepare(self, program: Program) -> Runner:
        """A callable that compiles the program when it first meets the shapes that it is given."""
        return Compiled(checked(program))

    def eager(self, program: Program) -> Runner:
        """A callable that runs the program step by step."""
        traced = Traced(checked(program))

        def run(arrays: Sequence[Array]) -> list[Array]:
            return [np.asarray(value) for value in traced.step_by_step(arrays)]

        return run


def checked(program: Program) -> Program:
    """The program with loops along tensors as scans; UnsupportedError that lists steps without a rule."""
    scanned = with_scans(program)
    missing = refusals(scanned, RULES)
    if missing:
        raise cannot_take("jax cannot", missing, scanned)
    return scanned


class Traced:
    """A program as a function that JAX can trace."""

    def __init__(self, program: Program) -> None:
        self.jax = the_jax()
        self.program = program
        self.plan = Plan(program, RULES)
        self.unknown = unknown_errors(self.jax)
        self.names = (*program.inputs, *(state.value for state in program.state))
        self._big: list[Any] | None = None

    @property
    def big(self) -> list[Any]:
        """The big constants as JAX's arrays, made once."""
        if self._big is None:
            with exact(self.jax):
                self._big = [self.jax.numpy.asarray(self.plan.constants[slot].numpy()) for slot in self.plan.big]
        return self._big

    def call(
        self, feeds: Sequence[Any], big: Sequence[Any], seeds: Any, moved: Mapping[int, Any] | None = None
    ) -> list[Any]:
        """All results, of values that may be traced ones."""
        with self.jax.default_matmul_precision("float32"):
            return self.plan.run(self.jax, self.unknown, feeds, big, seeds, moved)

    def seeds(self) -> Any:
        """Random words for a run whose numbers have no seed."""
        words = [secrets.randbits(32) if self.plan.draws else 0 for _ in range(4)]
        return np.array(words, np.uint32)

    def step_by_step(self, arrays: Sequence[Any], seeds: Any = None) -> list[Any]:
        """All results, each step run by itself."""
        with exact(self.jax):
            feeds = [a if a.dtype.kind == "O" else self.jax.numpy.asarray(a) for a in arrays]
            return self.call(feeds, self.big, self.jax.numpy.asarray(self.seeds() if seeds is None else seeds))

    def feeds_behind(self, names: Sequence[str]) -> set[int]:
        """The places of the feeds from which values follow."""
        wanted = set(names)
        for step in reversed(self.program.steps):
            if wanted.intersection(step.outputs):
                wanted.update(step.inputs)
        return {place for place, name in enumerate(self.names) if name in wanted}


class Compiled:
    """A program and what it was compiled to, by the shapes of its inputs."""

    def __init__(self, program: Program, traced: Traced | None = None) -> None:
        self.traced = traced or Traced(program)
        self._made: OrderedDict[Any, _Entry] = OrderedDict()
        self._looked_at: frozenset[int] = frozenset()
        self._by_step = False
        self._by_value = 0
        self._state: tuple[tuple[Array, Any], ...] = ()
        self._spare: Sequence[Any] = ()
        self._lock = threading.Lock()

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        if len(arrays) != len(self.traced.names):
            raise InputError(f"{len(arrays)} values were given where the program takes {len(self.traced.names)}.")
        held = self._state
        feeds = [next((mine for theirs, mine in held if theirs is array), array) for array in arrays]
        with self._lock:
            spare, self._spare = self._spare, ()
        made = self.run(feeds, None, spare)
        outputs = [np.asarray(value) for value in made]
        count = len(self.traced.program.state)
        if count:
            state = made[-count:]
            self._state = tuple(zip(outputs[-count:], state, strict=True))
            self._spare = [mine for _, mine in held if not any(mine is value for value in state)]
        return outputs

    def run(self, feeds: Sequence[Any], seeds: Any = None, spare: Sequence[Any] = ()) -> list[Any]:
        """The results as JAX's arrays (numpy's for strings and for what is known), of either kind of arrays. `seeds`
        are four random words, for numbers that are to be the same again. `spare` are arrays of JAX's that nobody wants
        any more: their memory is used for the new state, unless a view of it is held somewhere."""
        jax = self.traced.jax
        with exact(jax):
            while not self._by_step:
                entry = self._entry(feeds)
                try:
                    return entry(feeds, seeds, spare)
                except NeedsValue as error:
                    with self._lock:
                        self._made.clear()
                        behind = self.traced.feeds_behind(error.inputs) - self._looked_at
                        more = {place for place in behind if _can_be_looked_at(feeds[place])}
                        self._looked_at |= more
                        self._by_step = not more
        return self.traced.step_by_step(feeds, seeds)

    def _entry(self, feeds: Sequence[Any]) -> _Entry:
        fixed = self._looked_at | {i for i, feed in enumerate(feeds) if feed.dtype == object}
        key = tuple(
            (tuple(feed.shape), feed.dtype, _contents(feed) if place in fixed else None)
            for place, feed in enumerate(feeds)
        )
        with self._lock:
            entry = self._made.get(key)
            if entry is None:
                self._by_value += bool(self._looked_at)
                self._by_step = self._by_value > MAX_BY_VALUE
                entry = self._made[key] = _Entry(self.traced, feeds, fixed)
                while len(self._made) > MAX_COMPILED:
                    self._made.popitem(last=False)
            else:
                self._made.move_to_end(key)
        return entry


def _can_be_looked_at(feed: Any) -> bool:
    return bool(feed.size <= MAX_LOOKED_AT)


def _contents(feed: Any) -> Any:
    held = np.asarray(feed)
    return tuple(held.reshape(-1).tolist()) if held.dtype == object else held.tobytes()


class _Entry:
    """A program compiled for feeds of given shapes, and of given values at `fixed` places."""

    def __init__(self, traced: Traced, feeds: Sequence[Any], fixed: frozenset[int] | set[int]) -> None:
        self._traced = traced
        self._open = [place for place in range(len(feeds)) if place not in fixed]
        known = {place: np.asarray(feeds[place]) for place in fixed}
        self._known: dict[int, Any] = {}
        self._messages: dict[str, int] = {}
        count = len(feeds)

        first = len(traced.program.inputs)
        self._state = [(tuple(feeds[i].shape), feeds[i].dtype) for i in self._open if i >= first]
        self._is_new = True

        def function(given: Sequence[Any], big: Sequence[Any], seeds: Any, spare: Sequence[Any]) -> list[Any]:
            values: list[Any] = [None] * count
            for place, value in known.items():
                values[place] = value
            for place, value in zip(self._open, given, strict=True):
                values[place] = value
            with checking(traced.jax.numpy) as checks:
                results = traced.call(values, big, seeds)
            self._messages = checks.messages
            for place, result in enumerate(results):
                if isinstance(result, np.ndarray):  # nothing to compute: a string, a shape, a constant
                    self._known[place] = result
            return [0 if place in self._known else result for place, result in enumerate(results)] + [checks.code]

        # Fresh memory for all state with every run costs a third of a training step: that of older state is used again.
        options = compiler_options(traced.jax)
        named = {} if options is None else {"compiler_options": options}
        self._call = traced.jax.jit(function, donate_argnums=3, keep_unused=True, **named)

    def _room(self, spare: Sequence[Any]) -> list[Any]:
        """An array for each state, to be written over."""
        if [(tuple(value.shape), value.dtype) for value in spare] == self._state:
            return list(spare)
        return [self._traced.jax.numpy.zeros(shape, dtype) for shape, dtype in self._state]

    def __call__(self, feeds: Sequence[Any], seeds: Any = None, spare: Sequence[Any] = ()) -> list[Any]:
        traced = self._traced
        words = traced.seeds() if seeds is None else seeds
        given = [feeds[place] for place in self._open]
        try:
            with warnings.catch_warnings() if self._is_new else nullcontext():
                if self._is_new:  # while it is compiled: state that changes its shape has no use for what it was
                    warnings.filterwarnings("ignore", message="Some donated buffers")
                *made, code = self._call(given, traced.big, words, self._room(spare))
                failed = int(code) if self._messages else 0
            self._is_new = False
        except (RuntimeError, MemoryError) as error:
            raise RunError(f"jax failed: {str(error).splitlines()[0]}") from error
        if failed:
            raise RunError(f"{list(self._messages)[failed - 1]}.")
        return [self._known.get(place, value) for place, value in enumerate(made)]
