"""A session: a model with state, which runs change and the next run sees."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import InputError, MissingWeightsError
from ..base.feeding import Slot, fitted
from ..base.files import Path
from ..base.tensors import Array, Tensor
from ..grants.grants import granted_rules
from ..graph.document import Document
from ..graph.node import Port
from ..program.program import State
from .compiling import Compiled, compiled
from .fetching import key_of, nested, resolved
from .initialising import fillers, initialisers, restoring_tables, starting
from .iterators import Iterators, without_making
from .saving import Saving
from .store import Store

MAX_COMPILED = 64
"""The most kinds of runs that a session keeps ready; the one that was not used for the longest time gives way."""


class Session:
    """What `Model.session` gives: variables, tables and random generators live here and change from run to run.

        with model.session() as s:
            loss, _ = s.run(["loss", "train"], {"x": x, "y": y})

    It begins with the values that the model holds; the model's own initialisers of tables and of local variables are
    run. A run that fails changes nothing. Runs from several threads are safe: those that write come one after the
    other, those that only read see the state between two writes.
    """

    def __init__(
        self,
        document: Document,
        engine: str = "auto",
        initialize: bool = True,
        allow: Iterable[str] = (),
        store: Store | None = None,
    ) -> None:
        self._document = document
        self._runnable = without_making(document)
        self._engine = engine
        self._allow = frozenset(allow)
        granted_rules(self._allow)  # UnknownNameError comes here, not at the first run
        self._store = store or Store()  # another session's, when state is shared
        self._store.begin({name: variable.tensor for name, variable in document.variables.items()})
        self._ready: OrderedDict[Hashable, Compiled] = OrderedDict()
        self._lock = threading.Lock()
        self._is_open = True
        self._filled: set[str] = set()
        self._saving = Saving(document, self._store, self.run, self.compute)
        self._iterators = Iterators(document, self._spawn)
        if initialize:
            restoring = restoring_tables(document)
            if restoring:
                self.run(f"^{restoring}", {document.meta.saver_def.filename_tensor_name: document.weights})
            for name in starting(document):
                self.run(f"^{name}")

    def run(self, fetches: Any, feeds: Mapping[Any, Any] | None = None) -> Any:
        """Runs what is fetched and gives the answers in the same nest.

        `fetches` is a name or a nest of lists, tuples, named tuples and dicts of names: of tensors (`node:0`), or bare
        (`node`: its first output; None for an operation that gives nothing). A Node is run as an operation. `feeds`
        are values for any tensors. Scalars come back as numpy's scalars, strings as bytes.

        Only what the fetches need is run, in the order that TensorFlow keeps. InputError for feeds that do not fit;
        MissingWeightsError when a variable is read that has no value.
        """
        plan = self._plan(fetches, feeds or {})
        answers = self._answers(plan, feeds or {})
        return nested(fetches, iter([None if p is None else _answer(answers[p]) for p in plan.places]))

    def compute(self, names: Sequence[str], feeds: Mapping[Any, Any] | None = None) -> list[Array]:
        """The values of tensors as arrays, also where `run` gives scalars, without copying them: they may be the
        session's own, and cannot be changed then."""
        plan = self._plan(list(names), feeds or {})
        answers = self._answers(plan, feeds or {})
        return [answers[place] for place in plan.places if place is not None]

    def initialize(self) -> None:
        """Gives a value to every variable that has none, by the model's own initialisers; GraphError where it has
        none."""
        names = [name for name in self._document.variables if not self._store.holds(name)]
        self.run([f"^{name}" for name in initialisers(self._document, names)])

    def value(self, name: str) -> Array:
        """The present value of a variable; MissingWeightsError when it has none."""
        self._check_open()
        variable = self._document.variable(name)
        value: Array | None = self._store.read([variable.name])[0]
        if value is None:
            raise MissingWeightsError(f"The variable {name!r} has no value yet.")
        return value

    def assign(self, name: str, value: ArrayLike | Tensor) -> None:
        """Gives a variable another value, of its dtype and shape."""
        self._check_open()
        variable = self._document.variable(name)
        array = fitted(value, Slot(variable.name, variable.name, variable.dtype.base, variable.shape))
        with self._store.writing:
            self._store.write([variable.name], [array.copy()])

    def save(
        self,
        prefix: Path,
        global_step: int | str | None = None,
        *,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float | None = 10000.0,
        write_meta_graph: bool = True,
    ) -> str:
        """Saves what TensorFlow's Saver of this graph would, as `PREFIX-STEP.index`, `.data` and `.meta`, notes it in
        the `checkpoint` file, and gives the whole prefix.

        `global_step` is a number, or the name of the tensor that holds it; without one the prefix is what was given.
        Of those that this session saved under the prefix, the last `max_to_keep` are kept (None keeps all), and one
        for good every so many hours; what others saved stays.
        """
        self._check_open()
        step = self._step(global_step) if isinstance(global_step, str) else global_step
        return self._saving.save(prefix, step, max_to_keep, keep_checkpoint_every_n_hours, write_meta_graph)

    def restore(self, prefix: Path, partial: bool = False) -> None:
        """Takes the values of a checkpoint, whoever wrote it, as TensorFlow's Saver of this graph would.

        MissingWeightsError when it lacks some; with `partial` these stay as they are. InputError when it has none of
        them, or the model has no variables.
        """
        self._check_open()
        self._saving.restore(prefix, partial)

    def snapshot(self) -> Document:
        """The model with the values of this moment: to freeze, to save, to compile."""
        self._check_open()
        variables = dict(self._document.variables)
        for name, value in zip(variables, self._store.read(list(variables)), strict=True):
            if value is not None:
                variables[name] = variables[name].with_tensor(Tensor.of(value, variables[name].dtype.base))
        return dataclasses.replace(self._document, variables=variables)

    def close(self) -> None:
        """Lets go of all values; nothing can be run afterwards."""
        self._is_open = False
        with self._lock:
            self._ready.clear()
        self._store = Store()

    def __repr__(self) -> str:
        names = self._document.variables
        empty = sum(not self._store.holds(name) for name in names)
        state = f"{len(names)} variables" + (f", {empty} without a value" if empty else "")
        return f"<Session of {self._document.source or 'a model'} ({state}), {len(self._ready)} kinds of runs ready>"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if not self._is_open:
            raise InputError("The session is closed.")

    def _step(self, name: str) -> int:
        """The value of the tensor that counts steps."""
        value = np.asarray(self.run(name))
        if value.size != 1 or value.dtype.kind not in "iu":
            raise InputError(
                f"{name} is {value.dtype} {list(value.shape)}, which is no step; a whole number, or the name of a"
                " tensor that holds one, was expected."
            )
        return int(value.reshape(-1)[0])

    def _answers(self, plan: Compiled, feeds: Mapping[Any, Any]) -> list[Array]:
        """Runs, and keeps what was written. The answers may share memory with the state."""
        given = [fitted(value, slot) for value, slot in zip(feeds.values(), plan.feeds, strict=False)]
        if not plan.writes and not plan.makes and not plan.nexts:
            return self._runs(plan, given)
        with self._store.writing:
            for name in plan.makes:
                self._iterators.make(name, feeds)
            elements = [value for taken in plan.nexts for value in self._iterators.next(taken)]
            given += map(fitted, elements, plan.feeds[len(given) :])
            answers = self._runs(plan, given)
            self._store.write(plan.writes, _owned(answers[plan.count :], given))
        return answers

    def _runs(self, plan: Compiled, given: Sequence[Array]) -> list[Array]:
        state = self._store.read(plan.reads)
        return plan.run([*given, *state]) if plan.pinning is None else plan.pinning.run(given, state)

    def _spawn(self, document: Document, afresh: str) -> Session:
        """A session of another graph on the same state, without that of the names below `afresh`."""
        if afresh:
            self._store.forget(f"{afresh}/")
        return Session(document, self._engine, False, self._allow, self._store)

    def _plan(self, fetches: Any, feeds: Mapping[Any, Any]) -> Compiled:
        """What was made ready for these fetches and feeds, or is now."""
        wanted = (key_of(fetches), *feeds)
        with self._lock:
            found = self._ready.get((wanted, self._store.empty))
            if found is not None:
                self._ready.move_to_end((wanted, self._store.empty))
                return found
        self._check_open()
        names = [_tensor_of(name) for name in feeds]
        asked = resolved(fetches, self._document.graph)
        makes, nexts = self._iterators.needed(asked, names) if self._iterators.exist else ([], [])
        names += [tensor for taken in nexts for tensor in taken.tensors]
        made = compiled(self._runnable, asked, names, self._store, self._engine, self._allow, self._fill)
        if makes or nexts:
            made = dataclasses.replace(made, makes=tuple(makes), nexts=tuple(nexts))
        with self._lock:
            self._ready[wanted, self._store.empty] = made
            while len(self._ready) > MAX_COMPILED:
                self._ready.popitem(last=False)
        return made

    def _fill(self, lacking: Sequence[State]) -> bool:
        """Fills tables by the operations of the model that do it."""
        nodes = fillers(self._document, [state for state in lacking if state.name not in self._filled])
        self._filled.update(state.name for state in lacking)
        if nodes:
            self.run([f"^{name}" for name in nodes])
        return bool(nodes)


def _tensor_of(name: Any) -> str:
    """The name of a tensor that is fed."""
    if isinstance(name, Port):
        return name.tensor
    if isinstance(name, str):
        return name
    raise InputError(f"{name!r} cannot be fed; the names of tensors can.")


def _owned(values: Sequence[Array], given: Sequence[Array]) -> list[Array]:
    """Arrays that nobody else can change: what shares the memory of a feed, or is a part of something, is copied."""
    fed = {id(array) for array in given}
    return [
        value.copy() if id(value) in fed or (value.base is not None and value.flags.writeable) else value
        for value in values
    ]


def _answer(array: Array) -> Any:
    """An array that its receiver may change without changing the session; a scalar where it has no dimension."""
    if array.ndim == 0:
        return array[()]
    return array if array.base is None and array.flags.writeable else array.copy()
