"""TensorProto and Tensor: one into the other, in memory and through the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cryograph.base.dtypes import DTYPES, DType
from cryograph.base.errors import DamagedError, Error, FormatError, LimitError, UnsupportedError
from cryograph.base.files import MemoryFile
from cryograph.base.tensors import Tensor
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_bytes, message_size
from cryograph.wire.tensor_proto import KEY_FIELD, KEY_TAG, THRESHOLD, StoredTensor, proto_of, tensor_of

HELD = [d for d in DTYPES.values() if d.numpy is not None and not d.is_ref]


def proto(dtype: int, shape: tuple[int, ...], **values: Any) -> pb.TensorProto:
    made = pb.TensorProto(dtype=dtype, **values)
    made.tensor_shape.SetInParent()
    for size in shape:
        made.tensor_shape.dim.add().size = size
    return made


def array(dtype: DType, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    count = int(np.prod(shape))
    if dtype.is_string:
        flat = np.empty(count, object)
        flat[:] = [bytes([i % 256, 0]) for i in range(count)]
        return flat.reshape(shape)
    return (np.arange(count) % 2).astype(dtype.numpy).reshape(shape)


@pytest.mark.parametrize("dtype", HELD, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0), (9000,)], ids=str)
def test_tensors_go_there_and_back(dtype: DType, shape: tuple[int, ...]) -> None:
    values = array(dtype, shape)
    message, table = proto_of(Tensor.of(values, dtype))
    assert len(table) == (9000 in shape)
    assert message.ByteSize() < THRESHOLD
    data = message_bytes(message, table)
    assert len(data) == message_size(message, table)
    for back in (tensor_of(message, table), tensor_of(pb.TensorProto.FromString(data), {})):
        assert back.dtype == dtype
        assert back.shape == shape
        np.testing.assert_array_equal(back.numpy(), values)
        again, tables = proto_of(back)
        assert message_bytes(again, tables) == data


def test_the_number_of_our_field_is_that_of_the_schema() -> None:
    assert pb.TensorProto.DESCRIPTOR.fields_by_name["cryograph_tensor"].number == KEY_FIELD
    assert pb.TensorProto(cryograph_tensor=1).SerializeToString()[: len(KEY_TAG)] == KEY_TAG


def test_big_tensors_are_not_copied() -> None:
    values = np.arange(2000.0)
    tensor = Tensor.of(values)
    message, table = proto_of(tensor)
    assert table[message.cryograph_tensor] is tensor
    assert np.shares_memory(tensor_of(message, table).numpy(), values)


def test_values_are_made_when_they_are_asked_for() -> None:
    made = []

    def make() -> np.ndarray[Any, Any]:
        made.append(1)
        return np.ones(5000, np.float32)

    message, table = proto_of(Tensor.lazy(DTYPES[1], (5000,), make))
    assert message_size(message, table) > 20_000
    assert made == []
    assert message_bytes(message, table).endswith(np.ones(5000, np.float32).tobytes())
    assert made == [1]


def test_a_tensor_does_not_change_with_its_message() -> None:
    message = proto(1, (2,), float_val=[1, 2])
    tensor = tensor_of(message, {})
    message.float_val[0] = 5
    assert tensor.numpy().tolist() == [1, 2]


def test_what_came_from_a_message_goes_back_as_it_was() -> None:
    """Packed by an optimizer, with a version and unknown fields: proto_of does not tidy up."""
    message = proto(1, (100, 3), float_val=[1, 2], version_number=3)
    message.MergeFromString(b"\xa2\x06\x01x")
    assert proto_of(tensor_of(message, {})) == (message, {})
    assert proto_of(tensor_of(message, {}))[0].SerializeToString() == message.SerializeToString()
    big = proto(7, (50,), string_val=[b"x" * 1000] * 10)
    big.MergeFromString(b"\xa2\x06\x01x")
    back, table = proto_of(tensor_of(big, {}))
    assert back.cryograph_tensor in table
    assert message_bytes(back, table) == big.SerializeToString()


def test_resources_variants_and_unknown_dtypes_are_kept() -> None:
    for number in (0, 20, 21, 999):
        message = proto(number, ())
        message.variant_val.add(type_name="T", metadata=b"x", tensors=[proto(1, (), float_val=[1])])
        tensor = tensor_of(message, {})
        assert isinstance(tensor, StoredTensor)
        assert tensor.dtype.number == number
        assert tensor.nbytes == 0
        with pytest.raises(UnsupportedError, match="no values that can be shown"):
            tensor.numpy()
        assert proto_of(tensor) == (message, {})
    assert tensor_of(proto(999, ()), {}).dtype.name == "dtype_999"


def test_reference_dtypes_are_those_of_their_values() -> None:
    tensor = tensor_of(proto(103, (2,), int_val=[1, 2]), {})
    assert tensor.dtype.name == "int32"
    assert tensor.numpy().tolist() == [1, 2]


def test_repeated_values_are_bounded() -> None:
    assert tensor_of(proto(1, (1 << 20,), float_val=[3]), {}).numpy().sum() == 3 << 20
    with pytest.raises(LimitError, match=r"float32 \(1073741824,\), but lists 1 values; .* 2147483648 bytes"):
        tensor_of(proto(1, (1 << 30,), float_val=[3]), {}).numpy()
    with pytest.raises(LimitError, match=r"string .* but lists 0 values"):
        tensor_of(proto(7, (1 << 40,)), {}).numpy()


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (
            proto(1, (2, 3), tensor_content=bytes(20)),
            DamagedError,
            "A TensorProto says that it is float32 (2, 3), 24 bytes, but its tensor_content has 20.",
        ),
        (
            proto(10, (3,), tensor_content=b"\0\1\2"),
            DamagedError,
            "A TensorProto says that it is bool (3,), but a byte of its tensor_content is 2.",
        ),
        (
            proto(7, (3,), tensor_content=b"\1"),
            DamagedError,
            "A TensorProto has 3 strings, but tensor_content has 1 lengths.",
        ),
        (
            proto(7, (2,), tensor_content=b"\1\2ab"),
            DamagedError,
            "A TensorProto has strings of 3 bytes in tensor_content, but 2 are there.",
        ),
        (
            proto(1, (0, 1 << 40, 1 << 40)),
            LimitError,
            "A TensorProto says that it is float32 (0, 1099511627776, 1099511627776), which numpy cannot hold.",
        ),
        (
            proto(1, (2, -1, 3)),
            FormatError,
            "A TensorProto has the shape (2, ?, 3), where a wholly known one of at most 254 dimensions was expected.",
        ),
    ],
)
def test_what_makes_no_sense_is_an_error(message: pb.TensorProto, error: type[Error], text: str) -> None:
    with pytest.raises(error) as raised:
        tensor_of(message, {}).numpy()
    assert str(raised.value) == text


def test_more_dimensions_than_numpy_knows() -> None:
    tensor = tensor_of(proto(1, (1,) * 100, float_val=[1]), {})
    assert tensor.shape == (1,) * 100
    with pytest.raises(LimitError, match="which numpy cannot hold"):
        tensor.numpy()
    assert proto_of(tensor)[0].float_val == [1]


def test_a_skeleton_that_was_changed_is_refused() -> None:
    message, table = proto_of(Tensor.of(np.zeros((100, 100), np.float32)))
    message.tensor_shape.dim[0].size = 5000
    expected = r"says float32 \(5000, 100\), but the tensor that it stands for is float32 \(100, 100\)"
    with pytest.raises(FormatError, match=expected):
        tensor_of(message, table)
    with pytest.raises(FormatError, match=expected):
        message_bytes(message, table)
    with pytest.raises(FormatError, match="of a table that does not have it"):
        tensor_of(message, {})


def test_a_record_that_protobuf_cannot_read_says_where_it_lies() -> None:
    from cryograph.wire.tensor_proto import stored

    span = MemoryFile(b"\x0a\xff" * 10, "model.pb").span(4, 10)
    with pytest.raises(DamagedError, match=r"model\.pb: the TensorProto at byte 4 cannot be read"):
        stored(1, (2,), span).numpy()
