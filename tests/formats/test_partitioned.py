"""Tensors in parts: put together and streamed, however they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryograph.base.dtypes import dtype_of
from cryograph.base.errors import DamagedError, InputError
from cryograph.base.tensors import Tensor
from cryograph.formats.partitioned import Part, PartitionedTensor
from cryograph.formats.slices import FULL, Box, TensorSlice


def whole_of(shape: tuple[int, ...], kind: str = "float32") -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype_of(kind).numpy)


def parts_of(whole: Any, boxes: list[Box]) -> list[Part]:
    return [
        (box, Tensor.of(np.ascontiguousarray(whole[box]).reshape([b.stop - b.start for b in box]))) for box in boxes
    ]


def tensor_of(whole: Any, boxes: list[Box]) -> PartitionedTensor:
    return PartitionedTensor(dtype_of(whole.dtype), whole.shape, parts_of(whole, boxes), "w")


@st.composite
def tilings(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Box]]:
    """A shape, cut again and again along any dimension."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    boxes: list[Box] = [tuple(slice(0, n) for n in shape)]
    for _ in range(draw(st.integers(0, 8))):
        box = boxes.pop(draw(st.integers(0, len(boxes) - 1)))
        axis = draw(st.integers(0, len(shape) - 1))
        at = draw(st.integers(box[axis].start, box[axis].stop))
        for cut in (slice(box[axis].start, at), slice(at, box[axis].stop)):
            boxes.append((*box[:axis], cut, *box[axis + 1 :]))
    return shape, draw(st.permutations(boxes))


@given(tilings(), st.sampled_from(["float32", "uint8", "bfloat16", "complex128"]), st.sampled_from([1, 7, 64, 10_000]))
def test_any_tiling(tiling: tuple[tuple[int, ...], list[Box]], kind: str, size: int) -> None:
    shape, boxes = tiling
    whole = whole_of(shape, kind)
    assert b"".join(tensor_of(whole, boxes).chunks(size)) == whole.tobytes()
    assert tensor_of(whole, boxes).numpy().tobytes() == whole.tobytes()


@given(tilings(), st.data())
def test_a_tiling_with_a_fault(tiling: tuple[tuple[int, ...], list[Box]], data: st.DataObject) -> None:
    """A part that is missing, moved or there twice is found."""
    shape, boxes = tiling
    whole = whole_of(shape)
    full = [box for box in boxes if all(b.stop > b.start for b in box)]
    at = data.draw(st.integers(0, len(full) - 1))
    for wrong in (full[:at] + full[at + 1 :], [*full, full[at]]):
        with pytest.raises(DamagedError, match=r"w: its \d+ slices (hold \d+ elements and do not cover|overlap)"):
            tensor_of(whole, wrong)
    other = data.draw(st.integers(0, len(full) - 1))
    sizes = [[b.stop - b.start for b in box] for box in full]
    if at != other and sizes[at] == sizes[other]:
        with pytest.raises(DamagedError, match="overlap"):
            tensor_of(whole, [*full[:at], full[other], *full[at + 1 :]])


def test_a_pinwheel() -> None:
    """No dimension can be cut through, so it is put together in memory."""
    whole = whole_of((5, 5))
    cuts = [(0, 3, 0, 2), (0, 2, 2, 5), (2, 5, 3, 5), (3, 5, 0, 3), (2, 3, 2, 3)]
    boxes = [(slice(a, b), slice(c, d)) for a, b, c, d in cuts]
    assert b"".join(tensor_of(whole, boxes).chunks(8)) == whole.tobytes()
    moved = [*boxes[:4], (slice(0, 1), slice(0, 1))]
    with pytest.raises(DamagedError, match="overlap, or do not cover"):
        tensor_of(whole, moved)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_small_shapes(shape: tuple[int, ...]) -> None:
    whole = whole_of(shape)
    tensor = tensor_of(whole, [tuple(slice(0, n) for n in shape)])
    assert b"".join(tensor.chunks()) == whole.tobytes()
    assert tensor.numpy().shape == shape


def test_strings() -> None:
    whole = np.array([[b"a", b"bb"], [b"", b"d\0"]], object)
    boxes = [(slice(0, 2), slice(0, 1)), (slice(0, 2), slice(1, 2))]
    tensor = PartitionedTensor(dtype_of("string"), (2, 2), parts_of(whole, boxes), "w")
    assert tensor.numpy().tolist() == whole.tolist()


def test_streaming_does_not_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartitionedTensor, "_assembled", None)
    whole = whole_of((6, 8))
    columns = [(slice(0, 6), slice(a, b)) for a, b in ((0, 3), (3, 8))]
    grid = [(slice(r, r + 3), slice(a, b)) for r in (0, 3) for a, b in ((0, 3), (3, 8))]
    for boxes in (columns, grid, [(slice(0, 2), slice(0, 8)), (slice(2, 6), slice(0, 8))]):
        for size in (3, 40, 1000):
            assert b"".join(tensor_of(whole, boxes).chunks(size)) == whole.tobytes()
            assert max(len(piece) for piece in tensor_of(whole, boxes).chunks(size)) <= size


def test_specs() -> None:
    shape, part = TensorSlice.parse("10 20 0,5:-")
    assert (shape, part) == ((10, 20), TensorSlice((0, 0), (5, FULL)))
    assert str(part) == "0,5:-"
    assert part.sizes(shape) == (5, 20)
    assert not part.is_all_of(shape)
    assert TensorSlice.parse("10 20 0,10:-")[1].is_all_of(shape)
    assert TensorSlice.of(part.to_proto()) == part
    for wrong in ("", "10", "10 0", "10 a,b", "10 20 0,5", "x 0,5", "10 0,0", "10 -1,5", "-1 0,5", "10 0,-2"):
        with pytest.raises(InputError, match=r"is not a slice|they must be as many"):
            TensorSlice.parse(wrong)


@given(
    st.lists(st.tuples(st.integers(0, (1 << 62) - 1), st.integers(-1, (1 << 62) - 1)), max_size=3), st.text(max_size=5)
)
def test_keys_keep_the_order(pairs: list[tuple[int, int]], name: str) -> None:
    """Keys of slices sort as the names, then as the numbers do."""
    part = TensorSlice(tuple(s for s, _ in pairs), tuple(n for _, n in pairs))
    key = part.key(name)
    assert key.startswith(b"\0")
    assert part.key(name + "\0") > key
    for axis, (start, length) in enumerate(pairs):
        later = TensorSlice(
            (*part.starts[:axis], start + 1, *part.starts[axis + 1 :]),
            (*part.lengths[:axis], length, *part.lengths[axis + 1 :]),
        )
        assert later.key(name) > key
