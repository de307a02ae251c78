"""Checkpoints of both versions as a mapping from names to tensors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from ..base.errors import DamagedError, Error, FileError, InputError, UnknownNameError, WrongKindError, nearest
from ..base.files import Path, is_dir, is_file, join, list_dir, make_dir, open_file
from ..base.tensors import Tensor, tensor_like
from ..wire import messages as pb
from ..wire.table import is_table
from .bundle_values import OpaqueTensor
from .checkpoint_v1 import SliceTable, write_slice_table
from .checkpoint_v2 import Bundle, write_bundle
from .state import STATE_FILE, latest_checkpoint, read_state

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The entry in which TF2 keeps the tree of objects that the values belong to."""

DATA_FILE = re.compile(r"^(?P<prefix>.*)\.data-\d{5}-of-\d{5}$", re.DOTALL)


class Checkpoint(Mapping[str, Tensor]):
    """A checkpoint, open for reading: `ckpt["w"]` is a Tensor whose values stay in the file until they are asked for.

    `path` may be the prefix (also the empty name: `dir/`), any member file, the directory (then the latest) or its
    `checkpoint` file. `prefix` is what was found, `version` 1 or 2. Checksums are checked when a tensor is read.
    """

    def __init__(self, path: Path) -> None:
        self.prefix = find_prefix(path)
        self._object_graph: pb.TrackableObjectGraph | None = None
        self._open: Bundle | SliceTable
        if is_file(f"{self.prefix}.index"):
            self._open, self.version = Bundle(self.prefix), 2
        else:
            self._open, self.version = SliceTable(self.prefix), 1

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._open.entries:
            raise UnknownKeyError(f"{self.prefix} has no tensor {name!r}." + nearest(name, self._open.entries))
        return self._open.tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._open.entries)

    def __len__(self) -> int:
        return len(self._open.entries)

    def __contains__(self, name: object) -> bool:
        return name in self._open.entries

    @property
    def shards(self) -> list[str]:
        """The paths of the files that hold values."""
        return self._open.shards if isinstance(self._open, Bundle) else [self.prefix]

    def layout(self) -> list[list[str]]:
        """The names in each data file, in the order of their bytes."""
        if not isinstance(self._open, Bundle):
            return [list(self)]
        runs: list[list[str]] = [[] for _ in self.shards]
        for name, entry in sorted(self._open.entries.items(), key=lambda item: item[1].offset):
            runs[entry.shard_id if 0 <= entry.shard_id < len(runs) else 0].append(name)
        return runs

    @property
    def object_graph(self) -> pb.TrackableObjectGraph | None:
        """The tree of objects that TF2 saved, or None."""
        if self._object_graph is None and OBJECT_GRAPH_KEY in self:
            data = self[OBJECT_GRAPH_KEY].numpy().item()
            try:
                self._object_graph = pb.TrackableObjectGraph.FromString(data)
            except DecodeError as error:
                raise DamagedError(f"{self.prefix}: its object graph cannot be read.") from error
        return self._object_graph

    @property
    def object_paths(self) -> dict[str, str]:
        """For each key of a TF2 checkpoint: the attributes by which its object is reached from the root
        (`model.layers.0.kernel`), the shortest of several ways."""
        graph = self.object_graph
        if graph is None:
            return {}
        paths: dict[int, str] = {0: ""}
        waiting = [0]
        found: dict[str, str] = {}
        for node in waiting:
            if not 0 <= node < len(graph.nodes):
                raise DamagedError(f"{self.prefix}: its object graph mentions the object {node} of {len(graph.nodes)}.")
            entry = graph.nodes[node]
            for attribute in entry.attributes:
                if attribute.checkpoint_key:
                    found.setdefault(attribute.checkpoint_key, paths[node] or "(root)")
            for child in entry.children:
                if child.node_id not in paths:
                    name = f"{paths[node]}.{child.local_name}" if paths[node] else child.local_name
                    paths[child.node_id] = name
                    waiting.append(child.node_id)
        return found

    def verify(self) -> CheckpointReport:
        """Reads everything and checks every size and checksum; the report lists what is wrong, each in a sentence."""
        problems: list[str] = []
        for name in self:
            try:
                tensor = self[name]
                if isinstance(tensor, OpaqueTensor):
                    continue
                if tensor.content is not None:
                    for _ in tensor.chunks():
                        pass
                else:
                    tensor.numpy()
            except Error as error:
                problems.append(str(error))
        if isinstance(self._open, Bundle):
            problems += _overlaps(self._open)
        return CheckpointReport(self.prefix, len(self), tuple(dict.fromkeys(problems)))

    def __repr__(self) -> str:
        return f"<Checkpoint {self.prefix!r}, version {self.version}, {len(self)} tensors>"


