"""Ops that hash strings into buckets or fingerprints, and those between strings and raw numbers, base64 and zlib."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ...base.errors import InputError, RunError
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule
from .hashes import fingerprint64, fingerprint128, hash64, siphash


def each(function: Callable[[bytes], Any], x: Array, dtype: Any = object) -> Array:
    """A function of each string."""
    made = np.empty(x.shape, dtype)
    made.reshape(-1)[...] = [function(text) for text in x.reshape(-1).tolist()] if x.size else []
    return made


def _buckets(function: Callable[[bytes], int]) -> Rule:
    def rule(ctx: Context, x: Array, *, num_buckets: int) -> Array:
        return each(lambda text: function(text) % num_buckets, x, np.int64)

    return rule


def _strong(ctx: Context, x: Array, *, num_buckets: int, key: list[int]) -> Array:
    if len(key) != 2:
        raise RunError(f"a key of two numbers is wanted, not of {len(key)}")
    return each(lambda text: siphash(text, (key[0], key[1])) % num_buckets, x, np.int64)


def _fingerprint(ctx: Context, data: Array, method: Array) -> Array:
    """Eight bytes a row; rows of several strings are told by the fingerprints of those."""
    if method.ndim or method.item() != b"farmhash64":
        raise RunError(f"the fingerprint {method.tolist()!r} is not farmhash64")
    if data.ndim == 0:
        raise RunError("fingerprints are taken of rows, but one element came")
    if data.dtype == object and data.ndim > 1:
        data = each(fingerprint64, data, np.uint64)
    rows = data.tolist() if data.dtype == object else [np.ascontiguousarray(row).tobytes() for row in data]
    return np.array([fingerprint64(row) for row in rows], "<u8").view(np.uint8).reshape(len(rows), 8)


def _encode_base64(ctx: Context, x: Array, *, pad: bool = False) -> Array:
    return each(lambda text: base64.urlsafe_b64encode(text).rstrip(b"=" if not pad else b""), x)


BASE64 = re.compile(rb"(?:[\w-]{4})*(?:[\w-]{2}(?:==)?|[\w-]{3}=?)?", re.ASCII)


def _base64(text: bytes) -> bytes:
    if not BASE64.fullmatch(text):
        raise RunError(f"{text!r} is not base64 of the URL-safe alphabet")
    return base64.urlsafe_b64decode(text.rstrip(b"=") + b"==")


def _decode_base64(ctx: Context, x: Array) -> Array:
    return each(_base64, x)


def _numbers(data: bytes, dtype: np.dtype[Any], little_endian: bool) -> Array:
    parts = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else np.dtype(f"u{dtype.itemsize}")
    made = np.frombuffer(data, parts.newbyteorder("<" if little_endian else ">")).astype(parts)
    return made.view(np.bool_) if dtype == np.bool_ else made.view(dtype)


def _decode_raw(ctx: Context, x: Array, *, little_endian: bool = True) -> Array:
    """Each string as a row of numbers."""
    flat: list[bytes] = x.reshape(-1).tolist()
    if not flat:
        return np.zeros((*x.shape, 0), ctx.dtype)
    size = len(flat[0])
    if any(len(text) != size for text in flat):
        raise RunError(f"strings of different lengths, {sorted({len(text) for text in flat})}, make no rows")
    if size % ctx.dtype.itemsize:
        raise RunError(f"{size} bytes are no whole number of {ctx.dtype}")
    return _numbers(b"".join(flat), ctx.dtype, little_endian).reshape(*x.shape, size // ctx.dtype.itemsize)


def _decode_padded_raw(ctx: Context, x: Array, length: Array, *, little_endian: bool = True) -> Array:
    """Each string as a row of numbers, cut or filled with zeros to `length` bytes."""
    if length.ndim:
        raise RunError(f"one length is wanted, but {show(length.shape)} came")
    size = int(length)
    if size <= 0 or size % ctx.dtype.itemsize:
        raise RunError(f"{size} bytes are no positive whole number of {ctx.dtype}")
    data = b"".join(text[:size].ljust(size, b"\0") for text in x.reshape(-1).tolist())
    return _numbers(data, ctx.dtype, little_endian).reshape(*x.shape, size // ctx.dtype.itemsize)


WINDOW_BITS = {b"ZLIB": 15, b"GZIP": 31}
MAX_INFLATED = 1 << 31
"""Strings that inflate to more bytes are refused."""


def _decode_compressed(ctx: Context, x: Array, *, compression_type: bytes = b"") -> Array:
    if not compression_type:
        return x
    if compression_type not in WINDOW_BITS:
        raise InputError(f"the compression {compression_type!r} is not one of ZLIB, GZIP and none")

    def inflate(data: bytes) -> bytes:
        inflater = zlib.decompressobj(WINDOW_BITS[compression_type])
        try:
            made = inflater.decompress(data, MAX_INFLATED)
        except zlib.error as error:
            raise RunError(f"this is no {compression_type.decode()} data: {error}") from error
        if inflater.unconsumed_tail:
            raise RunError(f"data that inflates to more than {MAX_INFLATED} bytes")
        return made

    return each(inflate, x)


def _sdca_fprint(ctx: Context, data: Array) -> Array:
    """The two halves of a fingerprint of 128 bits (N, 2)."""
    if data.ndim != 1:
        raise RunError(f"a vector of strings was expected, not {list(data.shape)}")
    return np.array([fingerprint128(text) for text in data.tolist()], np.uint64).reshape(-1, 2).astype(np.int64)


RULES: dict[str, Rule] = {
    "DecodeBase64": _decode_base64,
    "DecodeCompressed": _decode_compressed,
    "DecodePaddedRaw": _decode_padded_raw,
    "DecodeRaw": _decode_raw,
    "EncodeBase64": _encode_base64,
    "Fingerprint": _fingerprint,
    "StringToHashBucket": _buckets(hash64),
    "SdcaFprint": _sdca_fprint,
    "StringToHashBucketFast": _buckets(fingerprint64),
    "StringToHashBucketStrong": _strong,
}
