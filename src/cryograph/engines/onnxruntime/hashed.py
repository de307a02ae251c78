"""Lowerings of hashes of strings, all of a tensor at once: FarmHash, SipHash, and the old hash; see the reference's
`hashes`. Numbers are 64 bits without sign, in the dtype in which `philox` multiplies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...base.dtypes import BOOL, INT32, INT64, UINT8
from ...program.program import Step
from ..numpy.hashes import K0, K1, K2, MURMUR_PRIME, MURMUR_SEED
from .builder import Builder, Lowering, Table
from .control import repeated
from .philox import known, work
from .text_bytes import bytes_of, count_letters, letters
from .traced import UINT64, Traced
from .values import Refusal, Value

_ALL = (1 << 64) - 1
_BLOCK = 64
"""The bytes that FarmHash mixes at once."""
Pair = tuple[Traced, Traced]


def word_of(g: Builder, number: int) -> Traced:
    return Traced(g, known(g, np.array(number & _ALL, np.uint64)))


def _right(x: Traced, by: int) -> Traced:
    """Rotates to the right."""
    return x >> by | x * word_of(x.g, 1 << (64 - by))


def mixed(x: Traced) -> Traced:
    return x ^ x >> 47


def _join(u: Traced, v: Traced, mul: Traced) -> Traced:
    """Two numbers as one."""
    a = mixed((u ^ v) * mul)
    return mixed((v ^ a) * mul) * mul


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings: the eight bytes from each place on (N, W), as a number; and how many bytes there are (N), as int64."""

    g: Builder
    words: Value
    sizes: Value

    def at(self, place: Value | int) -> Traced:
        """The eight bytes from a place on, one for all or one a string; from the first on for places before it."""
        g = self.g
        wide = place if isinstance(place, Value) else g.const(place, INT64)
        if wide.shape == ():
            return Traced(g, g.op("Gather", self.words, wide, axis=1, shape=(None,)))
        kept = g.op("Max", wide, g.const(0, INT64), shape=wide.shape)
        found = g.op("GatherElements", self.words, g.unsqueeze(kept, [1]), axis=1, shape=(None, 1))
        return Traced(g, g.squeeze(found, [1]))

    def before_end(self, count: int) -> Traced:
        """The eight bytes that begin so many bytes before the end."""
        return self.at(self.place(-count))

    def place(self, more: int) -> Value:
        """The end moved."""
        return self.g.op("Add", self.sizes, self.g.const(more, INT64), shape=(None,))

    def size(self) -> Traced:
        """The number of bytes as a number to compute with."""
        return Traced(self.g, self.g.cast(self.sizes, work()))

    def longer(self, than: int) -> Value:
        """Which strings have more bytes."""
        return self.g.op("Greater", self.sizes, self.g.const(than, INT64), dtype=BOOL, shape=(None,))


def texts_of(g: Builder, x: Value) -> Texts:
    found, sizes = bytes_of(g, x, 2 * _BLOCK)
    held = g.cast(found, work())
    last = g.op("Sub", g.sizes(found, [1]), g.ints([7]), shape=(1,))
    total: Traced | None = None
    for shift in range(8):
        end = g.op("Add", last, g.ints([shift]), shape=(1,))
        part = Traced(g, Value(g.slice(held, g.ints([shift]), end, [1]).name, held.dtype, (None, None)))
        moved = part * word_of(g, 1 << 8 * shift) if shift else part
        total = moved if total is None else total + moved
    if total is None:
        raise Refusal("a number has eight bytes")
    return Texts(g, total.value, sizes)


def _chosen(g: Builder, flags: Value, yes: Traced, no: Traced) -> Traced:
    """Where the runtime chooses between numbers with a sign."""
    held = [g.cast(x.value, INT64) for x in (yes, no)]
    return Traced(g, g.cast(g.where(flags, held[0], held[1], (None,)), work()))


# --- FarmHash


