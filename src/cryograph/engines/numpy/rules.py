"""All rules of the reference engine in one table, by TensorFlow's op name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from threading import RLock
from types import ModuleType

from .context import Rule

FAMILIES: tuple[str, ...] = (
    # What nearly every model holds comes first, the rest in alphabetical order.
    "elementwise",
    "arrays",
    "casts",
    "slices",
    "reductions",
    "indexing",
    "plumbing",
    "products",
    "activations",
    "norms",
    "convolutions",
    "pools",
    "control",
    "choosing",
    "lists",
    "audio",
    "beams",
    "blocks",
    "boxes",
    "candidates",
    "colours",
    "counts",
    "crops",
    "crosses",
    "csv",
    "ctc",
    "cudnn",
    "cudnn_grads",
    "digests",
    "distorted_boxes",
    "distributions",
    "examples",
    "factorings",
    "fake_quantisation",
    "file_names",
    "fractional_pools",
    "fused",
    "fused_quantised",
    "image_grads",
    "images",
    "isotonic",
    "json_examples",
    "layouts",
    "linear_models",
    "losses",
    "maps",
    "matrices",
    "neighbours",
    "norm_grads",
    "optimizers",
    "patches",
    "permutations",
    "pictures",
    "pool_grads",
    "projections",
    "protos",
    "quantised",
    "quantised_images",
    "quantised_maths",
    "ragged",
    "ragged_variants",
    "random",
    "random_state",
    "rare_functions",
    "records",
    "recurrent",
    "recurrent_grads",
    "regexes",
    "resuming",
    "scatters",
    "segment_grads",
    "segments",
    "sequence_examples",
    "sets",
    "sobol",
    "solvers",
    "sparse",
    "sparse_maths",
    "sparse_stores",
    "spectra",
    "stateless",
    "tables",
    "templates",
    "texts",
    "tridiagonal",
    "truncated",
    "unicode",
    "uniform_quantisation",
    "xla_bodies",
    "xla_maths",
    "xla_moves",
    "xla_random",
)
"""The files of this folder that have a table RULES; no op stands in two of them."""


class _Rules(Mapping[str, Rule]):
    """The tables of all families as one. Families are imported in their order until one has what is asked for: all of
    them take 0.1 s, and most models are folded by the first few."""

    def __init__(self) -> None:
        self._found: dict[str, Rule] = {}
        self._left = list(reversed(FAMILIES))
        self._lock = RLock()  # a family may ask for a rule of another one while it is imported

    def _import_next(self) -> None:
        with self._lock:
            if self._left:
                self._found.update(family(self._left[-1]).RULES)
                self._left.pop()

    def __getitem__(self, op: str) -> Rule:
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


class RulesOver(Mapping[str, Rule]):
    """`own` rules, and those of the reference engine for every other op, which are imported as they are needed."""

    def __init__(self, own: Mapping[str, Rule]) -> None:
        self._own = own

    def __getitem__(self, op: str) -> Rule:
        return self._own[op] if op in self._own else RULES[op]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (op for op in RULES if op not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def family(name: str) -> ModuleType:
    """The file of a family, imported."""
    return import_module(f".{name}", __package__)


RULES: Mapping[str, Rule] = _Rules()
