"""Shapes of reductions, running sums, products of matrices, decompositions, diagonals, Fourier transforms."""

from __future__ import annotations

import re

from ..base.shapes import Shape
from .facts import Call, Contradiction, Dim, Dims, Rule, add, broadcast, merge, merge_dim, normal_axis
from .infer_common import Result, every, of_rank_at_least, same_as_input, scalars

LETTERS = re.compile(r"[A-Za-z]*(?:\.\.\.)?[A-Za-z]*")


def _reduce(call: Call) -> Result:
    shape, axes = call.shape(0), call.inputs[1]
    keep = call.flag("keep_dims")
    if shape is None:
        return [None]
    numbers = call.numbers(1)
    if numbers is not None:
        dropped = {normal_axis(axis, len(shape)) for axis in numbers}
        if keep:
            return [tuple(1 if i in dropped else size for i, size in enumerate(shape))]
        return [tuple(size for i, size in enumerate(shape) if i not in dropped)]
    if keep:
        return [(None,) * len(shape)]
    return [(None,) * (len(shape) - 1) if axes.shape == () else () if shape == () else None]


def _mat_mul(call: Call) -> Result:
    return [_product(call.ranked(0, 2), call.ranked(1, 2), _flag(call, "transpose_a"), _flag(call, "transpose_b"))]


def _flag(call: Call, name: str) -> bool:
    return name in call.attrs and call.flag(name)


def _product(a: Dims, b: Dims, turn_a: bool, turn_b: bool) -> Dims:
    rows, inner = (a[-1], a[-2]) if turn_a else (a[-2], a[-1])
    other, columns = (b[-1], b[-2]) if turn_b else (b[-2], b[-1])
    merge_dim(inner, other)
    return (rows, columns)


def _batch_mat_mul(call: Call) -> Result:
    a, b = call.at_least(0, 2), call.at_least(1, 2)
    if call.op in ("BatchMatMul", "_MklBatchMatMul"):
        if a is None or b is None:
            known = a or b
            return [None if known is None else (*known[:-2], *_matrix_of(call, a, b))]
        batch = merge(a[:-2], b[:-2])
    else:
        batch = broadcast(a[:-2], b[:-2]) if a is not None and b is not None else None
    if batch is None or a is None or b is None:
        return [None]
    return [(*batch, *_product(a, b, _flag(call, "adj_x"), _flag(call, "adj_y")))]


def _matrix_of(call: Call, a: Shape, b: Shape) -> Dims:
    unknown: Dims = (None, None)
    return _product(
        unknown if a is None else a, unknown if b is None else b, _flag(call, "adj_x"), _flag(call, "adj_y")
    )


def _einsum(call: Call) -> Result:
    left, arrow, right = call.text("equation").replace(" ", "").partition("->")
    labels = left.split(",")
    if not arrow or len(labels) != len(call.inputs) or not all(map(LETTERS.fullmatch, [*labels, right])):
        raise Contradiction(f"the equation {call.text('equation')!r} does not fit {len(call.inputs)} inputs")
    sizes: dict[str, Dim] = {}
    ellipsis: Shape = ()
    for text, fact in zip(labels, call.inputs, strict=True):
        shape = fact.shape
        before, dots, after = text.partition("...")
        if shape is None:
            ellipsis = None if dots else ellipsis
            for letter in before + after:
                sizes.setdefault(letter, None)
            continue
        named = len(before) + len(after)
        if len(shape) < named or (not dots and len(shape) != named):
            raise Contradiction(f"{text} does not fit {len(shape)} dimensions")
        middle = shape[len(before) : len(shape) - len(after)]
        if dots and ellipsis is not None:
            ellipsis = broadcast(ellipsis, middle)
        pairs = [*zip(before, shape, strict=False), *zip(after, shape[len(shape) - len(after) :], strict=False)]
        for letter, size in pairs:
            sizes[letter] = _letter(sizes.get(letter), size)
    before, dots, after = right.partition("...")
    if dots and ellipsis is None:
        return [None]
    if not set(before + after) <= sizes.keys():
        raise Contradiction(f"{right} names what no input has")
    return [(*(sizes[k] for k in before), *((ellipsis or ()) if dots else ()), *(sizes[k] for k in after))]


def _letter(known: Dim, size: Dim) -> Dim:
    """Sizes of one letter may differ by 1, which is stretched."""
    if known is None or known == 1:
        return size if size is not None else known if known != 1 else None
    if size is None or size == 1:
        return known
    return merge_dim(known, size)


