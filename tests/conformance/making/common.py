"""What several recipes share: pictures, weights, freezing and asking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


def photographs(size: int) -> Array:
    """scikit-learn's two photographs, scaled to `(2, size, size, 3)` in -1 to 1."""
    import sklearn.datasets

    squares = []
    for name in ("china.jpg", "flower.jpg"):
        content = (Path(sklearn.datasets.__file__).parent / "images" / name).read_bytes()
        picture = np.asarray(tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE"))
        side = min(picture.shape[:2])
        square = tf.image.resize(picture[:side, :side].astype(np.float32), (size, size), antialias=True)
        squares.append(np.asarray(square) / 127.5 - 1)
    return np.stack(squares).astype(np.float32)


def freeze(function: Any, path: Path) -> Any:
    """Writes a concrete function with its variables as constants; returns the frozen function."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))
    return frozen


def run_graph(graph_def: Any, feeds: dict[str, Array], fetches: list[str]) -> dict[str, Array]:
    """What TensorFlow answers when a GraphDef is imported and run; table initialisers run first."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return dict(zip(fetches, session.run(fetches, feeds), strict=True))
