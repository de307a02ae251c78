"""Checkpoints of both versions as a mapping from names to tensors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..base.errors import Error, FileError, InputError, UnknownNameError, WrongKindError, nearest
from ..base.files import Path, is_dir, is_file, join, list_dir, make_dir, open_file
from ..base.tensors import Tensor, tensor_like
from ..wire import messages as pb
from ..wire.table import is_table
from .bundle_values import OpaqueTensor
from .checkpoint_v1 import SHARD, SliceTables, write_slice_tables
from .checkpoint_v2 import MAX_SHARDS, Bundle, write_bundle
from .object_paths import OBJECT_GRAPH_KEY, object_paths
from .parsing import parse
from .state import STATE_FILE, base_name, find_checkpoints, has_checkpoint, latest_checkpoint, read_state

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

DATA_FILE = re.compile(r"^(?P<prefix>.*)\.data-\d{5}-of-\d{5}$", re.DOTALL)


class Checkpoint(Mapping[str, Tensor]):
    """A checkpoint, open for reading: `ckpt["w"]` is a Tensor whose values stay in the file until they are asked for.

    `path` may be the prefix (also the empty name: `dir/`), any member file, the directory (then the latest) or its
    `checkpoint` file, local or remote. `prefix` is what was found, `version` 1 or 2.

    Opening reads names, dtypes and shapes only. A tensor's checksum is checked when its values are first read, by
    `numpy()` or by `chunks()`: DamagedError when it fails. FileError when nothing is there, WrongKindError for another
    kind of file, UnknownNameError (which is a KeyError too) with the nearest names for a wrong name.
    """

    def __init__(self, path: Path) -> None:
        self.prefix = find_prefix(path)
        self._object_graph: pb.TrackableObjectGraph | None = None
        self._mapped: dict[str, Tensor] = {}
        self._open: Bundle | SliceTables
        if is_file(f"{self.prefix}.index"):
            self._open, self.version = Bundle(self.prefix), 2
        else:
            self._open, self.version = SliceTables(self.prefix), 1

    def __getitem__(self, name: str) -> Tensor:
        if name in self._mapped:
            return self._mapped[name]
        if name not in self._open.entries:
            raise UnknownKeyError(f"{self.prefix} has no tensor {name!r}." + nearest(str(name), self._open.entries))
        tensor = self._open.tensor(name)
        if tensor.content is not None:  # costs no memory when kept, and its checksum is checked only once
            self._mapped[name] = tensor
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._open.entries)

    def __len__(self) -> int:
        return len(self._open.entries)

    def __contains__(self, name: object) -> bool:
        return name in self._open.entries

    @property
    def shards(self) -> list[str]:
        """The paths of the files that hold values."""
        return self._open.shards

    def layout(self) -> list[list[str]]:
        """The names in each data file, in the order of their bytes; for version 1 all names."""
        return self._open.layout() if isinstance(self._open, Bundle) else [list(self)]

    @property
    def object_graph(self) -> pb.TrackableObjectGraph | None:
        """The tree of objects that TF2 saved, or None."""
        if self._object_graph is None and OBJECT_GRAPH_KEY in self:
            tensor = self[OBJECT_GRAPH_KEY]
            data = tensor.numpy().item() if tensor.dtype.is_string and tensor.shape == () else b"\xff"
            self._object_graph = parse(pb.TrackableObjectGraph, data, self.prefix, OBJECT_GRAPH_KEY.encode())
        return self._object_graph

    @property
    def object_paths(self) -> dict[str, str]:
        """For each key of a TF2 checkpoint: the attributes by which its object is reached from the root
        (`model.layers.0.kernel`), the shortest of several ways. Empty for other checkpoints."""
        graph = self.object_graph
        return {} if graph is None else object_paths(graph, self.prefix)

    def verify(self) -> CheckpointReport:
        """Reads everything and checks every size and checksum; the report lists what is wrong, each in a sentence."""
        problems: list[str] = []
        for name in self:
            try:
                tensor = self._open.tensor(name)
                if isinstance(tensor, OpaqueTensor):
                    for _ in tensor.stored():
                        pass
                elif tensor.dtype.itemsize:
                    for _ in tensor.chunks():
                        pass
                else:
                    tensor.numpy()
            except Error as error:
                problems.append(str(error))
        problems += self._open.complaints()
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


def is_whole(prefix: str) -> bool:
    """Whether a checkpoint is there with all of its files, each as long as its index says. No value is read."""
    try:
        if is_file(f"{prefix}.index"):
            return Bundle(prefix).is_whole
        return bool(SliceTables(prefix).entries)
    except Error:
        return False


def find_prefix(path: Path) -> str:
    """The prefix of the checkpoint that a path means; FileError when there is none, WrongKindError for another file."""
    name = os.fspath(path)
    data = DATA_FILE.match(name)
    for prefix in (name, data.group("prefix") if data else None, _without(name, ".index"), _without(name, ".meta")):
        if prefix is not None and is_file(f"{prefix}.index"):
            return prefix
    if is_dir(name):
        return _of_directory(name)
    if data or name.endswith(".index"):
        missing = f"{data.group('prefix') if data else name.removesuffix('.index')}.index"
        raise FileError(f"{missing} is missing; without it the checkpoint's data cannot be read.")
    if is_file(name):
        return _of_file(name)
    sharded = _sharded(name)
    if sharded is not None:
        return sharded
    raise FileError(f"There is no checkpoint at {name}: neither {name}.index nor a file or directory of that name.")


def _without(name: str, suffix: str) -> str | None:
    return name[: -len(suffix)] if name.endswith(suffix) else None


def _split(name: str) -> tuple[str, str]:
    """The directory of a path ("." when it names none) and the last part."""
    base = base_name(name)
    return name[: len(name) - len(base)] or ".", base


def _of_file(name: str) -> str:
    directory, base = _split(name)
    if base == STATE_FILE and not is_table(open_file(name)):
        return _of_directory(directory)
    if is_table(open_file(name)):
        shard = SHARD.fullmatch(name)
        whole = f"{shard['base']}-?????-of-{shard['count']}" if shard else name
        return whole if has_checkpoint(whole) else name
    bare = _without(name, ".meta")
    if bare is None:
        raise WrongKindError(f"{name} is not a checkpoint: it does not end as a table does.")
    found = checkpoint_named(bare)
    if found is None:
        raise FileError(f"{name} is a graph; its checkpoint ({bare}.index) is not beside it.")
    return found


def checkpoint_named(prefix: str) -> str | None:
    """The prefix of the checkpoint of that name, sharded ones of version 1 included; None when there is none."""
    if is_file(f"{prefix}.index") or (is_file(prefix) and is_table(open_file(prefix))):
        return prefix
    return _sharded(prefix)


def _sharded(name: str) -> str | None:
    """The sharded checkpoint of version 1 that a name means: its own name, or that without the shards' part."""
    directory, base = _split(name)
    if SHARDED_NAME.search(base):
        if has_checkpoint(name):
            return name
        raise FileError(f"There is no checkpoint at {name}: some of its files are missing.")
    if not is_dir(directory):
        return None
    counts = {m["count"] for n in list_dir(directory) if (m := SHARD.fullmatch(n)) is not None and m["base"] == base}
    wholes = [f"{name}-?????-of-{count}" for count in sorted(counts)]
    return next((whole for whole in wholes if has_checkpoint(whole)), None)


