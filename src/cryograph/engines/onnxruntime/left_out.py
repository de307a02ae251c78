"""Ops that have no lowering to ONNX, and why: what a refusal and the page of ops say about them. Numpy runs them."""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "goes round until the numbers have settled, in which LAPACK, by numpy, is far ahead of loops in ONNX": (
        *("BatchSelfAdjointEig", "BatchSelfAdjointEigV2", "BatchSvd", "Eig", "MatrixExponential", "MatrixLogarithm"),
        *("MatrixSquareRoot", "SelfAdjointEig", "SelfAdjointEigV2", "Svd"),
    ),
}

LEFT_OUT: dict[str, str] = {op: why for why, ops in _REASONS.items() for op in ops}
