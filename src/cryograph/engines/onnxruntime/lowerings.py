"""All lowerings in one table, by TensorFlow's name of the op."""

from __future__ import annotations

from . import (
    backprop,
    block_cells,
    choosing,
    colours,
    control,
    conv,
    cudnn,
    elementwise,
    images,
    indexing,
    linear,
    lists,
    losses,
    moves,
    norms,
    pools,
    quantisation,
    random,
    recurrent,
    reductions,
    segments,
    shapes,
    slices,
)
from .builder import Table

FAMILIES = (
    backprop,
    block_cells,
    choosing,
    colours,
    control,
    conv,
    cudnn,
    elementwise,
    images,
    indexing,
    linear,
    lists,
    losses,
    moves,
    norms,
    pools,
    quantisation,
    random,
    recurrent,
    reductions,
    segments,
    shapes,
    slices,
)

LOWERINGS: Table = {op: lowering for family in FAMILIES for op, lowering in family.LOWERINGS.items()}
