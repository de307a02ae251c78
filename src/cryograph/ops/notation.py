r"""Op signatures as values, and the one-line notation in which the tables hold them.

    MaxPool(input: T) -> (output: T) {T: type in float16|float32 = "float32"; ksize: list(int)>=4; ...} stateful

| in an argument | means                       | in an attribute      | means                             |
|----------------|-----------------------------|----------------------|-----------------------------------|
| `x: float32`   | one tensor of that dtype    | `k: int`             | kind, as TensorFlow calls it      |
| `x: T`         | the dtype in attribute `T`  | `k: int>=1`          | a smallest value, or list length  |
| `x: &T`        | a reference to such a one   | `k: string in a\|b`  | the values that it may have       |
| `x: N*T`       | `N` tensors of dtype `T`    | `k: int = 3`         | the default, as JSON              |
| `x: [Ts]`      | one for each dtype in `Ts`  |                      |                                   |

JSON of a dtype is its name, of a shape a list with null for an unknown size (null alone: unknown rank), of a tensor
`{"int32": [1, 2]}`, of a function its name. Flags after the braces: `stateful commutative aggregate distributed
uninitialized deprecated=VERSION`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..base.dtypes import DType, dtype_of
from ..base.errors import FormatError
from ..base.tensors import Tensor
from ..graph.attrs import FuncRef


@dataclass(frozen=True, slots=True)
class ArgSpec:
    """One declared argument. Exactly one of `dtype`, `type_attr` and `type_list_attr` is set."""

    name: str
    dtype: DType | None = None
    type_attr: str = ""
    number_attr: str = ""
    type_list_attr: str = ""
    is_ref: bool = False


@dataclass(frozen=True, slots=True)
class AttrSpec:
    """One declared attribute. `kind` is TensorFlow's word: `int`, `list(type)`, `shape`, `func` ...

    `minimum` bounds the value of an int and the length of a list; `allowed` lists the values that it, or each item of a
    list, may have (None: any). A default that is a list is held as a tuple.
    """

    name: str
    kind: str
    has_default: bool = False
    default: Any = None
    minimum: int | None = None
    allowed: tuple[Any, ...] | None = None

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return self.kind.startswith("list(")

    @property
    def item_kind(self) -> str:
        """The kind of the value, or of each item when it is a list."""
        return self.kind[5:-1] if self.is_list else self.kind


@dataclass(frozen=True, slots=True)
class OpSignature:
    """What an op takes and gives. `deprecated` is the GraphDef version that ended it, 0 when it is in use."""

    name: str
    inputs: tuple[ArgSpec, ...]
    outputs: tuple[ArgSpec, ...]
    attrs: Mapping[str, AttrSpec]
    is_stateful: bool = False
    is_commutative: bool = False
    is_aggregate: bool = False
    is_distributed: bool = False
    allows_uninitialized_input: bool = False
    deprecated: int = 0
    control_outputs: tuple[str, ...] = ()


_LINE = re.compile(r"([\w>]+)\((.*?)\) -> \((.*?)\)(?: \{(.*)\})?((?: [a-z]+(?:=\d+)?)*)")
_ARG = re.compile(r"(\w+): (?:\[(\w+)\]|(?:(\w+)\*)?(&?)(\w+))")
_ATTR = re.compile(r"(\w+): ([a-z]+(?:\([a-z]+\))?)(?:>=(-?\d+))?(?: in ([^ ]*))?(?: = (.*))?")
_FLAGS = {
    "stateful": "is_stateful",
    "commutative": "is_commutative",
    "aggregate": "is_aggregate",
    "distributed": "is_distributed",
    "uninitialized": "allows_uninitialized_input",
}


@lru_cache(maxsize=4096)
def parse_signature(line: str) -> OpSignature:
    """The signature that a line says; FormatError when it does not follow the notation."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"This is not the signature of an op: {line[:80]!r}. `Op(x: T) -> (y: T) {{...}}` is.")
    name, inputs, outputs, attrs, flags = match.groups()
    specs = {spec.name: spec for spec in map(_parse_attr, attrs.split("; "))} if attrs else {}
    said: dict[str, Any] = {}
    for flag in flags.split():
        word, _, version = flag.partition("=")
        if word == "deprecated" and version:
            said[word] = int(version)
        elif flag in _FLAGS:
            said[_FLAGS[flag]] = True
        else:
            raise FormatError(f"In the signature of {name}: {flag!r} is not one of {', '.join(_FLAGS)}, deprecated=N.")
    return OpSignature(name, _parse_args(inputs, specs), _parse_args(outputs, specs), specs, **said)


