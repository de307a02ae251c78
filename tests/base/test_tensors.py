"""Tensors in memory, in files and still to be made."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from cryograph.base.dtypes import DTYPES, FLOAT32, INT64, STRING, dtype_of
from cryograph.base.errors import DamagedError, InputError, UnsupportedError
from cryograph.base.files import MemoryFile
from cryograph.base.shapes import compatible, merge, show
from cryograph.base.tensors import Tensor, tensor_like


def test_an_array_is_held_without_a_copy_and_cannot_be_changed() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = Tensor.of(array)
    assert (tensor.dtype, tensor.shape, tensor.nbytes) == (FLOAT32, (2, 3), 24)
    assert np.shares_memory(tensor.numpy(), array)
    with pytest.raises(ValueError, match="read-only"):
        tensor.numpy()[0, 0] = 1


@pytest.mark.parametrize("values", ["hé", b"h\xc3\xa9", np.array("hé"), np.array(["hé"], "U")[0]])
def test_strings_of_any_kind_become_bytes(values: object) -> None:
    tensor = Tensor.of(values)
    assert tensor.dtype == STRING
    assert tensor.numpy().item() == b"h\xc3\xa9"


def test_other_objects_are_refused() -> None:
    with pytest.raises(InputError, match="holds a NoneType"):
        Tensor.of(np.array([None, "a"], dtype=object))


def test_a_mapped_tensor_is_a_view_of_its_file() -> None:
    data = np.arange(10, dtype="<i8").tobytes()
    file = MemoryFile(b"xxxx" + data)
    tensor = Tensor.mapped(INT64, (2, 5), file.span(4))
    assert not tensor.is_loaded
    assert tensor.numpy().tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert np.shares_memory(tensor.numpy(), np.frombuffer(file.view(0, file.size), np.uint8))
    assert b"".join(bytes(c) for c in tensor.chunks(16)) == data


def test_sizes_must_add_up() -> None:
    with pytest.raises(DamagedError, match=r"float32 \(3,\) takes 12 bytes, but 8 are there"):
        Tensor.mapped(FLOAT32, (3,), MemoryFile(bytes(8), "w").span())
    with pytest.raises(DamagedError, match="takes 4000000000000000000 bytes"):
        Tensor.mapped(FLOAT32, (10**18,), MemoryFile(bytes(8), "w").span())
    with pytest.raises(UnsupportedError, match="no fixed size"):
        Tensor.mapped(STRING, (1,), MemoryFile(bytes(8), "w").span())


def test_a_lazy_tensor_is_made_once() -> None:
    made: list[int] = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros((2,), np.float32)

    tensor = Tensor.lazy(FLOAT32, (2,), make)
    assert not made
    assert tensor.numpy() is tensor.numpy()
    assert made == [1]


def test_a_lazy_tensor_must_be_what_it_was_said_to_be() -> None:
    with pytest.raises(DamagedError, match=r"said to be float32 \(2,\) came out as float64 \(3,\)"):
        Tensor.lazy(FLOAT32, (2,), lambda: np.zeros(3)).numpy()


def test_a_check_runs_over_all_bytes_once() -> None:
    seen: list[bytes] = []

    def check(pieces):  # type: ignore[no-untyped-def]
        for piece in pieces:
            seen.append(piece)
            yield piece

    tensor = Tensor.mapped(FLOAT32, (4,), MemoryFile(bytes(16)).span(), check)
    tensor.numpy()
    tensor.numpy()
    assert b"".join(seen) == bytes(16)


@pytest.mark.parametrize("number", [n for n, d in DTYPES.items() if d.numpy is not None and not d.is_ref])
def test_every_dtype_is_found_by_number_names_and_held(number: int) -> None:
    dtype = DTYPES[number]
    assert dtype_of(number) is dtype_of(dtype.name) is dtype_of(dtype.enum_name) is dtype
    assert dtype.as_ref.base is dtype
    assert dtype.as_ref.number == number + 100
    values = np.zeros((2, 2), dtype.numpy) if not dtype.is_string else np.full((2, 2), b"a", object)
    assert Tensor.of(values, dtype).dtype is dtype


def test_numpy_dtypes_mean_the_plain_kind() -> None:
    for name in ("int8", "uint8", "int16", "uint16", "int32"):
        assert dtype_of(np.dtype(name)).name == name
    assert dtype_of(np.dtype(">f4")).name == "float32"
    assert dtype_of(ml_dtypes.bfloat16).name == "bfloat16"
    assert dtype_of("DT_FLOAT").name == "float32"
    with pytest.raises(InputError, match="is not a DataType"):
        dtype_of("float99")


def test_tensor_like_passes_tensors() -> None:
    tensor = Tensor.of([1.0])
    assert tensor_like(tensor) is tensor
    assert tensor_like(tensor, FLOAT32).dtype is FLOAT32


def test_shapes_are_merged_and_shown() -> None:
    assert merge((None, 3), (2, None)) == (2, 3)
    assert merge(None, (1,)) == (1,)
    assert not compatible((1, 2), (1,))
    with pytest.raises(InputError, match=r"\(1,\) and \(2,\)"):
        merge((1,), (2,))
    assert [show(s) for s in (None, (), (3,), (None, 4))] == ["<unknown>", "()", "(3,)", "(?, 4)"]
