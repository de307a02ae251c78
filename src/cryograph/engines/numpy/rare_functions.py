"""Bessel functions, integrals and gradients that few models hold; most are SciPy's (the extra `scipy`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.errors import RunError
from ...base.scientific import scipy_special
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import by_special, given
from .special import igamma_grad_a, random_gamma_grad


def _by_scipy(name: str, pick: Callable[..., Array] = np.asarray, below: float | None = None) -> Rule:
    """The rule of a function of `scipy.special`, computed in float64; `pick` takes one of several results, `below` is
    the answer for numbers below 0 where SciPy's is another."""

    def rule(ctx: Context, x: Array) -> Array:
        function = getattr(scipy_special(f"Computing {ctx.step.op}"), name)
        with np.errstate(all="ignore"):
            found = pick(function(x.astype(np.float64)))
        return given(ctx, found if below is None else np.where(x < 0, below, found))

    return rule


def _bessel_y1(ctx: Context, x: Array) -> Array:
    """Not a number at 0 in float32 and float16, where TensorFlow multiplies 0 by an infinity."""
    found = _by_scipy("y1", below=-np.inf)(ctx, x)
    return found if x.dtype == np.float64 else np.where(x == 0, np.nan, found).astype(x.dtype)


def _expint(ctx: Context, x: Array) -> Array:
    """The integral of exp(t) / t up to x; not a number below 0 and at infinity, as in TensorFlow."""
    expi = scipy_special("Computing Expint").expi
    return given(ctx, np.where((x < 0) | np.isinf(x), np.nan, expi(x.astype(np.float64))))


def _betainc(ctx: Context, a: Array, b: Array, x: Array) -> Array:
    """Inputs have one shape; scalars fit every shape."""
    if len({item.shape for item in (a, b, x) if item.ndim}) > 1:
        raise RunError(f"a, b and x have the shapes {a.shape}, {b.shape} and {x.shape}, which are neither equal nor ()")
    function = scipy_special("Computing Betainc").betainc
    found = function(*(item.astype(np.float64) for item in (a, b, x)))
    return given(ctx, np.where((a > 0) & (b > 0), found, np.nan))


_BELOW = {"k": np.inf, "y": -np.inf}
_BESSEL = ("i0", "i0e", "i1", "i1e", "j0", "j1", "k0", "k0e", "k1", "k1e", "y0")

RULES: dict[str, Rule] = {
    **{f"Bessel{name[0].upper()}{name[1:]}": _by_scipy(name, below=_BELOW.get(name[0])) for name in _BESSEL},
    "BesselY1": _bessel_y1,
    "Betainc": _betainc,
    "Dawsn": _by_scipy("dawsn"),
    "Expint": _expint,
    "FresnelCos": _by_scipy("fresnel", lambda both: both[1]),
    "FresnelSin": _by_scipy("fresnel", lambda both: both[0]),
    "IgammaGradA": by_special(igamma_grad_a),
    "RandomGammaGrad": by_special(random_gamma_grad),
    "Spence": _by_scipy("spence"),
}