SHARDED_NAME = re.compile(r"-\?{5}-of-\d{5}$")


def _of_directory(name: str) -> str:
    if is_file(join(name, ".index")):  # saved under the empty name
        return join(name, "")
    state = read_state(name)
    if state is not None and state.model_checkpoint_path:
        latest = latest_checkpoint(name)
        if latest is None:
            raise FileError(f"{join(name, STATE_FILE)} names {state.model_checkpoint_path}, which is not there.")
        return latest
    inside = join(name, "variables", "variables")
    found = find_checkpoints(name)
    if found:
        # Steps in the names, or files of version 2, tell which is the latest; files of other names do not.
        if len(found) > 1 and not is_file(f"{found[-1]}.index"):
            raise FileError(f"{name} holds several checkpoints; name one: {', '.join(found[:5])}.")
        return found[-1]
    if is_file(f"{inside}.index"):
        return inside
    raise FileError(f"There is no checkpoint in {name}.")


def save_checkpoint(
    prefix: Path,
    tensors: Mapping[str, ArrayLike | Tensor],
    shards: int | Sequence[Sequence[str]] = 1,
    version: int = 2,
    object_graph: pb.TrackableObjectGraph | bytes | None = None,
    slices: Mapping[str, str] | None = None,
) -> str:
    """Writes a checkpoint and gives its prefix. Tensors that lie in files are streamed, not loaded.

    Version 2 writes `PREFIX.index` and `shards` data files, filled in the order of `tensors`, as evenly as names allow
    (or as is said: the names of each); version 1 one file, or with `shards` several and the prefix
    `PREFIX-?????-of-00002`. `object_graph` is stored as TF2 does, behind the last tensor. `slices` gives for keys that
    hold parts of a partitioned tensor its name and slice ("w 4 3 0,2:-").

    All is written under temporary names, flushed to disk and renamed, the index last: after a crash there is the old
    checkpoint of that prefix, none, or the new one. InputError for names or dtypes that a checkpoint cannot hold.
    """
    name = os.fspath(prefix)
    held = {key: tensor_like(value) for key, value in tensors.items()}
    if object_graph is not None:
        data = object_graph if isinstance(object_graph, bytes) else object_graph.SerializeToString(deterministic=True)
        held[OBJECT_GRAPH_KEY] = tensor_like(data)
    directory, _ = _split(name)
    if directory != ".":
        make_dir(directory)
    if version == 1:
        return write_slice_tables(name, held, _share_out(held, shards), slices)
    if version != 2:
        raise InputError(f"There is no checkpoint of version {version}; 1 and 2 are possible.")
    write_bundle(name, held, _share_out(held, shards), slices)
    return name


def _share_out(tensors: Mapping[str, Tensor], shards: int | Sequence[Sequence[str]]) -> list[list[str]]:
    """Names for each shard: contiguous runs of about the same number of bytes, where it is not said."""
    if not isinstance(shards, int):
        said = [list(names) for names in shards]
        rest = tensors.keys() - {name for names in said for name in names}
        said[-1] += [name for name in tensors if name in rest]
        return said
    if not 1 <= shards <= MAX_SHARDS:
        raise InputError(f"A checkpoint has 1 to {MAX_SHARDS} data files, not {shards}.")
    total = sum(max(t.nbytes, 1) for t in tensors.values())
    runs: list[list[str]] = [[] for _ in range(shards)]
    done = 0
    for name, tensor in tensors.items():
        runs[min(shards - 1, done * shards // max(total, 1))].append(name)
        done += max(tensor.nbytes, 1)
    return runs
