"""Which recurrent cells the body of a scan is made of: LSTM, GRU and simple RNN cells, found by what they compute.

A cell is recognised from its end: the new state of an LSTM is `o * act(c')` with `c' = f * c + i * g`, that of a GRU is
`z * h + (1 - z) * g`, that of a simple cell `act(...)`. What goes into each activation must be affine in the cell's
input and its old state, with constant weights. `_Affine` follows it through products, sums, biases, concatenations,
splits and slices, and works the weights out, so that it does not matter how a library lays them out.

1. Outputs of cells may be the inputs of other cells (MultiRNNCell).
2. All that a scan gives may be chosen by `turn >= lengths`: the old state, or zeros, once a sequence is over.
3. An LSTM may have peepholes: weights, one a unit, from its own state to its gates.
4. In a GRU the reset gate comes before the product with the recurrent weights, or after it (Keras' `reset_after`).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from ..base.dtypes import FLOAT32
from ..base.tensors import Array
from .fold import is_pure
from .program import Program, Step

ACTIVATIONS = frozenset({"Elu", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"})
"""Activations of cells, by the names of their ops."""

MAX_FORMS = 200
"""The most values of a body that are looked at as sums."""

HARD_SIGMOID = "HardSigmoid"
"""The activation that is 0.2 * x + 0.5, no less than 0 and no more than 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One cell, with weights as matrices of (what comes in, units), one a gate.

    `kind` is `LSTM` (gates input, output, forget, cell), `GRU` (update, reset, hidden) or `RNN` (one gate). `source` is
    the number of the sequence that it reads, or, from the number of sequences on, that of an earlier cell. `states` are
    the places among what is carried of h and, for an LSTM, of c. `activations` are those of the gates, of the candidate
    and, for an LSTM, of the state that goes out. `peepholes` are (input, output, forget). `recurrent_bias` is the bias
    that a GRU's reset gate applies to when `reset_after`.
    """

    kind: str
    source: int
    states: tuple[int, ...]
    weights: tuple[Array, ...]
    recurrent: tuple[Array, ...]
    bias: tuple[Array, ...]
    activations: tuple[str, ...]
    peepholes: tuple[Array, ...] = ()
    reset_after: bool = False
    recurrent_bias: Array | None = None
    zero_start: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """All cells of a scan, in running order. `carried` and `stacked` say for each result of the scan which cell it is
    from; for what is carried, `states` of the cells say it. `lengths` is the place of the sequences' lengths among the
    scan's values that are the same in all turns, when there are lengths."""

    cells: tuple[Cell, ...]
    stacked: tuple[int, ...]
    lengths: int | None


def find_cells(body: Program, carried: int, sequences: int, zeros: AbstractSet[str]) -> Cells | None:
    """The cells of a scan's body; None when it is made of something else. `zeros` are inputs that are full of zeros in
    the first turn, or in all of them."""
    if not carried or len(body.outputs) == carried or not all(is_pure(step.op) for step in body.steps):
        return None
    try:
        return _Search(body, carried, sequences, zeros).run()
    except (IndexError, ValueError):  # weights of shapes that do not go together: told when the scan is run
        return None


@dataclass(slots=True)
class _Affine:
    """A sum: a bias, matrices applied to values, vectors times values, and values as they are."""

    bias: Array | float = 0.0
    products: dict[str, Array] = field(default_factory=dict)
    scaled: dict[str, Array] = field(default_factory=dict)
    plain: tuple[str, ...] = ()

    def plus(self, other: _Affine) -> _Affine:
        return _Affine(
            np.add(self.bias, other.bias, dtype=np.float32),
            _merged(self.products, other.products),
            _merged(self.scaled, other.scaled),
            self.plain + other.plain,
        )


def _merged(a: dict[str, Array], b: dict[str, Array]) -> dict[str, Array]:
    made = dict(a)
    for name, array in b.items():
        made[name] = made[name] + array if name in made else array
    return made


