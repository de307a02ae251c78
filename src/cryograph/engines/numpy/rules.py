"""All rules of the reference engine in one table, by TensorFlow's op name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

from ..families import Families
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
    return RULES.family(name)


RULES: Families[Rule] = Families(__name__.rpartition(".")[0], FAMILIES, "RULES")
