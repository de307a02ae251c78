"""A training step of a graph's own train op: cryograph's engines beside TensorFlow, in alternation, in one run.

    python benchmarks/training.py                                  # the CNN of MNIST's size, batch 64
    python benchmarks/training.py --engines jax,numpy --batch 32 --rounds 15 --steps 10

The graph is TensorFlow 1's: two convolutions of 5 x 5 with pools, a layer of 1,024 units, dropout left out, Adam. Each
peer runs in a process of its own, on the same checkpoint and the same pictures; they take turns of a few steps each. A
ratio is the median over the rounds of the ratio of their medians, and the losses after all steps stand beside it.
Needs the group `conformance`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PAUSE = 0.05
"""Seconds of rest before each turn, until threads that wait busily have gone to sleep."""


def make_graph(prefix: str) -> None:
    """Writes `prefix.meta` and a checkpoint beside it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_v2_behavior()
    v1.set_random_seed(7)

    def weights(name: str, *shape: int) -> Any:
        return v1.get_variable(name, shape, initializer=v1.truncated_normal_initializer(stddev=0.1))

    def convolved(x: Any, name: str, inner: int, outer: int) -> Any:
        with v1.variable_scope(name):
            made = tf.nn.conv2d(x, weights("w", 5, 5, inner, outer), strides=1, padding="SAME")
            return tf.nn.max_pool2d(tf.nn.relu(made + weights("b", outer)), 2, 2, "SAME")

    x = v1.placeholder(tf.float32, [None, 784], name="x")
    y = v1.placeholder(tf.int64, [None], name="y")
    hidden = convolved(convolved(tf.reshape(x, [-1, 28, 28, 1]), "first", 1, 32), "second", 32, 64)
    flat = tf.reshape(hidden, [-1, 7 * 7 * 64])
    dense = tf.nn.relu(flat @ weights("dense_w", 7 * 7 * 64, 1024) + weights("dense_b", 1024))
    logits = dense @ weights("out_w", 1024, 10) + weights("out_b", 10)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(losses, name="loss")
    v1.train.AdamOptimizer(1e-4).minimize(loss, name="train")
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, prefix)


def batches(batch: int) -> Callable[[int], tuple[Any, Any]]:
    """Pictures of noise with a bright part that tells the class."""

    def take(step: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(step)
        y = rng.integers(0, 10, batch)
        x = rng.uniform(0, 0.5, (batch, 784)).astype(np.float32)
        for row, number in enumerate(y):
            x[row, 70 * number : 70 * number + 60] += 0.5
        return x, y.astype(np.int64)

    return take


def with_tensorflow(prefix: str) -> Callable[[Any, Any], float]:
    """TensorFlow's own session."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_v2_behavior()
    v1.disable_resource_variables()
    saver = v1.train.import_meta_graph(f"{prefix}.meta")
    session = v1.Session()
    saver.restore(session, prefix)

    def step(x: Any, y: Any) -> float:
        return float(session.run(["loss:0", "train"], {"x:0": x, "y:0": y})[0])

    return step


def with_cryograph(engine: str) -> Callable[[str], Callable[[Any, Any], float]]:
    """A session of ours."""

    def open_(prefix: str) -> Callable[[Any, Any], float]:
        import cryograph

        session = cryograph.load(f"{prefix}.meta").session(engine=engine)

        def step(x: Any, y: Any) -> float:
            return float(session.run(["loss:0", "train"], {"x:0": x, "y:0": y})[0])

        return step

    return open_


def serve(peer: str, prefix: str, batch: int) -> None:
    """Takes numbers of steps on standard input, and gives seconds a step and the last loss."""
    step = (with_tensorflow if peer == "tensorflow" else with_cryograph(peer))(prefix)
    take, done = batches(batch), 0
    for line in sys.stdin:
        seconds, loss = [], 0.0
        for _ in range(int(line)):
            x, y = take(done)
            start = time.perf_counter()
            loss = step(x, y)
            seconds.append(time.perf_counter() - start)
            done += 1
        print(json.dumps([seconds, loss]), flush=True)


class Peer:
    """A process that takes steps when it is told."""

    def __init__(self, name: str, prefix: str, batch: int) -> None:
        command = [sys.executable, __file__, "--serve", name, "--prefix", prefix, "--batch", str(batch)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def steps(self, count: int) -> tuple[list[float], float]:
        """Seconds of each step, and the loss after the last."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the process has no pipes")
        print(count, file=self._process.stdin, flush=True)
        seconds, loss = json.loads(self._process.stdout.readline())
        return seconds, loss

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Compares, and prints a line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="jax")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path, default=Path("training.json"))
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--prefix", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve:
        serve(said.serve, said.prefix, said.batch)
        return
    engines = said.engines.split(",")
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/model.ckpt"
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import training; "
        subprocess.run([sys.executable, "-c", f"{code}training.make_graph({prefix!r})"], check=True)
        peers = {name: Peer(name, prefix, said.batch) for name in ("tensorflow", *engines)}
        for peer in peers.values():
            peer.steps(2)
        medians: dict[str, list[float]] = {name: [] for name in peers}
        best = dict.fromkeys(peers, float("inf"))
        losses = dict.fromkeys(peers, 0.0)
        for number in range(said.rounds):
            order = list(peers)
            for name in order[number % len(order) :] + order[: number % len(order)]:
                time.sleep(PAUSE)
                seconds, losses[name] = peers[name].steps(said.steps)
                medians[name].append(statistics.median(seconds))
                best[name] = min(best[name], *seconds)
        for peer in peers.values():
            peer.close()
    rows = []
    for name in engines:
        ratio = statistics.median(a / b for a, b in zip(medians[name], medians["tensorflow"], strict=True))
        times = {peer: round(statistics.median(medians[peer]) * 1e3, 2) for peer in (name, "tensorflow")}
        rows.append({"engine": name, "batch": said.batch, "ms": times, "ratio": round(ratio, 3), "losses": losses,
                     "best_ms": {peer: round(best[peer] * 1e3, 2) for peer in times}})  # fmt: skip
        listed = "  ".join(
            f"{peer} {ms} ms (best {best[peer] * 1e3:.1f}, loss {losses[peer]:.6f})" for peer, ms in times.items()
        )
        print(f"batch {said.batch}: {listed}   x{ratio:.3f} of tensorflow", flush=True)
    said.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
