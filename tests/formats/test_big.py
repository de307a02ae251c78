"""Files of more than 2 GiB: written with a word on who can read them, and read."""

from __future__ import annotations

from pathlib import Path

import pytest

import cryograph as cg
from cryograph.base.dtypes import FLOAT32
from cryograph.base.files import open_file
from cryograph.base.tensors import Tensor
from cryograph.formats.graphdef import LargeFileWarning
from cryograph.graph.graph import Graph
from cryograph.graph.node import Node

SIZE = (1 << 31) + (1 << 20)


@pytest.mark.big
def test_a_graph_past_the_limit_is_written_and_read(tmp_path: Path) -> None:
    with open(tmp_path / "zeros", "wb") as out:  # a hole, which takes no disk
        out.truncate(SIZE)
        out.seek(SIZE - 4)
        out.write(b"\x00\x00\x80\x3f")
    weights = Tensor.mapped(FLOAT32, (SIZE // 4,), open_file(tmp_path / "zeros").span())
    graph = Graph([Node.make("w", "Const", attrs={"dtype": FLOAT32, "value": weights})])
    model = cg.Model(graph, "graph")
    with pytest.warns(LargeFileWarning, match=r"has 2\.1 GB\. cryograph reads it; TensorFlow and others"):
        model.save(tmp_path / "big.pb")
    again = cg.load(tmp_path / "big.pb").graph.nodes["w"].attr("value")
    assert again.shape == (SIZE // 4,)
    assert not again.is_loaded
    assert float(again.numpy()[-1]) == 1.0
