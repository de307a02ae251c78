"""Training of a model by a loss that it holds, with gradients that it need not hold.

What a run does follows from its seed alone: the order of the data in each epoch, and random numbers in each step. With
a directory it saves checkpoints, and a run that is started again after it was killed goes on from the last one as if
nothing had happened: the same batches, the same numbers, the same weights in the end.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..base.errors import InputError, MissingWeightsError
from ..base.feeding import Slot
from ..base.files import Path
from ..base.tensors import Array, Tensor
from ..engines.engine import Trainer
from ..engines.engines import fold, trainer
from ..formats.checkpoint import Checkpoint
from ..formats.manager import CheckpointManager
from ..graph.document import Document, Variable
from ..ops.weights import is_called_kept_up, kept_up
from ..program.build import build_program
from ..program.program import Program
from .gradient import fed, matching

Feeds = Mapping[str, ArrayLike]
Data = Feeds | Callable[[int], Iterable[Feeds]]
"""Arrays by the names of inputs, one row an example; or a function from the number of an epoch to its batches, which
gives the same batches whenever it is asked for the same epoch."""

OWN = "cryograph.fit"
"""Under what a checkpoint keeps what a run needs beside the variables."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What `fit` gives: the model with its new weights, and the history: a row an epoch, of means by name (`loss`, the
    metrics, and with `val_` before it what was found on the validation data)."""

    model: Any
    history: Sequence[Mapping[str, float]]
    step: int


@dataclass(slots=True)
class _Run:
    """Where a run is: this, the variables and what the optimizer keeps are all that it consists of."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    examples: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = float("inf")
    waited: int = 0
    is_done: bool = False


def fit(
    model: Document,
    data: Data,
    *,
    loss: str,
    trainable: Sequence[str] | str = "*",
    optimizer: Any = None,
    epochs: int = 1,
    batch_size: int = 32,
    metrics: Sequence[str] = (),
    updates: Sequence[str] = (),
    validation: Data | None = None,
    patience: int | None = None,
    directory: Path | None = None,
    save_every: int | None = None,
    max_to_keep: int = 3,
    seed: int = 0,
    progress: bool | None = None,
) -> Fitted:
    """Trains the variables that `trainable` (globs) chooses so that the tensor `loss` becomes small.

        import optax
        made = cg.train.fit(model, {"x": x, "y": y}, loss="loss", optimizer=optax.adam(1e-3), epochs=5)
        made.model.freeze("softmax").save("trained.pb")

    The means and variances that batch norms keep up are trained only where they are named in full, and so is what the
    file calls not trainable. Batch norms stay in the form in which the graph has them: those of a graph for answers go
    on using these means and variances, as is usual when a network is trained further.

    `optimizer` is one of optax's, or the learning rate of Adam as a float (0.001 without it). `metrics` are further
    tensors whose means are told; `updates` are nodes to run with every step (the updates of batch norms). `patience`
    ends the run after so many epochs in which the loss on `validation` (without it, on the data) became no smaller, and
    gives the best weights.
    `directory` is where checkpoints go, after each epoch and after every `save_every` steps; a run goes on from the
    last one there. `progress` shows a bar (by default on a terminal).

    InputError for data that does not fit, or a model without variables (see `unfreeze`); MissingExtraError without the
    extra `jax`; UnsupportedError for ops that its engine has no rule for.
    """
    if epochs < 1 or batch_size < 1:
        raise InputError(f"{epochs} epochs of batches of {batch_size} are nothing to train.")
    if seed < 0:
        raise InputError(f"The seed is {seed}; a number from 0 on was expected.")
    for given in (data, validation):
        if given is not None and not callable(given) and not isinstance(given, Mapping):
            raise InputError(
                f"The data is a {type(given).__name__}; arrays by the names of inputs were expected, or a function from"
                " the number of an epoch to its batches."
            )
    program = build_program(model, [loss, *metrics], None, fold, targets=updates, all_state=True)
    names = [state.name for state in program.state]
    trained = _trained(model, program, [trainable] if isinstance(trainable, str) else list(trainable))
    lacking = [state.name for state in program.state if state.initial is None]
    if lacking:
        raise MissingWeightsError(f"These variables have no value: {', '.join(lacking[:5])}. Join a checkpoint.")
    start = [state.initial.numpy() for state in program.state if state.initial is not None]
    work = _Fitting(
        trainer(program, [names.index(name) for name in trained], optimizer, start),
        [_slot(program, value) for value in program.inputs],
        _keys(model, names),
        ["loss", *metrics],
        batch_size,
        seed,
        patience,
    )
    manager = None if directory is None else CheckpointManager(directory, max_to_keep=max_to_keep, background=False)
    work.go_on(manager)
    with _bar(progress, epochs) as show:
        for _ in work.epochs(data, validation, epochs, manager, save_every):
            show(work.run)
    values = dict(zip(names, work.result(), strict=True))
    variables = {
        name: variable.with_tensor(Tensor.of(values[name])) if name in values else variable
        for name, variable in model.variables.items()
    }
    return Fitted(dataclasses.replace(model, variables=variables), work.run.history, work.run.step)


