"""Runs a network on pictures, as many at once as it takes: what classifying and retraining share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from ..base.errors import Error, FileError, FormatError, InputError
from ..base.tensors import Array
from ..graph.graph import Graph
from ..ops.picture_inputs import PictureInput
from .model import Model
from .pictures import Picture, fitted_picture, pixels_of

BATCH = 16
"""Pictures that go through the network at once, where it takes any number."""
SWITCHES = {"keep_prob": 1.0, "dropout_keep_prob": 1.0, "dropout_rate": 0.0, "dropout": 0.0, "rate": 0.0}
"""Placeholders of numbers by which graphs of 2016 are told that they do not train, by the end of their names."""

T = TypeVar("T")


class PicturePredictor:
    """What a network gives at `tensor` for pictures that are fed through `target`; its variables must be constants.

    `graph` is what of it is run, `switches` are what else is fed, which `reasons` say in words. InputError when it
    wants more than pictures and switches of training.
    """

    def __init__(self, network: Model, target: PictureInput, tensor: str, engine: str) -> None:
        part = network.extract(tensor, target.tensor)
        self.graph: Graph = part.graph
        self._target = target
        self._tensor = tensor
        self.switches, self.reasons = _switches(part.graph, target.tensor)
        self._predict = part.compile(tensor, [target.tensor, *self.switches], engine)

    def answers(
        self, items: Iterable[T], picture_of: Callable[[T], Picture], batch: int = BATCH
    ) -> Iterator[tuple[T, Array | Error]]:
        """Each item with the answer for its picture, in order; with the FileError or FormatError, which names it, for
        one that cannot be read. Pictures are read batch by batch."""
        waiting: list[tuple[T, Array | Error]] = []
        limit = self._limit(batch)
        for item in items:
            waiting.append((item, self._fitted(item, picture_of)))
            if len(waiting) >= limit:
                yield from self._answered(waiting, picture_of)
                waiting = []
        yield from self._answered(waiting, picture_of)

    def _limit(self, batch: int) -> int:
        target = self._target
        if target.batch == 0 or (target.size is None and not target.encoded):
            return 1  # pictures of several sizes cannot lie in one array
        return target.batch or max(1, batch)

    def _fitted(self, item: T, picture_of: Callable[[T], Picture]) -> Array | Error:
        try:
            return fitted_picture(picture_of(item), self._target)
        except (FileError, FormatError) as error:
            return error

    def _answered(
        self, waiting: Sequence[tuple[T, Array | Error]], picture_of: Callable[[T], Picture]
    ) -> Iterator[tuple[T, Array | Error]]:
        try:
            rows = iter(self._run([fed for _, fed in waiting if not isinstance(fed, Error)]))
        except Error:
            damaged = [_damage(picture_of(item)) if self._target.encoded else None for item, _ in waiting]
            if not any(damaged):
                raise  # the pictures are not at fault
            checked = [(item, bad or fed) for (item, fed), bad in zip(waiting, damaged, strict=True)]
            yield from self._answered(checked, picture_of)
            return
        yield from ((item, fed if isinstance(fed, Error) else next(rows)) for item, fed in waiting)

    def _run(self, arrays: Sequence[Array]) -> Array | list[Array]:
        if not arrays:
            return []
        many = self._target.batch
        short = (many or len(arrays)) - len(arrays)
        fed = arrays[0] if many == 0 else np.stack([*arrays, *[arrays[-1]] * short])
        answer = np.asarray(self._predict({self._target.tensor: fed, **self.switches})[self._tensor])
        count = len(fed) if many != 0 else 1
        if count > 1 and answer.shape[:1] != (count,):
            raise InputError(
                f"{self._tensor} is {list(answer.shape)} for {count} pictures; a row for each was expected."
            )
        if count == 1 and answer.shape[:1] != (1,):
            answer = answer[None]
        return answer[: len(arrays)]


def _damage(picture: Picture) -> FormatError | None:
    """Why a picture whose bytes the network itself decodes cannot be read; None when it can."""
    try:
        pixels_of(picture, 3)
    except FormatError as error:
        return error
    return None


def _switches(graph: Graph, tensor: str) -> tuple[dict[str, Array], list[str]]:
    """What else must be fed: that the graph does not train, and that nothing is dropped."""
    fed: dict[str, Array] = {}
    said = []
    for node in graph:
        name = f"{node.name}:0"
        if node.op not in ("Placeholder", "PlaceholderV2") or name == tensor:
            continue
        dtype, end = node.attr("dtype"), node.name.rpartition("/")[2].lower()
        if dtype is not None and dtype.name == "bool":
            fed[name] = np.array(False)
        elif dtype is not None and dtype.is_floating and end in SWITCHES:
            fed[name] = np.array(SWITCHES[end], dtype.numpy)
        else:
            raise InputError(f"The graph also wants {name} ({dtype}); cut it with input_name (--input) behind that.")
        said.append(f"{name} is {fed[name]}: nothing is trained here")
    return fed, said
