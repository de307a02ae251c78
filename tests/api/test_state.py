"""Compiled models that write variables and tables: each call begins where the model does."""

from __future__ import annotations

import numpy as np

import cryograph as cg
from tests.support.graph_cases import read_graphs

STATE = {case.name: case for case in read_graphs("state")}
TABLES = {case.name: case for case in read_graphs("hash_tables")}


def test_a_call_does_not_see_what_another_wrote() -> None:
    case = STATE["writes_between_reads-resources"]
    document = case.document()
    model = cg.Model(document.graph, "state", variables=document.variables)
    predict = model.compile(case.outputs, case.inputs, engine="numpy")
    first = case.turns[0]
    for _ in range(2):
        answers = predict(dict(zip(case.inputs, first.feeds, strict=True)))
        for name, expected in zip(case.outputs, first.answers or (), strict=True):
            np.testing.assert_allclose(answers[name], expected, rtol=1e-6)


def test_a_table_is_empty_again() -> None:
    case = TABLES["an_import_replaces_the_contents"]
    predict = cg.Model(case.document().graph, "tables").compile(case.outputs, case.inputs, engine="numpy")
    for turn in case.turns:
        answers = predict(dict(zip(case.inputs, turn.feeds, strict=True)))
        assert answers[case.outputs[0]] == 0
        assert answers[case.outputs[1]].tolist() == (turn.answers or [])[1].tolist()