def _square(call: Call) -> Result:
    return [_squared(call.at_least(0, 2))]


def _squared(shape: Shape) -> Shape:
    if shape is None:
        return None
    size = merge_dim(shape[-2], shape[-1])
    return (*shape[:-2], size, size)


def _determinant(call: Call) -> Result:
    shape = _squared(call.at_least(0, 2))
    return [None if shape is None else shape[:-2]] * len(call.outputs)


def _solve(call: Call) -> Result:
    """Square systems: matrix (..., M, M), right-hand sides (..., M, K)."""
    matrix, sides = call.at_least(0, 2), call.at_least(1, 2)
    if call.op == "MatrixSolve" and (matrix is None) != (sides is None):
        square = _squared(matrix)
        return [sides if square is None else (*square[:-1], None)]
    if matrix is None or sides is None:
        return [None]
    square = _squared(matrix) or ()
    together = broadcast if call.op == "MatrixTriangularSolve" else merge
    batch = together(matrix[:-2], sides[:-2])
    rows = merge_dim(square[-1], sides[-2])
    return [None if batch is None else (*batch, rows, sides[-1])]


def _banded_solve(call: Call) -> Result:
    matrix, sides = call.at_least(0, 2), call.at_least(1, 2)
    if matrix is None or sides is None:
        return [None]
    batch = broadcast(matrix[:-2], sides[:-2])
    return [None if batch is None else (*batch, merge_dim(matrix[-1], sides[-2]), sides[-1])]


def _solve_ls(call: Call) -> Result:
    matrix, sides = call.at_least(0, 2), call.at_least(1, 2)
    if matrix is None or sides is None:
        known = None if matrix is None else (*matrix[:-2], matrix[-1], None)
        return [known if sides is None else (*sides[:-2], None, sides[-1])]
    merge_dim(matrix[-2], sides[-2])
    batch = merge(matrix[:-2], sides[:-2])
    return [None if batch is None else (*batch, matrix[-1], sides[-1])]


def _tridiagonal(call: Call) -> Result:
    sides = call.at_least(1 if call.op == "TridiagonalSolve" else 3, 2)
    return [sides]


def _qr(call: Call) -> Result:
    shape = call.at_least(0, 2)
    if shape is None:
        return [None, None]
    rows, columns = shape[-2], shape[-1]
    less = None if rows is None or columns is None else min(rows, columns)
    inner = rows if call.flag("full_matrices") else less
    return [(*shape[:-2], rows, inner), (*shape[:-2], inner, columns)]


def _svd(call: Call) -> Result:
    shape = call.at_least(0, 2)
    if shape is None:
        return [None, None, None] if call.flag("compute_uv") else [None, (0,), (0,)]
    batch, rows, columns = shape[:-2], shape[-2], shape[-1]
    less = None if rows is None or columns is None else min(rows, columns)
    if not call.flag("compute_uv"):
        return [(*batch, less), (0,), (0,)]
    full = call.flag("full_matrices")
    return [(*batch, less), (*batch, rows, rows if full else less), (*batch, columns, columns if full else less)]


def _self_adjoint_eig(call: Call) -> Result:
    shape = _squared(call.at_least(0, 2))
    return [None if shape is None else shape[:-1], shape if call.flag("compute_v") else (0,)]


def _self_adjoint_eig_v1(call: Call) -> Result:
    shape = _squared(call.at_least(0, 2))
    if shape is None:
        return [None]
    return [(*shape[:-2], add(shape[-1], 1), shape[-1])]


def _lu(call: Call) -> Result:
    shape = _squared(call.at_least(0, 2))
    return [shape, None if shape is None else shape[:-1]]


def _diag(call: Call) -> Result:
    shape = call.at_least(0, 1)
    return [None if shape is None else (*shape, *shape)]


def _diag_part(call: Call) -> Result:
    shape = call.shape(0)
    if shape is None:
        return [None]
    if len(shape) % 2 or not shape:
        raise Contradiction(f"a tensor of {len(shape)} dimensions has no diagonal")
    half = len(shape) // 2
    return [merge(shape[:half], shape[half:])]


def _matrix_diag(call: Call) -> Result:
    shape = call.at_least(0, 1)
    return [None if shape is None else (*shape, shape[-1])]


def _matrix_diag_part(call: Call) -> Result:
    shape = call.at_least(0, 2)
    if shape is None:
        return [None]
    rows, columns = shape[-2], shape[-1]
    return [(*shape[:-2], None if rows is None or columns is None else min(rows, columns))]


