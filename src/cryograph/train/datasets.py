"""Datasets of a graph as iterators of Python: the sources, and what turns one dataset into another.

A rule takes a Making, which knows the graph and the values of the moment in which the iterator was made, and the node;
it gives a function that begins the dataset. Hints of speed (prefetching, parallel calls, options) change nothing here.
Datasets that read files are refused: what they would give can be fed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from ..base.errors import RunError, UnsupportedError
from ..base.shapes import show
from ..base.tensors import Array
from ..graph.node import Node
from .shuffling import Element, Numbers, Start, shuffled

Function = Callable[[Element], Element]


class Making(Protocol):
    """What rules may ask."""

    def dataset(self, node: Node, place: int) -> Start:
        """The dataset that an input of a node is."""

    def value(self, node: Node, place: int) -> Array:
        """The value of an input of a node."""

    def function(self, node: Node, attr: str, captured: Sequence[int]) -> Function:
        """The function that an attribute of a node names, with the inputs that it has captured."""

    def datasets(self, node: Node, attr: str, captured: Sequence[int]) -> Callable[[Element], Start]:
        """The same of a function that gives datasets."""


Rule = Callable[[Making, Node], Start]


def _number(making: Making, node: Node, place: int) -> int:
    return int(making.value(node, place).reshape(-1)[0])


def _tensor(making: Making, node: Node) -> Start:
    element = tuple(making.value(node, place) for place in range(len(node.data_inputs)))
    return lambda: iter([element])


def _slices(making: Making, node: Node) -> Start:
    parts = [making.value(node, place) for place in range(len(node.data_inputs))]
    if len({len(part) if part.ndim else -1 for part in parts}) != 1 or not parts[0].ndim:
        shapes = ", ".join(show(part.shape) for part in parts)
        raise RunError(f"{node.name!r} cuts tensors into rows that do not have the same number of them: {shapes}.")
    return lambda: zip(*map(_rows, parts), strict=True)


def _rows(part: Array) -> Iterator[Array]:
    """The rows of an array as arrays; numpy would make scalars of numbers, and strings of fixed length of bytes."""
    return (row if isinstance(row, np.ndarray) else np.array(row, part.dtype) for row in part)


def _range(making: Making, node: Node) -> Start:
    start, stop, step = (_number(making, node, place) for place in range(3))
    if not step:
        raise RunError(f"{node.name!r} counts in steps of 0.")
    dtype = node.attr("output_types")[0].numpy
    return lambda: ((np.array(number, dtype),) for number in range(start, stop, step))


def _repeat(making: Making, node: Node) -> Start:
    start, count = making.dataset(node, 0), _number(making, node, 1)

    def run() -> Iterator[Element]:
        for _ in range(count) if count >= 0 else itertools.count():
            empty = True
            for element in start():
                empty = False
                yield element
            if empty and count < 0:
                return

    return run


def _stacked(elements: Sequence[Element], node: Node) -> Element:
    columns = []
    for parts in zip(*elements, strict=True):
        if len({part.shape for part in parts}) > 1:
            shapes = ", ".join(dict.fromkeys(show(part.shape) for part in parts))
            raise RunError(f"{node.name!r} makes batches of elements of one shape, but there are {shapes}.")
        columns.append(np.stack(parts))
    return tuple(columns)


def _in_batches(
    start: Start, size: int, drops: bool, stack: Callable[[Sequence[Element]], Element]
) -> Callable[[], Iterator[Element]]:
    if size < 1:
        raise RunError(f"a batch of {size} elements cannot be made")

    def run() -> Iterator[Element]:
        elements = start()
        while batch := list(itertools.islice(elements, size)):
            if len(batch) == size or not drops:
                yield stack(batch)

    return run


def _batch(making: Making, node: Node) -> Start:
    drops = len(node.data_inputs) > 2 and bool(_number(making, node, 2))
    return _in_batches(making.dataset(node, 0), _number(making, node, 1), drops, lambda batch: _stacked(batch, node))


def _padded_batch(making: Making, node: Node) -> Start:
    count = node.attr("N")
    shapes = [making.value(node, 2 + i).reshape(-1).tolist() for i in range(count)]
    fillers = [making.value(node, 2 + count + i) for i in range(count)]
    drops = node.op.endswith("V2") and bool(_number(making, node, 2 + 2 * count))

    def stack(batch: Sequence[Element]) -> Element:
        columns = []
        for parts, shape, filler in zip(zip(*batch, strict=True), shapes, fillers, strict=True):
            sizes = [max(part.shape[d] for part in parts) if size < 0 else size for d, size in enumerate(shape)]
            made = np.full((len(parts), *sizes), filler[()], filler.dtype)
            for row, part in zip(made, parts, strict=True):
                if part.ndim != len(sizes) or any(a > b for a, b in zip(part.shape, sizes, strict=True)):
                    raise RunError(f"{node.name!r} pads to {sizes}; an element of {show(part.shape)} is larger.")
                row[tuple(slice(0, size) for size in part.shape)] = part
            columns.append(made)
        return tuple(columns)

    return _in_batches(making.dataset(node, 0), _number(making, node, 1), drops, stack)


def _shuffle(making: Making, node: Node) -> Start:
    start, size = making.dataset(node, 0), _number(making, node, 1)
    seeds = _number(making, node, 2), _number(making, node, 3)
    reshuffles = node.attr("reshuffle_each_iteration", True)
    seeder = Numbers(*seeds)

    def run() -> Iterator[Element]:
        numbers = Numbers(seeder.next(), seeder.next()) if reshuffles else Numbers(*seeds)
        return shuffled(start, size, numbers)

    return run


def _shuffle_and_repeat(making: Making, node: Node) -> Start:
    start, size, count = making.dataset(node, 0), _number(making, node, 1), _number(making, node, 4)
    seeds = _number(making, node, 2), _number(making, node, 3)
    seeder = Numbers(*seeds)

    def run() -> Iterator[Element]:
        reshuffles = node.attr("reshuffle_each_iteration", True)
        numbers = Numbers(seeder.next(), seeder.next()) if reshuffles else Numbers(*seeds)
        return shuffled(start, size, numbers, count)

    return run


def _captured(node: Node) -> list[int]:
    return list(range(1, 1 + len(node.attr("Targuments", []))))


def _map(making: Making, node: Node) -> Start:
    start, function = making.dataset(node, 0), making.function(node, "f", _captured(node))
    return lambda: map(function, start())


def _map_and_batch(making: Making, node: Node) -> Start:
    captured = _captured(node)
    start, function = making.dataset(node, 0), making.function(node, "f", captured)
    size = _number(making, node, 1 + len(captured))
    drops = bool(_number(making, node, 3 + len(captured)))
    return _in_batches(lambda: map(function, start()), size, drops, lambda batch: _stacked(batch, node))


def _filter(making: Making, node: Node) -> Start:
    start, function = making.dataset(node, 0), making.function(node, "predicate", _captured(node))
    return lambda: (element for element in start() if bool(function(element)[0]))


def _flat_map(making: Making, node: Node) -> Start:
    start, function = making.dataset(node, 0), making.datasets(node, "f", _captured(node))
    return lambda: itertools.chain.from_iterable(function(element)() for element in start())


def _interleave(making: Making, node: Node) -> Start:
    captured = _captured(node)
    start, function = making.dataset(node, 0), making.datasets(node, "f", captured)
    cycle, block = (_number(making, node, len(captured) + place) for place in (1, 2))
    if cycle < 1 or block < 1:
        raise RunError(f"{node.name!r} takes {block} elements each from {cycle} datasets in turn.")

    def run() -> Iterator[Element]:
        elements = start()
        slots: list[Iterator[Element] | None] = [None] * cycle
        is_over = False
        while not is_over or any(slot is not None for slot in slots):
            for place in range(cycle):
                if slots[place] is None and not is_over:
                    element = next(elements, None)
                    is_over = element is None
                    slots[place] = None if element is None else function(element)()
                slot = slots[place]
                if slot is not None:
                    taken = list(itertools.islice(slot, block))
                    yield from taken
                    if len(taken) < block:
                        slots[place] = None

    return run


def _take(making: Making, node: Node) -> Start:
    start, count = making.dataset(node, 0), _number(making, node, 1)
    return start if count < 0 else lambda: itertools.islice(start(), count)


def _skip(making: Making, node: Node) -> Start:
    start, count = making.dataset(node, 0), _number(making, node, 1)
    return (lambda: iter(())) if count < 0 else lambda: itertools.islice(start(), count, None)


def _zip(making: Making, node: Node) -> Start:
    starts = [making.dataset(node, place) for place in range(node.attr("N"))]
    return lambda: (tuple(itertools.chain(*parts)) for parts in zip(*(start() for start in starts), strict=False))


def _concatenate(making: Making, node: Node) -> Start:
    starts = [making.dataset(node, 0), making.dataset(node, 1)]
    return lambda: itertools.chain.from_iterable(start() for start in starts)


def _cache(making: Making, node: Node) -> Start:
    start = making.dataset(node, 0)
    if making.value(node, 1).reshape(-1)[0]:
        raise UnsupportedError(f"{node.name!r} ({node.op}) keeps elements in a file, which is not done.")
    kept: list[Element] = []
    is_whole = False

    def run() -> Iterator[Element]:
        nonlocal is_whole
        if is_whole:
            yield from kept
            return
        kept.clear()
        for element in start():
            kept.append(element)
            yield element
        is_whole = True

    return run


def _unbatch(making: Making, node: Node) -> Start:
    start = making.dataset(node, 0)

    def run() -> Iterator[Element]:
        for element in start():
            yield from zip(*map(_rows, element), strict=True)

    return run


def _shard(making: Making, node: Node) -> Start:
    start, count, index = making.dataset(node, 0), _number(making, node, 1), _number(making, node, 2)
    return lambda: itertools.islice(start(), index, None, count)


def _same(making: Making, node: Node) -> Start:
    return making.dataset(node, 0)


RULES: dict[str, Rule] = {
    "BatchDataset": _batch,
    "BatchDatasetV2": _batch,
    "CacheDataset": _cache,
    "CacheDatasetV2": _cache,
    "ConcatenateDataset": _concatenate,
    "ExperimentalAutoShardDataset": _same,
    "FilterDataset": _filter,
    "FlatMapDataset": _flat_map,
    "InterleaveDataset": _interleave,
    "MapAndBatchDataset": _map_and_batch,
    "MapDataset": _map,
    "ModelDataset": _same,
    "OptimizeDataset": _same,
    "OptimizeDatasetV2": _same,
    "OptionsDataset": _same,
    "PaddedBatchDataset": _padded_batch,
    "PaddedBatchDatasetV2": _padded_batch,
    "ParallelMapDataset": _map,
    "ParallelMapDatasetV2": _map,
    "PrefetchDataset": _same,
    "RangeDataset": _range,
    "RepeatDataset": _repeat,
    "ShardDataset": _shard,
    "ShuffleAndRepeatDataset": _shuffle_and_repeat,
    "ShuffleAndRepeatDatasetV2": _shuffle_and_repeat,
    "ShuffleDataset": _shuffle,
    "ShuffleDatasetV3": _shuffle,
    "SkipDataset": _skip,
    "TakeDataset": _take,
    "TensorDataset": _tensor,
    "TensorSliceDataset": _slices,
    "UnbatchDataset": _unbatch,
    "ZipDataset": _zip,
}


def rule_of(node: Node) -> Rule:
    """The rule of a dataset; UnsupportedError with the way out."""
    rule: Any = RULES.get(node.op)
    if rule is None:
        raise UnsupportedError(
            f"{node.name!r} ({node.op}) is a dataset that is not run. Feed what the iterator would give: the "
            "outputs of its IteratorGetNext."
        )
    return rule  # type: ignore[no-any-return]
