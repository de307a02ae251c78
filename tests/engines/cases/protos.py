"""Cases of messages of any kind, whose descriptors the op brings along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2

from cryograph.base.dtypes import DType, dtype_of
from tests.support.op_cases import Array, Case, N, case, ivec, refusal, strings

SCALARS = (
    *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32"),
    *("enum", "sfixed32", "sfixed64", "sint32", "sint64", "message"),
)
DEFAULTS = {"int32": "-7", "string": "de", "bytes": "a\\001b\\000c", "bool": "true", "float": "1.5", "enum": "B",
            "uint64": "99", "double": "inf"}  # fmt: skip
WIDE = {
    "double": ["float64"], "float": ["float32", "float64"], "int64": ["int64"], "uint64": ["uint64"],
    "int32": ["int32", "int64"], "fixed64": ["uint64"], "fixed32": ["uint32", "uint64"], "bool": ["bool"],
    "string": ["string"], "bytes": ["string"], "uint32": ["uint32", "uint64"], "enum": ["int32"],
    "sfixed32": ["int32", "int64"], "sfixed64": ["int64"], "sint32": ["int32", "int64"], "sint64": ["int64"],
    "message": ["string"],
}  # fmt: skip
"""The dtypes of tensors of each type of field."""


class _Fields:
    """Adds fields to a message, numbered as they come."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.numbers: dict[str, int] = {}

    def add(self, name: str, kind: str, repeated: bool = False, **said: Any) -> Any:
        number = len(self.numbers) + 1
        self.numbers[name] = number
        proto = descriptor_pb2.FieldDescriptorProto
        label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
        made = self.message.field.add(name=name, number=number, label=label, **said)
        made.type = proto.Type.Value(f"TYPE_{kind.upper()}")
        if kind == "enum":
            made.type_name = ".t.E"
        if kind == "message":
            made.type_name = ".t.M.I"
        return made


def descriptors(syntax: str) -> tuple[bytes, dict[str, int]]:
    """A file with the message `t.M`: a field of each type, once and repeated; in proto2 packed ones, defaults, a group
    and extensions too."""
    made = descriptor_pb2.FileDescriptorSet()
    file = made.file.add(name="t.proto", package="t", syntax=syntax)
    enum = file.enum_type.add(name="E")
    enum.value.add(name="A", number=0)
    enum.value.add(name="B", number=5)
    message = file.message_type.add(name="M")
    _Fields(message.nested_type.add(name="I")).add("x", "int32")
    fields = _Fields(message)
    for kind in SCALARS:
        fields.add(f"o_{kind}", kind)
        fields.add(f"r_{kind}", kind, repeated=True)
    fields.add("unpacked", "int32", repeated=True).options.packed = False
    if syntax == "proto2":
        for kind in ("int32", "sint64", "float", "enum", "bool", "fixed32"):
            fields.add(f"p_{kind}", kind, repeated=True).options.packed = True
        for kind, default in DEFAULTS.items():
            fields.add(f"d_{kind}", kind, default_value=default)
        _Fields(message.nested_type.add(name="G")).add("y", "int32")
        fields.add("g", "group", repeated=True, type_name=".t.M.G")
        message.extension_range.add(start=200, end=300)
        for holder, name, number in ((file, "ext", 200), (message, "ext2", 201)):
            extension = holder.extension.add(name=name, number=number, extendee=".t.M")
            extension.label, extension.type = 3, descriptor_pb2.FieldDescriptorProto.TYPE_INT64
    return made.SerializeToString(deterministic=True), fields.numbers


SECOND, PLACES = descriptors("proto2")
THIRD, _ = descriptors("proto3")


def source(syntax: bytes = SECOND) -> bytes:
    return b"bytes://" + syntax


NUMBERS: dict[str, list[Any]] = {
    "double": [1.5, -0.0, float("inf")], "float": [1.5, -2.25, 3e38], "int64": [-1, 1 << 62, 0],
    "uint64": [0, (1 << 64) - 1, 7], "int32": [-5, (1 << 31) - 1, 0], "fixed64": [1, (1 << 64) - 1, 0],
    "fixed32": [1, (1 << 32) - 1, 0], "bool": [True, False, True], "string": [b"a", b"", b"\xc3\xa9"],
    "bytes": [b"\0", b"\xff", b""], "uint32": [3, (1 << 32) - 1, 0], "enum": [5, 0, -1],
    "sfixed32": [-2, (1 << 31) - 1, 0], "sfixed64": [-2, 1 << 62, 0], "sint32": [-9, (1 << 31) - 1, -(1 << 31)],
    "sint64": [-9, 1 << 62, -(1 << 63)], "message": [b"\x08\x03", b"", b"\x08\x04"],
}  # fmt: skip


