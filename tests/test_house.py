"""The promises of the project's files: the contents page, the lists that stand twice, and what no file may name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import cryograph

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# In pieces, so that this file does not hold what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian"),
        ("proxy", "golang"),
        ("crates", "io"),
        ("conda", "anaconda"),
    )
]
FOLDERS = ["/" + "/".join(parts) + "/" for parts in (("work",), ("opt", "pypi"), ("opt", "wheels"), ("root",))]
FORBIDDEN = re.compile(
    "|".join([*map(re.escape, HOSTS), *(r"(?<![\w.$}>~*-])" + re.escape(f) for f in FOLDERS)]).encode()
)


def tracked() -> list[Path]:
    """Every file that belongs to the project: what git tracks or would, else (an unpacked source release) all."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        paths = [ROOT / os.fsdecode(name) for name in listed.split(b"\0") if name]
    else:
        made = ("__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis")
        paths = [p for p in ROOT.rglob("*") if not any(part.startswith(made) for part in p.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def named(content: bytes) -> Iterator[str]:
    """What of the machine that made it a content names, with a few bytes around."""
    for match in FORBIDDEN.finditer(content):
        yield content[max(0, match.start() - 20) : match.end() + 20].decode("utf-8", "replace")


def test_contents_page_is_sorted_short_and_true() -> None:
    names = cryograph.__all__
    assert names == sorted(set(names))
    assert len(names) <= 25
    assert [name for name in names if not hasattr(cryograph, name)] == []


def test_version_stands_in_one_place() -> None:
    assert cryograph.__version__ == PROJECT["project"]["version"]
    assert f"## {cryograph.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_extra_and_group_test_are_equal() -> None:
    assert PROJECT["project"]["optional-dependencies"]["test"] == PROJECT["dependency-groups"]["test"]


def test_extra_all_holds_every_extra_but_test() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    inside = re.fullmatch(r"cryograph\[(.*)\]", extras["all"][0])
    assert inside
    assert set(inside[1].split(",")) == set(extras) - {"all", "test"}


@pytest.mark.parametrize("bad", [f"see {HOSTS[0]}/simple", f'"{FOLDERS[0]}main/x.pb"', f"file://{FOLDERS[3]}x"])
def test_search_for_machine_names_finds_them(bad: str) -> None:
    assert list(named(bad.encode()))


def test_no_file_names_a_registry_or_a_folder_of_this_machine() -> None:
    files = tracked()
    assert len(files) > 10
    found = [f"{p.relative_to(ROOT)}: {text}" for p in files for text in named(p.read_bytes())]
    assert found == []


def test_scripts_are_executable_and_stop_at_the_first_error() -> None:
    scripts = [*(p for p in (ROOT / "scripts").iterdir() if p.is_file() and not p.suffix), ROOT / ".ci" / "run"]
    assert len(scripts) >= 5
    for script in scripts:
        text = script.read_text("utf-8")
        assert text.startswith("#!/usr/bin/env bash\n"), script
        assert "\nset -euo pipefail\n" in text, script
        assert os.access(script, os.X_OK), script


def test_every_todo_names_its_issue() -> None:
    word = "TO" + "DO"
    lines = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path.suffix in (".py", ".md", ".toml")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(rf"\b{word}\b(?! *\(#\d+\))", line)
    ]
    assert lines == []
