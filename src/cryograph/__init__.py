"""cryograph opens any TensorFlow model file, joins a graph with its weights in one file, and runs, retrains and
converts it in any Python program, without TensorFlow.

    import cryograph as cg

    model = cg.load("model.meta")          # any format, told by its content
    model.freeze().save("model.pb")        # graph and weights in one file
    predict = cg.load("model.pb").compile()
    answers = predict(x)
"""

from __future__ import annotations

from .api.comparison import diff
from .api.inspection import Summary, inspect
from .api.model import Model, import_graph, load, save
from .api.predictor import Predictor
from .api.verification import verify
from .base.dtypes import DType
from .base.errors import Error
from .base.tensors import Tensor
from .formats.checkpoint import Checkpoint, latest_checkpoint, save_checkpoint
from .formats.manager import CheckpointManager
from .graph.graph import Graph
from .graph.node import Node

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "CheckpointManager",
    "DType",
    "Error",
    "Graph",
    "Model",
    "Node",
    "Predictor",
    "Summary",
    "Tensor",
    "__version__",
    "diff",
    "import_graph",
    "inspect",
    "latest_checkpoint",
    "load",
    "save",
    "save_checkpoint",
    "verify",
]
