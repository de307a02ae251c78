"""Rules that many ops share, and makers of such rules."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.shapes import Shape
from .facts import Call, Fact, Rule, broadcast, merge

Result = Sequence[Shape | Fact]


def same_as_input(call: Call) -> Result:
    """One output, or several, of the shape of the first input."""
    return [call.shape(0)] * len(call.outputs)


def passed_on(call: Call) -> Result:
    """Each output is the input of its number, handles and values too."""
    return list(call.inputs)


def broadcast_inputs(call: Call) -> Result:
    """All inputs stretched over each other."""
    return [broadcast(*(fact.shape for fact in call.inputs))] * len(call.outputs)


def merged_inputs(call: Call) -> Result:
    """All inputs have one shape, and the outputs too."""
    shape: Shape = None
    for fact in call.inputs:
        shape = merge(shape, fact.shape)
    return [shape] * len(call.outputs)


def merged_first_two(call: Call) -> Result:
    """The first two inputs have one shape, and the outputs too: gradients of activations."""
    return [merge(call.shape(0), call.shape(1))] * len(call.outputs)


def scalars(call: Call) -> Result:
    """Every output is a scalar."""
    return [()] * len(call.outputs)


def vectors(call: Call) -> Result:
    """Every output is a vector of unknown length."""
    return [(None,)] * len(call.outputs)


def nothing_known(call: Call) -> Result:
    """The shapes of the outputs cannot be known before the op runs."""
    return [None] * len(call.outputs)


def like(*indices: int) -> Rule:
    """Output k has the shape of input `indices[k]`; the last index stands for all further outputs."""

    def rule(call: Call) -> Result:
        count = len(call.outputs)
        return [call.shape(indices[min(i, len(indices) - 1)]) for i in range(count)]

    return rule


def fixed(*shapes: Shape) -> Rule:
    """The outputs have these shapes, whatever comes in."""

    def rule(call: Call) -> Result:
        return shapes

    return rule


def of_rank(rank: int) -> Rule:
    """The first input has `rank` dimensions, and the outputs its shape."""

    def rule(call: Call) -> Result:
        return [call.ranked(0, rank)] * len(call.outputs)

    return rule


def of_rank_at_least(rank: int) -> Rule:
    """The first input has `rank` dimensions or more, and the outputs its shape."""

    def rule(call: Call) -> Result:
        return [call.at_least(0, rank)] * len(call.outputs)

    return rule


def shape_attribute(name: str) -> Rule:
    """The outputs have the shape in an attribute."""

    def rule(call: Call) -> Result:
        return [call.shape_attr(name)] * len(call.outputs)

    return rule


def shape_list_attribute(name: str) -> Rule:
    """Each output has its shape in a list attribute; unknown where the list is shorter."""

    def rule(call: Call) -> Result:
        shapes = call.shapes_attr(name)
        return [shapes[i] if i < len(shapes) else None for i in range(len(call.outputs))]

    return rule


def shape_input(index: int) -> Rule:
    """The outputs have the shape that the values of an input say."""

    def rule(call: Call) -> Result:
        return [call.dims(index)] * len(call.outputs)

    return rule


def every(rule: Rule, names: str) -> dict[str, Rule]:
    """One rule for many ops, whose names stand in one text."""
    return dict.fromkeys(names.split(), rule)


def held(call: Call, index: int = 0) -> Shape:
    """The shape of what the handle in an input refers to."""
    holds = call.inputs[index].holds
    return holds[0].shape if holds else None
