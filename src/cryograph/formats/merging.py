"""Several V2 checkpoints made one: their data files take its name, their indexes become one index.

What a sharded save of TensorFlow ends with. A data file of the whole is one of a part, renamed; its number is its place
among those that the entries speak of, in the order of prefixes and keys. Entries of the parts of one partitioned tensor
become one. Source: TensorFlow's MergeBundles; what is written is equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..base.errors import FileError, InputError
from ..base.files import atomic_write, is_file, move_file, remove_file
from ..wire import messages as pb
from ..wire.table import TableWriter
from .checkpoint_v2 import Bundle, index_path, remove_other_shards, shard_path


def merge_bundles(prefixes: Sequence[str], destination: str, allow_missing: bool = False) -> None:
    """Makes the checkpoint `destination` of those of the `prefixes`, which are gone afterwards.

    With `allow_missing` prefixes without an index are left out. FileError when one is missing, or all are; InputError
    when two hold a tensor of one name, or say different things of a partitioned one.
    """
    bundles = [Bundle(prefix) for prefix in prefixes if not allow_missing or is_file(index_path(prefix))]
    if not bundles:
        raise FileError(f"There is nothing to merge into {destination}: none of {len(prefixes)} checkpoints is there.")
    entries: dict[bytes, pb.BundleEntryProto] = {}
    moved: dict[str, int] = {}
    for bundle in bundles:
        if _version(bundle) != _version(bundles[0]):
            raise InputError(f"{bundle.prefix} and {bundles[0].prefix} are of different versions of the format.")
        for key, entry in _entries(bundle):
            if key in entries:
                _join(entries[key], entry, key, bundle.prefix)
                continue
            path = shard_path(bundle.prefix, entry.shard_id, bundle.header.num_shards)
            fresh = pb.BundleEntryProto()
            fresh.CopyFrom(entry)
            fresh.shard_id = moved.setdefault(path, len(moved))
            entries[key] = fresh
    _take_names(moved, destination)
    header = pb.BundleHeaderProto()
    header.CopyFrom(bundles[0].header)
    header.num_shards = len(moved)
    with atomic_write(index_path(destination)) as index:
        writer = TableWriter(index.write)
        writer.add(b"", header.SerializeToString(deterministic=True))
        for key in sorted(entries):
            writer.add(key, entries[key].SerializeToString(deterministic=True))
        writer.finish()
    for bundle in bundles:
        if bundle.prefix != destination:
            remove_file(index_path(bundle.prefix))
    remove_other_shards(destination, len(moved))


def _version(bundle: Bundle) -> bytes:
    version: bytes = bundle.header.version.SerializeToString(deterministic=True)
    return version


def _entries(bundle: Bundle) -> Iterator[tuple[bytes, pb.BundleEntryProto]]:
    """All entries, those of slices too, in the order of their keys."""
    named = {name.encode("utf-8", "surrogateescape"): entry for name, entry in bundle.entries.items()}
    found = {**bundle.slices, **named}
    yield from ((key, found[key]) for key in sorted(found))


def _join(known: pb.BundleEntryProto, more: pb.BundleEntryProto, key: bytes, prefix: str) -> None:
    """Adds the slices of a partitioned tensor to those that are known."""
    name = key.decode("utf-8", "replace")
    if not known.slices or not more.slices:
        raise InputError(f"{prefix} holds the tensor {name!r}, which another of the checkpoints holds too.")
    if known.dtype != more.dtype or known.shape != more.shape:
        raise InputError(f"{prefix} says another dtype or shape of {name!r} than another of the checkpoints.")
    known.slices.extend(more.slices)


def _take_names(moved: dict[str, int], destination: str) -> None:
    """Renames the data files. The index that stands at the destination would not fit them, and goes first."""
    remove_file(index_path(destination))
    for path, number in moved.items():
        move_file(path, shard_path(destination, number, len(moved)))
