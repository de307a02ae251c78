"""Random ops that the reference engine draws while a compiled program waits for it: those that draw again until a
number is good, and samplers of classes. The numbers are its own; derivatives do not pass.

What has 64 bits is handed over as words of 32: the thread in which JAX asks knows of no wider numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...base.dtypes import INT64
from ...base.errors import Error, RunError
from ...base.tensors import Array
from ...program.generators import DRAW, LEARN, LEARNING
from ...program.program import Step
from ..numpy import rules
from ..numpy.context import Context, Rule
from ..numpy.draws import sizes_of_shape
from ..numpy.forms import of_signature
from ..numpy.resuming import RESERVED
from .context import JaxContext, check, known
from .random import U64, State, choices, shuffled, words_of_run

Sizes = Sequence[tuple[int, ...]]
Shapes = Callable[[Sequence[Any], Mapping[str, Any]], Sizes]
"""The shapes of an op's outputs, from its inputs and attributes."""


def ask(ctx: JaxContext, op: str, shapes: Sizes, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the reference engine gives for an op. A compiled program that it refuses goes on with zeros, and is told."""
    step = Step(ctx.step.name, op, ctx.step.inputs, ctx.step.outputs, attrs)
    context = Context(np, step, ctx.output_dtypes, _no_bodies)
    kinds = [ctx.kind(place) for place in range(len(shapes))]
    given = [(x.shape, x.dtype) for x in inputs]

    def asked(*words: Any) -> list[Array]:
        arrays = [_wide(np.asarray(x), *how) for x, how in zip(words, given, strict=True)]
        try:
            made = rules.RULES[op](context, *arrays, **attrs)
            fails = False
        except Error:
            made = [np.zeros(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]
            fails = True
        listed = made if isinstance(made, tuple | list) else (made,)
        return [np.array(fails), *(_narrow(np.asarray(x, kind)) for x, kind in zip(listed, kinds, strict=True))]

    said = [ctx.jax.ShapeDtypeStruct((), bool)]
    for shape, kind in zip(shapes, kinds, strict=True):
        is_wide = kind.itemsize == 8
        said.append(ctx.jax.ShapeDtypeStruct((*shape, 2) if is_wide else shape, np.uint32 if is_wide else kind))
    fails, *made = ctx.jax.pure_callback(asked, said, *(_words(ctx, x) for x in inputs))
    check(fails, "the numbers that it was given are not what it takes")
    return tuple(
        ctx.lax.bitcast_convert_type(x, kind) if kind.itemsize == 8 else x for x, kind in zip(made, kinds, strict=True)
    )


def _no_bodies(name: str, values: Sequence[Array]) -> list[Array]:
    raise RunError(f"the body {name} is not run here")


def _words(ctx: JaxContext, x: Any) -> Any:
    held = ctx.xp.asarray(x)
    return ctx.lax.bitcast_convert_type(held, np.uint32) if held.dtype.itemsize == 8 else held


def _wide(words: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    return np.ascontiguousarray(words).view(dtype).reshape(shape) if dtype.itemsize == 8 else words


def _narrow(x: Array) -> Array:
    return np.ascontiguousarray(x)[..., None].view(np.uint32) if x.dtype.itemsize == 8 else x


def _draw(ctx: JaxContext, state: Any, *inputs: Any, op: str, said: Mapping[str, Any]) -> tuple[Any, ...]:
    """The generator goes before, and comes out first."""
    own = OWN.get(op)
    if own is None:
        shapes = [(3,), *SHAPES[op](inputs, said)]
        return ask(ctx, DRAW, shapes, [state, *inputs], {"op": op, "said": said})
    held = ctx.xp.asarray(state)
    low, high, key = (held[place].astype(U64) for place in range(3))
    made = own(State(ctx, key, low, high), ctx.kind(1), *inputs)
    after = low + U64(RESERVED[op]([*inputs[:-1], known(inputs[-1])] if op == "Multinomial" else inputs, said))
    carried = high + (after < low).astype(U64)
    return held.at[:2].set(ctx.xp.stack([after, carried]).astype(np.int64)), made


def _crop(state: State, kind: np.dtype[Any], image: Any, size: Any) -> Any:
    xp, lengths = state.ctx.xp, known(size)
    if image.ndim != 3 or lengths.shape != (2,):
        raise RunError(f"a picture (H, W, C) and a height and width were expected, not {list(image.shape)}")
    tall, wide = lengths.tolist()
    height, width = image.shape[:2]
    if not (0 <= tall <= height and 0 <= wide <= width):
        raise RunError(f"a crop of {tall} times {wide} pixels is larger than the picture, {height} times {width}")
    words = state.some(1)[0].astype(np.int64)
    left = words[0] % (width - wide + 1)
    top = words[int(width > wide)] % (height - tall + 1)
    return state.ctx.lax.dynamic_slice(xp.asarray(image), [top, left, 0], [tall, wide, image.shape[2]])


OWN: dict[str, Callable[..., Any]] = {
    "Multinomial": lambda state, kind, logits, count: choices(state, logits, count, kind),
    "RandomCrop": _crop,
    "RandomShuffle": lambda state, kind, value: shuffled(state, value),
}
"""Ops that a compiled program draws itself."""


def _learn(ctx: JaxContext, counts: Any, *inputs: Any, op: str, said: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is learned goes before, and comes out first."""
    shapes = [(max(int(said["range_max"]), 0),), *[(3,)] * (len(inputs) - 1), *SHAPES[op](inputs, said)]
    if len(inputs) > 1:
        return ask(ctx, LEARN, shapes, [counts, *inputs], {"op": op, "said": said})
    dtypes = (ctx.output_dtypes[0], INT64, *ctx.output_dtypes[1:])
    held = replace(ctx, output_dtypes=dtypes)
    shapes.insert(1, (3,))
    made = ask(held, LEARN, shapes, [counts, words_of_run(ctx), *inputs], {"op": op, "said": said})
    return made[0], *made[2:]


def _anew(op: str) -> Rule:
    """The op by itself, which begins as its seeds say, and anew with each run without any."""

    def rule(ctx: JaxContext, *inputs: Any, **attrs: Any) -> Any:
        seeds = [attrs.pop(name, 0) for name in ("seed2", "seed")]
        state = np.array([0, *seeds], np.int64) if any(seeds) else words_of_run(ctx)
        held = replace(ctx, output_dtypes=(INT64, *ctx.output_dtypes))
        if op in LEARNING:
            held = replace(held, output_dtypes=(INT64, *held.output_dtypes))
            made = _learn(held, np.zeros(0, np.int64), state, *inputs, op=op, said=attrs)[2:]
        else:
            made = _draw(held, state, *inputs, op=op, said=attrs)[1:]
        return made if len(made) > 1 else made[0]

    return of_signature(rule, rules.RULES[op])


def _asked(op: str, shapes: Shapes) -> Rule:
    """An op whose seeds, or whose state, are among its inputs."""

    def rule(ctx: JaxContext, *inputs: Any, **attrs: Any) -> Any:
        made = ask(ctx, op, shapes(inputs, attrs), inputs, attrs)
        return made if len(made) > 1 else made[0]

    return of_signature(rule, rules.RULES[op])


def _shape_of(place: int) -> Shapes:
    return lambda inputs, attrs: [tuple(sizes_of_shape(known(inputs[place])))]


def _shape_each(inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Sizes:
    return [(*sizes_of_shape(known(inputs[0])), *inputs[1].shape)]


def _sampled(inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Sizes:
    count = (max(int(attrs["num_sampled"]), 0),)
    return [count, tuple(inputs[-1].shape), count]


def _boxes(inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Sizes:
    return [(3,), (3,), (1, 1, 4)]


def _binomial(inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Sizes:
    return [tuple(inputs[0].shape), tuple(sizes_of_shape(known(inputs[2])))]


SHAPES: dict[str, Shapes] = {
    "AllCandidateSampler": _sampled,
    "FixedUnigramCandidateSampler": _sampled,
    "LearnedUnigramCandidateSampler": _sampled,
    "LogUniformCandidateSampler": _sampled,
    "ParameterizedTruncatedNormal": _shape_of(0),
    "RandomGamma": _shape_each,
    "RandomPoisson": _shape_each,
    "RandomPoissonV2": _shape_each,
    "SampleDistortedBoundingBox": _boxes,
    "SampleDistortedBoundingBoxV2": _boxes,
    "ThreadUnsafeUnigramCandidateSampler": _sampled,
    "UniformCandidateSampler": _sampled,
}
"""Ops that have a generator of their own."""

WITH_SEEDS: dict[str, Shapes] = {
    "StatefulRandomBinomial": _binomial,
    "StatelessParameterizedTruncatedNormal": _shape_of(0),
    "StatelessRandomBinomial": _shape_of(0),
    "StatelessRandomGammaV2": _shape_of(0),
    "StatelessRandomGammaV3": _shape_of(0),
    "StatelessRandomPoisson": _shape_of(0),
    "StatelessSampleDistortedBoundingBox": _boxes,
}

RULES: dict[str, Rule] = {
    DRAW: _draw,
    LEARN: _learn,
    **{op: _anew(op) for op in (*SHAPES, "RandomCrop")},
    **{op: _asked(op, shapes) for op, shapes in WITH_SEEDS.items()},
}

ANEW = frozenset({*SHAPES, "RandomCrop", LEARN})
"""Ops that may draw other numbers with each run."""
