"""Every case of an op that touches files, where it is granted, against TensorFlow's answers and the files it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, STRING
from cryograph.base.errors import Error, InputError, RefusedError, UnknownNameError
from cryograph.base.tensors import Array
from cryograph.engines.numpy.engine import Numpy
from cryograph.grants.grants import granted_rules
from cryograph.ops.care import CARE, GRANTABLE
from tests.support import file_cases
from tests.support.op_cases import Case, assert_alike, feeds_of, program_of
from tests.support.small_graphs import const, document_of, ints, node, placeholder

CASES = file_cases.cases()


def run(case: Case) -> Sequence[Array]:
    return Numpy(rules=granted_rules([case.op])).prepare(program_of(case))(feeds_of(case))


def test_every_case_has_an_answer() -> None:
    assert {case.key for case in CASES} == file_cases.read().keys(), "run tools/gen_file_cases.py"


@pytest.mark.parametrize("op", sorted(GRANTABLE))
def test_answers_and_files_are_tensorflows(op: str, tmp_path: Path) -> None:
    wrong = []
    mine = [case for case in CASES if case.case.op == op]
    assert mine
    for number, case in enumerate(mine):
        folder = tmp_path / str(number)
        folder.mkdir()
        known = file_cases.read()[case.key]
        try:
            if known is None:
                with pytest.raises(Error):
                    file_cases.ask(case, folder, run)
                continue
            made = file_cases.ask(case, folder, run)
            for ours, theirs in zip(made.outputs, known.outputs, strict=True):
                assert_alike(np.asarray(ours), theirs)
            assert made.files == known.files
        except (AssertionError, Error, pytest.fail.Exception) as error:
            wrong.append(f"{case.case.id}: {error}")
    assert not wrong, f"{len(wrong)} of {len(mine)} cases fail\n" + "\n".join(wrong[:20])


def test_what_may_be_granted_is_what_has_a_rule() -> None:
    assert granted_rules(sorted(GRANTABLE)).keys() == GRANTABLE
    assert CARE.keys() > GRANTABLE
    assert granted_rules(()) == {}
    with pytest.raises(UnknownNameError, match=r"'PyFunc' cannot be granted"):
        granted_rules(["PyFunc"])


def test_a_model_touches_what_is_granted(tmp_path: Path) -> None:
    path = tmp_path / "there.txt"
    document = document_of(placeholder("path", (), STRING), node("read", "ReadFile", "path"))
    model = cg.Model.of(document)
    for engine in ("auto", "numpy"):
        with pytest.raises(RefusedError, match=r"reads or writes files .* allow=\['ReadFile'\]"):
            model.compile("read", engine=engine)
        with pytest.raises(RefusedError, match="reads or writes files"):
            model.compile("read", engine=engine, allow=["WriteFile"])
        predict = model.compile("read", engine=engine, allow=["ReadFile"])
        path.write_bytes(b"\0it")
        assert predict(path=str(path))["read"] == b"\0it"
    with pytest.raises(InputError, match="not on 'fastest'"):
        model.compile("read", engine="fastest", allow=["ReadFile"])


def test_granted_ops_keep_their_order(tmp_path: Path) -> None:
    """A file is read after it is written from what a piece on the fast engine gives, though nothing flows between."""
    path = const("path", np.array(str(tmp_path / "sum").encode(), object))
    document = document_of(
        placeholder("x", (64, 64)),
        path,
        node("product", "MatMul", "x", "x", T=FLOAT32),
        ints("axes", [0, 1]),
        node("sum", "Sum", "product", "axes", T=FLOAT32),
        node("text", "AsString", "sum", T=FLOAT32),
        node("write", "WriteFile", "path", "text"),
        node("read", "ReadFile", "path", "^write"),
    )
    predict = cg.Model.of(document).compile("read", allow=["ReadFile", "WriteFile"])
    assert any(piece.startswith("onnxruntime") for piece in predict.pieces)
    for number in (1, 2):
        answer = predict(np.full((64, 64), number, np.float32))["read"]
        assert float(answer.item()) == 64**3 * number**2
