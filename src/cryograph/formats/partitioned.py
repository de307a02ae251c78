"""A tensor that is stored in parts: put together when its values are asked for, or streamed part by part.

The parts of a partitioned variable are boxes that tile the whole. Values are streamed row-major without putting the
whole together when the boxes differ along one dimension, as TensorFlow's partitioners make them, and when they are
bands of the first dimension that are partitioned in turn. Other tilings are put together in memory first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from ..base.dtypes import DType
from ..base.errors import DamagedError
from ..base.files import CHUNK
from ..base.shapes import element_count, show
from ..base.tensors import Array, Tensor
from .slices import Box

Part = tuple[Box, Tensor]


class PartitionedTensor(Tensor):
    """A tensor whose values lie in parts, each in its box; `where` is how errors call it.

    DamagedError when the parts do not cover the whole, or overlap.
    """

    __slots__ = ("_axis", "_parts", "_where")

    def __init__(self, dtype: DType, shape: tuple[int, ...], parts: Sequence[Part], where: str) -> None:
        super().__init__(dtype, shape, make=self._assembled)
        self._where = where
        held = [(box, tensor) for box, tensor in parts if element_count(tensor.shape)]
        self._axis = next(
            (a for a, size in enumerate(shape) if any(b[a].start or b[a].stop != size for b, _ in held)), 0
        )
        if shape:
            held.sort(key=lambda part: (part[0][self._axis].start, part[0][self._axis].stop))
        self._parts = held
        if element_count(shape):
            self._check_tiling()

    def _check_tiling(self) -> None:
        stored = sum(element_count(tensor.shape) for _, tensor in self._parts)
        wanted = element_count(self.shape)
        if stored < wanted:
            raise DamagedError(
                f"{self._where}: its {len(self._parts)} slices hold {stored} elements and do not cover the shape"
                f" {show(self.shape)}."
            )
        if stored > wanted or not _tile([box for box, _ in self._parts], self.shape, 0):
            raise DamagedError(
                f"{self._where}: its {len(self._parts)} slices overlap, or do not cover the shape {show(self.shape)}."
            )

    def _assembled(self) -> Array:
        whole: Array = np.empty(self.shape, self._numpy_dtype())
        for box, tensor in self._parts:
            whole[box] = tensor.numpy()
        return whole

    def chunks(self, size: int = CHUNK) -> Iterator[bytes | memoryview]:
        """The raw little-endian bytes in pieces of at most `size`, read from the parts in order."""
        bands = self._bands()
        if self.is_loaded or self.dtype.itemsize == 0 or not self._parts or bands is None:
            yield from super().chunks(size)
            return
        if self._axis > 0:
            yield from self._interleaved(size)
            return
        for band in bands:
            yield from band.chunks(size)

    def _bands(self) -> list[Tensor] | None:
        """The tensors that follow each other along the dimension in which the parts differ first; None when they
        have to be put together, as they differ in more dimensions and that is not the first."""
        if not self.shape:
            return [tensor for _, tensor in self._parts]
        axis = self._axis
        found: list[Tensor] = []
        reached = 0
        for (start, stop), group in groupby(self._parts, key=lambda part: (part[0][axis].start, part[0][axis].stop)):
            if start != reached:  # parts of several lengths lie beside each other
                return None
            reached = stop
            parts = list(group)
            if len(parts) == 1:
                found.append(parts[0][1])
                continue
            if axis > 0:
                return None
            span = parts[0][0][0]
            inner = [((slice(0, span.stop - span.start), *box[1:]), tensor) for box, tensor in parts]
            shape = (span.stop - span.start, *self.shape[1:])
            if not _tile([box for box, _ in inner], shape, 0):
                return None
            found.append(PartitionedTensor(self.dtype, shape, inner, self._where))
        return found

    def _interleaved(self, size: int) -> Iterator[bytes | memoryview]:
        """Parts along a later dimension: each row of the whole is a row of the first part, then of the second ..."""
        tensors = [tensor for _, tensor in self._parts]
        widths = [element_count(t.shape[self._axis :]) * self.dtype.itemsize for t in tensors]
        rows = element_count(self.shape[: self._axis])
        if sum(widths) <= size:
            count = size // sum(widths)
            streams = [t.chunks(count * width) for t, width in zip(tensors, widths, strict=True)]
            for pieces in zip(*streams, strict=True):
                blocks = [np.frombuffer(p, np.uint8).reshape(-1, w) for p, w in zip(pieces, widths, strict=True)]
                yield np.concatenate(blocks, axis=1).tobytes()
            return
        feeds = [_Feed(tensor.chunks(min(size, CHUNK))) for tensor in tensors]
        for _ in range(rows):
            for feed, width in zip(feeds, widths, strict=True):
                yield from feed.take(width)
        for feed in feeds:
            feed.finish()


class _Feed:
    """A stream of pieces from which any number of bytes can be taken."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def take(self, count: int) -> Iterator[bytes | memoryview]:
        """The next bytes, in pieces."""
        while count:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    raise DamagedError("A part of a tensor has fewer bytes than its shape says.")
                self._rest = memoryview(piece)
                continue
            taken, self._rest = self._rest[:count], self._rest[count:]
            count -= len(taken)
            yield taken

    def finish(self) -> None:
        """Reads to the end, where the checksum is checked."""
        for _ in self._pieces:
            pass


def _tile(boxes: list[Box], shape: Sequence[int], axis: int) -> bool:
    """Whether boxes that have as many elements as the shape cover it without overlapping."""
    if axis == len(shape):
        return len(boxes) == 1
    ordered = sorted(boxes, key=lambda box: (box[axis].start, box[axis].stop))
    groups = [(key, list(g)) for key, g in groupby(ordered, key=lambda box: (box[axis].start, box[axis].stop))]
    reached = 0
    for (start, stop), _ in groups:
        if start != reached:
            break
        reached = stop
    else:
        return reached == shape[axis] and all(_tile(group, shape, axis + 1) for _, group in groups)
    # No bands along this dimension, as in a pinwheel. As there are as many elements, covering all is enough.
    covered = np.zeros(shape[axis:], np.bool_)
    for box in boxes:
        covered[box[axis:]] = True
    return bool(covered.all())
