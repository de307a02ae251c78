"""Model directories of Estimators (and of skflow before them): checkpoints, their graphs, and `graph.pbtxt`.

checkpoint, model.ckpt-STEP.{index,data-*,meta}   the last few checkpoints, each with its MetaGraphDef
graph.pbtxt                                       the training graph in text form
eval/, export/                                    events and exported SavedModels; not part of the model itself
"""

from __future__ import annotations

import dataclasses

from ..base.errors import FileError
from ..base.files import Path, is_file, join
from ..graph.document import Document
from .checkpoint import find_prefix
from .checkpoint_v1 import meta_path
from .graphdef import read_graphdef_text
from .metagraph import read_metagraph
from .state import latest_checkpoint

GRAPH = "graph.pbtxt"


def is_model_dir(directory: Path) -> bool:
    """Whether a directory holds a checkpoint together with its graph."""
    latest = latest_checkpoint(directory)
    if latest is None:
        return False
    return is_file(meta_path(latest)) or is_file(join(directory, GRAPH))


def read_model_dir(directory: Path) -> Document:
    """The document of a model directory: the latest checkpoint with its own `.meta`, else with `graph.pbtxt`."""
    latest = find_prefix(directory)
    meta = meta_path(latest)
    if is_file(meta):
        document = read_metagraph(meta)
    elif is_file(join(directory, GRAPH)):
        document = read_graphdef_text(join(directory, GRAPH))
    else:
        raise FileError(f"{directory} holds the checkpoint {latest}, but no graph: no {meta} and no {GRAPH}.")
    return dataclasses.replace(document, kind="model_dir", weights=latest)
