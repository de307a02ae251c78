"""Trains further layers of a network together with its new last one, through JAX, on pictures read batch by batch."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.dtypes import FLOAT32, INT32, INT64
from ..base.errors import InputError, UnknownNameError, nearest
from ..base.tensors import Array, Tensor
from ..graph.node import Node
from ..ops.bottlenecks import layers_behind
from ..ops.inference import infer
from ..ops.picture_inputs import PictureInput
from ..ops.weights import kept_up, weights_by_use
from ..train.distortions import Distortion
from ..train.fit import fit
from ..train.labelled import Picture
from .model import Model
from .pictures import fitted_picture, pixels_of

LABELS, LOSS = "finetuning/labels", "finetuning/loss"


@dataclass(frozen=True, slots=True)
class Finetuning:
    """Which layers are trained further: the last `layers` before the new one (a number), or those whose weights globs
    choose; for `epochs`, in batches of `batch`, by Adam with `learning_rate`. The weights of the epoch with the least
    loss on the validation part are kept.

    A layer is a product or a convolution, with the biases, scales and offsets behind it. Batch norms go on using the
    means and variances that they have, as TensorFlow's users have it when they train a network further: these are
    trained only where they are named in full, and so is any constant that is no weight."""

    layers: int | tuple[str, ...]
    epochs: int = 5
    batch: int = 16
    learning_rate: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < np.inf:
            raise InputError(f"learning_rate is {self.learning_rate:g}; a number above 0 was expected.")


def finetune(
    model: Model,
    logits: str,
    heads: Sequence[str],
    bottleneck: str,
    target: PictureInput,
    parts: Mapping[str, Sequence[Picture]],
    settings: Finetuning,
    distortion: Distortion | None = None,
) -> tuple[Model, tuple[str, ...], list[Mapping[str, float]]]:
    """The model with further layers trained, the names of their constants, and a row of losses for each epoch.

    `logits` is the tensor in front of the new softmax, `heads` the constants of the new layer. InputError when pictures
    go in as the bytes of files, whose decoding has no derivative, or nothing is chosen; UnknownNameError for a glob
    that fits no weight; MissingExtraError without the extra `jax`.
    """
    if target.encoded:
        raise InputError(
            f"Pictures go into {target.tensor} as the bytes of files, through which nothing can be trained; name the"
            " tensor of pixels behind the decoding with input_name (--input)."
        )
    chosen = _chosen(model, heads, bottleneck, target, settings.layers)
    thawed = Model.of(model.unfreeze([*chosen, *heads]))
    free = _with_open_batch(thawed, target)
    batch = settings.batch if free is not None else target.batch or 1
    graph_model = free if free is not None else thawed
    _add_loss(graph_model, logits)

    def batches(part: str, epoch: int) -> Iterator[dict[str, Array]]:
        pictures = parts[part]
        draw = np.random.default_rng([settings.seed, epoch])
        order = draw.permutation(len(pictures)) if part == "train" else np.arange(len(pictures))
        for start in range(0, len(pictures) - len(pictures) % batch or len(pictures), batch):
            taken = [pictures[i] for i in order[start : start + batch]]
            changed = distortion if part == "train" else None
            arrays = [_prepared(p.path, target, changed, draw) for p in taken]
            arrays += arrays[-1:] * ((target.batch or len(arrays)) - len(arrays) if free is None else 0)
            labels = [p.label for p in taken] + [taken[-1].label] * (len(arrays) - len(taken))
            pixels = arrays[0] if target.batch == 0 else np.stack(arrays)
            yield {target.tensor: pixels, f"{LABELS}:0": np.array(labels, np.int64)}

    fitted = fit(
        graph_model,
        lambda epoch: batches("train", epoch),
        loss=f"{LOSS}:0",
        trainable=[*chosen, *heads],
        optimizer=settings.learning_rate,
        epochs=settings.epochs,
        validation=(lambda epoch: batches("validation", epoch)) if parts["validation"] else None,
        patience=settings.epochs,
        seed=settings.seed,
    )
    values = {name: fitted.model.variables[name].tensor for name in (*chosen, *heads)}
    return _with_values(model, values), tuple(chosen), list(fitted.history)


def _chosen(
    model: Model, heads: Sequence[str], bottleneck: str, target: PictureInput, layers: int | Sequence[str]
) -> list[str]:
    found = layers_behind(model.graph, bottleneck, [target.tensor])
    if isinstance(layers, int):
        if not 0 < layers <= len(found):
            raise InputError(
                f"{layers} layers were to be trained further; the network has {len(found)} before its last."
            )
        return [name for layer in found[-layers:] for name in layer]
    floats = (node.name for node in model.graph if node.op == "Const" and node.attr("dtype") == FLOAT32)
    constants = [name for name in floats if name not in heads]  # those of the new layer are trained anyhow
    untrained = kept_up(model.graph)
    trained = {name for name, is_trained in weights_by_use(model.graph).items() if is_trained} - untrained
    weights = [name for name in constants if name in trained]
    others = [name for name in constants if name not in untrained and model.graph.nodes[name].attr("value").shape]
    chosen: set[str] = set()
    for glob in layers:
        fitting = [glob] if glob in constants else fnmatch.filter(weights, glob) or fnmatch.filter(others, glob)
        if not fitting:
            known = fnmatch.filter(constants, glob)
            why = f" {known[0]} is no weight that is trained; name it in full if it is meant." if known else ""
            raise UnknownNameError(f"No weight is called {glob!r}.{why}" + nearest(glob, weights or constants))
        chosen.update(fitting)
    return [name for name in constants if name in chosen]


def _with_open_batch(model: Model, target: PictureInput) -> Model | None:
    """The model for any number of pictures at once; None where its graph holds to the number that it was made for."""
    if target.batch is None:
        return model
    shape = infer(model.graph).shape(target.tensor)
    if target.batch == 0 or shape is None:
        return None
    opened = Model.of(model.reshape({target.tensor: (None, *shape[1:])}))
    return None if infer(opened.graph).contradictions else opened


def _add_loss(model: Model, logits: str) -> None:
    """A placeholder of labels, and the mean cross entropy."""
    graph = model.graph
    graph.add(Node.make(LABELS, "Placeholder", (), {"dtype": INT64, "shape": (None,)}))
    entropy = f"{LOSS}/each"
    types = {"T": FLOAT32, "Tlabels": INT64}
    graph.add(Node.make(entropy, "SparseSoftmaxCrossEntropyWithLogits", (logits, LABELS), types))
    axes = Tensor.of(np.array([0], np.int32))
    graph.add(Node.make(f"{LOSS}/axes", "Const", (), {"dtype": INT32, "value": axes}))
    of_all = {"T": FLOAT32, "Tidx": INT32, "keep_dims": False}
    graph.add(Node.make(LOSS, "Mean", (entropy, f"{LOSS}/axes"), of_all))


def _prepared(path: str, target: PictureInput, distortion: Distortion | None, draw: np.random.Generator) -> Array:
    if not distortion:
        return fitted_picture(path, target)
    return fitted_picture(distortion.of(pixels_of(path, target.channels), draw), target)


def _with_values(model: Model, values: Mapping[str, Tensor | None]) -> Model:
    """The model with other values for some of its constants."""
    graph = model.graph.copy()
    for name, tensor in values.items():
        node = graph.nodes[name]
        graph.replace(Node.make(name, "Const", node.inputs, {"dtype": node.attr("dtype"), "value": tensor}))
    return dataclasses.replace(model, graph=graph)