def short_fingerprint(t: Texts) -> Traced:
    """Fingerprint64 of up to 16 bytes."""
    g, size = t.g, t.size()
    k2 = word_of(g, K2)
    mul = k2 + size + size
    a, b = t.at(0) + k2, t.before_end(8)
    eight = _join(_right(b, 37) * mul + a, (_right(a, 25) + b) * mul, mul)
    low = word_of(g, 0xFFFFFFFF)
    four = _join(size + (t.at(0) & low) * word_of(g, 8), t.before_end(4) & low, mul)
    half = g.op("Div", t.sizes, g.const(2, INT64), shape=(None,))
    byte = word_of(g, 0xFF)
    y = (t.at(0) & byte) + (t.at(half) & byte) * word_of(g, 1 << 8)
    z = size + (t.before_end(1) & byte) * word_of(g, 4)
    one = mixed(y * k2 ^ z * word_of(g, K0)) * k2
    none = _chosen(g, t.longer(0), one, k2)
    return _chosen(g, t.longer(7), eight, _chosen(g, t.longer(3), four, none))


def _middle(t: Texts) -> Traced:
    """17 to 32 bytes."""
    size, k1, k2 = t.size(), word_of(t.g, K1), word_of(t.g, K2)
    mul = k2 + size + size
    a, b = t.at(0) * k1, t.at(8)
    c, d = t.before_end(8) * mul, t.before_end(16) * k2
    return _join(_right(a + b, 43) + _right(c, 30) + d, a + _right(b + k2, 18) + c, mul)


def _long(t: Texts) -> Traced:
    """33 to 64 bytes."""
    size, k2 = t.size(), word_of(t.g, K2)
    mul = k2 + size + size
    a, b = t.at(0) * k2, t.at(8)
    c, d = t.before_end(8) * mul, t.before_end(16) * k2
    y = _right(a + b, 43) + _right(c, 30) + d
    z = _join(y, a + _right(b + k2, 18) + c, mul)
    e, f = t.at(16) * mul, t.at(24)
    g, h = (y + t.before_end(32)) * mul, (z + t.before_end(24)) * mul
    return _join(_right(e + f, 43) + _right(g, 30) + h, e + _right(f + a, 18) + g, mul)


def _weak(t: Texts, at: Value, more: int, a: Traced, b: Traced) -> Pair:
    """32 bytes and two seeds as two numbers."""

    def word(number: int) -> Traced:
        return t.at(t.g.op("Add", at, t.g.const(more + 8 * number, INT64), shape=at.shape))

    a = a + word(0)
    b = _right(b + a + word(3), 21)
    c = a
    a = a + word(1) + word(2)
    return a + word(3), b + _right(a, 44) + c


def _block(t: Texts, at: Value, state: Sequence[Traced], mul: Traced, nine: int) -> list[Traced]:
    """The state after 64 bytes."""
    x, y, z, v0, v1, w0, w1 = state
    factor = word_of(t.g, nine)

    def word(more: int) -> Traced:
        return t.at(t.g.op("Add", at, t.g.const(more, INT64), shape=at.shape))

    x = _right(x + y + v0 + word(8), 37) * mul
    y = _right(y + v1 + word(48), 42) * mul
    x = x ^ w1 * factor
    y = y + v0 * factor + word(40)
    z = _right(z + w0, 33) * mul
    v0, v1 = _weak(t, at, 0, v1 * mul, x + w0)
    w0, w1 = _weak(t, at, 32, z + w1, y + word(16))
    return [z, y, x, v0, v1, w0, w1]


