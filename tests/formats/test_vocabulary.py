"""Vocabulary files: what is refused, in words; what is read is proved by recorded graphs."""

from __future__ import annotations

import pytest

from cryograph.base.dtypes import BOOL, FLOAT32, INT32, INT64, STRING, DType
from cryograph.base.errors import DamagedError, InputError
from cryograph.base.files import MemoryFile, Span
from cryograph.formats.vocabulary import LINE_NUMBER, WHOLE_LINE, read_lines, read_vocabulary


def vocabulary(data: bytes) -> Span:
    return MemoryFile(data, "v.txt").span()


def test_lines() -> None:
    assert read_lines(vocabulary(b"a\r\nb\r\r\n c")) == [b"a", b"b\r", b" c"]
    assert read_lines(vocabulary(b"a\n\nb\n"), 1) == [b"a"]


@pytest.mark.parametrize(
    ("data", "count", "words"),
    [
        (b"a\n", 2, "has 1 lines, where 2 are expected"),
        (b"", -1, "no line"),
        (b"a\n", 0, "no line"),
        (b"a\n\nb\n", -1, "line 2 of the vocabulary is empty"),
        (b"a\n\r\n", -1, "line 2 of the vocabulary is empty"),
    ],
)
def test_lines_that_are_not_there(data: bytes, count: int, words: str) -> None:
    with pytest.raises(DamagedError, match=f"v.txt: .*{words}"):
        read_lines(vocabulary(data), count)


@pytest.mark.parametrize(
    ("data", "dtypes", "columns", "words"),
    [
        (b"a\tx\n", (STRING, INT64), (0, 1), "line 1 .* b'x', which is no int64"),
        (b"a\t1_0\n", (STRING, INT64), (0, 1), "no int64"),
        (b"a\t0x10\n", (STRING, INT64), (0, 1), "no int64"),
        (b"a\t99999999999\n", (STRING, INT32), (0, 1), "no int32"),
        (b"a\t1.5f\n", (STRING, FLOAT32), (0, 1), "no float32"),
        (b"a\t1\nb\n", (STRING, INT64), (0, 1), "line 2 .* no column 1"),
        (b"a\nb\na\n", (STRING, INT64), (WHOLE_LINE, LINE_NUMBER), "line 3 .* b'a' another value than line 1"),
    ],
)
def test_columns_that_do_not_fit(
    data: bytes, dtypes: tuple[DType, DType], columns: tuple[int, int], words: str
) -> None:
    with pytest.raises(DamagedError, match=words):
        read_vocabulary(vocabulary(data), (dtypes[0], columns[0]), (dtypes[1], columns[1]))


def test_what_no_vocabulary_has() -> None:
    for dtypes, columns, delimiter in [
        ((STRING, STRING), (WHOLE_LINE, LINE_NUMBER), b"\t"),
        ((STRING, BOOL), (0, 1), b"\t"),
        ((STRING, INT64), (0, 1), b"ab"),
    ]:
        with pytest.raises(InputError):
            read_vocabulary(
                vocabulary(b"a\t1\n"), (dtypes[0], columns[0]), (dtypes[1], columns[1]), delimiter=delimiter
            )


def test_numbers() -> None:
    _, values = read_vocabulary(vocabulary(b"a\t0x1p3\nb\t -1e2 \nc\t.5\n"), (STRING, 0), (FLOAT32, 1))
    assert values.numpy().tolist() == [8.0, -100.0, 0.5]