class _Search:
    """The search in one body."""

    def __init__(self, body: Program, carried: int, sequences: int, zeros: AbstractSet[str]) -> None:
        self._body = body
        self._makers = {name: step for step in body.steps for name in step.outputs}
        self._turn = body.inputs[0]
        self._states = list(body.inputs[1 : 1 + carried])
        self._ends = list(body.outputs[:carried])
        self._stacked = list(body.outputs[carried:])
        self._sources = {name: i for i, name in enumerate(body.inputs[1 + carried : 1 + carried + sequences])}
        self._outer = list(body.inputs[1 + carried + sequences :])
        self._zeros = zeros
        self._cells: list[Cell] = []
        self._units = 0
        self._forms: dict[str, _Affine | None] = {}

    def run(self) -> Cells | None:
        lengths = self._lengths()
        if lengths is not None and not self._unchosen(lengths):
            return None
        left = dict(zip(self._states, self._ends, strict=True))
        if len(set(left.values())) != len(left):
            return None
        made: dict[str, int] = {}
        while left:
            found = self._next(left)
            if found is None:
                return None
            cell, end = found
            for place in cell.states:
                del left[self._states[place]]
            made[end] = len(self._cells)
            self._sources[end] = self._sequences_count() + len(self._cells)
            self._cells.append(cell)
        if not all(name in made for name in self._stacked):
            return None
        at = None if lengths is None else self._outer.index(lengths)
        return Cells(tuple(self._cells), tuple(made[name] for name in self._stacked), at)

    def _sequences_count(self) -> int:
        return len(self._sources) - len(self._cells)

    # Case 2

    def _lengths(self) -> str | None:
        """The lengths that all ends are chosen by."""
        step = self._makers.get(self._ends[0])
        if step is None or step.op not in ("Select", "SelectV2"):
            return None
        test = self._makers.get(step.inputs[0])
        if test is None or test.op != "GreaterEqual" or test.inputs[0] != self._turn:
            return None
        lengths = test.inputs[1]
        known = lengths in self._outer and self._body.specs[lengths].shape is not None
        return lengths if known and len(self._body.specs[lengths].shape or ()) == 1 else None

    def _unchosen(self, lengths: str) -> bool:
        """Puts what is chosen in the place of the choices; whether all are choices by these lengths."""
        for names, others in ((self._ends, self._states), (self._stacked, None)):
            for i, name in enumerate(names):
                step = self._makers.get(name)
                if step is None or step.op != "Select":  # SelectV2 would broadcast the other way around
                    return False
                test = self._makers.get(step.inputs[0])
                if test is None or test.op != "GreaterEqual" or test.inputs != (self._turn, lengths):
                    return False
                over = step.inputs[1]
                if others is None and not ((over in self._outer and over in self._zeros) or self._is_zero(over)):
                    return False
                if others is not None and over != others[i]:
                    return False
                names[i] = step.inputs[2]
        return True

    def _is_zero(self, name: str) -> bool:
        held = self._constant(name)
        return held is not None and not held.any()

    # Cells

    def _next(self, left: dict[str, str]) -> tuple[Cell, str] | None:
        """A cell whose states are left and whose input is there, and its output."""
        for h, end in left.items():
            shape = self._body.specs[h].shape
            units = shape[1] if shape is not None and len(shape) == 2 else None
            if self._body.specs[h].dtype != FLOAT32 or units is None:
                return None
            self._units = units
            for find in (self._lstm, self._gru, self._simple):
                cell = find(h, end, left)
                if cell is not None:
                    return cell, end
        return None

    def _maker(self, name: str, *ops: str) -> Step | None:
        step = self._makers.get(name)
        return step if step is not None and step.op in ops else None

    def _constant(self, name: str) -> Array | None:
        held = self._body.constants.get(name)
        return None if held is None else held.numpy()

    def _activated(self, name: str) -> tuple[str, _Affine] | None:
        """An activation and what goes into it. A split may come behind it."""
        columns = self._columns(name)
        found = self._activation(name if columns is None else columns[0])
        affine = None if found is None else self._affine(found[1])
        if found is None or affine is None:
            return None
        return found[0], affine if columns is None else _cut(affine, *columns[1:])

    def _activation(self, name: str) -> tuple[str, str] | None:
        """An activation by its name, and its input."""
        step = self._maker(name, *ACTIVATIONS)
        return (step.op, step.inputs[0]) if step is not None else self._hard_sigmoid(name)

    def _hard_sigmoid(self, name: str) -> tuple[str, str] | None:
        """What Keras writes as 0.2 * x + 0.5 between 0 and 1."""
        for op, number in (("Maximum", 0.0), ("Minimum", 1.0), ("AddV2", 0.5), ("Mul", 0.2)):
            found = None
            for value, constant in _both_ways(self._maker(name, op)):
                held = self._constant(constant)
                if held is not None and held.size == 1 and held.item() == np.float32(number):
                    found = value
            if found is None:
                return None
            name = found
        return HARD_SIGMOID, name

    def _zero_start(self, *states: str) -> bool:
        return all(state in self._zeros for state in states)

    def _lstm(self, h: str, end: str, left: dict[str, str]) -> Cell | None:
        out = self._maker(end, "Mul")
        for c, c_end in left.items() if out is not None else ():
            for o_name, state in _both_ways(out):
                act = self._maker(state, *ACTIVATIONS)
                if c == h or act is None or act.inputs[0] != c_end:
                    continue
                cell = self._lstm_of(h, c, c_end, o_name, act.op)
                if cell is not None:
                    return cell
        return None

    def _lstm_of(self, h: str, c: str, c_end: str, o_name: str, last: str) -> Cell | None:
        total = self._maker(c_end, "Add", "AddV2")
        if total is None:
            return None
        for kept_name, new_name in _both_ways(total):
            kept, new = self._maker(kept_name, "Mul"), self._maker(new_name, "Mul")
            if kept is None or new is None or c not in kept.inputs:
                continue
            f_name = kept.inputs[1] if kept.inputs[0] == c else kept.inputs[0]
            for i_name, g_name in _both_ways(new):
                gates = [self._activated(name) for name in (i_name, o_name, f_name, g_name)]
                found = [gate for gate in gates if gate is not None]
                if len(found) < 4 or len({act for act, _ in found[:3]}) > 1:
                    continue
                cell = self._lstm_from(found, h, c, c_end, last)
                if cell is not None:
                    return cell
        return None

    def _lstm_from(self, gates: Sequence[tuple[str, _Affine]], h: str, c: str, c_end: str, last: str) -> Cell | None:
        forms = [form for _, form in gates]
        peeped = (c, c_end, c)  # what the input, output and forget gates may look at
        if any(set(form.scaled) - {seen} for form, seen in zip(forms, peeped, strict=False)) or forms[3].scaled:
            return None
        holes: tuple[Array, ...] = ()
        if any(form.scaled for form in forms):
            zero = np.zeros(self._units, np.float32)
            holes = tuple(_wide(f.scaled.get(s, zero), self._units) for f, s in zip(forms, peeped, strict=False))
        weighed = self._weighed(forms, h)
        if weighed is None:
            return None
        # With equal activations the gates cannot be told apart but by order: input times candidate.
        activations = (gates[0][0], gates[3][0], last)
        states = (self._states.index(h), self._states.index(c))
        return Cell("LSTM", *weighed[:1], states, *weighed[1:], activations, holes, zero_start=self._zero_start(h, c))

    def _gru(self, h: str, end: str, left: dict[str, str]) -> Cell | None:
        total = self._maker(end, "Add", "AddV2")
        if total is None:
            return None
        for kept_name, new_name in _both_ways(total):
            kept, new = self._maker(kept_name, "Mul"), self._maker(new_name, "Mul")
            if kept is None or new is None or h not in kept.inputs:
                continue
            z_name = kept.inputs[1] if kept.inputs[0] == h else kept.inputs[0]
            for rest_name, g_name in _both_ways(new):
                rest = self._maker(rest_name, "Sub")
                one = None if rest is None else self._constant(rest.inputs[0])
                if rest is None or rest.inputs[1] != z_name or one is None or not (one == 1).all():
                    continue
                update, hidden = self._activated(z_name), self._activated(g_name)
                if update is None or hidden is None:
                    continue
                cell = self._gru_of(h, update, hidden)
                if cell is not None:
                    return cell
        return None

    def _gru_of(self, h: str, update: tuple[str, _Affine], hidden: tuple[str, _Affine]) -> Cell | None:
        act, form = hidden
        if form.scaled:
            return None
        after = len(form.plain) == 1
        reset_name = ""
        inner = _Affine()
        if after:  # reset * (h R + b)
            product = self._maker(form.plain[0], "Mul")
            for r_name, rest in _both_ways(product) if product is not None else ():
                affine = self._affine(rest)
                if affine is not None and set(affine.products) == {h} and not affine.scaled and not affine.plain:
                    reset_name, inner = r_name, affine
            form = _Affine(form.bias, form.products)
            if not reset_name or h in form.products:
                return None
            form.products = {**form.products, h: inner.products[h]}
        else:  # (reset * h) R
            for name in form.products:
                product = self._maker(name, "Mul")
                if product is not None and h in product.inputs:
                    reset_name = product.inputs[1] if product.inputs[0] == h else product.inputs[0]
                    form = _Affine(form.bias, {h if key == name else key: w for key, w in form.products.items()})
                    break
        reset = self._activated(reset_name) if reset_name else None
        if reset is None or reset[0] != update[0] or h not in form.products or len(form.products) > 2:
            return None
        forms = (update[1], reset[1], form)
        weighed = self._weighed(forms, h)
        if weighed is None or any(f.scaled for f in forms):
            return None
        recurrent_bias = _wide(inner.bias, self._units) if after else None
        states = (self._states.index(h),)
        zero = self._zero_start(h)
        return Cell(
            "GRU", *weighed[:1], states, *weighed[1:], (update[0], act), (), after, recurrent_bias, zero_start=zero
        )

    def _simple(self, h: str, end: str, left: dict[str, str]) -> Cell | None:
        gate = self._activated(end)
        weighed = None if gate is None or gate[1].scaled else self._weighed([gate[1]], h)
        if gate is None or weighed is None:
            return None
        states = (self._states.index(h),)
        return Cell("RNN", *weighed[:1], states, *weighed[1:], (gate[0],), zero_start=self._zero_start(h))

    def _weighed(
        self, forms: Sequence[_Affine], h: str
    ) -> tuple[int, tuple[Array, ...], tuple[Array, ...], tuple[Array, ...]] | None:
        """The source, and weights, recurrent weights and biases of gates that see one source and h."""
        sources = {name for form in forms for name in form.products} - {h}
        if len(sources) != 1 or any(form.plain for form in forms):
            return None
        (source,) = sources
        if source not in self._sources or self._body.specs[source].dtype != FLOAT32:
            return None
        shape = self._body.specs[source].shape
        if shape is None or len(shape) != 2:
            return None
        units = self._units
        width = next(form.products[source].shape[0] for form in forms if source in form.products)
        no_weights, no_recurrence = np.zeros((width, units), np.float32), np.zeros((units, units), np.float32)
        weights = tuple(form.products.get(source, no_weights) for form in forms)
        recurrent = tuple(form.products.get(h, no_recurrence) for form in forms)
        if any(w.shape != (width, units) for w in weights) or any(r.shape != (units, units) for r in recurrent):
            return None
        if any(np.size(form.bias) not in (1, units) for form in forms):
            return None
        return self._sources[source], weights, recurrent, tuple(_wide(form.bias, units) for form in forms)

    # What goes into an activation

    def _affine(self, name: str) -> _Affine | None:
        """A value as a sum; a part that is none of the known forms is kept as it is. None for sums of many terms."""
        if name not in self._forms:
            self._forms[name] = None  # also while it is worked out: chains without end are no cells
            if len(self._forms) < MAX_FORMS:
                found = self._sum_of(name)
                self._forms[name] = None if found is None or len(found.plain) > 1 else found
        return self._forms[name]

    def _sum_of(self, name: str) -> _Affine | None:
        held = self._constant(name)
        if held is not None:
            return _Affine(held.reshape(-1)) if held.size == max(held.shape, default=1) else None
        columns = self._columns(name)
        if columns is not None:
            whole = self._affine(columns[0])
            return None if whole is None else _cut(whole, *columns[1:])
        step = self._makers.get(name)
        if step is not None and step.op in ("Add", "AddV2", "BiasAdd"):
            left, right = self._affine(step.inputs[0]), self._affine(step.inputs[1])
            if step.attrs.get("data_format", b"NHWC") != b"NHWC" or left is None or right is None:
                return None
            return left.plus(right)
        if step is not None and step.op == "MatMul":
            return self._matmul(step)
        if step is not None and step.op == "Mul":
            for vector, value in _both_ways(step):
                scale = self._constant(vector)
                if scale is not None and scale.size == max(scale.shape, default=1):
                    return _Affine(scaled={value: scale.reshape(-1)})
        return _Affine(plain=(name,))

    def _matmul(self, step: Step) -> _Affine | None:
        weights = self._constant(step.inputs[1])
        if weights is None or weights.ndim != 2 or step.attrs.get("transpose_a"):
            return None
        if step.attrs.get("transpose_b"):
            weights = weights.T
        joined = self._maker(step.inputs[0], "ConcatV2")
        if joined is None:
            return _Affine(products={step.inputs[0]: weights})
        sizes = [(self._body.specs[part].shape or (None,))[-1] for part in joined.inputs[:-1]]
        if not self._is_last(joined.inputs[-1]):
            return None
        total, start = _Affine(), 0
        for part, size in zip(joined.inputs, sizes, strict=False):
            if size is None:
                return None
            total = total.plus(_Affine(products={part: weights[start : start + size]}))
            start += size
        return total

    def _columns(self, name: str) -> tuple[str, int, int] | None:
        """The value that a value is some columns of, and which."""
        step = self._makers.get(name)
        if step is None:
            return None
        if step.op == "StridedSlice":
            return self._sliced(step)
        axis = {"Split": 0, "SplitV": 2}.get(step.op)
        if axis is None or not self._is_last(step.inputs[axis]):
            return None
        start = 0
        for output in step.outputs:
            shape = self._body.specs[output].shape
            if shape is None or len(shape) != 2 or shape[1] is None:
                return None
            if output == name:
                return step.inputs[1 if step.op == "Split" else 0], start, start + shape[1]
            start += shape[1]
        return None

    def _sliced(self, step: Step) -> tuple[str, int, int] | None:
        """What `x[:, start:stop]` says."""
        bounds = [self._constant(name) for name in step.inputs[1:]]
        shape = self._body.specs[step.outputs[0]].shape
        kept = [step.attrs.get(f"{name}_mask", 0) for name in ("ellipsis", "new_axis", "shrink_axis")]
        begins, ends = step.attrs.get("begin_mask", 0), step.attrs.get("end_mask", 0)
        if any(held is None or held.shape != (2,) for held in bounds) or any(kept) or not begins & ends & 1:
            return None
        begin, _, strides = (held for held in bounds if held is not None)
        start = 0 if begins & 2 else int(begin[1])
        if shape is None or shape[1] is None or start < 0 or (strides != 1).any():
            return None
        return step.inputs[0], start, start + shape[1]

    def _is_last(self, axis: str) -> bool:
        """Whether a value is a constant that names the last dimension of a matrix."""
        held = self._constant(axis)
        return held is not None and held.size == 1 and int(held.item()) in (1, -1)


def _cut(form: _Affine, start: int, stop: int) -> _Affine:
    """Some columns of a sum whose parts are all known, or the sum unknown."""
    bias = form.bias if np.size(form.bias) == 1 else np.asarray(form.bias)[start:stop]
    products = {name: weights[:, start:stop] for name, weights in form.products.items()}
    scaled = {name: v if v.size == 1 else v[start:stop] for name, v in form.scaled.items()}
    return _Affine(bias, products, scaled, tuple(f"{name}[{start}:{stop}]" for name in form.plain))


def _wide(values: Array | float, units: int) -> Array:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float32).reshape(-1), (units,)))


def _both_ways(step: Step | None) -> tuple[tuple[str, str], tuple[str, str]] | tuple[()]:
    """The inputs of a sum or product, in both orders."""
    return () if step is None else ((step.inputs[0], step.inputs[1]), (step.inputs[1], step.inputs[0]))
