"""All rules of the reference engine in one table, by TensorFlow's op name."""

from __future__ import annotations

from . import (
    activations,
    arrays,
    boxes,
    casts,
    control,
    elementwise,
    images,
    indexing,
    norms,
    products,
    random,
    reductions,
    tables,
    windows,
)
from .context import Rule

FAMILIES = (
    *(activations, arrays, boxes, casts, control, elementwise, images, indexing, norms, products, random, reductions),
    *(tables, windows),
)

RULES: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}