def _longest(t: Texts) -> Traced:
    """More than 64 bytes: block after block, of which the last one overlaps."""
    g, k1 = t.g, word_of(t.g, K1)
    one = g.const(1, INT64)
    last = g.op("Mod", g.op("Sub", t.sizes, one, shape=(None,)), g.const(_BLOCK, INT64), shape=(None,))
    last = g.op("Max", last, g.const(0, INT64), shape=(None,))
    end = g.op("Sub", g.op("Sub", t.sizes, one, shape=(None,)), last, shape=(None,))
    y = word_of(g, 81 * K1 + 113)
    z = mixed(y * word_of(g, K2) + word_of(g, 113)) * word_of(g, K2)
    zero = t.size() ^ t.size()
    first = [word_of(g, 81) * word_of(g, K2) + t.at(0), zero + y, zero + z, zero, zero, zero, zero]
    blocks = g.op("Div", end, g.const(_BLOCK, INT64), shape=(None,))
    most = g.op("ReduceMax", blocks, g.ints([0]), keepdims=0, shape=())

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        state = [Traced(g, x) for x in held]
        at = g.op("Mul", turn, g.const(_BLOCK, INT64), shape=())
        after = _block(t, at, state, k1, 1)
        going = g.op("Less", turn, blocks, dtype=BOOL, shape=(None,))
        return None, [_chosen(g, going, new, old).value for new, old in zip(after, state, strict=True)]

    x, y, z, v0, v1, w0, w1 = (Traced(g, x) for x in repeated(g, most, [part.value for part in first], change))
    low = z & word_of(g, 0xFF)
    mul = k1 + low + low
    w0 = w0 + Traced(g, g.cast(last, work()))
    v0 = v0 + w0
    w0 = w0 + v0
    x, y, z, v0, v1, w0, w1 = _block(t, t.place(-_BLOCK), [x, y, z, v0, v1, w0, w1], mul, 9)
    return _join(_join(v0, w0, mul) + mixed(y) * word_of(g, K0) + z, _join(v1, w1, mul) + x, mul)


def fingerprint64(t: Texts) -> Traced:
    """FarmHash Fingerprint64 (N)."""
    made = _chosen(t.g, t.longer(16), _middle(t), short_fingerprint(t))
    made = _chosen(t.g, t.longer(32), _long(t), made)
    return _chosen(t.g, t.longer(64), _longest(t), made)


# --- the others


def _by_words(
    t: Texts, first: Sequence[Traced], step: Callable[[Sequence[Traced], Traced], list[Traced]]
) -> list[Traced]:
    """A state after all whole words of eight bytes."""
    g = t.g
    count = g.op("Div", t.sizes, g.const(8, INT64), shape=(None,))
    most = g.op("ReduceMax", count, g.ints([0]), keepdims=0, shape=())

    def change(turn: Value, held: Sequence[Value]) -> tuple[None, Sequence[Value]]:
        state = [Traced(g, x) for x in held]
        after = step(state, t.at(g.op("Mul", turn, g.const(8, INT64), shape=())))
        going = g.op("Less", turn, count, dtype=BOOL, shape=(None,))
        return None, [_chosen(g, going, new, old).value for new, old in zip(after, state, strict=True)]

    return [Traced(g, x) for x in repeated(g, most, [part.value for part in first], change)]


def _rest(t: Texts) -> Traced:
    """The bytes behind the last whole word."""
    g = t.g
    whole = g.op("Mul", g.op("Div", t.sizes, g.const(8, INT64), shape=(None,)), g.const(8, INT64), shape=(None,))
    return t.at(whole)


def hash64(t: Texts) -> Traced:
    """TensorFlow's own hash of strings (MurmurHash64A)."""
    g, prime = t.g, word_of(t.g, MURMUR_PRIME)

    def step(state: Sequence[Traced], word: Traced) -> list[Traced]:
        return [(state[0] ^ mixed(word * prime) * prime) * prime]

    (state,) = _by_words(t, [t.size() * prime ^ word_of(g, MURMUR_SEED)], step)
    odd = g.op("Mod", t.sizes, g.const(8, INT64), shape=(None,))
    some = g.op("Greater", odd, g.const(0, INT64), dtype=BOOL, shape=(None,))
    state = _chosen(g, some, (state ^ _rest(t)) * prime, state)
    return mixed(mixed(state) * prime)


