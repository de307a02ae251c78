"""What a network gives for pictures just before its last layer, worked out in batches and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence

import numpy as np

from ..base.cache import cache_dir
from ..base.errors import Error
from ..base.files import atomic_write, open_file
from ..base.tensors import Array, Tensor
from ..graph.graph import Graph
from ..ops.picture_inputs import PictureInput
from ..train.distortions import Distortion
from .model import Model
from .pictures import fitted_picture, pixels_of

BATCH = 16


class Features:
    """The features of pictures: `network` cut down to `tensor` and fed through `target`.

    Each vector is a file below `bottlenecks/` in the user's cache, called by the content of network and picture, so
    that a second training on the same pictures begins at once. `fresh` and `kept` count what was worked out and what
    was found.
    """

    def __init__(
        self, network: Model, target: PictureInput, tensor: str, pooled: bool, engine: str, cached: bool = True
    ) -> None:
        self._target = target
        self._tensor = tensor
        self._pooled = pooled
        part = network.extract(tensor, target.tensor)
        self._predict = part.compile(tensor, [target.tensor], engine)
        self._folder = os.path.join(cache_dir(), "bottlenecks", _content(part.graph)) if cached else ""
        self.fresh = 0
        self.kept = 0

    def of(
        self,
        paths: Sequence[str],
        watch: Callable[[int], object] = lambda count: None,
        distortion: Distortion | None = None,
        seed: int = 0,
    ) -> Array:
        """float32 (N, F). `watch` is told how many pictures are done; `distortion` is drawn anew for each picture, and
        nothing is kept then. FormatError for what is not a picture."""
        rows: list[Array | None] = []
        waiting: list[tuple[int, str, Array]] = []
        draw = np.random.default_rng(seed)
        for number, path in enumerate(paths):
            key = "" if distortion is not None else self._key(path)
            found = self._recall(key)
            rows.append(found)
            if found is not None:
                self.kept += 1
                watch(1)
                continue
            picture = path if distortion is None else distortion.of(pixels_of(path, 3), draw)
            waiting.append((number, key, fitted_picture(picture, self._target)))
            if len(waiting) == self._limit():
                self._work_out(waiting, rows)
                watch(len(waiting))
                waiting = []
        if waiting:
            self._work_out(waiting, rows)
            watch(len(waiting))
        width = next((len(row) for row in rows if row is not None), 0)
        return np.array(rows, np.float32).reshape(len(paths), width)

    def _limit(self) -> int:
        target = self._target
        if target.batch == 0 or (target.size is None and not target.encoded):
            return 1
        return target.batch or BATCH

    def _work_out(self, waiting: Sequence[tuple[int, str, Array]], rows: list[Array | None]) -> None:
        arrays = [array for _, _, array in waiting]
        short = (self._target.batch or len(arrays)) - len(arrays)
        fed = arrays[0] if self._target.batch == 0 else np.stack(arrays + arrays[-1:] * short)
        made = self._predict({self._target.tensor: fed})[self._tensor]
        if self._pooled:
            made = made.mean((1, 2))
        for (number, key, _), row in zip(waiting, np.asarray(made, np.float32), strict=False):
            rows[number] = row
            self.fresh += 1
            self._keep(key, row)

    def _key(self, path: str) -> str:
        if not self._folder:
            return ""
        target = self._target
        how = repr((target.encoded, target.size, target.channels, target.mean, target.std, target.bgr))
        data = open_file(path).span().read()
        return hashlib.blake2b(data, digest_size=16, key=hashlib.blake2b(how.encode()).digest()[:32]).hexdigest()

    def _recall(self, key: str) -> Array | None:
        if not key:
            return None
        try:
            row: Array = np.load(os.path.join(self._folder, f"{key}.npy"), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return row if row.ndim == 1 and row.dtype == np.float32 else None

    def _keep(self, key: str, row: Array) -> None:
        if key:
            with contextlib.suppress(OSError, Error):  # a cache that cannot be written is no cache
                os.makedirs(self._folder, exist_ok=True)
                with atomic_write(os.path.join(self._folder, f"{key}.npy")) as out:
                    np.save(out, row, allow_pickle=False)


def _content(graph: Graph) -> str:
    """A name for what a graph computes: its nodes and the values of its constants."""
    said = hashlib.blake2b(digest_size=16)
    for node in graph:
        said.update(repr((node.name, node.op, node.inputs)).encode())
        for name, value in sorted(node.attrs.items()):
            said.update(repr((name, (value.dtype, value.shape) if isinstance(value, Tensor) else value)).encode())
            if isinstance(value, Tensor):
                for piece in value.chunks() if not value.dtype.is_string else (repr(value.numpy().tolist()).encode(),):
                    said.update(piece)
    return said.hexdigest()
