"""All lowerings in one table, by TensorFlow's name of the op."""

from __future__ import annotations

from . import (
    control,
    conv,
    elementwise,
    images,
    indexing,
    linear,
    norms,
    pools,
    random,
    reductions,
    shapes,
    slices,
)
from .builder import Table

FAMILIES = (
    control,
    conv,
    elementwise,
    images,
    indexing,
    linear,
    norms,
    pools,
    random,
    reductions,
    shapes,
    slices,
)

LOWERINGS: Table = {op: lowering for family in FAMILIES for op, lowering in family.LOWERINGS.items()}
