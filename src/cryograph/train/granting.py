"""Ops of savers in a session: they touch the paths that the user passes to the run, and no other.

A path is passed as a fed string. What an op touches must be that path, or begin with it, as the names of checkpoints'
files and of sharded ones do. A path that stands in the graph is refused: a model file does not choose what is written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..base.errors import RefusedError
from ..base.tensors import Array
from ..engines.engine import Runner
from ..engines.engines import prepare
from ..grants.grants import granted_rules
from ..program.program import Program

SAVER_OPS = frozenset({"MergeV2Checkpoints", "Restore", "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2"})


def holds_ops(program: Program, ops: Collection[str]) -> bool:
    """Whether one of these ops stands in a program, in its bodies too."""
    return any(step.op in ops or any(holds_ops(body, ops) for body in step.bodies.values()) for step in program.steps)


def granted(program: Program, feeds: int, allow: Collection[str]) -> Runner:
    """A runner that saves and restores at the paths among its first `feeds` values. Ops that are allowed by name touch
    any path."""
    anywhere = granted_rules(allow)

    def run(values: Sequence[Array]) -> list[Array]:
        here = granted_rules(SAVER_OPS, _Allowed(values[:feeds]).touch)
        return prepare(program, "numpy", {**here, **anywhere}).run(values)

    return run


class _Allowed:
    """The paths that one run may touch."""

    def __init__(self, fed: Sequence[Array]) -> None:
        texts = [value.reshape(-1)[0] for value in fed if value.dtype.kind == "O" and value.size == 1]
        self._paths = [text.decode("utf-8", "surrogateescape") for text in texts if text.strip(b"./\\")]

    def touch(self, path: str) -> None:
        """RefusedError for a path that does not begin with one that was passed."""
        for passed in self._paths:
            rest = path.removeprefix(passed)
            if path.startswith(passed) and ".." not in rest.replace("\\", "/").split("/"):
                return
        raise RefusedError(
            f"{path!r} is not a path that this run was given; feed it, as {{'save/Const:0': prefix}}, or call "
            "save(prefix) and restore(prefix) of the session"
        )
