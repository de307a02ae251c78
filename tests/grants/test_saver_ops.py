"""The ops of savers as steps of a program: what they write is read again, and nothing is touched unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import DamagedError, Error, FileError, InputError, RefusedError
from cryograph.base.tensors import Array
from cryograph.engines.numpy.engine import Numpy
from cryograph.formats.checkpoint import Checkpoint
from cryograph.grants.saver_ops import saver_rules
from cryograph.grants.touch import anything
from tests.support.op_cases import Case, feeds_of, program_of

W, V, S = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([7, -8], np.int64), np.array([b"a", b"\0"], object)


def run(op: str, *inputs: Any, touch: Any = anything, **attrs: Any) -> list[Array]:
    held = [np.asarray(x, object if isinstance(x, (str, list)) else None) for x in inputs]
    held = [
        np.vectorize(lambda t: t.encode() if isinstance(t, str) else t, otypes=[object])(x)
        if x.dtype == object and x.size
        else x
        for x in held
    ]
    case = Case(op, tuple(held), attrs)
    return Numpy(rules=saver_rules(touch)).prepare(program_of(case))(feeds_of(case))


def test_version_2_comes_back(tmp_path: Path) -> None:
    prefix = str(tmp_path / "deep" / "model")
    half = np.array([0.5, -2], ml_dtypes.bfloat16)
    run("SaveV2", prefix, ["w", "v", "s", "h", "p", "p"], ["", "", "", "", "4 3 0,2:-", "4 3 2,2:-"],
        W, V, S, half, W[:2], W[2:])  # fmt: skip
    kept = Checkpoint(prefix)
    assert sorted(kept) == ["h", "p", "s", "v", "w"]
    asked = ["p", "w", "s", "w", "h"]
    dtypes = [dtype_of(name) for name in ("float32", "float32", "string", "float32", "bfloat16")]
    made = run("RestoreV2", prefix, asked, ["", "4 3 1,2:0,1", "", "", ""], dtypes=dtypes)
    for ours, wanted in zip(made, [W, W[1:3, :1], S, W, half], strict=True):
        assert ours.dtype == wanted.dtype
        assert ours.tolist() == wanted.tolist()
    made[1][0, 0] = 5.0  # it is no view of the file
    assert Checkpoint(prefix)["w"].numpy().tolist() == W.tolist()


def test_version_1_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "old")
    run("SaveSlices", path, ["w", "p", "p"], ["", "4 3 0,2:-", "4 3 2,2:-"], W, W[:2], W[2:])
    (made,) = run("Restore", path, "p", dt=dtype_of("float32"))
    assert made.tolist() == W.tolist()
    (made,) = run("RestoreSlice", path, "w", "4 3 -:1,2", dt=dtype_of("float32"), preferred_shard=0)
    assert made.tolist() == W[:, 1:].tolist()
    run("Save", path, ["v"], V)
    assert run("RestoreV2", path, ["v"], [""], dtypes=[dtype_of("int64")])[0].tolist() == V.tolist()


def test_shards_are_merged(tmp_path: Path) -> None:
    parts = [str(tmp_path / "temp" / f"part-{number}") for number in range(2)]
    run("SaveV2", parts[0], ["w", "p"], ["", "4 3 0,2:-"], W, W[:2])
    run("SaveV2", parts[1], ["v", "p"], ["", "4 3 2,2:-"], V, W[2:])
    target = str(tmp_path / "model")
    run("MergeV2Checkpoints", parts, target, delete_old_dirs=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.data-00000-of-00002",
        "model.data-00001-of-00002",
        "model.index",
    ]
    assert Checkpoint(target).verify().is_sound
    assert Checkpoint(target)["p"].numpy().tolist() == W.tolist()
    run("SaveV2", parts[0], ["w"], [""], W + 1)
    run("MergeV2Checkpoints", parts, target, delete_old_dirs=False, allow_missing_files=True)
    assert [path.name for path in sorted(tmp_path.glob("model*"))] == ["model.data-00000-of-00001", "model.index"]
    assert (tmp_path / "temp").is_dir()
    with pytest.raises(FileError, match="nothing to merge"):
        run("MergeV2Checkpoints", parts, target, allow_missing_files=True)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        run("SaveV2", str(tmp_path / f"part{number}"), ["w"], [""], W)
    with pytest.raises(InputError, match="'w', which another"):
        run("MergeV2Checkpoints", [str(tmp_path / "part0"), str(tmp_path / "part1")], str(tmp_path / "model"))
    with pytest.raises(InputError, match="saved as 'w'"):
        run("SaveV2", str(tmp_path / "twice"), ["w", "w"], ["", ""], W, W)


@pytest.mark.parametrize(
    ("name", "spec", "dtype", "error", "words"),
    [
        ("no", "", "float32", InputError, "no tensor 'no'"),
        ("w", "", "int32", InputError, "int32 was asked for"),
        ("w", "3 4 -:-", "float32", InputError, r".4, 3.; a slice of .3, 4."),
        ("w", "4 3 3,2:-", "float32", DamagedError, "sticks out"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, name: str, spec: str, dtype: str, error: type, words: str) -> None:
    run("SaveV2", str(tmp_path / "m"), ["w"], [""], W)
    with pytest.raises(error, match=words):
        run("RestoreV2", str(tmp_path / "m"), [name], [spec], dtypes=[dtype_of(dtype)])


def test_nothing_is_touched_unasked(tmp_path: Path) -> None:
    def touch(path: str) -> None:
        if not path.startswith(str(tmp_path / "mine")):
            raise RefusedError(f"{path} is not mine")

    other, mine = str(tmp_path / "other"), str(tmp_path / "mine")
    run("SaveV2", mine, ["w"], [""], W, touch=touch)
    for op, inputs, attrs in [
        ("SaveV2", (other, ["w"], [""], W), {}),
        ("Save", (other, ["w"], W), {}),
        ("SaveSlices", (other, ["w"], [""], W), {}),
        ("RestoreV2", (other, ["w"], [""]), {"dtypes": [dtype_of("float32")]}),
        ("Restore", (other, "w"), {"dt": dtype_of("float32")}),
        ("RestoreSlice", (other, "w", ""), {"dt": dtype_of("float32")}),
        ("MergeV2Checkpoints", ([mine], other), {}),
        ("MergeV2Checkpoints", ([other], mine), {}),
    ]:
        with pytest.raises(RefusedError, match="is not mine"):
            run(op, *inputs, touch=touch, **attrs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.data-00000-of-00001", "mine.index"]


def test_without_a_grant_nothing_is_run(tmp_path: Path) -> None:
    case = Case("SaveV2", (np.array(str(tmp_path / "m").encode(), object), S[:1], S[:1], W), {})
    with pytest.raises(Error, match="reads or writes files"):
        Numpy().prepare(program_of(case))
