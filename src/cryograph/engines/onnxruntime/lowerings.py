"""All lowerings in one table, by TensorFlow's name of the op."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from threading import RLock
from types import ModuleType

from .builder import Lowering

FAMILIES = (
    # What most models hold comes first.
    *("elementwise", "shapes", "conv", "linear", "moves", "reductions", "pools", "norms", "choosing", "control"),
    *("indexing", "slices", "images", "states", "plumbing", "saying", "matrices"),
    *("audio", "backprop", "bessel", "block_cells", "colours", "complexes", "conv_grads", "ctc", "ctc_losses"),
    *(
        "crossed",
        "cudnn",
        "distorted_boxes",
        "file_names",
        "float_bits",
        "fused_quantised",
        "gammas",
        "groups",
        "hashed",
    ),
    *("jacobi", "linear_models", "lists", "losses", "optimizers", "outlines", "pictures", "pool_grads"),
    *("quantisation", "quantised", "quantised_images", "quantised_maths", "quantised_norms", "ragged"),
    *("random_state", "recurrent", "resampled", "rewriting", "running", "seeded", "seen", "segments", "sets"),
    *("solvers", "sparse", "sparse_grads", "special", "spectra", "suppression", "tables", "text_parts", "texts"),
    *("uniform_quantisation", "xla", "xla_bodies", "xla_moves", "xla_random"),
)


class _Lowerings(Mapping[str, Lowering]):
    """The tables of all families as one. Families are imported in their order until one has what is asked for."""

    def __init__(self) -> None:
        self._found: dict[str, Lowering] = {}
        self._left = list(reversed(FAMILIES))
        self._lock = RLock()

    def _import_next(self) -> None:
        with self._lock:
            if self._left:
                self._found.update(family(self._left[-1]).LOWERINGS)
                self._left.pop()

    def __getitem__(self, op: str) -> Lowering:
        while op not in self._found:
            if not self._left:
                raise KeyError(op)
            self._import_next()
        return self._found[op]

    def __iter__(self) -> Iterator[str]:
        while self._left:
            self._import_next()
        return iter(self._found)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def family(name: str) -> ModuleType:
    """The file of a family, imported."""
    return import_module(f".{name}", __package__)


LOWERINGS: Mapping[str, Lowering] = _Lowerings()
