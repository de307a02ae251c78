"""Sound: WAV, spectrograms and mel-frequency cepstral coefficients."""

from __future__ import annotations

import numpy as np

from ...base.errors import FormatError, RunError
from ...base.tensors import Array
from ...wire import wav
from .context import Context, Rule

LEAST = 1e-12
"""What is in a mel channel at least, that it has a logarithm."""
MAX_SAMPLES = 1 << 28
"""A longer wish than this is refused."""


def _decode_wav(
    ctx: Context, contents: Array, *, desired_channels: int = -1, desired_samples: int = -1
) -> tuple[Array, Array]:
    """As many channels and samples as are wished for: the last channel is repeated, and silence follows the end."""
    if contents.shape:
        raise RunError(f"a WAV is one string; the shape {list(contents.shape)} was given")
    try:
        samples, rate = wav.decode(bytes(contents.item()))
    except FormatError as error:
        raise RunError(str(error).rstrip(".")) from error
    frames, channels = samples.shape
    wanted = channels if desired_channels == -1 else desired_channels
    length = frames if desired_samples == -1 else desired_samples
    if wanted < 1 or length < 0 or wanted * length > MAX_SAMPLES:
        raise RunError(f"{length} samples of {wanted} channels cannot be made")
    picked = samples[:length, np.minimum(np.arange(wanted), channels - 1)]
    made = np.concatenate([picked, np.zeros((length - len(picked), wanted), np.float32)])
    return made, np.array(rate, np.uint32).astype(np.int32)


def _encode_wav(ctx: Context, audio: Array, sample_rate: Array) -> Array:
    if audio.ndim != 2 or sample_rate.shape:
        raise RunError(f"sound of the shape {list(audio.shape)} and a rate of {list(sample_rate.shape)} were given")
    try:
        return np.array(wav.encode(audio, int(sample_rate)), object)
    except FormatError as error:
        raise RunError(str(error).rstrip(".")) from error


def _spectrogram(ctx: Context, x: Array, *, window_size: int, stride: int, magnitude_squared: bool = False) -> Array:
    """(channels, windows, frequencies) of sound (samples, channels), under Hann windows filled up to a power of two."""
    if x.ndim != 2 or window_size < 2 or stride < 1:
        raise RunError(f"windows of {window_size} each {stride} samples of the shape {list(x.shape)} make no sense")
    size = 1 << (window_size - 1).bit_length()
    count = max(0, 1 + (len(x) - window_size) // stride)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_size) / window_size)
    starts = np.arange(count)[:, None] * stride + np.arange(window_size)
    waves = np.fft.rfft(x.astype(np.float64).T[:, starts] * hann, size)
    squared = (np.square(waves.real) + np.square(waves.imag)).astype(np.float32)
    return squared if magnitude_squared else np.sqrt(squared)


def _mel(frequency: Array) -> Array:
    return np.asarray(1127.0 * np.log1p(frequency / 700.0))


def mel_filters(count: int, rate: float, channels: int, lower: float, upper: float) -> Array:
    """The weights (frequencies, channels) of triangles that stand evenly in mel, each from the middle of the one before
    to that of the next. Frequency 0 never counts."""
    if channels < 1 or rate <= 0 or count < 2 or lower < 0 or upper <= lower:
        raise RunError(f"{channels} channels from {lower} to {upper} Hz of {count} frequencies at {rate} a second")
    step = 0.5 * rate / (count - 1)
    first, last = int(1.5 + lower / step), int(upper / step)
    if last >= count:
        raise RunError(f"the upper limit {upper} Hz is above the highest of {count} frequencies at {rate} a second")
    low, high = _mel(np.array([lower, upper]))
    centres = low + (high - low) / (channels + 1) * np.arange(1, channels + 2)
    places = _mel(np.arange(count) * step)
    above = np.minimum(np.searchsorted(centres, places, side="left"), channels)
    below = np.where(above > 0, centres[above - 1], low)
    falling = (centres[above] - places) / (centres[above] - below)
    used = (np.arange(count) >= first) & (np.arange(count) <= last)
    made = np.zeros((count, channels + 2))
    rows = np.flatnonzero(used)
    made[rows, above[rows]] = falling[rows]  # the channel that falls
    made[rows, above[rows] + 1] = 1 - falling[rows]  # and the next, which rises
    return made[:, 1:-1]


def _mfcc(
    ctx: Context,
    spectrogram: Array,
    sample_rate: Array,
    *,
    upper_frequency_limit: float = 4000.0,
    lower_frequency_limit: float = 20.0,
    filterbank_channel_count: int = 40,
    dct_coefficient_count: int = 13,
) -> Array:
    if spectrogram.ndim != 3 or sample_rate.shape:
        raise RunError(f"a spectrogram of the shape {list(spectrogram.shape)} and one rate are taken")
    channels, wanted = filterbank_channel_count, dct_coefficient_count
    if not 1 <= wanted <= channels:
        raise RunError(f"{wanted} coefficients cannot be made of {channels} channels")
    count = spectrogram.shape[-1]
    weights = mel_filters(count, float(sample_rate), channels, lower_frequency_limit, upper_frequency_limit)
    bands = np.sqrt(spectrogram.astype(np.float64)) @ weights
    logarithms = np.log(np.where(bands < LEAST, LEAST, bands))
    angles = np.arange(wanted)[:, None] * (np.pi / channels) * (np.arange(channels) + 0.5)
    cosines = np.sqrt(2.0 / channels) * np.cos(angles)
    return np.asarray(logarithms @ cosines.T, np.float32)


RULES: dict[str, Rule] = {
    "AudioSpectrogram": _spectrogram,
    "DecodeWav": _decode_wav,
    "EncodeWav": _encode_wav,
    "Mfcc": _mfcc,
}