def _band(call: Call, index: int, exact: bool = True) -> tuple[int, int] | None:
    """The lowest and the highest of the diagonals that an input names; unless `exact`, any single one for a scalar."""
    numbers = call.numbers(index)
    if not numbers:
        return (0, 0) if call.shape(index) == () and not exact else None
    if len(numbers) > 2 or numbers[0] > numbers[-1]:
        raise Contradiction(f"the diagonals {numbers} are not a range")
    return numbers[0], numbers[-1]


def _matrix_diag_part_v2(call: Call) -> Result:
    shape, band = call.at_least(0, 2), _band(call, 1)
    if shape is None or band is None:
        return [None]
    low, high = band
    rows, columns = shape[-2], shape[-1]
    longest = None
    if rows is not None and columns is not None:
        longest = min(rows + min(high, 0), columns + min(-low, 0))
    return [(*shape[:-2], *(() if low == high else (high - low + 1,)), longest)]


def _matrix_diag_v2(call: Call) -> Result:
    shape, band = call.at_least(0, 1), _band(call, 1)
    if shape is None or band is None:
        return [None]
    low, high = band
    batch = shape[:-1] if low == high else shape[:-2]
    longest = shape[-1]
    rows, columns = call.scalar(2), call.scalar(3)
    if rows is None or columns is None:
        return [(*batch, None, None)]
    if longest is None:
        return [(*batch, None if rows == -1 else rows, None if columns == -1 else columns)]
    least_rows, least_columns = longest - min(high, 0), longest + max(low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    elif rows == -1:
        rows = least_rows
    elif columns == -1:
        columns = least_columns
    return [(*batch, rows, columns)]


def _matrix_set_diag(call: Call) -> Result:
    shape, diagonal = call.at_least(0, 2), call.at_least(1, 1)
    band = (0, 0) if len(call.inputs) < 3 else _band(call, 2, exact=False)
    if diagonal is not None and len(diagonal) == 1:
        band = (0, 0)
    if diagonal is None or band is None:
        return [shape]
    batch = diagonal[:-1] if band[0] == band[1] else diagonal[:-2]
    return [merge(shape, (*batch, None, None))]


def _fft_real(rank: int, inverse: bool) -> Rule:
    def rule(call: Call) -> Result:
        shape = call.at_least(0, rank)
        if shape is None:
            return [None]
        lengths = call.inputs[1].value
        sizes: list[Dim] = [None] * rank if lengths is None else lengths.reshape(-1).tolist()
        if len(sizes) != rank:
            raise Contradiction(f"{len(sizes)} lengths came for {rank} dimensions")
        if any(size is not None and size < 0 for size in sizes):
            raise Contradiction(f"a Fourier transform of the lengths {sizes}")
        if not inverse and sizes[-1] is not None:
            sizes[-1] = sizes[-1] // 2 + 1 if sizes[-1] > 0 else 0
        return [(*shape[: len(shape) - rank], *sizes)]

    return rule


def _fft_n(call: Call) -> Result:
    shape = call.shape(0)
    lengths, axes = call.numbers(1), call.numbers(2)
    if shape is None:
        return [None]
    if lengths is None or axes is None or len(lengths) != len(axes):
        return [(None,) * len(shape)]
    sizes = list(shape)
    for length, axis in zip(lengths, axes, strict=True):
        sizes[normal_axis(axis, len(shape))] = length
    if call.op == "RFFTND" and axes:
        last = normal_axis(axes[-1], len(shape))
        sizes[last] = (lengths[-1] // 2 + 1) if lengths[-1] else 0
    return [tuple(sizes)]


def _cross(call: Call) -> Result:
    return [merge(call.at_least(0, 1), call.at_least(1, 1))]


def _tri_mul(call: Call) -> Result:
    return [call.shape(3)]


def _sparse_dense_mat_mul(call: Call) -> Result:
    b = call.ranked(3, 2)
    dims = call.dims(2)
    rows, inner = dims if dims is not None and len(dims) == 2 else (None, None)
    if call.flag("adjoint_a"):
        rows, inner = inner, rows
    other, columns = (b[1], b[0]) if call.flag("adjoint_b") else (b[0], b[1])
    merge_dim(inner, other)
    return [(rows, columns)]


def _spectrogram(call: Call) -> Result:
    shape = call.ranked(0, 2)
    size, stride = call.integer("window_size"), call.integer("stride")
    if stride < 1 or size < 1:
        raise Contradiction("the window and the stride must be above 0")
    power = 1
    while power < size:
        power *= 2
    samples = shape[0]
    frames: Dim = None
    if samples is not None:
        frames = 0 if samples < size else 1 + (samples - size) // stride
    return [(shape[1], frames, 1 + power // 2)]


def _mfcc(call: Call) -> Result:
    shape = call.ranked(0, 3)
    return [(shape[0], shape[1], call.integer("dct_coefficient_count"))]


def _sobol(call: Call) -> Result:
    """SobolSample: `num_results` rows of `dim` numbers."""
    return [(call.scalar(1), call.scalar(0))]


_REDUCTIONS = "All Any EuclideanNorm Max Mean Min Prod Sum ReduceJoin"
_SQUARE = "Cholesky MatrixExponential MatrixInverse MatrixLogarithm MatrixSquareRoot BatchCholesky BatchMatrixInverse"

INFER: dict[str, Rule] = {
    **every(_reduce, _REDUCTIONS),
    **every(_square, _SQUARE),
    "AudioSpectrogram": _spectrogram,
    "BandedTriangularSolve": _banded_solve,
    "BatchFFT": of_rank_at_least(1),
    "BatchFFT2D": of_rank_at_least(2),
    "BatchFFT3D": of_rank_at_least(3),
    "BatchIFFT": of_rank_at_least(1),
    "BatchIFFT2D": of_rank_at_least(2),
    "BatchIFFT3D": of_rank_at_least(3),
    "BatchMatMul": _batch_mat_mul,
    "BatchMatMulV2": _batch_mat_mul,
    "BatchMatMulV3": _batch_mat_mul,
    "BatchMatrixBandPart": of_rank_at_least(2),
    "BatchMatrixDeterminant": _determinant,
    "BatchMatrixDiag": _matrix_diag,
    "BatchMatrixDiagPart": _matrix_diag_part,
    "BatchMatrixSetDiag": _matrix_set_diag,
    "CholeskyGrad": _square,
    "Cross": _cross,
    "CumulativeLogsumexp": same_as_input,
    "Cumprod": same_as_input,
    "Cumsum": same_as_input,
    "Diag": _diag,
    "DiagPart": _diag_part,
    "Eig": _self_adjoint_eig,
    "Einsum": _einsum,
    "XlaEinsum": _einsum,
    "FFT": of_rank_at_least(1),
    "FFT2D": of_rank_at_least(2),
    "FFT3D": of_rank_at_least(3),
    "FFTND": _fft_n,
    "IFFT": of_rank_at_least(1),
    "IFFT2D": of_rank_at_least(2),
    "IFFT3D": of_rank_at_least(3),
    "IFFTND": _fft_n,
    "IRFFT": _fft_real(1, inverse=True),
    "IRFFT2D": _fft_real(2, inverse=True),
    "IRFFT3D": _fft_real(3, inverse=True),
    "IRFFTND": _fft_n,
    "L2Loss": scalars,
    "LogMatrixDeterminant": _determinant,
    "Lu": _lu,
    "MatMul": _mat_mul,
    "MatrixBandPart": of_rank_at_least(2),
    "MatrixDeterminant": _determinant,
    "MatrixDiag": _matrix_diag,
    "MatrixDiagPart": _matrix_diag_part,
    "MatrixDiagPartV2": _matrix_diag_part_v2,
    "MatrixDiagPartV3": _matrix_diag_part_v2,
    "MatrixDiagV2": _matrix_diag_v2,
    "MatrixDiagV3": _matrix_diag_v2,
    "MatrixSetDiag": _matrix_set_diag,
    "MatrixSetDiagV2": _matrix_set_diag,
    "MatrixSetDiagV3": _matrix_set_diag,
    "MatrixSolve": _solve,
    "MatrixSolveLs": _solve_ls,
    "MatrixTriangularSolve": _solve,
    "Mfcc": _mfcc,
    "Qr": _qr,
    "RFFT": _fft_real(1, inverse=False),
    "RFFT2D": _fft_real(2, inverse=False),
    "RFFT3D": _fft_real(3, inverse=False),
    "RFFTND": _fft_n,
    "SelfAdjointEig": _self_adjoint_eig_v1,
    "SelfAdjointEigV2": _self_adjoint_eig,
    "SobolSample": _sobol,
    "SparseMatMul": _mat_mul,
    "SparseTensorDenseMatMul": _sparse_dense_mat_mul,
    "Svd": _svd,
    "TridiagonalMatMul": _tri_mul,
    "TridiagonalSolve": _tridiagonal,
    "_FusedMatMul": _mat_mul,
}
