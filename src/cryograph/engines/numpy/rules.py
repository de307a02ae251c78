"""All rules of the reference engine in one table, by TensorFlow's op name."""

from __future__ import annotations

from . import (
    activations,
    arrays,
    blocks,
    boxes,
    casts,
    choosing,
    colours,
    control,
    convolutions,
    crops,
    elementwise,
    filter_grads,
    image_grads,
    images,
    indexing,
    lists,
    losses,
    maps,
    matrices,
    norm_grads,
    norms,
    patches,
    pool_grads,
    pools,
    products,
    random,
    reductions,
    segments,
    slices,
    spectra,
    tables,
)
from .context import Rule

FAMILIES = (
    *(activations, arrays, blocks, boxes, casts, choosing, colours, control, convolutions, crops, elementwise),
    *(filter_grads, image_grads, norm_grads, pool_grads),
    *(images, indexing, losses, matrices, norms, patches, pools, products, random, reductions, segments, slices),
    *(spectra, tables, lists, maps),
)

RULES: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}
