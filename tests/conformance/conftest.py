"""Fixtures of the conformance suite: files that TensorFlow makes, and packages that ship models (see recipes.py)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# TensorFlow reads these when it is first imported.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from . import packages, recipes


@pytest.fixture(scope="session")
def make() -> Callable[[str], recipes.Made]:
    """`make("keras/mobilenet_v2")`: files and TensorFlow's answers, from the cache or made now."""
    return recipes.make


@pytest.fixture(scope="session")
def fetch() -> Callable[..., Path]:
    """`fetch("musicnn", "MTT_musicnn")`: a package that ships a model, from the cache or its registry."""
    return packages.fetch