def tensor(kind: str, dtype: str, rows: Sequence[Sequence[Any]]) -> Array:
    held = dtype_of(dtype).numpy
    return np.array(rows, object if held is None or dtype == "string" else held)


def encoded() -> Iterator[Case]:
    for syntax in (SECOND, THIRD):
        for kind, given in NUMBERS.items():
            for dtype in WIDE[kind]:
                values = tensor(kind, dtype, [given, given[::-1]])
                yield case("EncodeProto", ivec([3, 1], [2, 0]), values, values, field_names=[f"r_{kind}", f"o_{kind}"],
                           message_type="t.M", descriptor_source=source(syntax))  # fmt: skip
    for kind in ("int32", "sint64", "float", "enum", "bool", "fixed32"):
        values = tensor(kind, WIDE[kind][0], [NUMBERS[kind], NUMBERS[kind]])
        yield case("EncodeProto", ivec([3], [0]), values, field_names=[f"p_{kind}"], message_type="t.M",
                   descriptor_source=source())  # fmt: skip
    big = np.array([[(1 << 40) + 7]], np.uint64)
    yield case("EncodeProto", ivec([1, 1]), big, big, field_names=["r_uint32", "r_fixed32"], message_type="t.M",
               descriptor_source=source())  # fmt: skip
    far = np.array([[(1 << 40) - 7]], np.int64)
    yield case("EncodeProto", ivec([1, 1, 1]), far, far, far, field_names=["r_sint32", "r_int32", "r_sfixed32"],
               message_type="t.M", descriptor_source=source())  # fmt: skip
    for syntax in (SECOND, THIRD):
        yield case("EncodeProto", ivec([2]), ivec([1, 2]), field_names=["unpacked"], message_type="t.M",
                   descriptor_source=source(syntax))  # fmt: skip
    yield case("EncodeProto", ivec([2]), strings([b"\x08\x07", b""]), field_names=["g"], message_type="t.M",
               descriptor_source=source())  # fmt: skip
    plain: dict[str, Any] = {"field_names": ["r_int32"], "message_type": "t.M", "descriptor_source": source()}
    yield case("EncodeProto", ivec([[2], [1]]), ivec([[1, 2], [3, 4]]), **plain)
    yield case("EncodeProto", ivec([-1], [1]), ivec([1, 2], [3, 4]), **plain)
    yield case("EncodeProto", np.zeros((0, 1), N), np.zeros((0, 2), N), **plain)
    yield case("EncodeProto", ivec([0]), np.zeros((1, 0), N), **plain)
    for wrong in (
        (ivec([3]), ivec([1, 2])),
        (ivec(2), ivec(1, 2)),
        (ivec([1, 1]), ivec([1, 2])),
        (ivec([1]), np.array([[1.0]], np.float32)),
        (ivec([1]), ivec([1]), ivec([1])),
        (ivec([1, 1]), ivec([1]), ivec([1], [2])),
    ):
        yield refusal("EncodeProto", *wrong, **{**plain, "field_names": ["r_int32", "o_int32"][: len(wrong) - 1]})
    for name in ("no", "t.ext"):
        yield refusal("EncodeProto", ivec([1]), ivec([1]), **{**plain, "field_names": [name]})
    yield refusal("EncodeProto", ivec([1]), ivec([1]), **{**plain, "message_type": "t.No"})


def tag(name: str, wire: int) -> bytes:
    number = PLACES[name] << 3 | wire
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def decoding(messages: Any, *names: str, dtypes: Sequence[str] = (), make: Any = case, **said: Any) -> Case:
    kinds: list[DType] = [dtype_of(dtype) for dtype in dtypes or [WIDE[name.partition("_")[2]][0] for name in names]]
    given = {"message_type": "t.M", "descriptor_source": source(), **said}
    held = messages if isinstance(messages, np.ndarray) else strings(*messages)
    made: Case = make("DecodeProtoV2", held, field_names=list(names), output_types=kinds, **given)
    return made


