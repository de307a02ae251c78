"""Convolutions and their gradients: the reference engine's rules, with what `sliding.py` computes."""

from __future__ import annotations

from ..numpy.context import Rule
from ..numpy.convolution_forms import Convolutions
from .sliding import convolve, for_filters, for_input

RULES: dict[str, Rule] = Convolutions(convolve=convolve, for_input=for_input, for_filters=for_filters).rules()
