"""cryograph opens any TensorFlow model file, joins a graph with its weights in one file, and runs, retrains and
converts it in any Python program, without TensorFlow.

    import cryograph as cg

    model = cg.load("model.meta")          # any format, told by its content
    model.freeze().save("model.pb")        # graph and weights in one file
    predict = cg.load("model.pb").compile()
    answers = predict(x)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import train
    from .api.benching import Measurements, bench
    from .api.classifier import Classifier
    from .api.comparison import diff
    from .api.inspection import Summary, inspect
    from .api.model import Model, import_graph, load, save
    from .api.predictor import Predictor
    from .api.retraining import retrain
    from .api.verification import verify
    from .base.dtypes import DType
    from .base.errors import Error
    from .base.tensors import Tensor
    from .formats.checkpoint import Checkpoint, save_checkpoint
    from .formats.manager import CheckpointManager
    from .formats.state import latest_checkpoint
    from .graph.graph import Graph
    from .graph.node import Node
    from .train.session import Session

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "CheckpointManager",
    "Classifier",
    "DType",
    "Error",
    "Graph",
    "Measurements",
    "Model",
    "Node",
    "Predictor",
    "Session",
    "Summary",
    "Tensor",
    "__version__",
    "bench",
    "diff",
    "import_graph",
    "inspect",
    "latest_checkpoint",
    "load",
    "retrain",
    "save",
    "save_checkpoint",
    "train",
    "verify",
]

# Where each name is; imported when it is first used: `cryograph --help` needs none of them, and numpy takes 0.1 s.
_HOMES = {
    "Checkpoint": "formats.checkpoint",
    "CheckpointManager": "formats.manager",
    "Classifier": "api.classifier",
    "DType": "base.dtypes",
    "Error": "base.errors",
    "Graph": "graph.graph",
    "Measurements": "api.benching",
    "Model": "api.model",
    "Node": "graph.node",
    "Predictor": "api.predictor",
    "Session": "train.session",
    "Summary": "api.inspection",
    "Tensor": "base.tensors",
    "bench": "api.benching",
    "diff": "api.comparison",
    "import_graph": "api.model",
    "inspect": "api.inspection",
    "latest_checkpoint": "formats.state",
    "load": "api.model",
    "retrain": "api.retraining",
    "save": "api.model",
    "save_checkpoint": "formats.checkpoint",
    "train": "train",
    "verify": "api.verification",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cryograph' has no attribute {name!r}")
    module = import_module(f".{home}", __name__)
    value = module if home == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
