"""Ops on Unicode: code points out of encoded strings and back, transcoding, and the script of a code point."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .digests import each

SCRIPTS = Path(__file__).with_name("scripts.bin")
"""Runs of code points of one script, written by tools/gen_scripts.py: a zlib stream of "start script" lines."""
WIDE = re.compile(r"utf(16|32)(be|le)?")
REFUSED = re.compile(r"idna|punycode|(raw-)?unicode-escape|undefined|mbcs|oem|utf-8-sig|cp65001|utf-7|hz|iso2022.*")
"""Python's codecs that ICU does not have, and encodings whose bytes mean something only after others."""
BIG_ENDIAN = {"16": codecs.BOM_UTF16_BE, "32": codecs.BOM_UTF32_BE}
LITTLE_ENDIAN = {"16": codecs.BOM_UTF16_LE, "32": codecs.BOM_UTF32_LE}
REPLACEMENT = 0xFFFD
MALFORMED = -1


@lru_cache
def _codec(encoding: bytes) -> str:
    """Python's name of an encoding that ICU knows, too."""
    name = encoding.decode("ascii", "replace")
    wide = WIDE.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower()))
    if wide:
        return "-".join(filter(None, ("utf", *wide.groups())))
    try:
        found = codecs.lookup(name).name
        b"a".decode(found)  # which refuses codecs of other things than text
    except (LookupError, ValueError) as error:
        raise RunError(f"the encoding {name!r} is not known") from error
    if REFUSED.fullmatch(found.replace("_", "-")) or name.lower() == "cp65001":
        raise RunError(f"the encoding {name!r} cannot be read")
    return found


def _stretches(codec: str, data: bytes) -> Iterator[tuple[int, str | None]]:
    """Text and where it starts; None for what is malformed."""
    at = 0
    while at < len(data):
        try:
            yield at, data[at:].decode(codec)
            return
        except UnicodeDecodeError as error:
            start, end = at + error.start, at + error.end
            if start > at:
                yield at, data[at:start].decode(codec)
            # Bytes that Windows leaves undefined stand for control characters.
            yield start, data[start:end].decode("latin-1") if codec == "cp1252" else None
            at = end


def _places(codec: str, data: bytes) -> Array:
    """Where each character of well-formed data starts."""
    if codec == "utf-8":
        return np.flatnonzero(np.frombuffer(data, np.uint8) & 0xC0 != 0x80)
    if codec == "cp1252":
        return np.arange(len(data))
    decoder = codecs.getincrementaldecoder(codec)()
    starts: list[int] = []
    begun = 0
    for at in range(len(data)):
        made = decoder.decode(data[at : at + 1])
        if made:
            starts += [begun] * len(made)
            begun = at + 1
    return np.array(starts, np.int64)


def _points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<i4").astype(np.int32)


def _decoded(codec: str, data: bytes) -> tuple[Array, Array]:
    """Code points, `MALFORMED` where there is none, and where each starts."""
    skipped = 0
    if codec in ("utf-16", "utf-32"):
        little = data.startswith(LITTLE_ENDIAN[codec[4:]])
        skipped = len(BIG_ENDIAN[codec[4:]]) if little or data.startswith(BIG_ENDIAN[codec[4:]]) else 0
        codec += "-le" if little else "-be"
        data = data[skipped:]
    points, places = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    stretches = list(_stretches(codec, data))
    for (start, text), (end, _) in pairwise([*stretches, (len(data), None)]):
        points.append(np.array([MALFORMED], np.int32) if text is None else _points(text))
        places.append((np.zeros(1, np.int64) if text is None else _places(codec, data[start:end])) + start)
    offsets = np.concatenate(places) + skipped
    offsets[:1] = 0
    return np.concatenate(points), offsets


