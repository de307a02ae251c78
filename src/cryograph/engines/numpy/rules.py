"""All rules of the reference engine in one table, by TensorFlow's op name."""

from __future__ import annotations

from . import (
    arrays,
    boxes,
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

FAMILIES = (arrays, boxes, control, elementwise, images, indexing, norms, products, random, reductions, tables, windows)

RULES: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}
