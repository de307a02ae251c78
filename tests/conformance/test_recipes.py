"""The recipes themselves: what they promise is there, the numbers say something, and a cached one is not made again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conformance import packages, recipes


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_gives_files_and_lively_answers(name: str) -> None:
    made = recipes.make(name)
    assert made.cases
    for case in made.cases.values():
        assert case.outputs
        for value in case.outputs.values():
            if value.dtype.kind == "f":
                assert np.isfinite(value).all()
                assert value.size <= 1 or np.ptp(value) > 0


def test_what_is_in_the_cache_is_not_made_again() -> None:
    made = recipes.make("real/nudity")
    before = made.folder.stat().st_mtime_ns
    code = "from tests.conformance.recipes import make; print(make('real/nudity').folder)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=recipes.ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert Path(done.stdout.strip()) == made.folder
    assert made.folder.stat().st_mtime_ns == before


def test_a_wrong_file_name_says_what_there_is() -> None:
    with pytest.raises(FileNotFoundError, match=r"has no frozen\.pbb; there is: \['frozen\.pb'"):
        recipes.make("keras/mobilenet_v2").path("frozen.pbb")


def test_a_member_is_found_by_the_end_of_its_path() -> None:
    assert packages.fetch("nudity", "retrained_graph.pb").stat().st_size == 17124178
    with pytest.raises(FileNotFoundError, match="4 members end with 'checkpoint'"):
        packages.fetch("musicnn", "checkpoint")


def test_cases_survive_the_file(tmp_path: Path) -> None:
    strings = np.array([[b"a", b""], [b"long \xff", b"b"]], dtype=object)
    case = recipes.Case({"x:0": strings, "flag": np.array(True)}, {"a|b": np.arange(3, dtype=np.int8)})
    recipes.save_cases(tmp_path / "c.npz", {"": case, "other": case})
    read = recipes.read_cases(tmp_path / "c.npz")
    assert list(read) == ["", "other"]
    np.testing.assert_array_equal(read["other"].inputs["x:0"], strings)
    assert read[""].inputs["flag"].dtype == bool
    assert read[""].outputs["a|b"].dtype == np.int8
