"""Complex numbers and bfloat16 on ONNX Runtime: what comes in and goes out, what is carried round loops."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from cryograph.base.dtypes import FLOAT32, INT32, dtype_of
from cryograph.base.tensors import Tensor
from cryograph.engines.onnxruntime.engine import OnnxRuntime
from cryograph.engines.onnxruntime.values import joined_parts, split_parts
from cryograph.program.build import build_program
from cryograph.program.program import Program, Spec, Step
from tests.support.small_graphs import const, document_of, ints, node, placeholder

C64, BF16 = dtype_of("complex64"), dtype_of("bfloat16")
RNG = np.random.default_rng(3)

MEL = RNG.uniform(size=(201, 40)).astype(np.float32)

STFT = document_of(
    placeholder("x", (None, 400)),
    const("window", np.hanning(400)),
    node("frames", "Mul", "x", "window", T=FLOAT32),
    ints("length", [400]),
    node("spectrum", "RFFT", "frames", "length", Treal=FLOAT32, Tcomplex=C64),
    node("size", "ComplexAbs", "spectrum", T=C64, Tout=FLOAT32),
    const("mel", MEL),
    node("bands", "MatMul", "size", "mel", T=FLOAT32),
    node("back", "IRFFT", "spectrum", "length", Treal=FLOAT32, Tcomplex=C64),
)


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(np.complex64)


def test_a_front_end_of_an_audio_model_is_wholly_lowered() -> None:
    run = OnnxRuntime().prepare(build_program(STFT, ["bands", "spectrum", "back"]))
    x = RNG.normal(size=(7, 400)).astype(np.float32)
    bands, spectrum, back = run([x])
    frames = x.astype(np.float64) * np.hanning(400)
    wanted = np.fft.rfft(frames)
    assert spectrum.dtype == np.complex64
    np.testing.assert_allclose(spectrum, wanted, atol=1e-5 * np.abs(wanted).max())
    np.testing.assert_allclose(back, frames, atol=1e-5)
    np.testing.assert_allclose(bands, np.abs(wanted) @ MEL, rtol=1e-4)


def test_complex_values_come_in_go_out_and_are_handed_through() -> None:
    held = numbers(3)
    document = document_of(
        placeholder("z", (None, 3), C64),
        const("w", held, dtype=np.complex64),
        node("y", "Mul", "z", "w", T=C64),
    )
    run = OnnxRuntime().prepare(build_program(document, ["y", "z", "w", "y"]))
    z = numbers(2, 3)
    for given in (z, np.asfortranarray(z), numbers(4, 6)[::2, ::2]):
        y, first, w, again = run([given])
        assert first is given
        np.testing.assert_array_equal(w, held)
        np.testing.assert_allclose(y, given * held, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(y, again)


def test_the_seam_copies_nothing() -> None:
    z = numbers(2, 3)
    pairs = split_parts(z)
    assert pairs.shape == (2, 3, 2)
    assert np.shares_memory(pairs, z)
    assert np.shares_memory(joined_parts(pairs), z)
    np.testing.assert_array_equal(joined_parts(pairs), z)
    for shape in ((), (0, 3), (1,)):
        np.testing.assert_array_equal(joined_parts(split_parts(numbers(*shape))).shape, shape)


def turning(turns: int) -> Program:
    """A loop that multiplies a complex vector by another, `turns` times."""
    i, z, w = (Spec(INT32, ()), Spec(C64, (None,)), Spec(C64, (None,)))
    one, last = Tensor.of(np.asarray(1, np.int32)), Tensor.of(np.asarray(turns, np.int32))
    body = Program(
        ("i:0", "z:0", "w:0"),
        ("j:0", "y:0", "w:0"),
        (Step("j", "Add", ("i:0", "one:0"), ("j:0",), {}), Step("y", "Mul", ("z:0", "w:0"), ("y:0",), {})),
        {"one:0": one},
        {"i:0": i, "z:0": z, "w:0": w, "j:0": i, "y:0": z, "one:0": i},
    )
    cond = Program(
        ("i:0", "z:0", "w:0"),
        ("less:0",),
        (Step("less", "Less", ("i:0", "last:0"), ("less:0",), {}),),
        {"last:0": last},
        {"i:0": i, "z:0": z, "w:0": w, "last:0": i, "less:0": Spec(dtype_of("bool"), ())},
    )
    loop = Step("loop", "While", ("i:0", "z:0", "w:0"), ("a:0", "b:0", "c:0"), {}, {"cond": cond, "body": body})
    specs = {"i:0": i, "z:0": z, "w:0": w, "a:0": i, "b:0": z, "c:0": w}
    return Program(("i:0", "z:0", "w:0"), ("b:0",), (loop,), {}, specs)


def test_loops_carry_complex_numbers() -> None:
    z, w = numbers(5), numbers(5)
    (answer,) = OnnxRuntime().prepare(turning(3))([np.asarray(0, np.int32), z, w])
    np.testing.assert_allclose(answer, z * w**3, rtol=1e-5)


def test_bfloat16_comes_in_is_rounded_at_each_step_and_goes_out() -> None:
    held = RNG.normal(size=(200,)).astype(ml_dtypes.bfloat16)
    document = document_of(
        placeholder("x", (None, 200), BF16),
        const("w", held, dtype=ml_dtypes.bfloat16),
        node("sum", "AddV2", "x", "w", T=BF16),
        node("y", "Mul", "sum", "sum", T=BF16),
        node("turned", "Transpose", "y", "perm", T=BF16, Tperm=INT32),
        ints("perm", [1, 0]),
    )
    run = OnnxRuntime().prepare(build_program(document, ["turned", "w", "x"]))
    x = RNG.normal(size=(3, 200)).astype(ml_dtypes.bfloat16)
    turned, w, given = run([x])
    assert given is x
    assert turned.dtype == w.dtype == x.dtype
    np.testing.assert_array_equal(w, held)
    np.testing.assert_array_equal(turned, ((x + held) * (x + held)).T)