def samples() -> list[bytes]:
    """Messages that hold values of every type, written by hand."""
    fixed = {"double": 1, "fixed64": 1, "sfixed64": 1, "float": 5, "fixed32": 5, "sfixed32": 5}
    found = []
    for kind in SCALARS:
        wire = 2 if kind in ("string", "bytes", "message") else fixed.get(kind, 0)
        body = {
            0: [b"\x05", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x10"],
            1: [bytes(range(8)), b"\xff" * 8, bytes(8)],
            2: [b"\x02\x08\x03", b"\x00", b"\x02\x08\x04"],
            5: [b"\0\0\xc0\x3f", b"\xff\xff\xff\x7e", bytes(4)],
        }[wire]
        found.append(b"".join(tag(f"r_{kind}", wire) + part for part in body) + tag(f"o_{kind}", wire) + body[0])
    return found


def decoded() -> Iterator[Case]:
    for kind, message in zip(SCALARS, samples(), strict=True):
        for dtype in WIDE[kind]:
            yield decoding([message, b"", message + message], f"r_{kind}", f"o_{kind}", dtypes=[dtype] * 2)
        for said in ({"sanitize": True}, {"descriptor_source": source(THIRD)}):
            if kind not in ("string", "bytes", "message", "enum"):
                yield decoding([message], f"o_{kind}", f"r_{kind}", **said)
    everything = b"".join(samples())
    names = [f"{way}_{kind}" for kind in SCALARS for way in "or"]
    yield decoding([everything, b""], *names)
    yield decoding([everything], *reversed(names))
    yield decoding([b""], *(f"d_{kind}" for kind in DEFAULTS))
    packed = (
        tag("p_int32", 2) + b"\x03\x01\x02\x7f" + tag("p_float", 2) + b"\x08" + bytes(8) + tag("p_int32", 0) + b"\x09"
    )
    yield decoding([packed, packed * 2], "p_int32", "p_float", "p_bool", dtypes=["int32", "float32", "bool"])
    mixed = tag("r_int32", 0) + b"\x01" + tag("r_int32", 2) + b"\x02\x04\x09"
    yield decoding([mixed], "r_int32")
    for once in (b"\x02\x04\x09", b"\x00"):
        yield decoding([tag("o_int32", 2) + once], "o_int32")
    yield decoding([tag("o_int32", 2) + b"\x01\x04" + tag("o_int32", 0) + b"\x05"], "o_int32")
    yield decoding([tag("o_int32", 5) + bytes(4)], "o_int32")
    group = tag("g", 3) + b"\x08\x07" + tag("g", 4)
    yield decoding([group + tag("g", 3) + tag("g", 4) + tag("o_int32", 0) + b"\x03"], "g", "o_int32",
                   dtypes=["string", "int32"])  # fmt: skip
    extended = b"\xc0\x0c\x05\xc0\x0c\x06\xc8\x0c\x07"
    yield decoding([extended], "t.ext", "t.M.ext2", dtypes=["int64", "int64"])
    one = samples()[4]
    yield decoding(strings(one).reshape(()), "o_int32")
    yield decoding(strings([one], [b""]), "r_int32", "o_int32")
    yield decoding([one], "o_int32", "o_int32", dtypes=["int32", "int64"])
    yield decoding([one, b""])
    for text in (b"o_int32: 4 r_int32: [1, 2] r_string: 'x' g { y: 3 } g { } o_enum: B", b"", b"p_int32: 3 p_int32: 4"):
        kinds = ["int32", "int32", "string", "string", "int32", "int32"]
        names = ["o_int32", "r_int32", "r_string", "g", "o_enum", "p_int32"]
        yield decoding([text], *names, dtypes=kinds, message_format="text")


def not_decoded() -> Iterator[Case]:
    one = samples()[4]
    for broken in (
        one[:-1],
        one + b"\0",
        b"\x0c",
        tag("r_int32", 2) + b"\x02\x04\x80",
        tag("r_double", 2) + b"\x03abc",
        tag("o_int32", 0) + b"\xff" * 10 + b"\x01",
        tag("o_int32", 0) + b"\x01" + tag("o_int32", 2) + b"\x01\x01",
        tag("r_int32", 0) + b"\x01" + tag("r_int32", 2) + b"\x00",
        tag("g", 3) + b"\x08\x07",
        b"\x0f\x01",
    ):
        yield decoding([broken], "o_int32", "r_int32", "r_double", make=refusal)
    yield decoding(np.zeros(0, object), "o_int32", make=refusal)
    yield decoding([one], "o_int32", dtypes=["float32"], make=refusal)
    yield decoding([one], "o_int32", dtypes=["int32", "int32"], make=refusal)
    yield decoding([one], "no", dtypes=["int32"], make=refusal)
    yield decoding([one], "ext", dtypes=["int64"], make=refusal)
    yield decoding([b"zz: 4"], "o_int32", message_format="text", make=refusal)
    yield decoding([one], "o_int32", message_format="json", make=refusal)
    yield decoding([b"junk"], "o_int32", sanitize=True, make=refusal)
    for said in ({"message_type": "t.Q"}, {"message_type": ".t.M"}, {"message_type": "t.M.I"},
                 {"descriptor_source": "bytes://zzz"}, {"descriptor_source": "bytes://"},
                 {"descriptor_source": "local://"}, {"descriptor_source": "no/such/file"}):  # fmt: skip
        yield decoding([one], "o_int32", make=refusal, **said)


CASES: list[Case] = [*encoded(), *decoded(), *not_decoded()]
