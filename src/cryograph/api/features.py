"""What a network gives for pictures just before its last layer, worked out in batches and kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..base.cache import cache_dir, cache_limit, mark_used, prune
from ..base.errors import Error, FileError
from ..base.files import atomic_write, open_file
from ..base.tensors import Array, Tensor
from ..graph.graph import Graph
from ..ops.picture_inputs import PictureInput
from ..train.distortions import Distortion
from .model import Model
from .picture_predictor import PicturePredictor
from .pictures import pixels_of


class Features:
    """The features of pictures: `network` cut down to `tensor` and fed through `target`.

    Each vector is a file below `bottlenecks/` in the user's cache, called by the content of network and picture, so
    that a second training on the same pictures begins at once. All of them together take no more than
    `CRYOGRAPH_CACHE_LIMIT` bytes (1 GiB): those that were not used for longest go first.

    `fresh` and `kept` count what was worked out and what was found; `unreadable` says of pictures that cannot be read
    why. `switches` are fed besides, as `reasons` say.
    """

    def __init__(
        self, network: Model, target: PictureInput, tensor: str, pooled: bool, engine: str, cached: bool = True
    ) -> None:
        self._target = target
        self._pooled = pooled
        self._predictor = PicturePredictor(network, target, tensor, engine)
        self.switches, self.reasons = self._predictor.switches, self._predictor.reasons
        content = _content(self._predictor.graph) if cached else ""
        self._cache = os.path.join(cache_dir(), "bottlenecks")
        self._folder = os.path.join(self._cache, content) if cached else ""
        self._limit = cache_limit() if cached else 0
        self._written = 0
        self.fresh = 0
        self.kept = 0
        self.unreadable: dict[str, str] = {}

    def of(
        self,
        paths: Sequence[str],
        watch: Callable[[int], object] = lambda count: None,
        distortion: Distortion | None = None,
        seed: int = 0,
    ) -> Array:
        """float32 (N, F) of those that can be read. `watch` is told how many pictures are done; `distortion` is drawn
        anew for each picture, and nothing is kept then."""
        rows: dict[int, Array] = {}
        keys: dict[int, str] = {}

        def lacking() -> Iterator[int]:
            for number, path in enumerate(paths):
                keys[number], found = ("", None) if distortion is not None else self._recalled(path)
                if found is not None:
                    rows[number] = found
                    self.kept += 1
                    watch(1)
                else:
                    yield number

        draw = np.random.default_rng(seed)
        changed = None if distortion is None else lambda n: distortion.of(pixels_of(paths[n], 3), draw)
        for number, answer in self._predictor.answers(lacking(), changed or (lambda n: paths[n])):
            watch(1)
            if isinstance(answer, Error):
                self.unreadable[paths[number]] = str(answer)
                continue
            row = np.asarray(answer.mean((0, 1)) if self._pooled else answer.reshape(-1), np.float32)
            rows[number] = row
            self.fresh += 1
            self._keep(keys[number], row)
        if self._written:
            self._prune()
        if not rows:
            return np.zeros((0, 0), np.float32)
        return np.stack([rows[number] for number in sorted(rows)])

    def _recalled(self, path: str) -> tuple[str, Array | None]:
        """The name under which the features of a picture are kept, and these, where they are at hand."""
        if not self._folder:
            return "", None
        try:
            key = self._key(path)
        except FileError:  # told when it is read once more, to be fed
            return "", None
        return key, self._recall(key)

    def _key(self, path: str) -> str:
        target = self._target
        how = repr((target.encoded, target.size, target.channels, target.mean, target.std, target.bgr))
        data = open_file(path).span().read()
        return hashlib.blake2b(data, digest_size=16, key=hashlib.blake2b(how.encode()).digest()[:32]).hexdigest()

    def _recall(self, key: str) -> Array | None:
        path = os.path.join(self._folder, f"{key}.npy")
        try:
            row: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        mark_used(path)
        return row if row.ndim == 1 and row.dtype == np.float32 else None

    def _keep(self, key: str, row: Array) -> None:
        if key:
            with contextlib.suppress(OSError, Error):  # a cache that cannot be written is no cache
                os.makedirs(self._folder, exist_ok=True)
                with atomic_write(os.path.join(self._folder, f"{key}.npy")) as out:
                    np.save(out, row, allow_pickle=False)
            self._written += row.nbytes
            if self._written > self._limit // 8:
                self._prune()

    def _prune(self) -> None:
        prune(self._cache, self._limit)
        self._written = 0


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