@dataclass(frozen=True, slots=True)
class _Errors:
    """What becomes of characters that are malformed, or of control characters."""

    errors: bytes
    replacement: int
    controls: bool
    strict_controls: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.replacement < 0x110000:
            raise RunError(f"the replacement {self.replacement} is no code point")

    def apply(self, points: Array, bad: Array) -> tuple[Array, Array]:
        """The code points that are left, and which those are."""
        control = (points >= 0) & (points < 0x20) & self.controls
        wrong = bad | control
        if self.errors == b"strict" and (wrong if self.strict_controls else bad).any():
            raise RunError("a string holds characters that are malformed or out of range")
        if self.errors == b"ignore":
            return points[~wrong], ~wrong
        return np.where(wrong, np.int32(self.replacement), points), np.ones(len(points), bool)


def _decode(offsets: bool) -> Rule:
    def rule(
        ctx: Context, x: Array, *, input_encoding: bytes, errors: bytes = b"replace",
        replacement_char: int = REPLACEMENT, replace_control_characters: bool = False,
    ) -> tuple[Array, ...]:  # fmt: skip
        handler = _Errors(errors, replacement_char, replace_control_characters)
        codec = _codec(input_encoding)
        points, places, ends = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [0]
        for text in x.reshape(-1).tolist():
            found, starts = _decoded(codec, text)
            kept, left = handler.apply(found, found == MALFORMED)
            points.append(kept)
            places.append(starts[left])
            ends.append(ends[-1] + len(kept))
        made = (np.array(ends, ctx.dtype), np.concatenate(points), np.concatenate(places))
        return made if offsets else made[:2]

    return rule


def _encoded(points: Array, encoding: bytes) -> bytes:
    """Bytes of code points; a surrogate that a replacement brings is no character of UTF-8."""
    text = points.astype("<i4").tobytes().decode("utf-32-le", "surrogatepass")
    if encoding == b"UTF-8":
        return re.sub("[\ud800-\udfff]", chr(REPLACEMENT), text).encode()
    return text.encode(encoding.decode(), "surrogatepass")


def _encode(
    ctx: Context, values: Array, splits: Array, *, output_encoding: bytes, errors: bytes = b"replace",
    replacement_char: int = REPLACEMENT,
) -> Array:  # fmt: skip
    handler = _Errors(errors, replacement_char, False)
    ends = splits.tolist()
    if not ends or ends[0] != 0 or ends[-1] != values.size or any(a > b for a, b in pairwise(ends)):
        raise RunError(f"the splits {ends} do not part {values.size} code points")
    bad = (values < 0) | (values > 0x10FFFF) | ((values >= 0xD800) & (values <= 0xDFFF))
    made = np.empty(len(ends) - 1, object)
    made[:] = [_encoded(handler.apply(values[a:b], bad[a:b])[0], output_encoding) for a, b in pairwise(ends)]
    return made


def _transcode(
    ctx: Context, x: Array, *, input_encoding: bytes, output_encoding: bytes, errors: bytes = b"replace",
    replacement_char: int = REPLACEMENT, replace_control_characters: bool = False,
) -> Array:  # fmt: skip
    handler = _Errors(errors, replacement_char, replace_control_characters, strict_controls=True)
    codec = _codec(input_encoding)

    def transcoded(text: bytes) -> bytes:
        points, _ = _decoded(codec, text)
        return _encoded(handler.apply(points, points == MALFORMED)[0], output_encoding)

    return each(transcoded, x)


@lru_cache(maxsize=1)
def _scripts() -> tuple[Array, Array]:
    """Where runs of one script start, and which script each is of."""
    rows = np.array(zlib.decompress(SCRIPTS.read_bytes()).split(), np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1].astype(np.int32)


def _script(ctx: Context, x: Array) -> Array:
    """ICU's number of the script; -1 for what is no code point."""
    starts, scripts = _scripts()
    made = scripts[np.searchsorted(starts, np.clip(x, 0, 0x10FFFF), side="right") - 1]
    return np.where((x >= 0) & (x <= 0x10FFFF), made, np.int32(-1))


RULES: dict[str, Rule] = {
    "UnicodeDecode": _decode(offsets=False),
    "UnicodeDecodeWithOffsets": _decode(offsets=True),
    "UnicodeEncode": _encode,
    "UnicodeScript": _script,
    "UnicodeTranscode": _transcode,
}