def _parse_args(text: str, attrs: Mapping[str, AttrSpec]) -> tuple[ArgSpec, ...]:
    return tuple(_parse_arg(part, attrs) for part in text.split(", ")) if text else ()


def _parse_arg(text: str, attrs: Mapping[str, AttrSpec]) -> ArgSpec:
    match = _ARG.fullmatch(text)
    if match is None:
        raise FormatError(f"This is not an argument of an op: {text!r}. `name: T` is.")
    name, type_list, number, ref, kind = match.groups()
    if type_list:
        return ArgSpec(name, type_list_attr=type_list)
    if kind in attrs:
        return ArgSpec(name, type_attr=kind, number_attr=number or "", is_ref=bool(ref))
    return ArgSpec(name, dtype_of(kind), number_attr=number or "", is_ref=bool(ref))


@lru_cache(maxsize=4096)
def _parse_attr(text: str) -> AttrSpec:
    match = _ATTR.fullmatch(text)
    if match is None:
        raise FormatError(f"This is not an attribute of an op: {text!r}. `name: kind = default` is.")
    name, kind, minimum, allowed, default = match.groups()
    item = kind[5:-1] if kind.startswith("list(") else kind
    value = None
    if default is not None:
        read = _VALUES[item][0]
        loaded = json.loads(default)
        value = tuple(read(i) for i in loaded) if item != kind else read(loaded)
    least = None if minimum is None else int(minimum)
    return AttrSpec(name, kind, default is not None, value, least, _parse_allowed(item, allowed))


@lru_cache(maxsize=1024)
def _parse_allowed(kind: str, text: str | None) -> tuple[Any, ...] | None:
    return None if text is None else tuple(_VALUES[kind][0](part) for part in text.split("|"))


def format_signature(of: OpSignature) -> str:
    """The line that says this signature: the reverse of `parse_signature`."""
    attrs = "; ".join(_format_attr(spec) for spec in of.attrs.values())
    flags = [word for word, name in _FLAGS.items() if getattr(of, name)]
    if of.deprecated:
        flags.append(f"deprecated={of.deprecated}")
    inputs, outputs = (", ".join(_format_arg(arg) for arg in args) for args in (of.inputs, of.outputs))
    return " ".join([f"{of.name}({inputs}) -> ({outputs})", *([f"{{{attrs}}}"] if attrs else []), *flags])


def _format_arg(arg: ArgSpec) -> str:
    if arg.type_list_attr:
        return f"{arg.name}: [{arg.type_list_attr}]"
    number = f"{arg.number_attr}*" if arg.number_attr else ""
    return f"{arg.name}: {number}{'&' * arg.is_ref}{arg.dtype or arg.type_attr}"


def _format_attr(spec: AttrSpec) -> str:
    write = _VALUES[spec.item_kind][1]
    text = f"{spec.name}: {spec.kind}"
    if spec.minimum is not None:
        text += f">={spec.minimum}"
    if spec.allowed is not None:
        text += " in " + "|".join(write(item) for item in spec.allowed)
    if spec.has_default:
        value = [write(item) for item in spec.default] if spec.is_list else write(spec.default)
        text += " = " + json.dumps(value, separators=(",", ":"))
    return text


def _read_tensor(value: Mapping[str, Any]) -> Tensor:
    ((name, items),) = value.items()
    dtype = dtype_of(name)
    return Tensor.of(np.array(items, dtype.numpy), dtype)


_VALUES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "int": (int, int),
    # An attribute holds a float32: 0.1 is written, the double nearest to that float32 is read.
    "float": (lambda value: float(np.float32(value)), lambda value: float(str(np.float32(value)))),
    "bool": (bool, bool),
    "string": (lambda text: text.encode("latin-1"), lambda value: value.decode("latin-1")),
    "type": (dtype_of, lambda dtype: dtype.name),
    "shape": (
        lambda sizes: None if sizes is None else tuple(sizes),
        lambda shape: None if shape is None else list(shape),
    ),
    "tensor": (_read_tensor, lambda tensor: {tensor.dtype.name: tensor.numpy().tolist()}),
    "func": (FuncRef, lambda ref: ref.name),
}
"""For each kind of attribute: the Python value of its JSON form, and the reverse."""
