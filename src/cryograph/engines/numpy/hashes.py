"""Hashes of bytes as TensorFlow takes them: FarmHash Fingerprint64, SipHash-2-4, and the old 64-bit hash of strings."""

from __future__ import annotations

import struct

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
"""The primes of FarmHash (`farmhashna`)."""
CITY = 0x9DDFEA08EB382D69
"""What CityHash128 joins two numbers with."""
MURMUR_PRIME, MURMUR_SEED = 0xC6A4A7935BD1E995, 0xDECAFCAFFE


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _right(x: int, by: int) -> int:
    """Rotates 64 bits to the right."""
    x &= MASK
    return (x >> by | x << (64 - by)) & MASK


def _mix(x: int) -> int:
    x &= MASK
    return x ^ x >> 47


def _join(u: int, v: int, mul: int) -> int:
    """Two numbers as one."""
    a = _mix(((u ^ v) & MASK) * mul)
    return _mix((v ^ a) * mul) * mul & MASK


def fingerprint64(data: bytes) -> int:
    """FarmHash Fingerprint64, which never changes from one version to the next."""
    size = len(data)
    if size > 64:
        return _fingerprint_long(data)
    mul = K2 + size * 2
    if size > 32:
        return _fingerprint_33_to_64(data, mul)
    if size > 16:
        a, b = _u64(data, 0) * K1, _u64(data, 8)
        c, d = _u64(data, size - 8) * mul, _u64(data, size - 16) * K2
        return _join(_right(a + b, 43) + _right(c, 30) + d, a + _right(b + K2, 18) + c, mul)
    if size >= 8:
        a, b = _u64(data, 0) + K2, _u64(data, size - 8)
        return _join(_right(b, 37) * mul + a, (_right(a, 25) + b) * mul, mul)
    if size >= 4:
        return _join(size + (_u32(data, 0) << 3), _u32(data, size - 4), mul)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _mix(y * K2 ^ z * K0) * K2 & MASK
    return K2


