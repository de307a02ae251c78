"""Eigenvalues and singular values on ONNX Runtime, of matrices whose vectors are not unique or hard to tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryograph.engines.onnxruntime.jacobi import tournament
from tests.engines.test_op_cases import lowered_answers
from tests.support.op_cases import Array, case

SIZES = (1, 2, 3, 7, 16)


def matrices(size: int) -> dict[str, Array]:
    rng = np.random.default_rng(size)
    some, other = rng.normal(size=(2, size, size))
    return {
        "some": some,
        "graded": np.diag(10.0 ** -np.arange(size)) @ some,
        "the same in all directions": np.eye(size),
        "nothing": np.zeros((size, size)),
        "of rank 1": np.outer(some[0], some[0]),
        "in pairs": np.kron(np.eye((size + 1) // 2), np.full((2, 2), 0.5))[:size, :size],
        "close": np.eye(size) + 1e-9 * (some + other),
    }


def answers(op: str, x: Array, **attrs: Any) -> list[Array]:
    made = lowered_answers(case(op, x, **attrs), shapes(op, x, **attrs), known_sizes=True)
    assert isinstance(made, list), made
    return made


def shapes(op: str, x: Array, **attrs: Any) -> list[Array]:
    if "Eig" in op:
        return list(np.linalg.eigh(x))
    u, s, v = np.linalg.svd(x, attrs.get("full_matrices", False))
    return [s, u, v.T]


@pytest.mark.parametrize("size", SIZES)
def test_eigenvectors_are_orthonormal_and_make_up_the_matrix(size: int) -> None:
    for name, x in matrices(size).items():
        a = x + x.T
        values, vectors = answers("SelfAdjointEigV2", a)
        scale = max(float(np.abs(a).max()), 1e-30)
        assert np.abs(vectors.T @ vectors - np.eye(size)).max() < 1e-12, name
        assert np.abs(a @ vectors - vectors * values).max() < 1e-12 * scale, name
        assert (np.diff(values) >= 0).all(), name


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_singular_vectors_are_orthonormal_and_make_up_the_matrix(size: int, full: bool) -> None:
    for name, x in matrices(size).items():
        for a in (x, x[:, : size // 2 + 1], x[: size // 2 + 1]):
            values, u, v = answers("Svd", a, full_matrices=full)
            count, scale = len(values), max(float(np.abs(a).max()), 1e-30)
            for side in (u, v):
                assert np.abs(side.T @ side - np.eye(side.shape[1])).max() < 1e-12, name
            assert np.abs((u[:, :count] * values) @ v[:, :count].T - a).max() < 1e-12 * scale, name
            assert (np.diff(values) <= 0).all(), name
            assert np.abs(values - np.linalg.svd(a, compute_uv=False)).max() < 1e-12 * scale, name


@pytest.mark.parametrize("size", range(1, 12))
def test_all_columns_meet_once_in_a_sweep(size: int) -> None:
    rounds = tournament(size)
    met = [(min(a, b), max(a, b)) for partners in rounds for a, b in enumerate(partners.tolist()) if a < b]
    assert sorted(met) == [(a, b) for a in range(size) for b in range(a + 1, size)]
    assert all((partners[partners] == np.arange(size)).all() for partners in rounds)
