"""Whole models on ONNX Runtime, and split between it and numpy, against TensorFlow's answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import cryograph as cg
from cryograph.base.dtypes import FLOAT32
from cryograph.engines.engines import fold
from cryograph.engines.onnxruntime.engine import OnnxRuntime, lowered
from cryograph.engines.split import Auto
from cryograph.program.build import build_program
from tests.support.small_graphs import const, document_of, node, placeholder

Array = np.ndarray[Any, Any]


def weight_free_transposes(graph: Any) -> int:
    """Transposes of what is not a weight; weights are turned when the session is made."""
    still, count = set(graph.constants), 0
    for n in graph.nodes:
        if n.op == "Transpose":
            if n.inputs[0] in still:
                still.update(n.outputs)
            else:
                count += 1
    return count


@pytest.mark.parametrize("name", ["keras/mobilenet_v2", "keras/inception_v3", "keras/resnet50"])
def test_image_classifiers(make: Callable[[str], Any], name: str) -> None:
    made = make(name)
    case = made.cases[""]
    model = cg.load(made.path("frozen.pb"))
    predict = model.compile(list(case.outputs), list(case.inputs), engine="onnxruntime")
    answers = predict(case.inputs)
    for tensor, wanted in case.outputs.items():
        np.testing.assert_allclose(answers[tensor], wanted, rtol=0, atol=1e-5)
    # The picture is turned once; nothing else is, as the answer has no dimensions to turn.
    program = build_program(model, list(case.outputs), list(case.inputs), fold)
    assert weight_free_transposes(lowered(program)) == 1
    # The same numbers twice, and for each picture alone.
    again = predict({key: value[:1] for key, value in case.inputs.items()})
    for tensor, wanted in answers.items():
        np.testing.assert_allclose(again[tensor], wanted[:1], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(predict(case.inputs)[tensor], wanted)


@pytest.mark.parametrize("name", ["keras/mobilenet_v2", "keras/inception_v3", "keras/resnet50"])
def test_the_same_as_saved_model_and_as_graph_with_checkpoint(make: Callable[[str], Any], name: str) -> None:
    made = make(name)
    served = made.cases["serving_default"]
    answers = cg.load(made.path("saved_model")).compile(signature="serving_default", engine="onnxruntime")(
        served.inputs
    )
    for key, wanted in served.outputs.items():
        np.testing.assert_allclose(answers[key], wanted, rtol=0, atol=1e-5)
    first = made.cases["tf1"]
    model = cg.load(made.path("tf1", "graph.pb"), weights=made.path("tf1", "model.ckpt-1"))
    answers = model.compile(list(first.outputs), list(first.inputs), engine="onnxruntime")(first.inputs)
    for key, wanted in first.outputs.items():
        np.testing.assert_allclose(answers[key], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("folder", ["MTT_musicnn", "MSD_musicnn", "MTT_vgg", "MSD_vgg"])
def test_musicnn_is_one_session(make: Callable[[str], Any], fetch: Callable[..., Path], folder: str) -> None:
    case = make("real/musicnn").cases[folder]
    predict = cg.load(fetch("musicnn", folder)).compile(list(case.outputs), list(case.inputs))
    assert len(predict.pieces) == 1
    assert predict.pieces[0].startswith("onnxruntime: all ")
    answers = predict(case.inputs)
    for tensor, wanted in case.outputs.items():
        np.testing.assert_allclose(answers[tensor], wanted, rtol=0, atol=1e-5)


def test_basic_pitch_is_what_its_shipped_onnx_says(make: Callable[[str], Any], fetch: Callable[..., Path]) -> None:
    import onnxruntime

    case = make("real/basic_pitch").cases["serving_default"]
    folder = fetch("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp")
    answers = cg.load(folder).compile(signature="serving_default", engine="onnxruntime")(case.inputs)
    session = onnxruntime.InferenceSession(str(folder.with_name("nmp.onnx")), providers=["CPUExecutionProvider"])
    shipped = session.run(None, {session.get_inputs()[0].name: case.inputs["input_2"]})
    for key, wanted in case.outputs.items():
        # The logarithm of near silence magnifies rounding: TensorFlow and its own ONNX form differ by 5e-5.
        np.testing.assert_allclose(answers[key], wanted, rtol=0, atol=1e-4)
        assert min(np.abs(answers[key] - other).max() for other in shipped if other.shape == wanted.shape) < 1e-6


def test_nudity(make: Callable[[str], Any], fetch: Callable[..., Path]) -> None:
    model = cg.load(fetch("nudity", "retrained_graph.pb"))
    for case in make("real/nudity").cases.values():
        predict = model.compile(list(case.outputs), list(case.inputs), engine="onnxruntime")
        for tensor, answer in predict(case.inputs).items():
            wanted = case.outputs[tensor]
            np.testing.assert_allclose(answer, wanted, rtol=0, atol=2e-6 * max(1.0, float(np.abs(wanted).max())))


# --- branches and loops


def saved(function: Any, folder: Path, *specs: tf.TensorSpec) -> tuple[Any, list[str], list[str]]:
    """A model of a function, control flow kept as If, While and Case; its inputs and outputs."""
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    path = folder / "model.pb"
    path.write_bytes(concrete.graph.as_graph_def().SerializeToString())
    return cg.load(path), [t.name for t in concrete.inputs], [t.name for t in concrete.outputs]


WEIGHTS = np.random.default_rng(11).normal(size=(6, 6)).astype(np.float32) / 3


def branches(x: Any, flag: Any) -> Any:
    return tf.cond(flag, lambda: (x @ WEIGHTS, tf.shape(x)[0]), lambda: (tf.nn.relu(x), tf.constant(7)))


def nested(x: Any, flag: Any) -> Any:
    def inner() -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x @ WEIGHTS, lambda: -x)

    return tf.cond(flag, inner, lambda: x + 1)


def rounds(x: Any, flag: Any) -> Any:
    limit = tf.where(flag, 5, 3)
    weights = tf.constant(WEIGHTS)
    return tf.while_loop(
        lambda i, y, w: i < limit, lambda i, y, w: (i + 1, tf.tanh(y @ w) + x, w), (tf.constant(0), x, weights)
    )


def growing(x: Any, flag: Any) -> Any:
    """A loop whose value grows."""
    return tf.while_loop(
        lambda i, y: i < 3,
        lambda i, y: (i + 1, tf.concat([y, y[:1] * 2], 0)),
        (tf.constant(0), x),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 6])),
    )


def choices(x: Any, flag: Any) -> Any:
    index = tf.cast(tf.reduce_sum(x), tf.int32)
    return tf.switch_case(index, [lambda: x @ WEIGHTS, lambda: tf.nn.relu(x), lambda: x[:, ::-1]])


def with_numpy_inside(x: Any, flag: Any) -> Any:
    """A loop with singular values, which only numpy finds."""
    return tf.while_loop(
        lambda i, y: i < 4,
        lambda i, y: (i + 1, tf.tanh(y @ WEIGHTS) / tf.linalg.svd(y, compute_uv=False)[0]),
        (tf.constant(0), x),
    )


def chain(x: Any, flag: Any) -> Any:
    """Images in a branch."""
    image = tf.reshape(x, [1, -1, 6, 1])
    kernel = tf.constant(WEIGHTS[:3, :3].reshape(3, 3, 1, 1))
    return tf.cond(
        flag,
        lambda: tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME")), kernel, 1, "SAME"),
        lambda: image,
    )


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("function", [branches, nested, rounds, growing, choices, with_numpy_inside, chain])
def test_control_flow(function: Any, flag: bool, tmp_path: Path) -> None:
    model, inputs, outputs = saved(function, tmp_path, tf.TensorSpec([None, 6]), tf.TensorSpec([], tf.bool))
    program = build_program(model, outputs, inputs)
    whole = function is not with_numpy_inside
    assert (OnnxRuntime().missing(program) == []) == whole
    prepared = Auto().split(program)
    assert (prepared.pieces == (f"onnxruntime: all {len(program.steps)} steps",)) == whole
    if not whole:
        assert any("/body: onnxruntime: " in piece for piece in prepared.pieces)
    for seed, offset in ((0, 0.0), (1, 0.04), (2, 0.07)):
        x = (np.random.default_rng(seed).normal(size=(5, 6)) * 0.01 + offset).astype(np.float32)
        wanted = tf.nest.flatten(function(tf.constant(x), tf.constant(flag)))
        for mine, theirs in zip(prepared.run([x, np.asarray(flag)]), wanted, strict=True):
            assert mine.dtype == theirs.numpy().dtype
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5, atol=1e-5)


# --- what grappler fuses; TensorFlow lets nobody else write these ops


@pytest.mark.parametrize(
    ("tail", "function"),
    [
        ([b"BiasAdd"], lambda x: x),
        ([b"BiasAdd", b"Relu"], tf.nn.relu),
        ([b"BiasAdd", b"Relu6"], tf.nn.relu6),
        ([b"BiasAdd", b"Elu"], tf.nn.elu),
        ([b"BiasAdd", b"LeakyRelu"], lambda x: tf.nn.leaky_relu(x, 0.3)),
        ([b"BiasAdd", b"Tanh"], tf.tanh),
        ([b"BiasAdd", b"Sigmoid"], tf.sigmoid),
    ],
    ids=lambda value: "-".join(item.decode() for item in value) if isinstance(value, list) else "",
)
def test_fused_ops(tail: list[bytes], function: Any) -> None:
    rng = np.random.default_rng(4)
    x, bias = rng.normal(size=(2, 6, 6, 3)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    w, matrix = rng.normal(size=(3, 3, 3, 4)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32)
    common = {
        "T": FLOAT32,
        "TArgs": [FLOAT32],
        "num_args": 1,
        "fused_ops": tail,
        "epsilon": 0.0,
        "leakyrelu_alpha": 0.3,
    }
    document = document_of(
        placeholder("x", (None, 6, 6, 3)),
        placeholder("r", (None, 6)),
        const("w", w),
        const("b", bias),
        const("m", matrix),
        node("conv", "_FusedConv2D", "x", "w", "b", strides=[1, 1, 1, 1], padding="SAME", **common),
        node("dense", "_FusedMatMul", "r", "m", "b", **common),
    )
    run = OnnxRuntime().prepare(build_program(document, ["conv", "dense"], ["x", "r"]))
    row = x[0, 0, :, :2].T.copy()
    conv, dense = run([x, row])
    np.testing.assert_allclose(conv, function(tf.nn.conv2d(x, w, 1, "SAME") + bias).numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dense, np.asarray(function(row @ matrix + bias)), rtol=1e-5, atol=1e-5)


def test_fused_batch_norm_behind_a_convolution() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(2, 6, 6, 3)).astype(np.float32), rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    parts = [rng.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(4)]
    names = ["scale", "offset", "mean", "variance"]
    document = document_of(
        placeholder("x", (None, 6, 6, 3)),
        const("w", w),
        *(const(name, part) for name, part in zip(names, parts, strict=True)),
        node(
            "conv",
            "_FusedConv2D",
            "x",
            "w",
            *names,
            T=FLOAT32,
            TArgs=[FLOAT32] * 4,
            num_args=4,
            strides=[1, 1, 1, 1],
            padding="SAME",
            fused_ops=[b"FusedBatchNorm", b"Relu"],
            epsilon=0.001,
        ),
    )
    (answer,) = OnnxRuntime().prepare(build_program(document, ["conv"]))([x])
    scale, offset, mean, variance = parts
    plain = tf.nn.batch_normalization(tf.nn.conv2d(x, w, 1, "SAME"), mean, variance, offset, scale, 0.001)
    np.testing.assert_allclose(answer, tf.nn.relu(plain).numpy(), rtol=1e-5, atol=1e-5)
