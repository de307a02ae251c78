"""Runs a program step by step on numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...base.dtypes import DType
from ...base.errors import Error, InputError, MissingExtraError, RunError
from ...base.shapes import show
from ...base.tensors import Array
from ...ops.care import CARE, why_refused
from ...ops.left_out import LEFT_OUT
from ...ops.notation import OpSignature
from ...ops.signatures import output_types, signature
from ...program.program import Program, Spec, Step
from ..engine import Runner, Unsupported, cannot_take
from .context import Context, Rule, parameters
from .rules import RULES, RulesOver

# Attributes that say how TensorFlow should run a step, not what it computes.
NO_MEANING = frozenset(
    {
        *("use_cudnn_on_gpu", "parallel_iterations", "swap_memory", "output_shapes", "container", "shared_name"),
        *("message", "use_locking", "validate_shape", "validate_indices", "config", "config_proto", "executor_type"),
        *("is_stateless", "name", "device", "element_shape", "infer_shape", "clear_after_read", "dynamic_size"),
        *(
            "sparse_gradient",
            "identical_element_shapes",
            "tensor_array_name",
            "_class",
            "lower_using_switch_merge",
            "shape",
        ),
    }
)


class Numpy:
    """The reference engine. `rules` are further rules: for ops that are not TensorFlow's, and for those granted."""

    name = "numpy"

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        self._rules: Mapping[str, Rule] = RulesOver(rules) if rules else RULES

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that no rule can take, bodies included."""
        return refusals(program, self._rules)

    def prepare(self, program: Program) -> Runner:
        """A callable that runs the program; UnsupportedError that lists what is missing when it cannot."""
        missing = self.missing(program)
        if missing:
            raise cannot_take("numpy cannot", missing, program)
        return _Plan(program, self._rules).run


def refusals(program: Program, rules: Mapping[str, Rule]) -> list[Unsupported]:
    """The steps that a table of rules cannot take, bodies included."""
    found: list[Unsupported] = []
    for step in program.steps:
        reason = _refusal(step, rules)
        if reason is not None:
            found.append(Unsupported(step, reason))
        for body in step.bodies.values():
            found += refusals(body, rules)
    return found


def _refusal(step: Step, rules: Mapping[str, Rule]) -> str | None:
    rule = rules.get(step.op)
    if rule is None:
        if step.op in CARE:
            return f"the op {why_refused(step.op)}"
        if step.op in LEFT_OUT:
            return f"the op {LEFT_OUT[step.op]} and is not run"
        known = "" if signature(step.op) is not None else "; it is not an op of TensorFlow 2.21"
        return f"there is no rule for the op{known}"
    taken = parameters(rule)
    declared = signature(step.op)
    for name, value in step.attrs.items():
        if name in taken or name in NO_MEANING or name.startswith("_") or _is_type(value):
            continue
        if declared is not None and not _matters(declared, name, value):
            continue
        return f"the attribute {name!r} is {value!r}, and only its default is supported"
    return None


def fold(step: Step, inputs: Sequence[Array]) -> Sequence[Array]:
    """Works out one step on its own, for constant folding; UnsupportedError when no rule can take it."""
    dtypes = output_types(step.op, step.attrs)
    specs = {name: Spec(dtype, None) for name, dtype in zip(step.outputs, dtypes, strict=True)}
    program = Program(step.inputs, step.outputs, (step,), {}, specs)
    return Numpy().prepare(program)(inputs)


def _is_type(value: Any) -> bool:
    """Dtypes never change the meaning beyond the dtypes of inputs and outputs, which a rule sees."""
    return isinstance(value, DType) or (isinstance(value, list) and bool(value) and isinstance(value[0], DType))


def _matters(declared: OpSignature, name: str, value: Any) -> bool:
    """Whether an attribute that a rule does not take changes what the op computes."""
    spec = declared.attrs.get(name)
    if spec is None:
        return False  # not an attribute of the op: a hint of some writer
    if any(arg.number_attr == name for arg in (*declared.inputs, *declared.outputs)):
        return False
    if spec.kind == "list(type)" and value == []:
        return False
    default = list(spec.default) if isinstance(spec.default, tuple) and isinstance(value, list) else spec.default
    return not (spec.has_default and default == value)


class _Action:
    """One step with everything looked up."""

    __slots__ = ("context", "done", "inputs", "kwargs", "outputs", "rule", "step")

    def __init__(
        self, step: Step, rule: Rule, context: Context, slots: Mapping[str, int], done: tuple[int, ...]
    ) -> None:
        self.step = step
        self.rule = rule
        self.context = context
        taken = parameters(rule)
        self.kwargs = {name: value for name, value in step.attrs.items() if name in taken}
        self.inputs = tuple(slots[name] for name in step.inputs)
        self.outputs = tuple(slots[name] for name in step.outputs)
        self.done = done


class _Plan:
    """A program with values in numbered slots; each is given up after its last use."""

    def __init__(self, program: Program, rules: Mapping[str, Rule]) -> None:
        slots: dict[str, int] = {}
        names = [*program.constants, *program.inputs, *(s.value for s in program.state)]
        names += [name for step in program.steps for name in step.outputs]
        for name in names:
            slots.setdefault(name, len(slots))
        self._size = len(slots)
        self._constants = [(slots[name], tensor) for name, tensor in program.constants.items()]
        self._entries = [slots[name] for name in (*program.inputs, *(s.value for s in program.state))]
        self._results = [slots[name] for name in (*program.outputs, *(s.result for s in program.state))]
        last: dict[int, int] = {}
        for number, step in enumerate(program.steps):
            for name in (*step.inputs, *step.outputs):
                last[slots[name]] = number
        kept = {*self._results, *(slot for slot, _ in self._constants)}
        ends: dict[int, list[int]] = {}
        for slot, number in last.items():
            if slot not in kept:
                ends.setdefault(number, []).append(slot)
        self._actions: list[_Action] = []
        for number, step in enumerate(program.steps):
            bodies = {name: _Plan(body, rules) for name, body in step.bodies.items()}

            def run_body(name: str, values: Sequence[Array], bodies: dict[str, _Plan] = bodies) -> list[Array]:
                return bodies[name].run(values)

            dtypes = tuple(program.specs[name].dtype.base for name in step.outputs)
            context = Context(np, step, dtypes, run_body)
            self._actions.append(_Action(step, rules[step.op], context, slots, tuple(ends.get(number, ()))))

    def run(self, feeds: Sequence[Array]) -> list[Array]:
        """Runs all steps."""
        if len(feeds) != len(self._entries):
            raise InputError(f"{len(feeds)} values were given where the program takes {len(self._entries)}.")
        values: list[Any] = [None] * self._size
        for slot, tensor in self._constants:
            values[slot] = tensor.numpy()
        for slot, array in zip(self._entries, feeds, strict=True):
            values[slot] = array
        with np.errstate(all="ignore"):  # TensorFlow computes with IEEE numbers and says nothing
            for action in self._actions:
                inputs = [values[slot] for slot in action.inputs]
                try:
                    made = action.rule(action.context, *inputs, **action.kwargs)
                except MissingExtraError:
                    raise
                except Error as error:
                    raise type(error)(f"{_where(action.step)}: {error}") from error
                except (ValueError, IndexError, TypeError, ArithmeticError, MemoryError) as error:
                    raise RunError(f"{_where(action.step)}: {error}; inputs {_shapes(inputs)}.") from error
                if type(made) is not tuple:
                    made = (made,)
                for slot, array in zip(action.outputs, made, strict=False):
                    values[slot] = array if isinstance(array, np.ndarray) else _array_of(array)
                for slot in action.done:
                    values[slot] = None
        return [values[slot] for slot in self._results]


def _array_of(value: Any) -> Array:
    """What a rule gave that is no array: a scalar. numpy would make bytes an array of fixed length."""
    return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)


def _where(step: Step) -> str:
    return f"node {step.name!r} ({step.origin})"


def _shapes(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{i.dtype} {show(i.shape)}" if isinstance(i, np.ndarray) else str(type(i)) for i in inputs)
