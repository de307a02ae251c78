"""What each op of TensorFlow takes, gives and is told, without running it.

`signatures.bin` holds every op that TensorFlow 2.21 registers: a zlib stream of lines in the notation of `notation.py`,
sorted by name, written by `tools/gen_signatures.py`. Ops and forms that only old files hold stand in `legacy.txt`.
A line is parsed when its op is asked for, and kept.
"""

from __future__ import annotations

import pkgutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ..base.dtypes import DType
from ..base.errors import DamagedError, GraphError, UnknownNameError, nearest
from ..graph.attrs import AttrPlaceholder, dtype_of_number
from ..graph.node import Node
from ..wire import messages as pb
from .legacy import legacy_lines
from .notation import ArgSpec, AttrSpec, OpSignature, parse_signature

MAX_ARGUMENTS = 1 << 20
"""The most tensors that one argument may stand for: a bound on what `number_attr` may ask for in an untrusted file."""


@cache
def registered_lines() -> Mapping[str, str]:
    """The line of each op that TensorFlow 2.21 registers."""
    data = pkgutil.get_data(__package__, "signatures.bin")
    if data is None:
        raise DamagedError("The installed package lacks ops/signatures.bin. Install it anew.")
    return {line.partition("(")[0]: line for line in zlib.decompress(data).decode().splitlines()}


def signature(op: str) -> OpSignature | None:
    """The signature of an op of any age, the newest when it has several forms; None when nobody here knows it."""
    line = registered_lines().get(op)
    if line is None:
        old = legacy_lines().get(op)
        return parse_signature(old[0]) if old else None
    return parse_signature(line)


def signature_of(node: Node) -> OpSignature | None:
    """The signature that a node was written for: of an op's forms the newest that fits its inputs and attributes.

    When none fits, the newest; None for an unknown op (a function of the library, a custom op).
    """
    newest = signature(node.op)
    old = legacy_lines().get(node.op)
    if newest is None or not old:
        return newest
    attrs = node.attrs
    count = sum(not name.startswith("^") for name in node.proto.input)
    for form in (newest, *map(parse_signature, old)):
        wanting = [spec.name for spec in form.attrs.values() if not spec.has_default and spec.name not in attrs]
        if not wanting and number_of_inputs(form, attrs) == count:
            return form
    return newest


def op_names(legacy: bool = False) -> list[str]:
    """The names of all ops that TensorFlow 2.21 registers, or of those that only old files hold; sorted."""
    if legacy:
        return sorted(name for name in legacy_lines() if name not in registered_lines())
    return sorted(registered_lines())


def default_attrs(op: str | OpSignature) -> dict[str, Any]:
    """The attributes that have a default, with it; empty for an unknown op."""
    found = signature(op) if isinstance(op, str) else op
    if found is None:
        return {}
    specs = [spec for spec in found.attrs.values() if spec.has_default]
    return {spec.name: list(spec.default) if spec.is_list else spec.default for spec in specs}


def input_types(op: str | OpSignature, attrs: Mapping[str, Any]) -> list[DType]:
    """The dtype of each data input; `_REF` kinds where the op takes a variable by reference.

    UnknownNameError for an unknown op; GraphError when the attributes do not say it.
    """
    known = _known(op)
    return [dtype for arg in known.inputs for dtype in arg_types(known, arg, attrs)]


def output_types(op: str | OpSignature, attrs: Mapping[str, Any]) -> list[DType]:
    """The dtype of each output; `_REF` kinds where the op gives a reference to a variable. Errors as `input_types`."""
    known = _known(op)
    return [dtype for arg in known.outputs for dtype in arg_types(known, arg, attrs)]


def number_of_inputs(op: str | OpSignature, attrs: Mapping[str, Any]) -> int:
    """How many tensors the op takes."""
    known = _known(op)
    return sum(_count(known, arg, attrs) for arg in known.inputs)


def number_of_outputs(op: str | OpSignature, attrs: Mapping[str, Any]) -> int:
    """How many tensors the op gives."""
    known = _known(op)
    return sum(_count(known, arg, attrs) for arg in known.outputs)


def input_arg_ranges(op: str | OpSignature, attrs: Mapping[str, Any]) -> dict[str, range]:
    """For each declared input, the positions of its tensors among the node's data inputs."""
    known = _known(op)
    return _ranges(known, known.inputs, attrs)


