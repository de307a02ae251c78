"""Fourier transforms over the last dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .elementwise import given


def _fft(inverse: bool, dimensions: int) -> Rule:
    def rule(ctx: Context, x: Array) -> Array:
        _enough(x, dimensions)
        function: Any = ctx.xp.fft.ifftn if inverse else ctx.xp.fft.fftn
        return given(ctx, function(x, axes=tuple(range(-dimensions, 0))))

    return rule


def _rfft(dimensions: int) -> Rule:
    """Of as many numbers as `fft_length` says, which may be fewer than there are."""

    def rule(ctx: Context, x: Array, fft_length: Array) -> Array:
        lengths = _lengths(x, fft_length, dimensions)
        if any(n > size for n, size in zip(lengths, x.shape[-dimensions:], strict=True)):
            raise RunError(f"a transform of {lengths} needs more than the shape {list(x.shape)} has")
        return given(ctx, ctx.xp.fft.rfftn(x, lengths, axes=tuple(range(-dimensions, 0))))

    return rule


def _irfft(dimensions: int) -> Rule:
    def rule(ctx: Context, x: Array, fft_length: Array) -> Array:
        lengths = _lengths(x, fft_length, dimensions)
        needed = [*lengths[:-1], lengths[-1] // 2 + 1]
        if any(n > size for n, size in zip(needed, x.shape[-dimensions:], strict=True)):
            raise RunError(f"a transform to {lengths} needs more than the shape {list(x.shape)} has")
        return given(ctx, ctx.xp.fft.irfftn(x, lengths, axes=tuple(range(-dimensions, 0))))

    return rule


def _enough(x: Array, dimensions: int) -> None:
    if x.ndim < dimensions:
        raise RunError(f"the shape {list(x.shape)} has fewer than {dimensions} dimensions")


def _lengths(x: Array, fft_length: Array, dimensions: int) -> list[int]:
    _enough(x, dimensions)
    lengths = [int(n) for n in np.asarray(fft_length).reshape(-1)]
    if len(lengths) != dimensions or min(lengths) < 0:
        raise RunError(f"the lengths {lengths} were given for {dimensions} dimensions")
    return lengths


def _chosen(function: str) -> Rule:
    """Over the dimensions that `axes` names, of as many numbers as `fft_length` says, which may be fewer than there
    are; the last of them is halved for real numbers."""

    def rule(ctx: Context, x: Array, fft_length: Array, axes: Array) -> Array:
        lengths, places = np.ravel(fft_length).tolist(), np.ravel(axes).tolist()
        if any(not -x.ndim <= axis < x.ndim for axis in places) or len({a % x.ndim for a in places}) < len(places):
            raise RunError(f"the axes {places} are not different dimensions of {list(x.shape)}")
        needed = [*lengths[:-1], *(n // 2 + 1 if function == "irfftn" else n for n in lengths[-1:])]
        if len(lengths) != len(places) or any(n > x.shape[a] for n, a in zip(needed, places, strict=True)):
            raise RunError(f"the lengths {lengths} were given for the axes {places} of {list(x.shape)}")
        return given(ctx, getattr(ctx.xp.fft, function)(x, lengths, axes=places))

    return rule


RULES: dict[str, Rule] = {
    "BatchFFT": _fft(False, 1),
    "BatchFFT2D": _fft(False, 2),
    "BatchFFT3D": _fft(False, 3),
    "BatchIFFT": _fft(True, 1),
    "BatchIFFT2D": _fft(True, 2),
    "BatchIFFT3D": _fft(True, 3),
    "FFT": _fft(False, 1),
    "FFT2D": _fft(False, 2),
    "FFT3D": _fft(False, 3),
    "FFTND": _chosen("fftn"),
    "IFFT": _fft(True, 1),
    "IFFT2D": _fft(True, 2),
    "IFFT3D": _fft(True, 3),
    "IFFTND": _chosen("ifftn"),
    "IRFFT": _irfft(1),
    "IRFFT2D": _irfft(2),
    "IRFFT3D": _irfft(3),
    "IRFFTND": _chosen("irfftn"),
    "RFFT": _rfft(1),
    "RFFT2D": _rfft(2),
    "RFFT3D": _rfft(3),
    "RFFTND": _chosen("rfftn"),
}
