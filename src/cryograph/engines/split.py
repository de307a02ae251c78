"""The engine `auto`: the largest pieces that ONNX Runtime can take run there, the rest on numpy, also inside loops.

A program that needs both becomes a program for numpy in which each piece is one step. Pieces are found in linear time:
a step's level is the number of times that the values it needs changed engines; all steps of one level on one engine
form a piece, so no two pieces wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from ..base.dtypes import STRING, VARIANT
from ..base.errors import RunError, UnsupportedError
from ..base.shapes import Shape, known
from ..base.tensors import Array
from ..program.program import Program, Step
from ..program.scans import SCAN, with_scans
from .engine import LISTED, Engine, Prepared, Runner, Unsupported, cannot_take
from .numpy.context import Rule
from .onnxruntime.lower import Lowering, results
from .onnxruntime.passes import improve
from .onnxruntime.session import Session, SessionSettings

PIECE = "cryograph.Piece"
"""The op of a step that stands for a piece."""

SMALL = 1024
"""Elements up to which a step is cheap: it goes to the engine of its neighbours, and is no reason to change engines."""

WORTH_STEPS = 8
WORTH_ELEMENTS = 1 << 14
"""A piece is worth a session (0.6 ms to make, 4 µs a call) from this many steps or elements on, or with a heavy op."""

HEAVY = frozenset(
    {
        *("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "LRN", "ResizeBilinear", "NonMaxSuppressionV3"),
        *("Conv2D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2", "DepthwiseConv2dNative", "_FusedConv2D"),
        *("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "QuantizedConv2D", "QuantizedMatMul"),
        *("DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput"),
        *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        *("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "MatMul", "_FusedMatMul"),
    }
)
"""Ops that are always worth a session."""

BETTER_ON_NUMPY = frozenset(
    {
        *("BatchCholesky", "BatchMatrixDeterminant", "BatchMatrixInverse", "BatchMatrixSolve", "Cholesky", "Qr"),
        *("BatchMatrixTriangularSolve", "LogMatrixDeterminant", "MatrixDeterminant", "MatrixInverse", "MatrixSolve"),
        *("BatchSelfAdjointEig", "BatchSelfAdjointEigV2", "BatchSvd", "MatrixTriangularSolve", "SelfAdjointEig"),
        *("SelfAdjointEigV2", "Svd", "XlaSelfAdjointEig", "XlaSvd", "BandedTriangularSolve", "BatchCholeskyGrad"),
        *("BatchMatrixSolveLs", "CholeskyGrad", "Lu", "MatrixSolveLs"),
    }
)
"""Ops for which numpy has LAPACK and ONNX a loop; it is used for matrices of a few numbers between other steps."""

FEW = 64
"""Elements up to which such a loop costs no more than leaving the runtime and coming back."""


OUTDONE = frozenset(
    {
        *(f"Bessel{name}" for name in ("J0", "J1", "K0", "K0e", "K1", "K1e", "Y0", "Y1")),
        *("AudioSpectrogram", "Dawsn", "DrawBoundingBoxes", "DrawBoundingBoxesV2", "Expint", "ExtractGlimpse"),
        *("ExtractGlimpseV2", "HistogramFixedWidth", "NextAfter", "QuantizedResizeBilinear", "Spence"),
        *("XlaKeyValueSort", "XlaReducePrecision", "XlaSort"),
    }
)
"""Ops that one call of numpy's does, or of SciPy's, and many operators of ONNX: 2 to 300 times as long for more than a
few numbers."""


PATIENCE = 3
"""How often in a row a piece is tried in vain, when numpy has the answer."""


SORTED = frozenset(
    {
        *("DenseCountSparseOutput", "RaggedCountSparseOutput", "SparseCountSparseOutput", "SparseAdd", "SparseSoftmax"),
        *("DenseToDenseSetOperation", "DenseToSparseSetOperation", "SparseToSparseSetOperation", "SetSize"),
        *("RaggedFillEmptyRows", "SparseFillEmptyRows", "SparseReduceMaxSparse", "SparseReduceSumSparse"),
        *("SparseSparseMaximum", "SparseSparseMinimum"),
    }
)
"""Ops for which the runtime sorts, up to six times as long as numpy takes for 100,000 elements."""

GROUPED = frozenset(
    {
        *(f"Segment{word}{version}" for word in ("Max", "Min", "Prod", "Sum") for version in ("", "V2")),
        *(f"UnsortedSegment{word}" for word in ("Max", "Min", "Prod", "Sum")),
        *("SegmentMean", "SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSum"),
    }
)
"""Ops that join rows in groups. The runtime's work goes by rows, numpy's by numbers."""

FEW_COLUMNS = 4
"""Numbers in a row below which numpy joins many rows in a fifth to a half of the runtime's time."""

