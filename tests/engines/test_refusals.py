"""Ops that are refused say why, and the way out."""

from __future__ import annotations

import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32, STRING
from cryograph.base.errors import RefusedError
from tests.support.small_graphs import document_of, node, placeholder


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_compiled_program_is_refused_in_clear_words(engine: str) -> None:
    attrs = {"Tin": [FLOAT32], "Tout": [FLOAT32], "Sout": [(2,)], "module": b"ML\xefR", "version": 9}
    model = cg.Model.of(document_of(placeholder("x", (2,)), node("y", "XlaCallModule", "x", **attrs)))
    with pytest.raises(RefusedError, match=r"y \(XlaCallModule\).*StableHLO.*native_serialization=False"):
        model.compile("y", engine=engine)


@pytest.mark.parametrize(("op", "words"), [("PyFunc", "runs code"), ("ReadFile", r"allow=\['ReadFile'\]")])
def test_the_reason_is_in_the_error(op: str, words: str) -> None:
    attrs = {"token": b"f", "Tin": [], "Tout": [FLOAT32]} if op == "PyFunc" else {}
    inputs = [] if op == "PyFunc" else ["x"]
    model = cg.Model.of(document_of(placeholder("x", (), STRING), node("y", op, *inputs, **attrs)))
    with pytest.raises(RefusedError, match=words):
        model.compile("y")
