"""The engine `jax` on every op case and every recorded graph."""

from __future__ import annotations

import pytest

from cryograph.engines.jax.rules import RULES
from tests.engines.test_graph_cases import CASES, run_turns
from tests.engines.test_jax import check_jax, runs_on_jax
from tests.engines.test_op_cases import cases, run_all


@pytest.mark.parametrize("op", sorted(RULES.keys() & cases().keys()))
def test_all_cases_of_an_op(op: str) -> None:
    run_all(op, check_jax)


@pytest.mark.parametrize("name", CASES)
def test_all_recorded_graphs(name: str) -> None:
    if runs_on_jax(name):
        run_turns(CASES[name], "jax")
