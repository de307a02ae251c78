"""The ops of TensorFlow's savers, for the reference engine: they write and read checkpoints at paths of the run.

`saver_rules` makes the rules of one grant. Each asks, before it touches anything, whether it may.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.dtypes import DType
from ..base.errors import FileError, InputError
from ..base.files import is_file, make_dir, remove_empty_dir
from ..base.shapes import show
from ..base.tensors import Array, Tensor
from ..engines.numpy.context import Context, Rule
from ..formats.checkpoint_v1 import SliceTables, write_slice_tables
from ..formats.checkpoint_v2 import Bundle, index_path, write_bundle
from ..formats.merging import merge_bundles
from ..formats.slices import TensorSlice
from ..formats.state import has_checkpoint
from .touch import Touch, folder_of, scalar, text, texts


def _tensors(
    names: Array, specs: Array | None, values: Sequence[Array], dtypes: Sequence[DType]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What a saver is given, as the writers of formats take it: tensors by keys, and for those that are parts of a
    partitioned tensor its name and the slice."""
    called = texts(names)
    slices = [""] * len(called) if specs is None else texts(specs)
    if not len(called) == len(slices) == len(values):
        raise InputError(f"{len(called)} names and {len(slices)} slices were given for {len(values)} tensors")
    tensors: dict[str, Tensor] = {}
    parts: dict[str, str] = {}
    for name, spec, value, dtype in zip(called, slices, values, dtypes, strict=True):
        if spec and " " in name:
            raise InputError(f"a slice of {name!r} cannot be saved, as there is a space in its name")
        key = f"{name} {spec}" if spec else name
        if key in tensors:
            raise InputError(f"two tensors are saved as {key!r}")
        tensors[key] = Tensor.of(value, dtype.base)
        if spec:
            parts[key] = key
    return tensors, parts


def _sliced(tensor: Tensor, spec: str, dtype: DType, name: str) -> Array:
    """The values of a tensor, or of a slice of it, as an array of its own: the file may be replaced meanwhile."""
    if tensor.dtype != dtype.base:
        raise InputError(f"{name!r} is {tensor.dtype} in the checkpoint; {dtype.base} was asked for")
    if not spec:
        return np.array(tensor.numpy())
    shape, part = TensorSlice.parse(spec)
    if shape != tensor.shape:
        raise InputError(f"{name!r} has the shape {show(tensor.shape)}; a slice of {show(shape)} was asked for")
    return np.array(tensor.numpy()[part.box(shape, name)])


def _from(opened: Bundle | SliceTables, name: str, spec: str, dtype: DType) -> Array:
    if name not in opened.entries:
        raise InputError(f"the checkpoint {opened.prefix} has no tensor {name!r}")
    return _sliced(opened.tensor(name), spec, dtype, name)


def _tables(pattern: str) -> SliceTables:
    if not has_checkpoint(pattern) or is_file(index_path(pattern)):
        raise FileError(f"there is no checkpoint of version 1 at {pattern}")
    return SliceTables(pattern)


def saver_rules(touch: Touch) -> dict[str, Rule]:
    """The rules of the ops that save and restore."""

    def save_v2(
        ctx: Context, prefix: Array, names: Array, specs: Array, *values: Array, dtypes: list[DType]
    ) -> tuple[Array, ...]:
        path = text(prefix, "the prefix")
        touch(path)
        tensors, parts = _tensors(names, specs, values, dtypes)
        make_dir(folder_of(path))
        write_bundle(path, tensors, [list(tensors)], parts)
        return ()

    def restore_v2(
        ctx: Context, prefix: Array, names: Array, specs: Array, *, dtypes: list[DType]
    ) -> tuple[Array, ...]:
        path, called, slices = text(prefix, "the prefix"), texts(names), texts(specs)
        if not len(called) == len(slices) == len(dtypes):
            raise InputError(f"{len(called)} names and {len(slices)} slices were given for {len(dtypes)} dtypes")
        touch(path)
        opened = Bundle(path) if is_file(index_path(path)) else _tables(path)
        asked = zip(called, slices, dtypes, strict=True)
        return tuple(_from(opened, name, spec, dtype) for name, spec, dtype in asked)

    def merge(
        ctx: Context, prefixes: Array, destination: Array, *, delete_old_dirs: bool, allow_missing_files: bool
    ) -> tuple[Array, ...]:
        if prefixes.ndim != 1:
            raise InputError(f"a vector of prefixes was expected, not {show(prefixes.shape)}")
        target, parts = scalar(destination, "the destination"), texts(prefixes)
        for path in (*parts, target):
            touch(path)
        make_dir(folder_of(target))
        merge_bundles(parts, target, allow_missing_files)
        for folder in dict.fromkeys(map(folder_of, parts)) if delete_old_dirs else ():
            if folder != folder_of(target):
                remove_empty_dir(folder)
        return ()

    def save_tables(
        filename: Array, names: Array, specs: Array | None, values: Sequence[Array], T: list[DType]
    ) -> None:
        path = text(filename, "the file name")
        touch(path)
        tensors, parts = _tensors(names, specs, values, T)
        write_slice_tables(path, tensors, [list(tensors)], parts)

    def save(ctx: Context, filename: Array, names: Array, *values: Array, T: list[DType]) -> tuple[Array, ...]:
        save_tables(filename, names, None, values, T)
        return ()

    def save_slices(
        ctx: Context, filename: Array, names: Array, specs: Array, *values: Array, T: list[DType]
    ) -> tuple[Array, ...]:
        save_tables(filename, names, specs, values, T)
        return ()

    def restore(ctx: Context, pattern: Array, name: Array, *, dt: DType, preferred_shard: int) -> Array:
        path = text(pattern, "the file pattern")
        touch(path)
        return _from(_tables(path), text(name, "the name"), "", dt)

    def restore_slice(
        ctx: Context, pattern: Array, name: Array, spec: Array, *, dt: DType, preferred_shard: int
    ) -> Array:
        path = text(pattern, "the file pattern")
        touch(path)
        return _from(_tables(path), text(name, "the name"), text(spec, "the slice"), dt)

    return {
        "MergeV2Checkpoints": merge,
        "Restore": restore,
        "RestoreSlice": restore_slice,
        "RestoreV2": restore_v2,
        "Save": save,
        "SaveSlices": save_slices,
        "SaveV2": save_v2,
    }
