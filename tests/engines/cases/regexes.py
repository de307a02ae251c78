"""Cases of regular expressions of RE2."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.cases.digests import EMPTY, held
from tests.support.op_cases import Case, case, refusal, strings

TEXTS = strings(b"abab", b"ab", b"", "abé".encode(), b"a\xffb", b"A1 b22\nc")
PATTERNS = [b"(a)b", b"a*", b"", b".", b"(?i)a\\d?", b"^a", b"b$", b"\\pL+", b"(a)|(b)", b"\\b"]
REWRITES = [b"-", b"", b"<\\0>", b"\\\\x", b"\\1!", b"\\3", b"\\q", b"\\"]


def regexes() -> Iterator[Case]:
    for x in (TEXTS, TEXTS[:4].reshape(2, 2), held(b"ab"), EMPTY):
        for pattern in PATTERNS:
            yield case("RegexFullMatch", x, held(pattern))
            yield case("StaticRegexFullMatch", x, pattern=pattern)
    for pattern in PATTERNS:
        for rewrite in REWRITES:
            for everywhere in (True, False):
                yield case("RegexReplace", TEXTS, held(pattern), held(rewrite), replace_global=everywhere)
        yield case("StaticRegexReplace", TEXTS, pattern=pattern, rewrite=b"[\\0]")
        yield case("StaticRegexReplace", TEXTS, pattern=pattern, rewrite=b"-", replace_global=False)
    yield refusal("RegexFullMatch", TEXTS, held(b"("))
    yield refusal("RegexReplace", TEXTS, held(b"("), held(b""))
    yield refusal("RegexFullMatch", TEXTS, strings(b"a", b"b"))


CASES: list[Case] = [*regexes()]
