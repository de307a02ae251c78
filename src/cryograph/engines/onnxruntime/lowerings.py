"""All lowerings in one table, by TensorFlow's name of the op."""

from __future__ import annotations

from types import ModuleType

from ..families import Families
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


def family(name: str) -> ModuleType:
    """The file of a family, imported."""
    return LOWERINGS.family(name)


LOWERINGS: Families[Lowering] = Families(__name__.rpartition(".")[0], FAMILIES, "LOWERINGS")