def output_arg_ranges(op: str | OpSignature, attrs: Mapping[str, Any]) -> dict[str, range]:
    """For each declared output, the numbers of its tensors: `node:scores:1` is output `ranges["scores"][1]`."""
    known = _known(op)
    return _ranges(known, known.outputs, attrs)


def arg_types(of: OpSignature, arg: ArgSpec, attrs: Mapping[str, Any]) -> list[DType]:
    """The dtypes of the tensors that one declared argument stands for."""
    if arg.type_list_attr:
        listed = _attr(of, arg.type_list_attr, attrs)
        if not isinstance(listed, list | tuple) or not all(isinstance(item, DType) for item in listed):
            raise _bad(of, arg.type_list_attr, listed, "a list of dtypes")
        dtypes = list(listed)
    else:
        dtype = arg.dtype if arg.dtype is not None else _attr(of, arg.type_attr, attrs)
        if not isinstance(dtype, DType):
            raise _bad(of, arg.type_attr, dtype, "a dtype")
        dtypes = [dtype] * _count(of, arg, attrs)
    return [dtype.as_ref for dtype in dtypes] if arg.is_ref else dtypes


def _count(of: OpSignature, arg: ArgSpec, attrs: Mapping[str, Any]) -> int:
    if arg.type_list_attr:
        return len(arg_types(of, arg, attrs))
    if not arg.number_attr:
        return 1
    count = _attr(of, arg.number_attr, attrs)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_ARGUMENTS:
        raise _bad(of, arg.number_attr, count, f"a number from 0 to {MAX_ARGUMENTS}")
    return count


def _ranges(of: OpSignature, args: Sequence[ArgSpec], attrs: Mapping[str, Any]) -> dict[str, range]:
    ranges: dict[str, range] = {}
    start = 0
    for arg in args:
        end = start + _count(of, arg, attrs)
        ranges[arg.name] = range(start, end)
        start = end
    return ranges


def _attr(of: OpSignature, name: str, attrs: Mapping[str, Any]) -> Any:
    if name in attrs:
        return attrs[name]
    spec = of.attrs.get(name)
    if spec is None or not spec.has_default:
        raise GraphError(f"{of.name}: the attribute {name!r} is missing, and it has no default.")
    return spec.default


def _bad(of: OpSignature, name: str, value: Any, expected: str) -> GraphError:
    found = f"a placeholder for {value.name!r}" if isinstance(value, AttrPlaceholder) else repr(value)
    return GraphError(f"{of.name}: the attribute {name!r} is {found}, where {expected} was expected.")


def _known(op: str | OpSignature) -> OpSignature:
    if isinstance(op, OpSignature):
        return op
    found = signature(op)
    if found is None:
        close = nearest(op, [*registered_lines(), *legacy_lines()])
        raise UnknownNameError(f"No op {op!r} is known, so nothing can be said of its inputs and outputs.{close}")
    return found


def of_op_def(proto: pb.OpDef, decode: Callable[[pb.AttrValue], Any] | None = None) -> OpSignature:
    """The signature in an OpDef, as each function of a library has one. `decode` reads defaults and allowed values."""
    return OpSignature(
        proto.name,
        tuple(_args_of(proto.input_arg)),
        tuple(_args_of(proto.output_arg)),
        {attr.name: _attr_of(attr, decode) for attr in proto.attr},
        proto.is_stateful,
        proto.is_commutative,
        proto.is_aggregate,
        proto.is_distributed_communication,
        proto.allows_uninitialized_input,
        proto.deprecation.version,
        tuple(proto.control_output),
    )


def _args_of(args: Sequence[pb.OpDef.ArgDef]) -> Iterator[ArgSpec]:
    for arg in args:
        dtype = dtype_of_number(arg.type) if arg.type else None
        yield ArgSpec(arg.name, dtype, arg.type_attr, arg.number_attr, arg.type_list_attr, arg.is_ref)


def _attr_of(attr: pb.OpDef.AttrDef, decode: Callable[[pb.AttrValue], Any] | None) -> AttrSpec:
    least = attr.minimum if attr.has_minimum else None
    if decode is None:
        return AttrSpec(attr.name, attr.type, minimum=least)
    has_default = attr.HasField("default_value")
    default = decode(attr.default_value) if has_default else None
    allowed = tuple(decode(attr.allowed_values)) if attr.HasField("allowed_values") else None
    value = tuple(default) if isinstance(default, list) else default
    return AttrSpec(attr.name, attr.type, has_default, value, least, allowed)
