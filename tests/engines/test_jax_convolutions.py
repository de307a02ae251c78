"""How the engine `jax` convolves: by spectra where that pays, with the answers of the reference engine."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from cryograph.engines.jax import engine, spectral
from cryograph.engines.jax.context import JaxContext
from cryograph.engines.jax.engine import Jax, Traced
from cryograph.engines.numpy.engine import Numpy
from cryograph.engines.numpy.windows import plan
from tests.support.op_cases import Case, assert_answers, case, feeds_of, floats, program_of

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "even lengths": ((3, 12, 10, 2), (5, 3, 2, 4), {"padding": b"SAME"}),
    "odd lengths": ((2, 9, 7, 3), (3, 5, 3, 2), {"padding": b"SAME"}),
    "padding of its own": (
        (2, 6, 7, 3),
        (4, 5, 3, 2),
        {"padding": b"EXPLICIT", "explicit_paddings": [0, 0, 3, 1, 0, 2, 0, 0]},
    ),
    "channels first": ((2, 3, 8, 8), (4, 3, 3, 2), {"padding": b"SAME", "data_format": b"NCHW"}),
    "filters of the picture's size": ((2, 5, 6, 3), (5, 6, 3, 2), {"padding": b"VALID"}),
}


def three(name: str) -> list[Case]:
    """A convolution, and its gradients for the input and for the filters."""
    shape, sizes, attrs = SHAPES[name]
    x, w, attrs = floats(*shape, low=-1, high=3), floats(*sizes), {"strides": [1, 1, 1, 1], **attrs}
    forward = case("Conv2D", x, w, **attrs)
    back = floats(*Numpy().prepare(program_of(forward))(feeds_of(forward))[0].shape, seed=1, low=-1, high=3)
    return [
        forward,
        case("Conv2DBackpropInput", np.array(shape, np.int32), w, back, fixed=(0,), **attrs),
        case("Conv2DBackpropFilter", x, np.array(sizes, np.int32), back, fixed=(1,), **attrs),
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_spectra_give_the_answers_of_sliding_filters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, real = [], spectral.convolve
    monkeypatch.setattr(spectral, "pays", lambda *_: True)
    monkeypatch.setattr(spectral, "convolve", lambda *given: chosen.append(name) or real(*given))
    for made in three(name):
        answers = Numpy().prepare(program_of(made))(feeds_of(made))
        assert_answers(made, Jax().prepare(program_of(made, answers))(feeds_of(made)), answers)
    assert chosen == [name] * 3


ONE_CHANNEL: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], list[int]]] = {
    "a picture of one channel": ("Conv2D", (2, 7, 8, 1), (3, 4, 1, 5), [1, 2, 1, 1]),
    "each channel by itself": ("DepthwiseConv2dNative", (2, 7, 6, 3), (3, 3, 3, 1), [1, 2, 2, 1]),
    "two filters for each channel": ("DepthwiseConv2dNative", (2, 5, 6, 3), (2, 3, 3, 2), [1, 1, 1, 1]),
    "groups": ("Conv2D", (2, 5, 6, 6), (3, 3, 2, 9), [1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", ONE_CHANNEL)
def test_derivatives_are_the_gradients_of_the_ops(name: str) -> None:
    op, shape, sizes, strides = ONE_CHANNEL[name]
    x, w, attrs = floats(*shape), floats(*sizes, seed=1), {"strides": strides, "padding": b"SAME"}
    forward = case(op, x, w, **attrs)
    traced = Traced(program_of(forward))
    made, turned = jax.vjp(lambda *given: traced.call(given, traced.big, traced.seeds())[0], x, w)
    back = floats(*made.shape, seed=2)
    gradients = [
        case(f"{op}BackpropInput", np.array(shape, np.int32), w, back, fixed=(0,), **attrs),
        case(f"{op}BackpropFilter", x, np.array(sizes, np.int32), back, fixed=(1,), **attrs),
    ]
    for asked, found in zip([forward, *gradients], [made, *turned(back)], strict=True):
        assert_answers(asked, [np.asarray(found)], Numpy().prepare(program_of(asked))(feeds_of(asked)))


def pays(x: tuple[int, ...], sizes: tuple[int, ...], dtype: Any = np.float32, stride: int = 1, gap: int = 1) -> bool:
    windows = plan(x[1:-1], sizes[:-2], (stride,) * (len(x) - 2), b"SAME", (gap,) * (len(x) - 2))
    context = JaxContext(jax.numpy, None, (), lambda name, values: [], jax, None, ())  # type: ignore[arg-type]
    return spectral.pays(context, jax.ShapeDtypeStruct(x, dtype), sizes, windows)


def test_where_spectra_pay() -> None:
    assert pays((64, 14, 14, 32), (5, 5, 32, 64))
    assert pays((32, 28, 28, 32), (7, 7, 32, 32))
    assert not pays((64, 14, 14, 32), (3, 3, 32, 64))  # too few elements in a filter
    assert not pays((1, 14, 14, 32), (5, 5, 32, 64))  # too few pictures for a transform of the filters
    assert not pays((64, 28, 28, 16), (5, 5, 16, 32))  # too few channels
    assert not pays((64, 112, 112, 32), (7, 7, 32, 32))  # more than the cache holds
    assert not pays((64, 14, 14, 32), (5, 5, 32, 64), np.float64)
    assert not pays((64, 14, 14, 32), (5, 5, 32, 64), stride=2)
    assert not pays((64, 14, 14, 32), (5, 5, 32, 64), gap=2)
    assert not pays((64, 14, 14, 64), (5, 5, 32, 64))  # groups
    assert not pays((8, 14, 14, 14, 32), (5, 5, 5, 32, 64))


def test_derivatives_of_the_largest_go_to_the_first_of_equal_ones() -> None:
    x, attrs = np.round(floats(2, 7, 6, 3)), {"ksize": [1, 3, 2, 1], "strides": [1, 2, 2, 1], "padding": b"SAME"}
    traced = Traced(program_of(case("MaxPool", x, **attrs)))
    made, turned = jax.vjp(lambda given: traced.call([given], traced.big, traced.seeds())[0], x)
    back = floats(*made.shape, seed=2)
    asked = case("MaxPoolGrad", x, np.asarray(made), back, **attrs)
    assert_answers(asked, [np.asarray(turned(back)[0])], Numpy().prepare(program_of(asked))(feeds_of(asked)))


def test_options_of_the_compiler_are_left_alone_where_they_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = engine.compiler_options.__wrapped__
    monkeypatch.setattr(engine, "YNN", "xla_cpu_experimental_something_else")
    assert ask(jax) is None  # XLA refuses what it does not know
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_something_else=x")
    monkeypatch.setattr(jax, "jit", None)
    assert ask(jax) is None  # somebody has chosen, and nothing is tried