def _trained(model: Document, program: Program, globs: list[str]) -> list[str]:
    """The variables that are trained: floats that globs choose; of those that the file calls not trainable, and of
    those that batch norms keep up where it says nothing, only those that are named in full."""
    floats = [s.name for s in program.state if _is_float(program.specs[s.value].dtype.numpy)]
    if not floats:
        raise InputError("The loss reads no variable of floats. Constants become variables by model.unfreeze().")
    untrained = kept_up(model.graph)
    not_trainable = {
        v.name
        for v in model.variables.values()
        if v.trainable is False or (v.trainable is None and (v.node in untrained or is_called_kept_up(v.name)))
    }
    chosen = [name for name in matching(floats, globs) if name not in not_trainable or name in globs]
    if not chosen:
        raise InputError(f"Of the variables {', '.join(floats[:5])} none is trainable; name those that are meant.")
    return chosen


def _is_float(held: np.dtype[Any] | None) -> bool:
    return held is not None and (held.kind == "f" or held.name == "bfloat16")


def _slot(program: Program, value: str) -> Slot:
    spec = program.specs[value]
    return Slot(value.removesuffix(":0"), value, spec.dtype, spec.shape)


def _keys(model: Document, names: Sequence[str]) -> list[str]:
    """Under what checkpoints hold the state: the keys of variables, so that other programs restore them."""
    found: dict[str, Variable] = dict(model.variables)
    return [found[name].key if name in found and not found[name].slice_spec else name for name in names]