def _sip_rounds(state: Sequence[Traced], rounds: int) -> list[Traced]:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = a + b, c + d
        b, d = _right(b, 51) ^ a, _right(d, 48) ^ c
        a = _right(a, 32)
        c, a = c + b, a + d
        b, d = _right(b, 47) ^ c, _right(d, 43) ^ a
        c = _right(c, 32)
    return [a, b, c, d]


def siphash(t: Texts, key: Sequence[int]) -> Traced:
    """SipHash-2-4 under a key of two numbers."""
    g = t.g
    zero = t.size() ^ t.size()
    seeds = zip(
        (key[0], key[1], key[0], key[1]),
        (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573),
        strict=True,
    )

    def step(state: Sequence[Traced], word: Traced) -> list[Traced]:
        a, b, c, d = _sip_rounds([*state[:3], state[3] ^ word], 2)
        return [a ^ word, b, c, d]

    state = _by_words(t, [zero + word_of(g, part & _ALL ^ magic) for part, magic in seeds], step)
    end = (t.size() & word_of(g, 0xFF)) * word_of(g, 1 << 56)
    state = step(state, _rest(t) + end)
    state[2] = state[2] ^ word_of(g, 0xFF)
    a, b, c, d = _sip_rounds(state, 4)
    return a ^ b ^ c ^ d


def remainder(made: Traced, count: int) -> Value:
    """Numbers without a sign below a count, as int64."""
    g = made.g
    rest = g.op("Mod", g.cast(made.value, UINT64), g.const(count, UINT64), shape=made.value.shape)
    return g.cast(rest, INT64)


def _bucket(g: Builder, made: Traced, x: Value, count: int) -> Value:
    return g.reshape_to(remainder(made, count), g.shape_of(x), x.shape)


def _buckets(hashed: Callable[[Texts], Traced]) -> Lowering:
    def lower(g: Builder, step: Step, x: Value, *, num_buckets: int) -> Value:
        return _bucket(g, hashed(texts_of(g, x)), x, num_buckets)

    return lower


def strong(g: Builder, step: Step, x: Value, *, num_buckets: int, key: Sequence[int]) -> Value:
    if len(key) != 2:
        raise Refusal(f"a key has two numbers, not {len(key)}")
    return _bucket(g, siphash(texts_of(g, x), key), x, num_buckets)


def fingerprint(g: Builder, step: Step, data: Value, method: Value) -> Value:
    """The bytes of a fingerprint of each string, the low one first."""
    if g.fixed(method, "the method").reshape(-1).tolist() != [b"farmhash64"] or data.rank != 1:
        raise Refusal("fingerprints are taken of single strings by FarmHash")
    made = g.unsqueeze(g.cast(fingerprint64(texts_of(g, data)).value, UINT64), [1])
    shifts = g.const(np.arange(8, dtype=np.uint64) * np.uint64(8), UINT64)
    parts = g.op("BitShift", made, shifts, shape=(None, 8), direction="RIGHT")
    return g.cast(g.op("BitwiseAnd", parts, g.const(0xFF, UINT64), shape=(data.size(0), 8)), UINT8)


def string_length(g: Builder, step: Step, x: Value, *, unit: bytes = b"BYTE") -> Value:
    """Bytes or letters."""
    if unit not in (b"BYTE", b"UTF8_CHAR"):
        raise Refusal(f"strings are not counted in {unit.decode()}")
    found = bytes_of(g, x, 0)[1] if unit == b"BYTE" else count_letters(g, letters(g, x))
    return g.cast(g.reshape_to(found, g.shape_of(x), x.shape), INT32)


LOWERINGS: Table = {
    "Fingerprint": fingerprint,
    "StringLength": string_length,
    "StringToHashBucket": _buckets(hash64),
    "StringToHashBucketFast": _buckets(fingerprint64),
    "StringToHashBucketStrong": strong,
}
