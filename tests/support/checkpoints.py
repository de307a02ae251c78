"""Checkpoints made for tests: of entries and data as a test wants them, right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cryograph.base.dtypes import dtype_of
from cryograph.base.files import open_file
from cryograph.graph.attrs import shape_proto
from cryograph.wire import messages as pb
from cryograph.wire.crc import crc32c, mask
from cryograph.wire.table import Table
from tests.support.tables import table_bytes


def entry_of(kind: str, shape: Sequence[int], data: bytes = b"", offset: int = 0, **fields: Any) -> pb.BundleEntryProto:
    """An entry of a V2 index; `fields` overwrite what fits the data."""
    entry = pb.BundleEntryProto(
        dtype=dtype_of(kind).number,
        shape=shape_proto(tuple(shape)),
        offset=offset,
        size=len(data),
        crc32c=mask(crc32c(data)),
    )
    for name, value in fields.items():
        setattr(entry, name, value)
    return entry


def write_v2(
    prefix: Path,
    entries: Mapping[str | bytes, pb.BundleEntryProto | bytes],
    shards: Sequence[bytes] = (b"",),
    header: pb.BundleHeaderProto | bytes | None = None,
) -> Path:
    """A V2 checkpoint of an index and data files as they are given; gives the prefix."""
    if header is None:
        header = pb.BundleHeaderProto(num_shards=len(shards), version=pb.VersionDef(producer=1))
    raw: dict[bytes, bytes] = {}
    for key, value in (("", header), *entries.items()):
        name = key if isinstance(key, bytes) else key.encode()
        raw[name] = value if isinstance(value, bytes) else value.SerializeToString()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{prefix}.index").write_bytes(table_bytes(dict(sorted(raw.items()))))
    for number, data in enumerate(shards):
        Path(f"{prefix}.data-{number:05d}-of-{len(shards):05d}").write_bytes(data)
    return prefix


def write_v1(path: Path, messages: Mapping[bytes, pb.SavedTensorSlices | bytes], block_size: int = 1 << 18) -> Path:
    """A V1 checkpoint of messages as they are given; gives the path."""
    raw = {k: v if isinstance(v, bytes) else v.SerializeToString() for k, v in messages.items()}
    path.write_bytes(table_bytes(dict(sorted(raw.items())), block_size))
    return path


def index_of(prefix: Path) -> dict[bytes, bytes]:
    """The entries of a table file."""
    path = Path(f"{prefix}.index")
    return dict(Table(open_file(path if path.exists() else prefix)))


def floats(count: int, seed: int = 0) -> Any:
    """Random float32."""
    return np.random.default_rng(seed).random(count).astype(np.float32)
