"""Ops that warm-start one model from another's files, for the reference engine: GenerateVocabRemapping and
LoadAndRemapMatrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..base.errors import InputError
from ..base.files import open_file
from ..base.shapes import show
from ..base.tensors import Array
from ..engines.numpy.context import Context, Rule
from ..formats.checkpoint_v2 import Bundle
from ..formats.vocabulary import read_lines
from .touch import Touch, text


def _vocab_remapping(touch: Touch) -> Rule:
    def rule(
        ctx: Context,
        new_vocab_file: Array,
        old_vocab_file: Array,
        *,
        new_vocab_offset: int,
        num_new_vocab: int,
        old_vocab_size: int,
    ) -> tuple[Array, Array]:
        new_path, old_path = text(new_vocab_file, "the new vocabulary"), text(old_vocab_file, "the old vocabulary")
        touch(new_path)
        touch(old_path)
        new, old = read_lines(open_file(new_path).span()), read_lines(open_file(old_path).span(), old_vocab_size)
        if min(new_vocab_offset, num_new_vocab) < 0 or new_vocab_offset + num_new_vocab > len(new):
            raise InputError(
                f"{new_path} has {len(new)} lines; {num_new_vocab} from {new_vocab_offset} on were asked for"
            )
        places = {word: number for number, word in enumerate(old)}
        if len(places) < len(old):
            raise InputError(f"{old_path} has a word twice")
        words = new[new_vocab_offset : new_vocab_offset + num_new_vocab]
        remapping = np.array([places.get(word, -1) for word in words], np.int64)
        return remapping, np.array((remapping >= 0).sum(), np.int32)

    return rule


def _load_and_remap(touch: Touch) -> Rule:
    def rule(
        ctx: Context,
        ckpt_path: Array,
        old_tensor_name: Array,
        row_remapping: Array,
        col_remapping: Array,
        initializing_values: Array,
        *,
        num_rows: int,
        num_cols: int,
        max_rows_in_memory: int,
    ) -> Array:
        path, name = text(ckpt_path, "the checkpoint"), text(old_tensor_name, "the name of the tensor")
        touch(path)
        opened = Bundle(path)
        if name not in opened.entries:
            raise InputError(f"the checkpoint {path} has no tensor {name!r}")
        tensor = opened.tensor(name)
        if tensor.dtype.name != "float32" or len(tensor.shape) != 2:
            raise InputError(f"{name!r} is {tensor.dtype} {show(tensor.shape)}, where a matrix of float32 is expected")
        columns = col_remapping if col_remapping.size else np.arange(tensor.shape[1])
        if row_remapping.shape != (num_rows,) or columns.shape != (num_cols,):
            raise InputError(
                f"{num_rows} rows and {num_cols} columns are wanted; {show(row_remapping.shape)} and"
                f" {show(columns.shape)} are named"
            )
        for named, size in ((row_remapping, tensor.shape[0]), (columns, tensor.shape[1])):
            kept = named[named >= 0]
            if len(np.unique(kept)) < len(kept):
                raise InputError("a row or column of the old matrix is wanted twice")
            if kept.size and kept.max() >= size:
                raise InputError(f"row or column {kept.max()} of the old matrix is wanted, where there are {size}")
        there = (row_remapping >= 0)[:, None] & (columns >= 0)
        values = initializing_values.reshape(-1)
        missing = there.size - int(there.sum())
        if values.size != missing:
            raise InputError(f"{values.size} values were given for the {missing} elements that are missing")
        made = np.empty((num_rows, num_cols), np.float32)
        taken = np.ix_(row_remapping[row_remapping >= 0], columns[columns >= 0])
        made[there] = tensor.numpy()[taken].reshape(-1)
        made[~there] = values
        return made

    return rule


def remapping_rules(touch: Touch) -> Mapping[str, Rule]:
    """The rules of the ops that warm-start."""
    return {"GenerateVocabRemapping": _vocab_remapping(touch), "LoadAndRemapMatrix": _load_and_remap(touch)}