class UnknownKeyError(UnknownNameError, KeyError):
    """A name that a checkpoint does not have; also the KeyError that a mapping raises."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError's own would show the repr


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """What verifying found: how many tensors were read, and what is wrong, in sentences."""

    prefix: str
    checked: int
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def _overlaps(bundle: Bundle) -> list[str]:
    """Entries that share bytes of a data file, and data files that are missing."""
    problems = [f"{path} is missing" for path in bundle.shards if not is_file(path)]
    spans = sorted(
        (entry.shard_id, entry.offset, entry.offset + entry.size, name)
        for name, entry in bundle.entries.items()
        if entry.size and not entry.slices
    )
    for (shard, _, end, name), (next_shard, start, _, other) in pairwise(spans):
        if shard == next_shard and start < end:
            problems.append(f"{bundle.index.name}: {name!r} and {other!r} share bytes of data file {shard}")
    return problems


def find_prefix(path: Path) -> str:
    """The prefix of the checkpoint that a path means; FileError when there is none, WrongKindError for another file."""
    name = os.fspath(path)
    data = DATA_FILE.match(name)
    for prefix in (name, data.group("prefix") if data else None, _without(name, ".index"), _without(name, ".meta")):
        if prefix is not None and is_file(f"{prefix}.index"):
            return prefix
    if data or name.endswith(".index"):
        missing = f"{data.group('prefix') if data else name.removesuffix('.index')}.index"
        raise FileError(f"{missing} is missing; without it the checkpoint's data cannot be read.")
    if is_file(name):
        return _of_file(name)
    if is_dir(name):
        return _of_directory(name)
    raise FileError(f"There is no checkpoint at {name}: neither {name}.index nor a file or directory of that name.")


def _without(name: str, suffix: str) -> str | None:
    return name[: -len(suffix)] if name.endswith(suffix) else None


def _of_file(name: str) -> str:
    base = re.split(r"[/\\]", name)[-1]
    directory = name[: -len(base)].rstrip("/") or "."
    if base == STATE_FILE:
        return _of_directory(directory)
    file = open_file(name)
    if is_table(file):
        return name
    if name.endswith(".meta"):
        raise FileError(f"{name} is a graph; its checkpoint ({name.removesuffix('.meta')}.index) is not beside it.")
    raise WrongKindError(f"{name} is not a checkpoint: it does not end as a table does.")


def _of_directory(name: str) -> str:
    if is_file(join(name, ".index")):  # saved under the empty name
        return join(name, "")
    latest = latest_checkpoint(name)
    if latest is not None:
        return latest
    state = read_state(name)
    if state is not None and state.model_checkpoint_path:
        raise FileError(f"{name}/{STATE_FILE} names {state.model_checkpoint_path}, which is not there.")
    inside = join(name, "variables", "variables")
    if is_file(f"{inside}.index"):
        return inside
    tables = [join(name, n) for n in list_dir(name) if is_file(join(name, n)) and is_table(open_file(join(name, n)))]
    if len(tables) == 1:
        return tables[0]
    raise FileError(f"There is no checkpoint in {name}." + (nearest("", tables) if tables else ""))


def save_checkpoint(
    prefix: Path,
    tensors: Mapping[str, ArrayLike | Tensor],
    shards: int = 1,
    version: int = 2,
    slices: Mapping[str, str] | None = None,
) -> str:
    """Writes a checkpoint and gives its prefix. Tensors that lie in files are streamed, not loaded.

    Version 2 writes `PREFIX.index` and `shards` data files, filled in the order of `tensors`, as evenly as names allow;
    version 1 one file. `slices` gives for keys that hold parts of a partitioned tensor its name and slice ("w 4 3
    0,2:-"). The index takes its name last: a crash leaves an older checkpoint of that prefix, or none.
    """
    name = os.fspath(prefix)
    held = {key: tensor_like(value) for key, value in tensors.items()}
    directory = name[: -len(re.split(r"[/\\]", name)[-1]) or None] if name else ""
    if directory:
        make_dir(directory)
    if version == 1:
        if shards != 1:
            raise InputError("A checkpoint of version 1 is one file; shards must be 1.")
        write_slice_table(name, held, slices)
    elif version == 2:
        write_bundle(name, held, _share_out(held, shards), slices)
    else:
        raise InputError(f"There is no checkpoint of version {version}; 1 and 2 are possible.")
    return name


def _share_out(tensors: Mapping[str, Tensor], shards: int) -> list[list[str]]:
    """Names for each shard: contiguous runs of about the same number of bytes."""
    if not 1 <= shards <= 99_999:
        raise InputError(f"A checkpoint has 1 to 99999 data files, not {shards}.")
    total = sum(max(t.nbytes, 1) for t in tensors.values())
    runs: list[list[str]] = [[] for _ in range(shards)]
    done = 0
    for name, tensor in tensors.items():
        runs[min(shards - 1, done * shards // max(total, 1))].append(name)
        done += max(tensor.nbytes, 1)
    return runs
