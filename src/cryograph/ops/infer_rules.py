"""The one table of rules of inference, by TensorFlow's op name."""

from __future__ import annotations

from . import (
    infer_arrays,
    infer_blocks,
    infer_elementwise,
    infer_indexing,
    infer_lists,
    infer_math,
    infer_media,
    infer_random,
    infer_sparse,
    infer_spatial,
    infer_state,
    infer_windows,
    infer_xla,
)
from .facts import Rule

FAMILIES = (
    infer_arrays,
    infer_blocks,
    infer_elementwise,
    infer_indexing,
    infer_lists,
    infer_math,
    infer_media,
    infer_random,
    infer_sparse,
    infer_spatial,
    infer_state,
    infer_windows,
    infer_xla,
)

INFER: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.INFER.items()}
"""A rule gives the shapes of an op's outputs; an op without one has outputs of unknown shape."""
