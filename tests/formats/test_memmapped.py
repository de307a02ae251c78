"""Memory-mapped packages: laid out here as TensorFlow's converter lays them out, and read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32
from cryograph.base.errors import DamagedError, FormatError
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node
from cryograph.wire import messages as pb


def package(path: Path, weights: np.ndarray, region: str = "InitialData_1", end: int | None = None) -> None:
    """A package of one large constant that is multiplied with its input."""
    name = f"memmapped_package://{region}"
    constant = {"dtype": FLOAT32, "shape": weights.shape, "memory_region_name": "memmapped_package://InitialData_1"}
    graph = Graph(
        [
            Node.make("x", "Placeholder", attrs={"dtype": FLOAT32, "shape": (None, weights.shape[0])}),
            Node.make("w", "ImmutableConst", attrs=constant),
            Node.make("y", "MatMul", ["x", "w"], {"T": FLOAT32, "transpose_a": False, "transpose_b": False}),
        ]
    )
    data = weights.tobytes()
    data += bytes(-len(data) % 64)
    message = graph.to_proto()[0].SerializeToString()
    directory = pb.MemmappedFileSystemDirectory()
    directory.element.add(name=name, offset=0)
    directory.element.add(name="memmapped_package://.", offset=len(data))
    start = len(data) + len(message) if end is None else end
    path.write_bytes(data + message + directory.SerializeToString() + struct.pack("<Q", start))


def test_a_package_opens_and_runs(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    package(tmp_path / "model.pb", weights)
    model = cg.load(tmp_path / "model.pb")
    value = model.graph.nodes["w"].attr("value")
    assert not value.is_loaded
    assert np.array_equal(value.numpy(), weights)
    x = np.ones((2, 7), np.float32)
    np.testing.assert_allclose(model.compile("y")(x)["y"], x @ weights, rtol=1e-5)
    model.save(tmp_path / "plain.pb")
    assert cg.load(tmp_path / "plain.pb").graph.nodes["w"].op == "Const"


def test_regions_must_be_there_and_in_place(tmp_path: Path) -> None:
    weights = np.ones((7, 3), np.float32)
    package(tmp_path / "a.pb", weights, region="Other")
    with pytest.raises(
        DamagedError, match="the constant 'w' is in the region 'memmapped_package://InitialData_1', which"
    ):
        cg.load(tmp_path / "a.pb")


def test_a_region_that_is_too_small_is_damage(tmp_path: Path) -> None:
    package(tmp_path / "a.pb", np.ones((7, 3), np.float32))
    whole = (tmp_path / "a.pb").read_bytes()
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=7), pb.TensorShapeProto.Dim(size=3)])
    larger = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=7), pb.TensorShapeProto.Dim(size=99)])
    assert whole.count(shape.SerializeToString()) == 1
    (tmp_path / "a.pb").write_bytes(whole.replace(shape.SerializeToString(), larger.SerializeToString()))
    with pytest.raises(DamagedError, match=r"a\.pb: a part of 2772 bytes at 0 sticks out of its record"):
        cg.load(tmp_path / "a.pb").graph.nodes["w"].attr("value")


@pytest.mark.parametrize("offsets", [(4096, 0), (0, 1 << 40), (64, 64)])
def test_regions_out_of_order_are_damage(tmp_path: Path, offsets: tuple[int, int]) -> None:
    directory = pb.MemmappedFileSystemDirectory()
    directory.element.add(name="memmapped_package://a", offset=offsets[0])
    directory.element.add(name="memmapped_package://.", offset=offsets[1])
    data = bytes(256)
    (tmp_path / "a.pb").write_bytes(data + directory.SerializeToString() + struct.pack("<Q", len(data)))
    with pytest.raises(DamagedError, match=r"a\.pb: the region '.*' at \d+ is not in its place"):
        cg.load(tmp_path / "a.pb")


def test_a_package_without_a_graph_is_none(tmp_path: Path) -> None:
    directory = pb.MemmappedFileSystemDirectory()
    directory.element.add(name="memmapped_package://a", offset=0)
    (tmp_path / "a.pb").write_bytes(bytes(64) + directory.SerializeToString() + struct.pack("<Q", 64))
    with pytest.raises(FormatError, match=r"a\.pb: a memory-mapped package without a graph \(memmapped_package://\.\)"):
        cg.load(tmp_path / "a.pb")
