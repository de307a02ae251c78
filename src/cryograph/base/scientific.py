"""Special functions and functions of matrices that numpy lacks, by SciPy (the extra `scipy`)."""

from __future__ import annotations

from typing import Any

from .errors import MissingExtraError


def scipy_special(task: str) -> Any:
    """The module `scipy.special`; MissingExtraError without SciPy."""
    try:
        from scipy import special
    except ImportError:
        raise MissingExtraError("SciPy", "scipy", task) from None
    return special


def scipy_linalg(task: str) -> Any:
    """The module `scipy.linalg`; MissingExtraError without SciPy."""
    try:
        from scipy import linalg
    except ImportError:
        raise MissingExtraError("SciPy", "scipy", task) from None
    return linalg
