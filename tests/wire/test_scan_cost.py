"""What opening costs: reads, memory and time, up to files of more than two gigabytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cryograph.base.errors import LimitError
from cryograph.base.files import File
from cryograph.wire import messages as pb
from cryograph.wire.emit import message_size
from cryograph.wire.scan import read_message
from cryograph.wire.varint import varint
from tests.support.wire_messages import VALUES, const, record, tensor


class Counting(File):
    """A file of any size that is zeros but for its beginning, and counts what is read."""

    def __init__(self, head: bytes, size: int, tail: bytes = b"") -> None:
        self.name, self.size, self.head, self.tail = "big.pb", size, head, tail
        self.read_bytes = self.reads = 0

    def _read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        self.read_bytes += length
        data = bytearray(length)
        for start, part in ((0, self.head), (self.size - len(self.tail), self.tail)):
            first, last = max(offset, start), min(offset + length, start + len(part))
            if first < last:
                data[first - offset : last - offset] = part[first - start : last - start]
        return bytes(data)

    def _view(self, offset: int, length: int) -> memoryview:
        raise AssertionError("opening must not map the file")


def big_file(nbytes: int) -> Counting:
    """A GraphDef with one constant of `nbytes` between two nodes."""
    shape = pb.TensorProto(dtype=1, tensor_shape=pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=nbytes // 4)]))
    head, inside = b"", nbytes
    for number, before in (
        (4, shape.SerializeToString()),  # TensorProto.tensor_content
        (8, b""),  # AttrValue.tensor
        (2, record(1, b"value")),  # the value of the map's entry
        (5, record(1, b"c")),  # NodeDef.attr
        (1, record(1, record(1, b"first"))),  # GraphDef.node
    ):
        head = before + varint(number << 3 | 2) + varint(inside) + head
        inside = nbytes + len(head)
    last = record(1, record(1, b"last"))
    return Counting(head, inside + len(last), last)


def test_a_file_of_more_than_two_gigabytes_opens_by_small_reads() -> None:
    file = big_file(5 << 30)
    message, table = read_message(file, pb.GraphDef)
    assert [node.name for node in message.node] == ["first", "c", "last"]
    (entry,) = table.values()
    assert entry.nbytes == 5 << 30
    assert entry.content == file.span(len(file.head), 5 << 30)
    assert file.reads <= 3
    assert file.read_bytes < 64 << 10
    assert message_size(message, table) == file.size


def test_more_than_protobuf_can_read_is_refused_before_it_is_read() -> None:
    file = Counting(varint(99 << 3 | 2) + varint(3 << 30), 0)
    file.size = len(file.head) + (3 << 30)
    with pytest.raises(LimitError, match=r"big\.pb holds more than 2147483647 bytes besides its tensors"):
        read_message(file, pb.GraphDef)
    assert file.read_bytes < 64 << 10


MEASURE = """
import resource, sys, time
from cryograph.base.files import open_file
from cryograph.wire import messages as pb
from cryograph.wire.scan import read_message
pb.GraphDef
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
before = resident()
start = time.perf_counter()
message, table = read_message(open_file(sys.argv[1]), pb.GraphDef)
print(time.perf_counter() - start, resident() - before, len(message.node), len(table))
"""


def measure(path: Path) -> tuple[float, int, int, int]:
    """What the first opening in a process takes: seconds and growth of resident memory in bytes, the best of seven
    processes; and the counts of nodes and tensors."""
    runs = []
    for _ in range(7):
        run = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        runs.append(run.stdout.split())
    return min(float(r[0]) for r in runs), min(int(r[1]) for r in runs), int(runs[0][2]), int(runs[0][3])


@pytest.mark.big
def test_a_hundred_megabytes_open_without_being_read(tmp_path: Path) -> None:
    values = np.arange(84_000, dtype=np.float32).reshape(84, 1000)
    with open(tmp_path / "frozen.pb", "wb") as out:
        for number in range(300):
            graph = pb.GraphDef(node=[const(f"scope/block_{number}/weights", tensor(values))])
            for index in range(5):
                node = graph.node.add(name=f"scope/block_{number}/op_{index}", op="Conv2D", input=["a", "b"])
                node.attr["strides"].list.i.extend([1, 2, 2, 1])
            out.write(graph.SerializeToString())
    seconds, grown, count, tensors = measure(tmp_path / "frozen.pb")
    assert (count, tensors) == (1800, 300)
    assert seconds <= 0.5  # some 15 ms on a quiet machine: benchmarks/open.py; reading it all would take longer
    assert grown <= 20 << 20


@pytest.mark.big
def test_time_grows_as_the_number_of_nodes(tmp_path: Path) -> None:
    took = {}
    for count in (10_000, 100_000):
        with open(tmp_path / f"{count}.pb", "wb") as out:
            for number in range(count // 2):
                graph = pb.GraphDef(node=[const(f"scope/block_{number}/weights", tensor(VALUES[:1, :4]))])
                node = graph.node.add(name=f"scope/block_{number}/op", op="Conv2D", input=["a", "b"])
                node.attr["strides"].list.i.extend([1, 2, 2, 1])
                out.write(graph.SerializeToString())
        took[count] = measure(tmp_path / f"{count}.pb")
        assert took[count][2:] == (count, 0)
    assert took[100_000][0] <= 30 * took[10_000][0]  # about 10 times: benchmarks/open.py
