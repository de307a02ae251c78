"""TensorFlow.js graph models: laid out here as its converter lays them out, and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import DTYPES, FLOAT32, RESOURCE, STRING, dtype_of
from cryograph.base.errors import DamagedError, FileError, FormatError, LimitError, WrongKindError
from cryograph.graph.attrs import FuncRef
from cryograph.graph.graph import Function, Graph
from cryograph.graph.node import Node
from cryograph.wire import messages as pb
from tests.support.tfjs_files import write_tfjs

PRODUCT = {"T": FLOAT32, "transpose_a": False, "transpose_b": False}


def const(name: str, value: Any) -> Node:
    array = np.asarray(value)
    dtype = STRING if array.dtype == object else dtype_of(array.dtype)
    return Node.make(name, "Const", attrs={"dtype": dtype, "value": array})


def placeholder(name: str, *shape: int | None) -> Node:
    return Node.make(name, "Placeholder", attrs={"dtype": FLOAT32, "shape": shape})


def product(weights: np.ndarray) -> Graph:
    """`y = x @ w`."""
    return Graph(
        [placeholder("x", None, len(weights)), const("w", weights), Node.make("y", "MatMul", ["x", "w"], PRODUCT)]
    )


def said(**tensors: str) -> dict[str, Any]:
    return {key: {"name": name, "dtype": "DT_FLOAT", "tensorShape": {"dim": []}} for key, name in tensors.items()}


WEIGHTS = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)


@pytest.mark.parametrize("shard_size", [100_000, 1000, 77])
def test_a_model_opens_and_runs(tmp_path: Path, shard_size: int) -> None:
    signature = {"inputs": said(image="x:0"), "outputs": said(answer="y:0")}
    write_tfjs(tmp_path, product(WEIGHTS), shard_size=shard_size, signature=signature)
    model = cg.load(tmp_path)
    value = model.graph.nodes["w"].attr("value")
    assert not value.is_loaded
    assert (value.content is not None) == (shard_size == 100_000)
    assert np.array_equal(value.numpy(), WEIGHTS)
    assert model.kind == "tfjs"
    assert model.signature().inputs["image"].tensor == "x:0"
    assert model.signature().outputs["answer"].tensor == "y:0"
    x = np.ones((2, 40), np.float32)
    np.testing.assert_allclose(model.compile("y")(x)["y"], x @ WEIGHTS, rtol=1e-5)
    model.save(f"{tmp_path}/saved/")
    again = cg.load(tmp_path / "saved")
    assert again.signature("serving_default").inputs["image"].tensor == "x:0"
    np.testing.assert_allclose(again.compile("y")(x)["y"], x @ WEIGHTS, rtol=1e-5)
    assert "a TensorFlow.js graph model" in str(cg.inspect(tmp_path / "model.json"))


def test_a_model_is_read_from_afar(tmp_path: Path) -> None:
    write_tfjs(tmp_path, product(WEIGHTS), {"w": "uint8"})
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/*", "/tfjs/", recursive=True)
    far, near = (
        cg.load(f"{folder}/model.json").graph.nodes["w"].attr("value") for folder in ("memory://tfjs", tmp_path)
    )
    assert np.array_equal(far.numpy(), near.numpy())


def test_older_files_keep_the_signature_among_the_metadata(tmp_path: Path) -> None:
    signature = {"inputs": said(image="x:0"), "outputs": said(answer="y:0")}
    write_tfjs(tmp_path, product(WEIGHTS), userDefinedMetadata={"signature": signature})
    assert cg.load(tmp_path).signature().outputs["answer"].tensor == "y:0"
    write_tfjs(tmp_path, product(WEIGHTS))
    assert not cg.load(tmp_path).signatures


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16"])
@pytest.mark.parametrize("shard_size", [100_000, 77])
def test_quantised_weights_are_made_whole_when_they_are_asked_for(tmp_path: Path, kind: str, shard_size: int) -> None:
    write_tfjs(tmp_path, product(WEIGHTS), {"w": kind}, shard_size)
    value = cg.load(tmp_path).graph.nodes["w"].attr("value")
    assert not value.is_loaded
    found = value.numpy()
    assert found.dtype == np.float32
    step = np.ptp(WEIGHTS) / np.iinfo(kind).max if kind != "float16" else 2e-3
    assert 0 < np.abs(found - WEIGHTS).max() <= 0.51 * step
    if kind != "float16":  # computed in doubles, rounded once
        entry = json.loads((tmp_path / "model.json").read_text())["weightsManifest"][0]["weights"][0]["quantization"]
        numbers = np.round((WEIGHTS.astype(np.float64) - entry["min"]) / entry["scale"])
        assert np.array_equal(found, (numbers * entry["scale"] + entry["min"]).astype(np.float32))


def test_quantised_integers_are_rounded_with_halves_going_up(tmp_path: Path) -> None:
    write_tfjs(tmp_path, Graph([const("n", np.array([0, 1, 2, 3], np.int32))]), {"n": "uint8"})
    edit(tmp_path, lambda m: entry_of(m)["quantization"].update(scale=0.5, min=-1.0))
    (tmp_path / "group1-shard1of1.bin").write_bytes(bytes([0, 1, 2, 3]))
    assert cg.load(tmp_path).graph.nodes["n"].attr("value").numpy().tolist() == [-1, 0, 0, 1]
    for scale in (2e9, 1.7e308):
        edit(tmp_path, lambda m, scale=scale: entry_of(m)["quantization"].update(scale=scale))
        with pytest.raises(DamagedError, match="the weight 'n': its values do not fit int32"):
            cg.load(tmp_path).graph.nodes["n"].attr("value").numpy()


@pytest.mark.parametrize(
    "value",
    [
        *(np.arange(6).reshape(2, 3).astype(name) for name in ("float32", "int32", "complex64", "float16", "uint8")),
        *(np.arange(3).astype(name) for name in ("uint16", "int64", "float64", "complex128", "bool")),
        np.array(3, np.int64),
        np.zeros((0, 3), np.float32),
        np.array([[b"one", b""], [b"\0three\0", b"x" * 70_000]], object),
        np.array(b"alone", object),
        np.zeros((0,), object),
    ],
    ids=lambda v: f"{v.dtype}{v.shape}",
)
@pytest.mark.parametrize("shard_size", [100_000, 101])
def test_every_dtype_comes_as_its_node_says(tmp_path: Path, value: np.ndarray, shard_size: int) -> None:
    graph = Graph([const("first", np.arange(5, dtype=np.int32)), const("c", value), const("last", WEIGHTS[:2])])
    write_tfjs(tmp_path, graph, shard_size=shard_size)
    model = cg.load(tmp_path)
    found = model.graph.nodes["c"].attr("value").numpy()
    assert found.dtype == value.dtype
    assert found.shape == value.shape
    assert found.tolist() == value.tolist()
    assert np.array_equal(model.graph.nodes["last"].attr("value").numpy(), WEIGHTS[:2])


def test_constants_in_functions_have_their_values_in_the_shards_too(tmp_path: Path) -> None:
    proto = pb.FunctionDef()
    proto.signature.name = "f"
    proto.signature.input_arg.add(name="a", type=1)
    proto.signature.output_arg.add(name="o", type=1)
    proto.ret["o"] = "p:product:0"
    fused = {**PRODUCT, "fused_ops": [b"BiasAdd", b"Relu"], "num_args": 1}
    body = [
        const("f/w", WEIGHTS),
        const("f/b", WEIGHTS[0]),
        Node.make("p", "_FusedMatMul", ["a", "f/w:output:0", "f/b:output:0"], fused),
    ]
    call = Node.make("y", "PartitionedCall", ["x"], {"Tin": [FLOAT32], "Tout": [FLOAT32], "f": FuncRef("f")})
    write_tfjs(tmp_path, Graph([placeholder("x", None, 40), call], [Function(proto, body)]))
    model = cg.load(tmp_path)
    assert [node.op for node in model.graph.functions["f"]] == ["Const", "Const", "MatMul", "BiasAdd", "Relu"]
    assert model.graph.functions["f"].returns == {"o": "p:activations:0"}
    x = np.random.default_rng(1).standard_normal((2, 40)).astype(np.float32)
    expected = np.maximum(x @ WEIGHTS + WEIGHTS[0], 0)
    np.testing.assert_allclose(model.compile("y")(x)["y"], expected, rtol=1e-4, atol=1e-5)


# --- what the converter fuses

CONV = {"T": FLOAT32, "strides": [1, 1, 1, 1], "padding": b"SAME", "data_format": b"NHWC", "dilations": [1, 1, 1, 1]}
IMAGE = np.random.default_rng(2).standard_normal((1, 5, 5, 2)).astype(np.float32)
BIAS = np.array([0.5, -0.5], np.float32)
NORM = [np.array(v, np.float32) for v in ([1.5, 0.5], [0.1, -0.2], [0.3, 0.4], [0.9, 1.1])]


def activated(x: np.ndarray, name: str) -> np.ndarray:
    if name == "Prelu":
        return np.where(x > 0, x, 0.25 * x)
    if name == "LeakyRelu":
        return np.where(x > 0, x, np.float32(0.3) * x)
    known: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "": lambda v: v,
        "Relu": lambda v: np.maximum(v, 0),
        "Relu6": lambda v: np.clip(v, 0, 6),
        "Elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
        "Tanh": np.tanh,
        "Sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    }
    return known[name](x)


@pytest.mark.parametrize("op", ["_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul"])
@pytest.mark.parametrize("name", ["", "Relu", "Relu6", "Elu", "Tanh", "Sigmoid", "LeakyRelu", "Prelu"])
def test_fused_ops_come_apart_and_compute_the_same(tmp_path: Path, op: str, name: str) -> None:
    kernel = np.array([[[[1, 2], [3, -4]]]], np.float32)
    plain = {
        "_FusedConv2D": IMAGE @ kernel[0, 0],
        "FusedDepthwiseConv2dNative": IMAGE * np.array([1, 2], np.float32),
        "_FusedMatMul": IMAGE[0, 0] @ kernel[0, 0],
    }[op]
    taken = {"_FusedMatMul": kernel[0, 0], "FusedDepthwiseConv2dNative": kernel[:, :, :1].reshape(1, 1, 2, 1)}
    tail = [b"BiasAdd", *([name.encode()] if name else [])]
    attrs = {**(PRODUCT if op == "_FusedMatMul" else CONV), "fused_ops": tail, "num_args": len(tail)}
    attrs |= {"epsilon": 0.0, "leakyrelu_alpha": 0.3}
    graph = Graph(
        [
            Node.make("x", "Placeholder", attrs={"dtype": FLOAT32, "shape": None}),
            const("w", taken.get(op, kernel)),
            const("b", BIAS),
            const("alpha", np.float32([0.25, 0.25])),
            Node.make("before", "NoOp"),
            Node.make("y", op, ["x", "w", "b", *(["alpha"] if name == "Prelu" else []), "^before"], attrs),
            Node.make("z", "Identity", ["y"], {"T": FLOAT32}),
        ]
    )
    write_tfjs(tmp_path, graph)
    model = cg.load(tmp_path)
    ops = [node.op for node in model.graph]
    assert not any("Fused" in found or found == "Prelu" for found in ops)
    first = next(node for node in model.graph if node.op in ("Conv2D", "DepthwiseConv2dNative", "MatMul"))
    assert first.control_inputs == ["before"]
    assert ops[-1] == "Identity"
    x = IMAGE[0, 0] if op == "_FusedMatMul" else IMAGE
    for engine in ("numpy", "auto"):
        found = model.compile(["y", "z"], ["x"], engine=engine)(x)
        np.testing.assert_allclose(found["z"], activated(plain + BIAS, name), rtol=1e-4, atol=1e-5)
        assert np.array_equal(found["y"], found["z"])


def test_a_batch_norm_comes_apart_and_what_is_not_known_stays(tmp_path: Path) -> None:
    kernel = np.array([[[[1, 2], [3, -4]]]], np.float32)
    names = ["scale", "offset", "mean", "variance"]
    norm = {**CONV, "fused_ops": [b"FusedBatchNorm"], "num_args": 4, "epsilon": 0.01}
    odd = {**CONV, "fused_ops": [b"BiasAdd", b"Softplus"], "num_args": 1}
    graph = Graph(
        [
            placeholder("x", 1, 5, 5, 2),
            const("w", kernel),
            *(const(n, v) for n, v in zip(names, NORM, strict=True)),
            Node.make("y", "_FusedConv2D", ["x", "w", *names], norm),
            Node.make("odd", "_FusedConv2D", ["x", "w", "mean"], odd),
            Node.make("short", "_FusedConv2D", ["x", "w"], norm),
        ]
    )
    write_tfjs(tmp_path, graph)
    model = cg.load(tmp_path)
    assert model.graph.nodes["odd"].op == model.graph.nodes["short"].op == "_FusedConv2D"
    scale, offset, mean, variance = NORM
    expected = (IMAGE @ kernel[0, 0] - mean) * scale / np.sqrt(variance + 0.01) + offset
    np.testing.assert_allclose(model.compile("y")(IMAGE)["y"], expected, rtol=1e-4, atol=1e-5)


def test_a_prelu_of_its_own_is_spelled_out(tmp_path: Path) -> None:
    graph = Graph([placeholder("x", None), const("alpha", np.float32(0.25)), Node.make("y", "Prelu", ["x", "alpha"])])
    write_tfjs(tmp_path, graph)
    found = cg.load(tmp_path).compile("y")(np.array([-2, 0, 3], np.float32))["y"]
    assert found.tolist() == [-0.5, 0, 3]


def test_the_graph_that_fills_tables_is_joined(tmp_path: Path) -> None:
    table = {"key_dtype": STRING, "value_dtype": FLOAT32}
    lookup = {"Tin": STRING, "Tout": FLOAT32}
    graph = Graph(
        [
            Node.make("words", "Placeholder", attrs={"dtype": STRING, "shape": (None,)}),
            Node.make("unknown", "Placeholder", attrs={"dtype": RESOURCE, "shape": ()}),
            const("else", np.float32(-1)),
            Node.make("y", "LookupTableFindV2", ["unknown", "words", "else"], lookup),
            const("keys", np.array([b"a", b"b"], object)),
            const("values", np.array([1, 2], np.float32)),
        ]
    )
    initializer = {
        "node": [
            {"name": name, "op": "Const", "attr": {"dtype": {"type": kind}, "value": {"tensor": {"dtype": kind}}}}
            for name, kind in (("keys", "DT_STRING"), ("values", "DT_FLOAT"))
        ]
        + [
            {
                "name": "table",
                "op": "HashTableV2",
                "attr": {"key_dtype": {"type": "DT_STRING"}, "value_dtype": {"type": "DT_FLOAT"}},
            },
            {
                "name": "fill",
                "op": "LookupTableImportV2",
                "input": ["table", "keys", "values"],
                "attr": {"Tin": {"type": "DT_STRING"}, "Tout": {"type": "DT_FLOAT"}},
            },
        ]
    }
    numbered = {"name": "unknown:0", "dtype": "DT_RESOURCE", "resourceId": 7}
    write_tfjs(
        tmp_path,
        graph,
        modelInitializer=initializer,
        signature={"inputs": {"words": {"name": "words:0", "dtype": "DT_STRING"}, "table": numbered},
                   "outputs": said(y="y:0")},
        initializerSignature={"outputs": {"table": {**numbered, "name": "table:0"}}},
    )  # fmt: skip
    assert set(table) == set(initializer["node"][2]["attr"])  # type: ignore[call-overload]
    model = cg.load(tmp_path)
    assert list(model.signature().inputs) == ["words"]
    assert model.compile("y", "words")(np.array([b"b", b"c", b"a"], object))["y"].tolist() == [2, -1, 1]


# --- what does not add up


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    model = json.loads((folder / "model.json").read_text())
    change(model)
    (folder / "model.json").write_text(json.dumps(model))


def entry_of(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["weightsManifest"][0]["weights"][0]
    return found


def group_of(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["weightsManifest"][0]
    return found


QUANTIZATION = {"dtype": "uint8", "min": 0.0, "scale": 1.0}
WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], type[Exception], str]] = {
    # case: change, error, what it says
    "no list": (lambda m: m.update(weightsManifest={}), DamagedError, "`weightsManifest` is {}, where a list was"),
    "no paths": (lambda m: group_of(m).pop("paths"), DamagedError, "has no 'paths'"),
    "no shape": (lambda m: entry_of(m).pop("shape"), DamagedError, "has no 'shape'"),
    "negative": (lambda m: entry_of(m).update(shape=[-40, -50]), DamagedError, "has the shape [-40, -50]"),
    "no number": (lambda m: entry_of(m).update(shape=[True]), DamagedError, "has the shape [True]"),
    "vast": (lambda m: entry_of(m).update(shape=[10**18, 10**18]), LimitError, "which numpy cannot hold"),
    "deep": (lambda m: entry_of(m).update(shape=[1] * 99), LimitError, "which numpy cannot hold"),
    "larger": (lambda m: entry_of(m).update(shape=[41, 50]), DamagedError, "takes 8200 bytes, but 8000 are left"),
    "smaller": (lambda m: entry_of(m).update(shape=[39, 50]), DamagedError, "take 7800 bytes, but its files have 8000"),
    "odd dtype": (lambda m: entry_of(m).update(dtype="float8"), FormatError, "has the dtype 'float8'. Dtypes: float32"),
    "dtype list": (lambda m: entry_of(m).update(dtype=["x"]), FormatError, "has the dtype ['x']"),
    "other dtype": (lambda m: entry_of(m).update(dtype="int32"), DamagedError, "is int32, and its node says float32"),
    "strings": (lambda m: entry_of(m).update(dtype="string"), DamagedError, "reaches past the end of its files"),
    "twice": (lambda m: group_of(m)["weights"].append(entry_of(m)), DamagedError, "two weights are called 'w'"),
    "nameless": (lambda m: entry_of(m).update(name=[1]), DamagedError, "or it is no name"),
    "other name": (lambda m: entry_of(m).update(name="v"), DamagedError, "the constant 'w' has no value"),
    "odd quantization": (
        lambda m: entry_of(m).update(quantization={**QUANTIZATION, "dtype": "int4"}),
        FormatError,
        "float32 is quantized as 'int4'",
    ),
    "no scale": (
        lambda m: entry_of(m).update(quantization={"dtype": "uint8", "min": 0}),
        DamagedError,
        "has no 'scale'",
    ),
    "infinite": (
        lambda m: entry_of(m).update(quantization={**QUANTIZATION, "scale": float("inf")}),
        DamagedError,
        "`scale` is inf, where a finite number was expected",
    ),
    "vast scale": (
        lambda m: entry_of(m).update(quantization={**QUANTIZATION, "scale": 10**400}),
        DamagedError,
        "where a finite number was expected",
    ),
    "outside": (lambda m: group_of(m).update(paths=["../x"]), FormatError, "leads out of the model's folder"),
    "absolute": (lambda m: group_of(m).update(paths=["/etc/passwd"]), FormatError, "leads out of the model's folder"),
    "address": (lambda m: group_of(m).update(paths=["memory://x"]), FormatError, "is no path of a shard"),
    "missing": (lambda m: group_of(m).update(paths=["gone.bin"]), FileError, "gone.bin does not exist"),
    "unknown field": (lambda m: m["modelTopology"].update(nodes=[]), FormatError, 'no field named "nodes"'),
    "no node": (lambda m: m["modelTopology"].update(node=7), FormatError, "not a GraphDef in JSON form"),
    "two nodes": (
        lambda m: m["modelTopology"]["node"].append(m["modelTopology"]["node"][0]),
        FormatError,
        "Two nodes are called 'x'",
    ),
    "odd signature": (lambda m: m.update(signature=[1]), FormatError, "not a SignatureDef in JSON form"),
    "layers": (
        lambda m: m.update(format="layers-model", modelTopology={"model_config": {"class_name": "Model"}}),
        WrongKindError,
        "is a TensorFlow.js layers model: Keras layers, not a graph. Load it where TensorFlow.js or Keras",
    ),
    "no topology": (lambda m: m.pop("modelTopology"), WrongKindError, "is no TensorFlow.js graph model."),
    "no object": (lambda m: m.update(modelTopology=[]), WrongKindError, "is no TensorFlow.js graph model."),
    "odd table": (
        lambda m: m.update(
            modelInitializer={"node": []},
            signature={"inputs": {"t": {"name": "gone:0", "resourceId": 1}}},
            initializerSignature={"outputs": {"t": {"name": "x:0", "resourceId": 1}}},
        ),
        DamagedError,
        "the table of number 1 is not in the graph",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_add_up_is_told(tmp_path: Path, case: str) -> None:
    change, error, words = WRONG[case]
    write_tfjs(tmp_path, product(WEIGHTS))
    edit(tmp_path, change)
    with pytest.raises(error) as raised:
        cg.load(tmp_path / "model.json")
    assert words in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_boolean_is_0_or_1(tmp_path: Path) -> None:
    write_tfjs(tmp_path, Graph([const("b", np.array([True, False]))]))
    (tmp_path / "group1-shard1of1.bin").write_bytes(b"\x01\x02")
    with pytest.raises(DamagedError, match="the weight 'b': a boolean is neither 0 nor 1"):
        cg.load(tmp_path).graph.nodes["b"].attr("value").numpy()


def test_more_strings_than_bytes_are_told(tmp_path: Path) -> None:
    write_tfjs(tmp_path, Graph([const("s", np.array([b"", b""], object))]))
    edit(tmp_path, lambda m: entry_of(m).update(shape=[10**15]))
    with pytest.raises(DamagedError, match=r"1000000000000000 strings are more than the 8 bytes left"):
        cg.load(tmp_path)


def test_texts_that_are_no_json_or_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text('{"modelTopology": ')
    with pytest.raises(DamagedError, match="is not JSON that can be read"):
        cg.load(path)
    path.write_text('{"modelTopology": ' + "[" * 200_000)
    with pytest.raises((LimitError, DamagedError)):
        cg.load(path)
    deep: Any = {}
    for _ in range(150):
        deep = {"func": {"attr": {"a": deep}}}
    path.write_text(json.dumps({"modelTopology": {"node": [{"attr": {"a": deep}}]}}))
    with pytest.raises((LimitError, FormatError), match="too deep"):
        cg.load(path)


def test_every_dtype_of_a_manifest_is_one_of_tensorflow() -> None:
    from cryograph.formats import tfjs

    names = {dtype.name for dtype in DTYPES.values()}
    assert {*tfjs.DTYPES} <= names
    assert {*tfjs.WIDER} <= {*tfjs.DTYPES}