ROWS_STEPPED = ("ResourceSparseApply", "SparseApply")
"""How ops begin that step rows of a variable, the whole of which a graph would copy for each turn."""

DRAWN = frozenset(
    {
        *(f"StatelessRandom{word}" for word in ("Normal", "Uniform", "UniformFullInt", "UniformInt")),
        *(f"StatelessRandom{word}V2" for word in ("Normal", "Uniform", "UniformFullInt", "UniformInt")),
        *("StatefulStandardNormalV2", "StatefulUniform", "StatefulUniformFullInt", "StatefulUniformInt"),
        "XlaRngBitGenerator",
    }
)
"""Random ops, of which numpy draws a million numbers in half the time, as it does those with seeds as attributes."""


class Piece:
    """Some steps on ONNX Runtime. What the runtime finds at fault while it runs, numpy runs once more, for its answer
    or for an error in the words of the step. When it was numpy that answered `PATIENCE` times in a row, it does so from
    then on."""

    def __init__(self, part: Program, session: Session) -> None:
        self.part = part
        self._session = session
        self._reference: Runner | None = None
        self._lock = threading.Lock()
        self._in_vain = 0

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        if self._in_vain >= PATIENCE and self._reference is not None:
            return self._reference(arrays)
        try:
            made = self._session(arrays)
        except RunError as error:
            made = self._again(arrays, error)
            self._in_vain += 1
        else:
            self._in_vain = 0
        return made

    def _again(self, arrays: Sequence[Array], error: RunError) -> list[Array]:
        with self._lock:
            if self._reference is None:
                try:
                    self._reference = _numpy({}).prepare(self.part)
                except UnsupportedError:
                    raise error from None
        return self._reference(arrays)


@dataclass(frozen=True, slots=True)
class Auto:
    """ONNX Runtime where it can, numpy where it must or is faster. `rules` are further rules for numpy."""

    name: str = "auto"
    settings: SessionSettings = field(default_factory=SessionSettings)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def missing(self, program: Program) -> list[Unsupported]:
        """The steps that neither engine can take."""
        program = with_scans(program)
        lowering = Lowering(program)
        if not lowering.refusals:
            return []
        return list(_lacking(program, lowering, self.rules))

    def prepare(self, program: Program) -> Runner:
        """A callable that runs the program on both engines; UnsupportedError when a step fits neither."""
        return self.split(program).run

    def split(self, program: Program) -> Prepared:
        """The same, with the pieces in words."""
        program = with_scans(program)
        lowering = Lowering(program)
        if not lowering.refusals and not _better_on_numpy(program):
            count = len(program.steps)
            try:
                session = Session(improve(lowering.whole()), self.settings)
            except UnsupportedError as error:  # an older runtime lacks what its registry promises
                if _numpy(self.rules).missing(program):
                    raise
                return Prepared(_numpy(self.rules).prepare(program), (f"numpy: all {count} steps ({error})",))
            return Prepared(Piece(program, session), (f"onnxruntime: all {count} steps",))
        lacking = list(_lacking(program, lowering, self.rules))
        if lacking:
            given = [name for item in lacking if item.step in program.steps for name in item.step.outputs]
            way_out = f"Cut the graph there and feed what they give: inputs={given[:LISTED]}." if given else ""
            raise cannot_take("No engine can", lacking, program, way_out)
        words: list[str] = []
        hosted = self._host(program, lowering, words, "")
        return Prepared(_numpy(self.rules).prepare(hosted), tuple(words))

    def _host(self, program: Program, lowering: Lowering, words: list[str], where: str) -> Program:
        """The program for numpy in which pieces are single steps, bodies included."""
        plan = _Plan(program, lowering, self.rules.keys())
        groups = plan.pieces()
        members = {index for group in groups.values() for index in group}
        steps: list[tuple[int, int, Step]] = []
        left: list[str] = []
        for index, step in enumerate(program.steps):
            if index in members:
                continue
            if step.bodies:
                bodies = {
                    name: self._body(body, words, f"{where}{step.name}/{name}: ") for name, body in step.bodies.items()
                }
                step = replace(step, bodies=bodies)
            steps.append((plan.levels[index], index, step))
            left.append(step.op)
        for level, group in sorted(groups.items()):
            piece = self._piece(program, lowering, group, plan)
            name = f"piece {level // 2 + 1}"
            made = Step(name, PIECE, piece.part.inputs, piece.part.outputs, {"piece": piece})
            steps.append((level, group[0], made))
            words.append(f"{where}onnxruntime: {len(group)} steps")
        if left:
            listed = ", ".join(dict.fromkeys(left))
            words.append(f"{where}numpy: {len(left)} steps ({listed})")
        steps.sort(key=lambda item: item[:2])
        hosted = tuple(step for _, _, step in steps)
        read = {name for step in hosted for name in step.inputs}.union(results(program))
        constants = {name: tensor for name, tensor in program.constants.items() if name in read}
        return replace(program, steps=hosted, constants=constants)

    def _body(self, body: Program, words: list[str], where: str) -> Program:
        return self._host(body, Lowering(body), words, where)

    def _piece(self, program: Program, lowering: Lowering, group: list[int], plan: _Plan) -> Piece:
        inputs, outputs = plan.seams(group)
        steps = tuple(program.steps[index] for index in group)
        part = Program(inputs, outputs, steps, program.constants, program.specs)
        heavy = any(step.op in HEAVY or step.bodies for step in steps)
        settings = replace(self.settings, spin=False) if heavy else SessionSettings(threads=1)
        return Piece(part, Session(improve(lowering.graph(group, inputs, outputs)), settings))


