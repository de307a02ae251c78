"""Runs the commands of the documentation as they stand, in a fresh copy of the tree, and compares what they print.

    python3 tools/run_docs.py README.md [docs/page.md ...]

In a `console` block, lines that begin with `$ ` are commands for bash (a trailing backslash goes on in the next line);
the lines after a command are what it prints to standard output. A `python` block is run by `.venv/bin/python`, which an
earlier command has made; a `text` block right after it is what it prints. In expected output `...` stands for any text,
alone on a line for any lines. No expected output: only the exit code counts. A block after `<!-- not run: why -->` is
left out.

All files run in one directory, in the order given. Needs nothing but Python, git and bash. Exit 1: something differs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)\s*$")


@dataclass(frozen=True)
class Step:
    """One command or program: where it stands, what to run, what it prints (None: not compared)."""

    place: str
    argv: list[str]
    shown: str
    expected: str | None


def steps(text: str, name: str) -> list[Step]:
    """The steps of one page, in order."""
    found: list[Step] = []
    for number, language, content, left_out in _blocks(text):
        place = f"{name}:{number}"
        if left_out:
            continue
        if language == "console":
            found += _commands(content, name, number)
        elif language == "python":
            found.append(Step(place, [".venv/bin/python", "-c", content], content, None))
        elif language == "text" and found and found[-1].argv[1] == "-c" and found[-1].argv[0] != "bash":
            last = found.pop()
            found.append(Step(last.place, last.argv, last.shown, content))
    return found


def _blocks(text: str) -> list[tuple[int, str, str, bool]]:
    """Line number of the fence, language, content, and whether the block is marked as not run."""
    lines = text.splitlines()
    found = []
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
        before = next((line for line in reversed(lines[:at]) if line.strip()), "")
        found.append((at + 1, fence[1], "\n".join(lines[at + 1 : end]) + "\n", before.startswith("<!-- not run")))
        at = end + 1
    return found


def _commands(content: str, name: str, number: int) -> list[Step]:
    found: list[Step] = []
    lines = content.splitlines()
    at = 0
    while at < len(lines):
        start = at
        command = lines[at].removeprefix("$ ")
        if command == lines[at]:
            raise SystemExit(f"{name}:{number + 1 + at}: a console block begins with a command, `$ ...`")
        while command.endswith("\\"):
            at += 1
            command = f"{command[:-1].rstrip()} {lines[at].removeprefix('> ').strip()}"
        at += 1
        output = []
        while at < len(lines) and not lines[at].startswith("$ "):
            output.append(lines[at])
            at += 1
        expected = "\n".join(output) + "\n" if output else None
        bash = ["bash", "-c", f"set -euo pipefail; {command}"]
        found.append(Step(f"{name}:{number + 1 + start}", bash, f"$ {command}", expected))
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether the output is the expected one; `...` is any text in a line, alone on a line any lines."""
    pattern = ""
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part.rstrip()) for part in line.split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None


def copy_tree(target: Path) -> None:
    """What git tracks or would, copied and tracked there: as a clone of the next commit, without what is ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    subprocess.run(["git", "init", "-q"], cwd=target, check=True)
    subprocess.run(["git", "add", "-A"], cwd=target, check=True)


def run(step: Step, directory: Path) -> bool:
    """Runs one step, shows what it prints as it comes, and says whether it did what the page says."""
    print(f"--- {step.place}\n{step.shown.rstrip()}", flush=True)
    start = time.monotonic()
    lines = []
    with subprocess.Popen(
        step.argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    code = process.returncode
    printed = "".join(lines)
    print(f"--- {time.monotonic() - start:.1f} s", flush=True)
    if code != 0:
        print(f"{step.place}: exit code {code}", flush=True)
        return False
    if step.expected is not None and not matches(step.expected, printed):
        print(f"{step.place}: the page says that it prints\n{step.expected}", flush=True)
        return False
    return True


def main() -> int:
    """Runs every page; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    pages = parser.parse_args().pages
    todo = [step for page in pages for step in steps(page.read_text("utf-8"), page.name)]
    if not todo:
        print("there is not one command in these pages")
        return 1
    with tempfile.TemporaryDirectory(prefix="cryograph-docs-") as directory:
        copy_tree(Path(directory))
        for step in todo:
            if not run(step, Path(directory)):
                return 1
    print(f"{len(todo)} steps did what the pages say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
