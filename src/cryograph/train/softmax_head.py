"""A new last layer: softmax regression on the features that a network gives, by Adam in small batches.

Features are centred and scaled while it is trained, and the scaling is folded into the weights at the end; so one
learning rate serves all networks. The weights of the best epoch on the validation part are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..base.errors import InputError
from ..base.tensors import Array

EPSILON = 1e-8
FIRST, SECOND = 0.9, 0.999
"""Decay of Adam's two moments."""


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head is trained: `epochs` over all features, `batch` of them a step, Adam's `learning_rate`, weight `decay`
    (on scaled features), the `seed` of their order, and how many epochs without progress end it."""

    epochs: int = 200
    batch: int = 100
    learning_rate: float = 0.01
    decay: float = 1e-4
    seed: int = 0
    patience: int = 30

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < np.inf:
            raise InputError(f"learning_rate is {self.learning_rate:g}; a number above 0 was expected.")
        for name, least in (("epochs", 1), ("batch", 1), ("patience", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; {least} or more was expected.")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to: mean cross entropy and share of right answers, on both parts."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Head:
    """A trained last layer: float32 weights (features, classes) and biases (classes)."""

    weights: Array
    biases: Array
    epochs: tuple[Epoch, ...]

    def scores(self, features: Array) -> Array:
        """The chances of each class, float64 (N, classes)."""
        return softmax(features @ self.weights.astype(np.float64) + self.biases)


def fit_head(
    features: Array,
    labels: Array,
    classes: int,
    validation: tuple[Array, Array] | None = None,
    settings: HeadSettings = HeadSettings(),
    watch: Callable[[Epoch], object] = lambda epoch: None,
) -> Head:
    """Trains a head on `features` (N, F) of classes `labels` (N,), numbers below `classes`.

    `validation` are features and labels of their own; without them those of the training are looked at. InputError
    when there is nothing to train on, or features are not finite.
    """
    if not len(features):
        raise InputError("There are no pictures to train on.")
    if not np.isfinite(features).all():
        raise InputError("The network gives features that are not finite, on which nothing can be trained.")
    x = np.array(features, np.float64)  # the one copy that is made: there may be hundreds of thousands of rows
    centre, spread = x.mean(0), x.std(0)
    scale = 1 / np.where(spread > 0, spread, 1)
    x -= centre
    x *= scale
    seen, known = (x, labels) if validation is None or not len(validation[0]) else validation
    if seen is not x:
        seen = (np.asarray(seen, np.float64) - centre) * scale
    parameters = np.zeros((x.shape[1] + 1, classes))  # the last row is the biases
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    draw = np.random.default_rng(settings.seed)
    best, kept, since, step = np.inf, parameters.copy(), 0, 0
    history: list[Epoch] = []
    for _ in range(settings.epochs):
        order = draw.permutation(len(x))
        for start in range(0, len(x), settings.batch):
            rows = order[start : start + settings.batch]
            step += 1
            gradient = _gradient(parameters, x[rows], labels[rows], settings.decay)
            first = FIRST * first + (1 - FIRST) * gradient
            second = SECOND * second + (1 - SECOND) * gradient**2
            rate = settings.learning_rate * np.sqrt(1 - SECOND**step) / (1 - FIRST**step)
            parameters -= rate * first / (np.sqrt(second) + EPSILON)
        epoch = Epoch(*_judged(parameters, x, labels), *_judged(parameters, seen, known))
        history.append(epoch)
        watch(epoch)
        since += 1
        if epoch.validation_loss < best:
            best, kept, since = epoch.validation_loss, parameters.copy(), 0
        if since >= settings.patience:
            break
    weights = kept[:-1] * scale[:, None]
    biases = kept[-1] - centre @ weights
    return Head(weights.astype(np.float32), biases.astype(np.float32), tuple(history))


def softmax(logits: Array) -> Array:
    """Chances (N, classes)."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


def _gradient(parameters: Array, x: Array, labels: Array, decay: float) -> Array:
    error = softmax(x @ parameters[:-1] + parameters[-1])
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    return np.concatenate([x.T @ error + decay * parameters[:-1], error.sum(0, keepdims=True)])


def _judged(parameters: Array, x: Array, labels: Array) -> tuple[float, float]:
    """Mean cross entropy, and the share of right answers."""
    scores = softmax(x @ parameters[:-1] + parameters[-1])
    right = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-30)).mean()), float((scores.argmax(-1) == labels).mean())
