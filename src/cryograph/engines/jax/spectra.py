"""Fourier transforms: the reference engine's rules, whose lengths and axes must be known."""

from __future__ import annotations

from ..numpy.context import Rule
from ..numpy.spectra import RULES as PLAIN
from .arrays import with_known

RULES: dict[str, Rule] = {op: with_known(rule, 1, 2) for op, rule in PLAIN.items()}
