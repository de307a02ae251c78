"""Lowerings of spectrograms and mel-frequency cepstral coefficients, in doubles, as TensorFlow works them out."""

from __future__ import annotations

import numpy as np

from ...base.dtypes import BOOL, FLOAT32, FLOAT64, INT64
from ...base.errors import RunError
from ...program.program import Step
from .builder import Builder, Table
from .spectra import transform
from .values import Refusal, Value


def spectrogram(
    g: Builder, step: Step, x: Value, *, window_size: int, stride: int, magnitude_squared: bool = False
) -> Value:
    """(channels, windows, frequencies) of sound (samples, channels), under Hann windows filled up to a power of two."""
    if x.rank != 2 or window_size < 2 or stride < 1:
        raise Refusal(f"windows of {window_size} each {stride} samples make no sense")
    size = 1 << (window_size - 1).bit_length()
    samples, channels = x.shape or (None, None)
    if samples is not None and samples < window_size:
        raise Refusal("the sound is shorter than a window")
    length = g.int64(g.sizes(x, [0]))
    steps = g.op("Div", g.op("Sub", length, g.ints([window_size]), shape=(1,)), g.ints([stride]), shape=(1,))
    count = g.reshape(g.op("Add", steps, g.ints([1]), shape=(1,)), [])
    starts = g.op("Mul", g.op("Range", g.const(0, INT64), count, g.const(1, INT64), shape=(None,)),
                  g.const(stride, INT64), shape=(None,))  # fmt: skip
    places = g.op("Add", g.unsqueeze(starts, [1]), g.const(np.arange(window_size)[None], INT64),
                  shape=(None, window_size))  # fmt: skip
    turned = g.transpose(g.cast(x, FLOAT64), [1, 0])
    frames = g.op("Gather", turned, places, axis=1, shape=(channels, None, window_size))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_size) / window_size)
    waves = g.op("Mul", frames, g.const(hann, FLOAT64), shape=frames.shape)
    if size > window_size:
        pads = g.ints([0, 0, 0, 0, 0, size - window_size])
        waves = g.op("Pad", waves, pads, g.const(0, FLOAT64), mode="constant", shape=(channels, None, size))
    kept = size // 2 + 1
    rows = Value(g.reshape(waves, [-1, size]).name, FLOAT64, (None, size))
    made = transform(g, rows, size, size, kept, inverse=False, is_real=True, to_real=False)
    squares = g.op("Mul", made, made, shape=(None, kept, 2))
    summed = g.op("ReduceSum", squares, g.ints([2]), keepdims=0, shape=(None, kept))
    shape = g.concat([g.sizes(x, [1]), g.reshape(count, [1]), g.ints([kept])], 0, (3,))
    windows = None if samples is None else 1 + (samples - window_size) // stride
    found = g.cast(g.reshape_to(summed, shape, (channels, windows, kept)), FLOAT32)
    return found if magnitude_squared else g.unary("Sqrt", found)


def mfcc(
    g: Builder,
    step: Step,
    spectrogram: Value,
    sample_rate: Value,
    *,
    upper_frequency_limit: float = 4000.0,
    lower_frequency_limit: float = 20.0,
    filterbank_channel_count: int = 40,
    dct_coefficient_count: int = 13,
) -> Value:
    """The filters are constants, so the rate must be one."""
    from ..numpy.audio import LEAST, mel_filters

    rate = float(g.fixed(sample_rate, "the rate"))
    channels, wanted, count = filterbank_channel_count, dct_coefficient_count, spectrogram.size(2)
    if spectrogram.rank != 3 or count is None or not 1 <= wanted <= channels:
        raise Refusal(f"{wanted} coefficients of {channels} channels need a spectrogram of known frequencies")
    try:
        weights = mel_filters(count, rate, channels, lower_frequency_limit, upper_frequency_limit)
    except RunError as error:
        raise Refusal(f"{error}") from error
    roots = g.unary("Sqrt", g.cast(spectrogram, FLOAT64))
    shape = (*(spectrogram.shape or ())[:2], channels)
    bands = g.op("MatMul", roots, g.const(weights, FLOAT64), shape=shape)
    least = g.const(LEAST, FLOAT64)
    heard = g.where(g.op("Less", bands, least, dtype=BOOL, shape=shape), least, bands, shape)
    angles = np.arange(wanted)[:, None] * (np.pi / channels) * (np.arange(channels) + 0.5)
    cosines = np.sqrt(2.0 / channels) * np.cos(angles)
    made = g.op("MatMul", g.unary("Log", heard), g.const(cosines.T, FLOAT64), shape=(*shape[:2], wanted))
    return g.cast(made, FLOAT32)


LOWERINGS: Table = {"AudioSpectrogram": spectrogram, "Mfcc": mfcc}