def _numpy(rules: Mapping[str, Rule]) -> Engine:
    """The reference engine with pieces and scans as further ops, imported when a program needs it."""
    from .numpy.control import scan
    from .numpy.engine import Numpy

    return Numpy(rules={**rules, PIECE: _run_piece, SCAN: scan})


def _run_piece(ctx: Any, *inputs: Array, piece: Piece) -> tuple[Array, ...]:
    return tuple(piece(inputs))


def _lacking(program: Program, lowering: Lowering, rules: Mapping[str, Rule]) -> Iterator[Unsupported]:
    """Steps that neither engine takes, looked for in bodies where a step has them."""
    alone = _numpy(rules)
    for index in lowering.refusals:
        step = program.steps[index]
        if step.bodies:
            for body in step.bodies.values():
                inner = Lowering(body)
                yield from _lacking(body, inner, rules)
            step = replace(step, bodies={name: replace(body, steps=()) for name, body in step.bodies.items()})
        yield from alone.missing(Program((), (), (step,), program.constants, program.specs))


class _Plan:
    """Which step runs where. Levels are even on numpy and odd on ONNX Runtime. Ops that are `ordered`, as those that
    touch files, keep their order."""

    def __init__(self, program: Program, lowering: Lowering, ordered: Collection[str] = ()) -> None:
        self.program = program
        self._ordered = ordered
        self._refused = set(lowering.refusals) | _better_on_numpy(program)
        self._cheap = {
            index
            for index, step in enumerate(program.steps)
            if index not in self._refused and (lowering.is_alias(index) or _is_cheap(program, step))
        }
        self._ends = set(results(program))
        self._lists = _sharing_lists(program)
        self._readers: dict[str, list[int]] = {}
        for index, step in enumerate(program.steps):
            for name in step.inputs:
                self._readers.setdefault(name, []).append(index)
        self.levels: list[int] = []

    def pieces(self) -> dict[int, list[int]]:
        """The steps of each piece, by level. What is not worth a session stays on numpy, which may join other parts."""
        while True:
            self._keep_lists_together()
            groups: dict[int, list[int]] = {}
            for index, level in enumerate(self.levels):
                if level % 2:
                    groups.setdefault(level, []).append(index)
            small = [level for level, group in groups.items() if self._can_leave(group) and not self._is_worth(group)]
            if not small:
                return groups
            for level in small:
                self._refused.update(groups[level])
                self._cheap.difference_update(groups[level])

    def _keep_lists_together(self) -> None:
        """Levels at which no list flows into a piece or out of it: numpy does all that is done to such a list."""
        while True:
            self._assign()
            moved = False
            for steps in self._lists:
                refused = self._refused.intersection(steps)
                if len(refused) < len(steps) and (refused or len({self.levels[index] for index in steps}) > 1):
                    self._refused.update(steps)
                    self._cheap.difference_update(steps)
                    moved = True
            if not moved:
                return

    def _assign(self) -> None:
        steps = self.program.steps
        level: dict[str, int] = {}
        self.levels = []
        reached = 0
        for index, step in enumerate(steps):
            here = max((level.get(name, 0) for name in step.inputs), default=0)
            if self._ordered and _holds(step, self._ordered):
                reached = here = max(here + here % 2, reached)
            if index not in self._cheap:
                here += (here % 2) if index in self._refused else (1 - here % 2)
            self.levels.append(here)
            for name in step.outputs:
                level[name] = here
        # A cheap step on numpy that only a piece reads goes into that piece.
        for index in range(len(steps) - 1, -1, -1):
            here = self.levels[index]
            if index in self._cheap and here % 2 == 0:
                readers = [self.levels[i] for name in steps[index].outputs for i in self._readers.get(name, ())]
                if readers and min(readers) == here + 1:
                    self.levels[index] = here + 1

    def _is_worth(self, group: list[int]) -> bool:
        steps = [self.program.steps[index] for index in group]
        if any(step.op in HEAVY or step.bodies for step in steps):
            return True
        elements = sum(_elements(self.program, name) for step in steps for name in step.outputs)
        return len(steps) >= WORTH_STEPS or elements >= WORTH_ELEMENTS

    def _can_leave(self, group: list[int]) -> bool:
        from .numpy.rules import RULES

        return all(self.program.steps[index].op in RULES for index in group)

    def seams(self, group: list[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The values that flow into a piece, and those that flow out of it."""
        inside = set(group)
        made = {name for index in group for name in self.program.steps[index].outputs}
        taken: dict[str, None] = {}
        given: dict[str, None] = {}
        for index in group:
            step = self.program.steps[index]
            for name in step.inputs:
                if name not in made and name not in self.program.constants:
                    taken[name] = None
            for name in step.outputs:
                if name in self._ends or any(reader not in inside for reader in self._readers.get(name, ())):
                    given[name] = None
        return tuple(taken), tuple(given)


def _sharing_lists(program: Program) -> list[list[int]]:
    """The steps that make, change or read the same variants, which are lists for the most part."""
    first: dict[str, int] = {}
    parents: dict[int, int] = {}

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for index, step in enumerate(program.steps):
        for name in (*step.inputs, *step.outputs):
            if program.specs[name].dtype.base == VARIANT:
                parents.setdefault(index, index)
                parents[root(first.setdefault(name, index))] = root(index)
    groups: dict[int, list[int]] = {}
    for index in parents:
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _holds(step: Step, ops: Collection[str]) -> bool:
    """Whether a step is one of some ops, or has one in its bodies."""
    return step.op in ops or any(_holds(inner, ops) for body in step.bodies.values() for inner in body.steps)


def _draws(step: Step) -> bool:
    seeded = step.op in ("RandomStandardNormal", "RandomUniform", "RandomUniformInt") and (
        step.attrs.get("seed") or step.attrs.get("seed2")
    )
    return step.op in DRAWN or bool(seeded)


def _elements(program: Program, name: str) -> int:
    """About how many elements a value has; a size that is not known counts for 8."""
    shape = program.specs[name].shape
    if shape is None:
        return SMALL
    count = 1
    for size in shape:
        count *= 8 if size is None else size
    return count


def _better_on_numpy(program: Program) -> set[int]:
    """The steps that ONNX Runtime could take, or could take as a whole, but numpy does better: those on strings, which
    would be decoded for the runtime one by one and encoded again, among them."""
    texts = {name for name, spec in program.specs.items() if spec.dtype.base == STRING}
    return {
        index
        for index, step in enumerate(program.steps)
        if (step.op in BETTER_ON_NUMPY and _elements(program, step.inputs[0]) > FEW)
        or not texts.isdisjoint((*step.inputs, *step.outputs))
        or (step.op in OUTDONE and _elements(program, step.inputs[0]) > SMALL)
        or step.op in SORTED
        or step.op.startswith(ROWS_STEPPED)
        or (step.op in GROUPED and _has_narrow_rows(program.specs[step.inputs[0]].shape))
        or (_draws(step) and _elements(program, step.outputs[-1]) >= WORTH_ELEMENTS)
        or any(_better_on_numpy(body) for body in step.bodies.values())
    }


def _has_narrow_rows(shape: Shape) -> bool:
    """Whether there are known to be many rows of few numbers."""
    if not shape or None in shape:
        return False
    rows, *rest = known(shape, "rows")
    return rows >= WORTH_ELEMENTS and prod(rest) < FEW_COLUMNS


def _is_cheap(program: Program, step: Step) -> bool:
    if step.op in HEAVY or step.bodies:
        return False
    return all(_elements(program, name) <= SMALL for name in (*step.inputs, *step.outputs))
