"""Gradients of pools, and the gradients of those of the largest."""

from __future__ import annotations

from .context import Rule
from .pools import POOLS

RULES: dict[str, Rule] = POOLS.gradients()