class _Fitting:
    """One run of `fit`."""

    def __init__(
        self,
        trainer: Trainer,
        slots: Sequence[Slot],
        keys: Sequence[str],
        told: Sequence[str],
        batch_size: int,
        seed: int,
        patience: int | None,
    ) -> None:
        self.run = _Run()
        self._trainer, self._slots, self._keys, self._told = trainer, slots, keys, told
        self._batch_size, self._seed, self._patience = batch_size, seed, patience
        self._best: list[Array] | None = None

    def epochs(
        self, data: Data, validation: Data | None, epochs: int, manager: CheckpointManager | None, every: int | None
    ) -> Iterator[None]:
        """Trains; stops for a moment after each step."""
        run = self.run
        while run.epoch < epochs and not run.is_done:
            for feeds, count in islice(self._batches(data, run.epoch, True), run.batch, None):
                made = self._trainer.step(feeds, self._seeds(run.step))
                self._add(run.sums, made, count)
                run.examples += count
                run.batch, run.step = run.batch + 1, run.step + 1
                if every is not None and run.step % every == 0:
                    self._save(manager)
                yield
            if not run.examples:
                raise InputError("The data has no examples.")
            row = {name: value / run.examples for name, value in run.sums.items()}
            if validation is not None:
                row.update({f"val_{name}": value for name, value in self._means(validation).items()})
            run.history.append(row)
            run.epoch, run.batch, run.sums, run.examples = run.epoch + 1, 0, {}, 0
            self._judge(row.get("val_loss", row["loss"]))
            self._save(manager)
            yield

    def result(self) -> list[Array]:
        """The weights that the run leaves: the best ones where it looked for them."""
        return self._trainer.state if self._best is None else self._best

    def _judge(self, found: float) -> None:
        if self._patience is None:
            return
        run = self.run
        if found < run.best:
            run.best, run.waited, self._best = found, 0, self._trainer.state
        else:
            run.waited += 1
            run.is_done = run.waited >= self._patience

    def _means(self, data: Data) -> dict[str, float]:
        sums: dict[str, float] = {}
        examples = 0
        for feeds, count in self._batches(data, 0, False):
            self._add(sums, self._trainer.look(feeds, self._seeds(-1)), count)
            examples += count
        if not examples:
            raise InputError("The validation data has no examples.")
        return {name: value / examples for name, value in sums.items()}

    def _add(self, sums: dict[str, float], made: Sequence[Any], count: int) -> None:
        for name, value in zip(self._told, made, strict=True):
            sums[name] = sums.get(name, 0.0) + float(np.mean(np.asarray(value), dtype=np.float64)) * count

    def _seeds(self, step: int) -> Array:
        """The random words of a step; of looking, always the same."""
        return np.random.default_rng([self._seed, step + 1]).integers(0, 1 << 32, 4, np.uint32)

    def _batches(self, data: Data, epoch: int, is_training: bool) -> Iterator[tuple[list[Array], int]]:
        if callable(data):
            for feeds in data(epoch):
                given = fed(feeds, self._slots)
                yield given, max((len(array) for array in given if array.ndim), default=1)
            return
        arrays = fed(data, self._slots)
        counts = {len(array) for array in arrays if array.ndim}
        if len(counts) != 1:
            raise InputError(f"The inputs have {sorted(counts)} examples; one number was expected.")
        (count,) = counts
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(count) if is_training else np.arange(count)
        for first in range(0, count, self._batch_size):
            chosen = order[first : first + self._batch_size]
            yield [array[chosen] if array.ndim else array for array in arrays], len(chosen)

    def _save(self, manager: CheckpointManager | None) -> None:
        if manager is None:
            return
        tensors: dict[str, ArrayLike | Tensor] = dict(zip(self._keys, self._trainer.state, strict=True))
        tensors.update({f"{OWN}/optimizer/{i}": value for i, value in enumerate(self._trainer.kept)})
        if self._best is not None:
            tensors.update({f"{OWN}/best/{key}": v for key, v in zip(self._keys, self._best, strict=True)})
        words = np.array(json.dumps({**dataclasses.asdict(self.run), "seed": self._seed}).encode(), object)
        tensors[f"{OWN}/run"] = words
        manager.save(tensors, self.run.step)

    def go_on(self, manager: CheckpointManager | None) -> None:
        """Goes on from the last checkpoint of the directory, where there is one."""
        found = None if manager is None else manager.restore()
        if found is None:
            return
        if f"{OWN}/run" not in found:
            raise InputError(f"{found.prefix} was not written by fit; give a directory of its own.")
        said = json.loads(found[f"{OWN}/run"].numpy().item())
        if said.pop("seed") != self._seed:
            raise InputError(f"{found.prefix} was written with another seed; give the one that it began with.")
        count = sum(key.startswith(f"{OWN}/optimizer/") for key in found)
        kept = _read(found, [f"{OWN}/optimizer/{i}" for i in range(count)])
        self._trainer.restore(_read(found, self._keys), kept)
        self.run = _Run(**said)
        if any(key.startswith(f"{OWN}/best/") for key in found):
            self._best = _read(found, [f"{OWN}/best/{key}" for key in self._keys])


def _read(found: Checkpoint, keys: Sequence[str]) -> list[Array]:
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError(f"{found.prefix} is of another model or optimizer: it does not hold {missing[0]}.")
    return [found[key].numpy() for key in keys]


class _bar:
    """A bar of steps on standard error, or nothing."""

    def __init__(self, progress: bool | None, epochs: int) -> None:
        self._wanted = sys.stderr.isatty() if progress is None else progress
        self._epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> Callable[[_Run], None]:
        if self._wanted:
            from tqdm import tqdm

            self._bar = tqdm(unit=" steps", file=sys.stderr)
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, run: _Run) -> None:
        if self._bar is None:
            return
        self._bar.set_description(f"epoch {min(run.epoch + 1, self._epochs)}/{self._epochs}", refresh=False)
        if run.examples:
            means = {name: f"{value / run.examples:.4g}" for name, value in run.sums.items()}
        else:
            means = {name: f"{value:.4g}" for name, value in (run.history[-1] if run.history else {}).items()}
        self._bar.set_postfix(means, refresh=False)
        self._bar.update(run.step - self._bar.n)
