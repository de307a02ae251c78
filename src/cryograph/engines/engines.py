"""The table of engines: what `engine=` may be. An engine's code is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError, UnknownNameError, nearest
from ..base.files import Path
from ..base.tensors import Array
from ..program.program import Program, Step
from .engine import Engine, Prepared, Trainer

if TYPE_CHECKING:
    from .numpy.context import Rule


def _auto() -> Engine:
    from .split import Auto

    return Auto()


def _numpy() -> Engine:
    from .numpy.engine import Numpy

    return Numpy()


def _onnxruntime() -> Engine:
    from .onnxruntime.engine import OnnxRuntime

    return OnnxRuntime()


def _openvino() -> Engine:
    from .openvino.engine import OpenVino

    return OpenVino()


def _jax() -> Engine:
    from .jax.engine import Jax

    return Jax()


def _fastest() -> Engine:
    from .fastest import Fastest

    return Fastest()


ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": _auto,
    "numpy": _numpy,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "jax": _jax,
    "fastest": _fastest,
}


def engine(name: str) -> Engine:
    """The engine of a name; UnknownNameError with the names that there are."""
    maker = ENGINES.get(name)
    if maker is None:
        raise UnknownNameError(f"There is no engine {name!r}." + nearest(name, ENGINES, limit=len(ENGINES)))
    return maker()


def prepare(program: Program, name: str = "auto", rules: Mapping[str, Rule] | None = None) -> Prepared:
    """A program made ready on an engine; UnsupportedError when steps fit none of those that may be used. `rules` are
    those of ops that the caller grants: only `auto` and `numpy` take them, InputError for others."""
    chosen = engine(name)
    if rules and name not in ("auto", "numpy"):
        raise InputError(f"Ops that touch files run on engine='auto' and 'numpy', not on {name!r}.")
    if name == "auto":
        from .split import Auto

        return Auto(rules=rules or {}).split(program)
    if rules:
        from .numpy.engine import Numpy

        chosen = Numpy(rules)
    return Prepared(chosen.prepare(program), (f"{name}: all {len(program.steps)} steps",))


def differentiate(program: Program, wrt: Sequence[str]) -> Callable[[Sequence[Array]], tuple[list[Array], list[Array]]]:
    """A callable that gives the program's results, and the derivatives of its first output by values of it.
    UnsupportedError when a step has no rule in the engine jax, MissingExtraError without the package."""
    from .jax.gradients import Differentiated

    return Differentiated(program, wrt)


def trainer(program: Program, trained: Sequence[int], optimizer: Any, state: Sequence[Array]) -> Trainer:
    """What trains variables of a program, by their places in its state; see `Trainer`."""
    from .jax.training import Trainer as OfJax

    return OfJax(program, trained, optimizer, state)


def check_trainer() -> None:
    """MissingExtraError where what `trainer` needs is not installed."""
    from .jax.engine import the_jax, the_optax

    the_jax()
    the_optax()


def write_onnx(program: Program, path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Writes a program as an `.onnx` file; UnsupportedError, and nothing written, when a step has no lowering."""
    from .onnxruntime.file import write_onnx as write

    write(program, path, inputs, outputs)


def fold(step: Step, inputs: Sequence[Array]) -> Sequence[Array]:
    """Works out one step on constants, by the reference engine; UnsupportedError where it has no rule."""
    from .numpy.engine import fold as fold_on_numpy

    return fold_on_numpy(step, inputs)


def support(ops: Iterable[str]) -> dict[str, str]:
    """For each op, the engine that `auto` would give it to by its name alone: `onnxruntime`, `numpy` or `none`."""
    from .numpy.rules import RULES
    from .onnxruntime.lowerings import LOWERINGS

    return {op: "onnxruntime" if op in LOWERINGS else "numpy" if op in RULES else "none" for op in ops}
