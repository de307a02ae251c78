"""Random ops with seeds, run after run: each goes on where it was. These cases keep all state, as a session does."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.conformance.graphs.making import Built, recipe, v1

raw = tf.raw_ops
SEEDS = {"seed": 3, "seed2": 5}


@recipe([[[3, 2]], [[5]], [[0, 4]], [[2, 2, 2]]], tolerance=2e-6)
def numbers_of_a_shape() -> Built:
    shape = v1.placeholder(tf.int32, [None])
    outputs = [
        raw.RandomUniform(shape=shape, dtype=dtype, **SEEDS)
        for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64)
    ]
    for dtype in (tf.float32, tf.float64):
        outputs.append(raw.RandomStandardNormal(shape=shape, dtype=dtype, **SEEDS))
        outputs.append(raw.TruncatedNormal(shape=shape, dtype=dtype, seed=-7))
    low, high = tf.constant(-5, tf.int64), tf.constant(1 << 40, tf.int64)
    outputs.append(raw.RandomUniformInt(shape=shape, minval=low, maxval=high, seed2=-3))
    outputs.append(raw.RandomUniformInt(shape=shape, minval=0, maxval=7, **SEEDS))
    return [shape], outputs


@recipe([[[[0.1, 2.0, -1.0], [0.0, 0.5, 0.25]], 5], [[[1.0, 0.5]], 3], [[[1.0, 0.5]], 0], [[[0.3, 0.4]], 4]])
def classes() -> Built:
    logits, count = v1.placeholder(tf.float32, [None, None]), v1.placeholder(tf.int32, [])
    return [logits, count], [
        raw.Multinomial(logits=logits, num_samples=count, **SEEDS),
        raw.Multinomial(logits=logits, num_samples=count, output_dtype=tf.int32, seed=9),
    ]


@recipe([[[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3]], [[1]], [[]], [list(range(20))]])
def orders() -> Built:
    values = v1.placeholder(tf.int32, [None])
    return [values], [
        raw.RandomShuffle(value=values, **SEEDS),
        raw.RandomShuffle(value=tf.stack([values, values], 1), seed2=8),
        raw.RandomShuffle(value=tf.stack([values, values]), seed2=8),
    ]


@recipe([[3], [0], [2]], generations=(1, 2), resources=True)
def numbers_of_a_loop() -> Built:
    turns = v1.placeholder(tf.int32, [])

    def body(i: Any, total: Any) -> Any:
        noise = v1.cond(
            tf.equal(i % 2, 0), lambda: v1.random_uniform([4], seed=5), lambda: v1.random_normal([4], seed=6)
        )
        return i + 1, total + noise + tf.cast(v1.random_shuffle(tf.range(4), seed=7), tf.float32)

    total = v1.while_loop(lambda i, _: i < turns, body, [0, tf.zeros([4])], parallel_iterations=1)[1]
    return [turns], [total, v1.random_uniform([2], seed=1)]


@recipe([[[[1.0, 2.0], [3.0, 4.0]], 0.5], [[[1.0, 2.0]], 0.0], [[[1.0, 2.0], [3.0, 4.0]], 0.25]])
def dropped_out() -> Built:
    x, rate = v1.placeholder(tf.float32, [None, 2]), v1.placeholder(tf.float32, [])
    return [x, rate], [v1.nn.dropout(x, rate=rate, seed=4), v1.nn.dropout(x, rate=0.5)]


@recipe([[[3], [0.5, 2.0]], [[2, 2], [1.5]], [[0], [1.0]], [[4], [0.7, 9.0, 30.0]]], tolerance=4e-6)
def gamma_and_poisson() -> Built:
    shape, rate = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None])
    return [shape, rate], [
        raw.RandomGamma(shape=shape, alpha=rate, **SEEDS),
        raw.RandomPoissonV2(shape=shape, rate=rate, dtype=tf.int64, seed=-4),
    ]


@recipe([[[2, 3]], [[1, 5]], [[3, 1]], [[2, 3]]], tolerance=4e-6)
def truncated_with_parameters() -> Built:
    shape = v1.placeholder(tf.int32, [None])
    said = {"means": 0.5, "stdevs": 2.0, "minvals": -1.0, "maxvals": 1.5}
    by_row = {**said, "means": tf.fill(shape[:1], 0.25)}
    return [shape], [
        raw.ParameterizedTruncatedNormal(shape=shape, **said, **SEEDS),
        raw.ParameterizedTruncatedNormal(shape=shape, **by_row, **SEEDS),
    ]


@recipe([[[50, 60, 3]], [[50, 60, 3]], [[70, 30, 1]]], tolerance=2e-6)
def boxes_in_pictures() -> Built:
    size = v1.placeholder(tf.int32, [3])
    boxes = tf.constant([[[0.1, 0.2, 0.7, 0.9]]])
    how = {"image_size": size, "bounding_boxes": boxes}
    found = raw.SampleDistortedBoundingBoxV2(**how, min_object_covered=0.1, max_attempts=7, **SEEDS)
    return [size], [*found, *raw.SampleDistortedBoundingBox(**how, seed=4)]


@recipe([[[[1], [3]]], [[[0], [9]]], [[[4]]]], tolerance=4e-6)
def candidates() -> Built:
    classes = v1.placeholder(tf.int64, [None, 1])
    said = {"true_classes": classes, "num_true": 1, **SEEDS}
    outputs: list[Any] = []
    for unique in (False, True):
        outputs += raw.UniformCandidateSampler(**said, num_sampled=4, unique=unique, range_max=10)
        outputs += raw.LogUniformCandidateSampler(**said, num_sampled=3, unique=unique, range_max=50)
        weights = [1.0, 2.0, 5.0, 3.0, 1.0, 1.0, 4.0, 2.0, 1.0, 1.0]
        outputs += raw.FixedUnigramCandidateSampler(
            **said, num_sampled=4, unique=unique, range_max=10, unigrams=weights
        )
    return [classes], outputs


@recipe([[[[1], [3]]], [[[3], [3]]], [[[4]]], [[[3], [9], [3]]], [[[0]]]], tolerance=4e-6)
def candidates_that_are_learned() -> Built:
    classes = v1.placeholder(tf.int64, [None, 1])
    said = {"true_classes": classes, "num_true": 1}
    outputs: list[Any] = []
    for sampler in (raw.LearnedUnigramCandidateSampler, raw.ThreadUnsafeUnigramCandidateSampler):
        for unique in (False, True):
            outputs += sampler(**said, num_sampled=4, unique=unique, range_max=10, **SEEDS)
    outputs += raw.LearnedUnigramCandidateSampler(**said, num_sampled=16, unique=True, range_max=16, seed=-5)
    # What is learned without seeds, all classes being drawn.
    drawn = raw.LearnedUnigramCandidateSampler(**said, num_sampled=10, unique=False, range_max=10)
    return [classes], [*outputs, drawn.true_expected_count]


@recipe([[2], [3], [1]], generations=(1, 2), tolerance=4e-6)
def learned_in_a_loop() -> Built:
    turns = v1.placeholder(tf.int32, [])

    def body(i: Any, total: Any) -> Any:
        made = raw.LearnedUnigramCandidateSampler(
            true_classes=tf.cast(tf.reshape(i, [1, 1]), tf.int64), num_true=1, num_sampled=3, unique=False,
            range_max=4, **SEEDS,
        )  # fmt: skip
        return i + 1, total + tf.cast(made.sampled_candidates, tf.float32) + made.sampled_expected_count

    return [turns], [v1.while_loop(lambda i, _: i < turns, body, [0, tf.zeros([3])], parallel_iterations=1)[1]]


def of_version(producer: int, op: str, outputs: int, *inputs: Any, **attrs: Any) -> list[Any]:
    """Outputs of an op that no function makes any more, in a graph of the last version that had it."""
    graph = v1.GraphDef()
    graph.versions.producer = producer
    names = [f"x{place}" for place in range(len(inputs))]
    for name, value in zip(names, inputs, strict=True):
        graph.node.add(name=name, op="Placeholder").attr["dtype"].type = value.dtype.as_datatype_enum
    node = graph.node.add(name=op, op=op, input=names)
    for name, value in attrs.items():
        if isinstance(value, tf.DType):
            node.attr[name].type = value.as_datatype_enum
        else:
            node.attr[name].i = value
    wanted = [f"{op}:{place}" for place in range(outputs)]
    made: list[Any] = tf.graph_util.import_graph_def(
        graph, dict(zip(names, inputs, strict=True)), return_elements=wanted, name=""
    )
    return made


@recipe([[[3], [0.5, 2.0]], [[2, 2], [1.5]], [[0], [1.0]], [[4], [0.7, 9.0, 30.0]]])
def old_poisson() -> Built:
    shape, rate = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None])
    said = {"S": tf.int32, "dtype": tf.float32, **SEEDS}
    return [shape, rate], of_version(24, "RandomPoisson", 1, shape, rate, **said)


@recipe([[[2, 3]], [[5, 7]], [[5, 3]], [[1, 1]], [[9, 1]], [[4, 4]], [[0, 2]], [[4, 7]]])
def crops() -> Built:
    size = v1.placeholder(tf.int64, [2])
    picture = tf.reshape(tf.range(70), [5, 7, 2])
    outputs = of_version(7, "RandomCrop", 1, picture, size, T=tf.int32, **SEEDS)
    return [size], [*outputs, *of_version(7, "RandomCrop", 1, picture, size, T=tf.int32, seed=4)]
