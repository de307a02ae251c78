"""Regular expressions of RE2, by google-re2 (the extra `text`)."""

from __future__ import annotations

from typing import Any

from .errors import FormatError, MissingExtraError


def compile_regex(pattern: bytes) -> Any:
    """A compiled expression over bytes; FormatError for what RE2 refuses, MissingExtraError without google-re2."""
    try:
        import re2
    except ImportError:
        raise MissingExtraError("google-re2", "text", "Matching regular expressions") from None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise FormatError(f"{pattern!r} is no regular expression of RE2: {error}.") from error
