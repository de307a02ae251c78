"""Ops that match and replace by regular expressions of RE2."""

from __future__ import annotations

import re
from typing import Any

from ...base.errors import RunError
from ...base.regexes import compile_regex
from ...base.shapes import show
from ...base.tensors import Array
from .context import Context, Rule
from .digests import each

SOUND = re.compile(rb"(?:[^\\]|\\[\\0-9])*", re.DOTALL)
"""A rewrite as far as it is one."""
REFERENCE = re.compile(rb"\\(.?)", re.DOTALL)
CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|.", re.DOTALL)
"""One character of UTF-8, or one byte of what is none."""


def _one(x: Array, what: str) -> bytes:
    if x.ndim:
        raise RunError(f"one {what} is wanted, but {show(x.shape)} came")
    text: bytes = x.item()
    return text


def _matches(x: Array, pattern: bytes) -> Array:
    regex = compile_regex(pattern)
    return each(lambda text: regex.fullmatch(text) is not None, x, bool)


def _replaced(x: Array, pattern: bytes, rewrite: bytes, everywhere: bool) -> Array:
    """A rewrite that names groups which do not exist leaves all as it is."""
    regex = compile_regex(pattern)
    if any(name.isdigit() and int(name) > regex.groups for name in REFERENCE.findall(rewrite)):
        return x
    sound = SOUND.match(rewrite)
    if sound and sound[0] != rewrite:
        if not everywhere:
            return x
        # RE2 writes what stands before the fault, and goes on to the next match.
        rewrite = sound[0]
    return each(lambda text: _replace(regex, rewrite, text, everywhere), x)


def _replace(regex: Any, rewrite: bytes, text: bytes, everywhere: bool) -> bytes:
    made, at, last = [], 0, -1
    while at <= len(text) and (found := regex.search(text, at)):
        start, end = found.span()
        made.append(text[at:start])
        if start == end == last:
            # Nothing, right behind the last match, does not count: go on after one character.
            step = CHARACTER.match(text, start)
            made.append(step[0] if step else b"")
            at = step.end() if step else len(text) + 1
            continue
        made.append(_expanded(rewrite, [found[0], *found.groups()]))
        at = last = end
        if not everywhere:
            break
    return b"".join([*made, text[at:]])


def _expanded(rewrite: bytes, parts: list[bytes | None]) -> bytes:
    """A rewrite with the match and its groups in place of their numbers."""
    return REFERENCE.sub(lambda name: b"\\" if name[1] == b"\\" else parts[int(name[1])] or b"", rewrite)


def _full_match(ctx: Context, x: Array, pattern: Array) -> Array:
    return _matches(x, _one(pattern, "pattern"))


def _static_full_match(ctx: Context, x: Array, *, pattern: bytes) -> Array:
    return _matches(x, pattern)


def _regex_replace(ctx: Context, x: Array, pattern: Array, rewrite: Array, *, replace_global: bool = True) -> Array:
    return _replaced(x, _one(pattern, "pattern"), _one(rewrite, "rewrite"), replace_global)


def _static_regex_replace(
    ctx: Context, x: Array, *, pattern: bytes, rewrite: bytes, replace_global: bool = True
) -> Array:
    return _replaced(x, pattern, rewrite, replace_global)


RULES: dict[str, Rule] = {
    "RegexFullMatch": _full_match,
    "RegexReplace": _regex_replace,
    "StaticRegexFullMatch": _static_full_match,
    "StaticRegexReplace": _static_regex_replace,
}