def _fingerprint_33_to_64(data: bytes, mul: int) -> int:
    size = len(data)
    a, b = _u64(data, 0) * K2, _u64(data, 8)
    c, d = _u64(data, size - 8) * mul, _u64(data, size - 16) * K2
    y = _right(a + b, 43) + _right(c, 30) + d
    z = _join(y, a + _right(b + K2, 18) + c, mul)
    e, f = _u64(data, 16) * mul, _u64(data, 24)
    g, h = (y + _u64(data, size - 32)) * mul, (z + _u64(data, size - 24)) * mul
    return _join(_right(e + f, 43) + _right(g, 30) + h, e + _right(f + a, 18) + g, mul)


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds as two numbers."""
    w, x, y, z = struct.unpack_from("<4Q", data, at)
    a += w
    b = _right(b + a + z, 21)
    c = a
    a += x + y
    return (a + z) & MASK, (b + _right(a, 44) + c) & MASK


def _fingerprint_long(data: bytes) -> int:
    last = (len(data) - 1) & 63
    end = len(data) - 1 - last
    x, y = 81, (81 * K1 + 113) & MASK
    z = _mix(y * K2 + 113) * K2 & MASK
    v, w = (0, 0), (0, 0)
    x = (x * K2 + _u64(data, 0)) & MASK

    def turn(at: int, mul: int, nine: int) -> None:
        nonlocal x, y, z, v, w
        x = _right(x + y + v[0] + _u64(data, at + 8), 37) * mul & MASK
        y = _right(y + v[1] + _u64(data, at + 48), 42) * mul & MASK
        x ^= w[1] * nine & MASK
        y = (y + v[0] * nine + _u64(data, at + 40)) & MASK
        z = _right(z + w[0], 33) * mul & MASK
        v = _weak(data, at, v[1] * mul, x + w[0])
        w = _weak(data, at + 32, z + w[1], y + _u64(data, at + 16))
        z, x = x, z

    for at in range(0, end, 64):
        turn(at, K1, 1)
    mul = K1 + ((z & 0xFF) << 1)
    w = (w[0] + last) & MASK, w[1]
    v = (v[0] + w[0]) & MASK, v[1]
    w = (w[0] + v[0]) & MASK, w[1]
    turn(len(data) - 64, mul, 9)
    return _join(_join(v[0], w[0], mul) + _mix(y) * K0 + z, _join(v[1], w[1], mul) + x, mul)


def fingerprint128(data: bytes) -> tuple[int, int]:
    """FarmHash Fingerprint128 (CityHash128): its lower and its upper half."""
    if len(data) < 16:
        return _murmur128(data, K0, K1)
    rest, low, high = data[16:], _u64(data, 0), (_u64(data, 8) + K0) & MASK
    return _murmur128(rest, low, high) if len(rest) < 128 else _city128(rest, low, high)


def _murmur128(data: bytes, a: int, b: int) -> tuple[int, int]:
    """Fewer than 128 bytes under a seed."""
    size = len(data)
    if size <= 16:
        a = _mix(a * K1) * K1 & MASK
        c = (b * K1 + fingerprint64(data)) & MASK
        d = _mix(a + (_u64(data, 0) if size >= 8 else c))
    else:
        c = _join(_u64(data, size - 8) + K1, a, CITY)
        d = _join(b + size, c + _u64(data, size - 16), CITY)
        a += d
        for at in range(0, size - 16, 16):
            a = (a & MASK ^ _mix(_u64(data, at) * K1) * K1 & MASK) * K1
            b ^= a & MASK
            c = (c & MASK ^ _mix(_u64(data, at + 8) * K1) * K1 & MASK) * K1
            d ^= c & MASK
    a, b = _join(a, c, CITY), _join(d, b, CITY)
    return a ^ b, _join(b, a, CITY)


def _city128(data: bytes, x: int, y: int) -> tuple[int, int]:
    """At least 128 bytes under a seed."""
    left = len(data)
    z = left * K1 & MASK
    first = (_right(y ^ K1, 49) * K1 + _u64(data, 0)) & MASK
    v = first, (_right(first, 42) * K1 + _u64(data, 8)) & MASK
    w = (_right(y + z, 35) * K1 + x) & MASK, _right(x + _u64(data, 88), 53) * K1 & MASK
    whole = left // 128 * 128
    for at in range(0, whole, 64):
        x = _right(x + y + v[0] + _u64(data, at + 8), 37) * K1 & MASK
        y = _right(y + v[1] + _u64(data, at + 48), 42) * K1 & MASK
        x ^= w[1]
        y = (y + v[0] + _u64(data, at + 40)) & MASK
        z = _right(z + w[0], 33) * K1 & MASK
        v = _weak(data, at, v[1] * K1, x + w[0])
        w = _weak(data, at + 32, z + w[1], y + _u64(data, at + 16))
        z, x = x, z
    left -= whole
    x = (x + _right(v[0] + z, 49) * K0) & MASK
    y = (y * K0 + _right(w[1], 37)) & MASK
    z = (z * K0 + _right(w[0], 27)) & MASK
    w = w[0] * 9 & MASK, w[1]
    v = v[0] * K0 & MASK, v[1]
    for done in range(32, left + 32, 32):
        at = len(data) - done
        y = (_right(x + y, 42) * K0 + v[1]) & MASK
        w = (w[0] + _u64(data, at + 16)) & MASK, w[1]
        x = (x * K0 + w[0]) & MASK
        z = (z + w[1] + _u64(data, at)) & MASK
        w = w[0], (w[1] + v[0]) & MASK
        v = _weak(data, at, v[0] + z, v[1])
        v = v[0] * K0 & MASK, v[1]
    x, y = _join(x, v[0], CITY), _join(y + z, w[0], CITY)
    return (_join(x + v[1], w[1], CITY) + y) & MASK, _join(x + w[1], y + v[1], CITY)


def fingerprint_cat64(first: int, second: int) -> int:
    """Two fingerprints as one; the order matters."""
    made = (first ^ MURMUR_PRIME ^ _mix(second * MURMUR_PRIME) * MURMUR_PRIME) * MURMUR_PRIME
    return _mix(_mix(made) * MURMUR_PRIME)


def hash64(data: bytes, seed: int = MURMUR_SEED) -> int:
    """TensorFlow's own hash of strings (MurmurHash64A)."""
    state = seed ^ len(data) * MURMUR_PRIME & MASK
    whole = len(data) & ~7
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        word = _mix(word * MURMUR_PRIME) * MURMUR_PRIME & MASK
        state = (state ^ word) * MURMUR_PRIME & MASK
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * MURMUR_PRIME & MASK
    return _mix(_mix(state) * MURMUR_PRIME)


def siphash(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 (Aumasson and Bernstein) under a key of two 64-bit numbers."""
    low, high = (part & MASK for part in key)
    state = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        state[3] ^= word
        _sip_rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_rounds(state: list[int], rounds: int) -> None:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = (a + b) & MASK, (c + d) & MASK
        b, d = _right(b, 51) ^ a, _right(d, 48) ^ c
        a = _right(a, 32)
        c, a = (c + b) & MASK, (a + d) & MASK
        b, d = _right(b, 47) ^ c, _right(d, 43) ^ a
        c = _right(c, 32)
    state[:] = a, b, c, d
