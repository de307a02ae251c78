"""The ops of savers against TensorFlow's kernels: the same files byte for byte, and each restores what the other
saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import Error
from cryograph.base.tensors import Array
from cryograph.engines.numpy.engine import Numpy
from cryograph.grants.saver_ops import saver_rules
from cryograph.grants.touch import anything
from tests.conformance.ops import oracle
from tests.support.op_cases import Case, Refused, assert_alike, feeds_of, program_of, values

NOT_SLICED = ("string", "uint16")
"""Of these TensorFlow restores no slices."""
NAMES = ["scalar", "empty", "w", "z/deep:name", "b"]


def strings(*given: str) -> Array:
    return np.array([word.encode() for word in given], object)


def path_of(path: Path) -> Array:
    return strings(str(path)).reshape(())


def ours(case: Case) -> list[Array]:
    return Numpy(rules=saver_rules(anything)).prepare(program_of(case))(feeds_of(case))


def theirs(case: Case) -> list[Array]:
    made = oracle.ask(case)
    assert not isinstance(made, Refused), made.message
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def tensors(dtype: Any) -> list[Array]:
    return [values(dtype, *shape, seed=n) for n, shape in enumerate([(), (0, 3), (4, 3), (2, 1, 2), (5,)])]


@pytest.mark.parametrize("dtype", ["string", "bool", "float32", "float64", "int8", "int64", "complex64"])
@pytest.mark.parametrize("op", ["SaveV2", "Save", "SaveSlices"])
def test_what_is_saved(tmp_path: Path, op: str, dtype: str) -> None:
    specs = [] if op == "Save" else [strings("", "", "4 3 -:-", "", "")]
    made: list[Any] = tensors(dtype)
    for name, write in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).mkdir()
        write(Case(op, (path_of(tmp_path / name / "model"), strings(*NAMES), *specs, *made)))
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


@pytest.mark.parametrize("op", ["SaveV2", "SaveSlices"])
def test_parts(tmp_path: Path, op: str) -> None:
    whole = values("float32", 4, 3)
    specs = strings("4 3 0,2:-", "4 3 2,2:-")
    for name, write in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).mkdir()
        write(Case(op, (path_of(tmp_path / name / "model"), strings("p", "p"), specs, whole[:2], whole[2:])))
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


@pytest.mark.parametrize("delete", [True, False])
def test_merging(tmp_path: Path, delete: bool) -> None:
    whole = values("float32", 4, 3)
    for name, write in (("ours", ours), ("theirs", theirs)):
        parts = [tmp_path / name / "temp" / f"part-{number}" for number in range(3)]
        parts[0].parent.mkdir(parents=True)
        specs = strings("", "4 3 0,2:-"), strings("4 3 2,2:-", ""), strings("")
        write(Case("SaveV2", (path_of(parts[0]), strings("z", "p"), specs[0], whole + 1, whole[:2])))
        write(Case("SaveV2", (path_of(parts[1]), strings("p", "a"), specs[1], whole[2:], whole - 1)))
        write(Case("SaveV2", (path_of(parts[2]), strings("b"), specs[2], whole)))
        named = strings(*map(str, parts))
        write(Case("MergeV2Checkpoints", (named, path_of(tmp_path / name / "model")), {"delete_old_dirs": delete}))
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")
    assert (tmp_path / "ours" / "temp").exists() == (tmp_path / "theirs" / "temp").exists()


@pytest.mark.parametrize("dtype", ["string", "bool", "float32", "uint16", "int64", "bfloat16", "complex128"])
def test_each_restores_what_the_other_saved(tmp_path: Path, dtype: str) -> None:
    made = tensors(dtype)
    blank = strings(*[""] * len(NAMES))
    for save, restore in ((ours, theirs), (theirs, ours)):
        path = path_of(tmp_path / save.__name__)
        save(Case("SaveV2", (path, strings(*NAMES), blank, *made)))
        held = [dtype_of(dtype)] * len(NAMES)
        specs = strings("", "", "" if dtype in NOT_SLICED else "4 3 1,2:-", "", "")
        read = restore(Case("RestoreV2", (path, strings(*NAMES[::-1]), specs), {"dtypes": held}))
        for a, b in zip(
            read, [made[4], made[3], made[2] if dtype in NOT_SLICED else made[2][1:3], made[1], made[0]], strict=True
        ):
            assert_alike(a, b, 0)


@pytest.mark.parametrize("sliced", [False, True])
def test_version_1_is_restored(tmp_path: Path, sliced: bool) -> None:
    whole = values("float32", 4, 3)
    held = dtype_of("float32")
    for save, restore in ((ours, theirs), (theirs, ours)):
        path = path_of(tmp_path / save.__name__)
        save(Case("Save", (path, strings("w"), whole)))
        op = "RestoreSlice" if sliced else "Restore"
        spec = [strings("4 3 0,2:1,2").reshape(())] if sliced else []
        (read,) = restore(Case(op, (path, strings("w").reshape(()), *spec), {"dt": held}))
        assert_alike(read, whole[:2, 1:] if sliced else whole, 0)
        (read,) = restore(Case("RestoreV2", (path, strings("w"), strings("")), {"dtypes": [held]}))
        assert_alike(read, whole, 0)


def test_the_same_is_refused(tmp_path: Path) -> None:
    whole = values("float32", 4, 3)
    held = dtype_of("float32")
    path = path_of(tmp_path / "model")
    ours(Case("SaveV2", (path, strings("w"), strings(""), whole)))
    blank = strings("")
    for case in (
        Case("RestoreV2", (path, strings("no"), blank), {"dtypes": [held]}),
        Case("RestoreV2", (path, strings("w"), strings("3 4 -:-")), {"dtypes": [held]}),
        Case("RestoreV2", (path, strings("w"), strings("4 3 3,2:-")), {"dtypes": [held]}),
        Case("RestoreV2", (path, strings("w", "w"), blank), {"dtypes": [held, held]}),
        Case("RestoreV2", (path_of(tmp_path / "other"), strings("w"), blank), {"dtypes": [held]}),
        Case("Restore", (path, strings("w").reshape(())), {"dt": held}),
        Case("SaveV2", (path, strings("w", "w"), strings("", ""), whole, whole)),
        Case("SaveV2", (path, strings("w"), strings("4 3 0,2:-"), whole)),
        Case("MergeV2Checkpoints", (strings(str(tmp_path / "other")), path)),
    ):
        assert isinstance(oracle.ask(case), Refused), case
        with pytest.raises(Error):
            ours(case)
