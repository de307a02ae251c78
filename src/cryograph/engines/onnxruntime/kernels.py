"""Which operators the installed ONNX Runtime has kernels for, asked of its own registry.

The registry names type constraints (`T`), the schema says which input carries which; both are read once, in 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from ...base.dtypes import DType
from .values import DOMAIN_VERSIONS, OPSET, TEXT_OPSET, TYPE_NAMES

_PROVIDER = "CPUExecutionProvider"

Key = tuple[str, str]
"""Domain and operator; the domain of ONNX's own operators is empty."""


@cache
def _registry(opset: int) -> dict[Key, list[Any]]:
    """For each operator, the kernels that serve an operator set."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    found: dict[Key, list[Any]] = {}
    for kernel in native.get_all_opkernel_def():
        if kernel.provider == _PROVIDER:
            version = DOMAIN_VERSIONS.get(kernel.domain, 1) if kernel.domain else opset
            first, last = kernel.version_range
            if first <= version <= last:
                found.setdefault((kernel.domain, kernel.op_name), []).append(kernel)
    return found


@cache
def _constraints(domain: str, op: str, opset: int) -> list[dict[str, frozenset[str]]]:
    """The type constraints of each kernel of an operator."""
    kernels = _registry(opset).get((domain, op), ())
    return [{name: frozenset(kinds) for name, kinds in kernel.type_constraints.items()} for kernel in kernels]


@cache
def _schemas(opset: int) -> dict[Key, Any]:
    """For each operator, the newest schema up to an operator set."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    found: dict[Key, Any] = {}
    for schema in native.get_all_operator_schema():
        key = (schema.domain, schema.name)
        version = DOMAIN_VERSIONS.get(schema.domain, 1) if schema.domain else opset
        if schema.since_version <= version and (key not in found or found[key].since_version < schema.since_version):
            found[key] = schema
    return found


@cache
def _constraint_names(domain: str, op: str, opset: int) -> tuple[tuple[str, ...], bool, str]:
    """The type constraint of each input, whether the last repeats, and the constraint of the first output."""
    schema = _schemas(opset).get((domain, op))
    if schema is None:
        return (), False, ""
    inputs = tuple(parameter.typeStr for parameter in schema.inputs)
    outputs = list(schema.outputs)
    return inputs, schema.max_input > len(inputs), outputs[0].typeStr if outputs else ""


@cache
def _allowed(domain: str, op: str, opset: int) -> dict[str, frozenset[str]]:
    """What the schema allows for each type constraint, which may be less than kernels take."""
    schema = _schemas(opset).get((domain, op))
    constraints = () if schema is None else schema.type_constraints
    return {each.type_param_str: frozenset(each.allowed_type_strs) for each in constraints}


@cache
def _supports(domain: str, op: str, opset: int, inputs: tuple[DType | None, ...], output: DType | None) -> bool:
    names, repeats, result = _constraint_names(domain, op, opset)
    wanted = [(names[min(i, len(names) - 1)], d) for i, d in enumerate(inputs) if i < len(names) or repeats]
    wanted.append((result, output))
    allowed = _allowed(domain, op, opset)
    if any(d is not None and name in allowed and TYPE_NAMES.get(d) not in allowed[name] for name, d in wanted):
        return False
    return any(
        all(d is None or name not in types or TYPE_NAMES.get(d) in types[name] for name, d in wanted)
        for types in _constraints(domain, op, opset)
    )


def supports(op: str, inputs: Sequence[DType | None], output: DType | None, domain: str = "") -> int:
    """The least operator set of ours for which a kernel exists for an operator on inputs of these dtypes (None: absent)
    that gives that dtype; 0 without one."""
    kinds = tuple(inputs)
    return next((opset for opset in (OPSET, TEXT_OPSET) if _supports(domain, op, opset, kinds, output)), 0)
