"""Programs with a memory: sessions, gradients, and the fitting of weights."""

from .fit import Fitted, fit

__all__ = ["Fitted", "fit"]
