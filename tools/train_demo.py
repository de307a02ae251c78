"""Trains the model that `cryograph demo` ships: a digit classifier in the style of 2016, and its checkpoint.

    python tools/train_demo.py           # trains and writes src/cryograph/data/demo/
    python tools/train_demo.py --check   # the files there are this script's, and the shipped weights still classify

Needs the dependency group `conformance` (TensorFlow makes the model, scikit-learn has the pictures). Training sums
floats in an order that differs between processors, so `--check` compares everything but the values of the weights: the
graph byte for byte, the checkpoint's names and shapes, and the accuracy of the shipped weights.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import tensorflow as tf
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "src" / "cryograph" / "data" / "demo"
SEED = 20160311
STEPS = 3000
BATCH = 64
HELD_OUT = 360
ACCURACY = 0.97
NAME = "digits"
LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

v1 = tf.compat.v1


@dataclass(frozen=True)
class Digits:
    """Pictures (N, 8, 8, 1) in 0..1 and their classes (N,), apart for training and for the test."""

    train_image: np.ndarray[Any, Any]
    train_label: np.ndarray[Any, Any]
    test_image: np.ndarray[Any, Any]
    test_label: np.ndarray[Any, Any]


def digits() -> Digits:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, shuffled once; the first HELD_OUT are never trained on."""
    raw = load_digits()
    image = (raw.images / 16.0).astype(np.float32)[..., None]
    label = raw.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(label))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    return Digits(image[rest], label[rest], image[held], label[held])


def build() -> Any:
    """Builds the graph (two convolutions, two dense layers, dropout, loss, train op, saver) and returns its saver."""

    def variable(name: str, shape: list[int], spread: float) -> Any:
        start = v1.truncated_normal_initializer(stddev=spread) if spread else v1.constant_initializer(0.1)
        return v1.get_variable(name, shape, initializer=start)

    image = v1.placeholder(tf.float32, [None, 8, 8, 1], name="image")
    label = v1.placeholder(tf.int64, [None], name="label")
    dropout = v1.placeholder_with_default(0.0, [], name="dropout_rate")

    x = image
    for number, (inner, outer) in enumerate([(1, 12), (12, 24)], 1):
        with v1.variable_scope(f"conv{number}"):
            weights = variable("weights", [3, 3, inner, outer], (2 / (9 * inner)) ** 0.5)
            x = v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
            x = tf.nn.relu(v1.nn.bias_add(x, variable("biases", [outer], 0)))
            x = v1.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], padding="SAME")
    x = tf.reshape(x, [-1, 2 * 2 * 24], name="flat")
    with v1.variable_scope("hidden"):
        x = tf.nn.relu(tf.matmul(x, variable("weights", [96, 48], 0.14)) + variable("biases", [48], 0))
    x = v1.nn.dropout(x, rate=dropout, seed=7, name="dropout")
    with v1.variable_scope("final"):
        x = tf.matmul(x, variable("weights", [48, len(LABELS)], 0.1)) + variable("biases", [len(LABELS)], 0)
    logits = tf.identity(x, name="logits")
    tf.nn.softmax(logits, name="probabilities")

    with v1.name_scope("training"):
        losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
        loss = tf.reduce_mean(losses, name="loss")
        step = v1.train.get_or_create_global_step()
    v1.train.MomentumOptimizer(0.02, 0.9).minimize(loss, global_step=step, name="train")
    v1.global_variables_initializer()
    return v1.train.Saver(max_to_keep=1, save_relative_paths=True)


def fresh_session() -> Any:
    """A session of one thread on the graph that `build` made, every random op seeded."""
    config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    return v1.Session(config=config)


def accuracy(session: Any, data: Digits) -> float:
    """The share of the held-out pictures that are classified right."""
    found = session.run("probabilities:0", {"image:0": data.test_image})
    return float(np.mean(found.argmax(axis=1) == data.test_label))


def write_plain_files(directory: Path, graph: Any) -> None:
    """Everything but the weights and the pictures (drawn by hand): the graph as text and the names of the classes."""
    tf.io.write_graph(graph.as_graph_def(), str(directory), "graph.pbtxt", as_text=True)
    (directory / "labels.txt").write_text("\n".join(LABELS) + "\n", "utf-8")


def train(directory: Path) -> float:
    """Trains STEPS steps and writes all files; returns the accuracy on the held-out pictures."""
    data = digits()
    with tf.Graph().as_default() as graph:
        v1.set_random_seed(SEED)
        saver = build()
        write_plain_files(directory, graph)
        batches = np.random.default_rng(SEED + 1)
        with fresh_session() as session:
            session.run("init")
            for _ in range(STEPS):
                picked = batches.choice(len(data.train_label), BATCH, replace=False)
                feeds = {
                    "image:0": data.train_image[picked],
                    "label:0": data.train_label[picked],
                    "dropout_rate:0": 0.3,
                }
                session.run("train", feeds)
            saver.save(session, str(directory / NAME), global_step=STEPS, write_meta_graph=False)
            return accuracy(session, data)


def complaints(directory: Path) -> list[str]:
    """What differs between the files there and what this script makes."""
    data = digits()
    found = []
    with tempfile.TemporaryDirectory() as scratch, tf.Graph().as_default() as graph:
        v1.set_random_seed(SEED)
        saver = build()
        write_plain_files(Path(scratch), graph)
        for name in ("graph.pbtxt", "labels.txt"):
            if not filecmp.cmp(directory / name, Path(scratch) / name, shallow=False):
                found.append(f"{name} is not what this script makes")
        prefix = tf.train.latest_checkpoint(str(directory))
        wanted = {v.op.name: v.shape.as_list() for v in v1.global_variables()}
        if prefix is None or dict(tf.train.list_variables(prefix)) != wanted:
            found.append("the checkpoint does not hold the variables of the graph")
        else:
            with fresh_session() as session:
                saver.restore(session, prefix)
                share = accuracy(session, data)
            if share <= ACCURACY:
                found.append(
                    f"the shipped weights classify {share:.1%} of the held-out pictures, {ACCURACY:.0%} are due"
                )
    return found


def main() -> int:
    """Trains, or checks; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file differs")
    options = parser.parse_args()
    v1.disable_v2_behavior()
    v1.disable_resource_variables()
    if options.check:
        found = complaints(TARGET)
        print("\n".join(found) if found else f"{TARGET.name}: as tools/train_demo.py makes it")
        return 1 if found else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.glob(f"{NAME}-*"):
        old.unlink()
    share = train(TARGET)
    print(f"{share:.2%} of {HELD_OUT} held-out pictures classified right after {STEPS} steps")
    return 0 if share > ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
