"""The files that conformance tests need, each made by TensorFlow once and kept in a cache outside the tree.

    made = make("keras/mobilenet_v2")       # a Made: the folder, and TensorFlow's answers to given inputs
    made.path("frozen.pb"), made.inputs["x:0"], made.outputs["Identity:0"]
    folder = fetch("musicnn")               # an unpacked package that ships a model

The cache is $CRYOGRAPH_TEST_CACHE, or `cryograph-tests` in the user's cache folder. A recipe runs in a process of its
own (TF1 and TF2 behaviour exclude each other), under a lock, and is run anew when its source or TensorFlow changes.
`python -m tests.conformance.recipes [NAME ...]` makes all of them, or those named (`keras/*` works).
"""

from __future__ import annotations

import fcntl
import fnmatch
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
MAKING = Path(__file__).parent / "making"
REFERENCE = "reference.npz"

RECIPES: dict[str, str] = {
    # name: file in making/, function
    "keras/mobilenet_v2": "keras_models:mobilenet_v2",
    "keras/inception_v3": "keras_models:inception_v3",
    "keras/resnet50": "keras_models:resnet50",
    "keras/efficientnet_b0": "keras_models:efficientnet_b0",
    "speed/lstm": "speed_models:lstm",
    "speed/encoder": "speed_models:encoder",
    "speed/detection": "speed_models:detection",
    "2016/mnist": "graphs_2016:mnist",
    "2016/queues": "graphs_2016:queues",
    "2016/batch_norms": "graphs_2016:batch_norms",
    "2016/partitioned": "graphs_2016:partitioned",
    "2016/tables": "graphs_2016:tables",
    "2016/loops": "graphs_2016:loops",
    "2016/model_dir": "graphs_2016:model_dir",
    "2016/saved_model": "graphs_2016:saved_model",
    "2016/resource_variables": "graphs_2016:resource_variables",
    "tf2/many_signatures": "saved_models:many_signatures",
    "tf2/control_flow": "saved_models:control_flow",
    "tf2/dtypes": "saved_models:dtypes",
    "tf2/keras_text": "saved_models:keras_text",
    "tf2/keras2": "saved_models:keras2",
    "real/musicnn": "real_models:musicnn",
    "real/basic_pitch": "real_models:basic_pitch",
    "real/guesslang": "real_models:guesslang",
    "real/nudity": "real_models:nudity",
    "real/nsfwjs": "real_models:nsfwjs",
    "real/languagedetection": "real_models:languagedetection",
}


@dataclass(frozen=True)
class Case:
    """One question to a model and TensorFlow's answer. Keys are tensor names, or a signature's own names."""

    inputs: dict[str, np.ndarray[Any, Any]]
    outputs: dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Made:
    """What a recipe made: a folder of files, and questions with answers. `cases` are keyed by signature, or by ''."""

    name: str
    folder: Path
    cases: Mapping[str, Case]

    def path(self, *parts: str) -> Path:
        """A file or folder in it; an error when the recipe did not make it, unless it is a checkpoint's prefix."""
        found = self.folder.joinpath(*parts)
        if not found.exists() and not found.with_name(found.name + ".index").exists():
            raise FileNotFoundError(
                f"{self.name} has no {'/'.join(parts)}; there is: {sorted(os.listdir(self.folder))}"
            )
        return found

    @property
    def case(self) -> Case:
        """The only case, or the first."""
        return next(iter(self.cases.values()))

    @property
    def inputs(self) -> dict[str, np.ndarray[Any, Any]]:
        """The inputs of the first case."""
        return self.case.inputs

    @property
    def outputs(self) -> dict[str, np.ndarray[Any, Any]]:
        """The answers of the first case."""
        return self.case.outputs


def cache() -> Path:
    """The folder that keeps what was made."""
    named = os.environ.get("CRYOGRAPH_TEST_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    try:
        folder = Path(home) / "cryograph-tests"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    except OSError:
        return Path(tempfile.gettempdir()) / "cryograph-tests"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the cache's lock of that name: workers of one run wait for each other instead of making a file twice."""
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / f"{name.replace('/', '-')}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def make(name: str) -> Made:
    """What the recipe of that name makes, from the cache when it is there."""
    module, _, function = RECIPES[name].partition(":")
    sources = b"".join(path.read_bytes() for path in (MAKING / f"{module}.py", MAKING / "common.py"))
    state = hashlib.sha256(sources + f"{_tensorflow_version()} {version('keras')}".encode()).hexdigest()[:12]
    folder = cache() / "made" / f"{name.replace('/', '-')}-{state}"
    if not folder.exists():
        with locked(name):
            if not folder.exists():
                _run(name, module, function, folder)
    return Made(name, folder, read_cases(folder / REFERENCE))


def _tensorflow_version() -> str:
    try:
        return version("tensorflow-cpu")
    except PackageNotFoundError:
        return version("tensorflow")


def _run(name: str, module: str, function: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_USE_LEGACY_KERAS": "1",
    }
    command = [sys.executable, "-m", "tests.conformance.making.run", module, function, str(temporary)]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"The recipe {name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def save_cases(path: Path, cases: Mapping[str, Case]) -> None:
    """Writes cases to an .npz; strings as numpy's bytes."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for key, case in cases.items():
        for side, values in (("in", case.inputs), ("out", case.outputs)):
            for name, value in values.items():
                array = np.asarray(value)
                arrays[f"{key}|{side}|{name}"] = array.astype(bytes) if array.dtype.kind == "O" else array
    np.savez(path, **arrays)


def read_cases(path: Path) -> dict[str, Case]:
    """The cases of `save_cases`; strings become object arrays of bytes, as TensorFlow gives them."""
    cases: dict[str, Case] = {}
    with np.load(path) as arrays:
        for joined in arrays.files:
            key, side, name = joined.split("|", 2)
            case = cases.setdefault(key, Case({}, {}))
            array = arrays[joined]
            values = case.inputs if side == "in" else case.outputs
            values[name] = array.astype(object) if array.dtype.kind == "S" else array
    return cases


def main(patterns: list[str]) -> None:
    """Makes the recipes that fit the patterns, all without any, and says how long each took."""
    from .packages import PACKAGES, fetch

    for name in [*RECIPES, *(f"fetch/{package}" for package in PACKAGES)]:
        if patterns and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        start = time.perf_counter()
        folder = fetch(name.removeprefix("fetch/")) if name.startswith("fetch/") else make(name).folder
        print(f"{time.perf_counter() - start:6.1f} s  {name}  {folder}")


if __name__ == "__main__":
    main(sys.argv[1:])
