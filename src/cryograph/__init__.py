"""cryograph opens any TensorFlow model file, joins a graph with its weights in one file, and runs, retrains and converts
it in any Python program, without TensorFlow."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
