"""Cases of sound, and of Fourier transforms over chosen dimensions."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from cryograph.base.dtypes import dtype_of
from tests.support.op_cases import Array, Case, D, F, case, complexes, floats, ints, ivec, refusal, strings


def held(data: bytes) -> Array:
    """One string."""
    return np.array(data, object)


def wav(samples: Array, rate: int = 8000, size: int = 16, before: bytes = b"", after: bytes = b"") -> bytes:
    """A WAV file, with chunks before and after the format."""
    channels = samples.shape[1]
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate, 2 * channels, 16) + b"\0" * (size - 16)
    data = samples.astype("<i2").tobytes()
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", size) + form + after
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def files() -> Iterator[Case]:
    one, two = ints(9, 1, low=-32768, high=32767), ints(7, 2, low=-32768, high=32767, seed=1)
    junk = b"JUNK" + struct.pack("<I", 3) + b"abc"
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"
    whole = wav(two)
    for data in (wav(one), whole, wav(two, 44100, 18), wav(one, before=junk), wav(two, after=listed), wav(one[:0]),
                 whole + listed):  # fmt: skip
        yield case("DecodeWav", held(data))
        yield case("DecodeWav", held(data), desired_channels=1, desired_samples=4)
        yield case("DecodeWav", held(data), desired_channels=3, desired_samples=12)
        yield case("DecodeWav", held(data), desired_samples=0)
    for cut in (0, 3, 10, 20, 36, 43, len(whole) - 3):
        yield refusal("DecodeWav", held(whole[:cut]))
    yield refusal("DecodeWav", held(whole.replace(b"WAVE", b"WAVY")))
    yield refusal("DecodeWav", held(wav(one, before=listed)))
    yield refusal("DecodeWav", held(wav(one, size=20)))
    yield refusal("DecodeWav", held(whole[:20] + b"\3" + whole[21:]))
    yield refusal("DecodeWav", held(whole[:22] + b"\0" + whole[23:]))
    yield refusal("DecodeWav", held(whole[:28] + b"\1" + whole[29:]))
    yield refusal("DecodeWav", held(whole[:34] + b"\x08" + whole[35:]))
    yield refusal("DecodeWav", held(whole + whole[36:]))
    yield refusal("DecodeWav", strings(whole, whole))
    edges = np.array([[0, 1, -1, 0.5], [1.5, -7, 1 / 65536, -1 / 65536], [3 / 65536, np.inf, -np.inf, 0.99999]], F)
    yield case("EncodeWav", edges, np.int32(16000))
    yield case("EncodeWav", floats(30, 1, low=-1, high=1), np.int32(44100))
    yield case("EncodeWav", floats(0, 2), np.int32(1))
    yield refusal("EncodeWav", floats(3, 2), np.int32(0))
    yield refusal("EncodeWav", floats(3, 0), np.int32(8000))
    yield refusal("EncodeWav", floats(3), np.int32(8000))
    yield refusal("EncodeWav", floats(3, 2), ivec(8000))


def spectra() -> Iterator[Case]:
    sound = np.sin(np.add.outer(np.arange(300) ** 1.3, [0, 1])).astype(F)
    for size, stride in ((16, 8), (20, 7), (64, 64), (2, 100), (33, 50), (300, 1), (301, 1)):
        for squared in (False, True):
            yield case("AudioSpectrogram", sound, window_size=size, stride=stride, magnitude_squared=squared)
    yield case("AudioSpectrogram", sound[:, :0], window_size=16, stride=8)
    yield refusal("AudioSpectrogram", sound, window_size=1, stride=8)
    yield refusal("AudioSpectrogram", sound, window_size=16, stride=0)
    yield refusal("AudioSpectrogram", sound[:, 0], window_size=16, stride=8)
    power = np.square(floats(2, 3, 257))
    # Logarithms of small sums: rounding is of the size of the sums.
    for rate in (8000, 16000, 44100):
        yield case("Mfcc", power, np.int32(rate), tolerance=4e-6)
    yield case("Mfcc", power, np.int32(16000), upper_frequency_limit=7000.0, lower_frequency_limit=300.0,
               filterbank_channel_count=20, dct_coefficient_count=20)  # fmt: skip
    yield case("Mfcc", power[..., :33], np.int32(16000), dct_coefficient_count=1)  # fewer frequencies than channels
    yield case("Mfcc", np.zeros((1, 2, 257), F), np.int32(16000))
    yield case("Mfcc", power[:, :0], np.int32(16000))
    yield refusal("Mfcc", power[0], np.int32(16000))
    yield refusal("Mfcc", power, np.int32(0))
    yield refusal("Mfcc", power, ivec(16000))
    yield refusal("Mfcc", power, np.int32(16000), dct_coefficient_count=41)
    yield refusal("Mfcc", power, np.int32(16000), upper_frequency_limit=10.0)


def transforms() -> Iterator[Case]:
    """What has no CPU kernel is asked of the transforms over the last dimensions."""
    for dtype, real in ((np.complex64, F), (np.complex128, D)):
        kind, parts = dtype_of(np.dtype(dtype)), dtype_of(np.dtype(real))
        z, x = complexes(3, 4, 5, dtype=dtype), floats(3, 4, 6, dtype=real)
        for lengths, axes in (
            ((5,), (2,)),
            ((4, 5), (1, 2)),
            ((3, 4, 5), (0, 1, 2)),
            ((3, 2), (0, 2)),
            ((2, 5), (1, -1)),
            ((5, 3), (2, 0)),
            ((4,), (1,)),
        ):
            for op in ("FFTND", "IFFTND"):
                yield case(op, z, ivec(*lengths), ivec(*axes), fixed=(1, 2), sizes="known")
            yield case("RFFTND", x, ivec(*lengths), ivec(*axes), Tcomplex=kind, fixed=(1, 2), sizes="known")
            yield case("IRFFTND", z, ivec(*lengths), ivec(*axes), Treal=parts, fixed=(1, 2), sizes="known")


CASES: list[Case] = [*files(), *spectra(), *transforms()]
