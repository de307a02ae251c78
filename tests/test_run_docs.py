"""The program that runs the documentation's commands: what it takes for a command, and what for the same output."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import run_docs

PAGE = """\
# Title

```console
$ echo one \\
    two
one two
$ true
```

<!-- not run: it costs money -->
```console
$ false
```

```python
print(1 + 1)
```

```text
2
```

```json
{}
```
"""


def test_steps_of_a_page() -> None:
    found = run_docs.steps(PAGE, "page.md")
    assert [(s.place, s.shown.strip(), s.expected) for s in found] == [
        ("page.md:4", "$ echo one two", "one two\n"),
        ("page.md:7", "$ true", None),
        ("page.md:15", "print(1 + 1)", "2\n"),
    ]


def test_console_block_without_a_command_is_an_error() -> None:
    with pytest.raises(SystemExit, match=r"page\.md:2: a console block begins with a command"):
        run_docs.steps("```console\nhello\n```\n", "page.md")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("took ... s\n", "took 0.3 s\n", True),
        ("took ... s\n", "took 0.3 s\nmore\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("a\n...\nd\n", "a\nb\n", False),
        ("...\nd\n", "a\nd\n", True),
        ("1.5 [x]\n", "1x5 [x]\n", False),
    ],
)
def test_expected_output(expected: str, printed: str, same: bool) -> None:
    assert run_docs.matches(expected, printed) is same


def test_step_fails_on_exit_code_and_on_output(tmp_path: Path) -> None:
    page = "```console\n$ exit 3\n$ echo b\na\n$ echo a\na\n$ false | true\n```\n"
    assert [run_docs.run(step, tmp_path) for step in run_docs.steps(page, "p")] == [False, False, True, False]
