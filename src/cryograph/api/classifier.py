"""Classifies pictures with a model: the class and the arguments of TensorFlow's Android demo, the rest found out."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.errors import Error, InputError
from ..base.files import Path
from ..base.shapes import Shape, show
from ..base.tensors import Array
from ..graph.document import Document
from ..graph.graph import Graph
from ..ops.inference import infer
from ..ops.networks import Levels
from ..ops.picture_inputs import PictureInput, find_picture_input
from ..ops.ranking import rank_outputs
from ..train.softmax_head import softmax
from .labels import fitting_labels, labels_beside, labels_of_assets, parse_levels, parse_size, read_labels
from .model import Model, load
from .picture_predictor import BATCH, PicturePredictor
from .pictures import Picture

LOGIT_OPS = frozenset({"BiasAdd", "Add", "AddV2", "MatMul", "Conv2D"})
"""Ops behind an output whose numbers are no chances yet."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """One class that a picture may show: its index, its label, and how sure the model is."""

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Recognitions:
    """The likeliest classes of one picture, the likeliest first; none, and why in `error`, where it cannot be read."""

    picture: str
    classes: tuple[Recognition, ...]
    error: str = ""

    def __str__(self) -> str:
        lines = [f"{self.picture}:", *([f"  {self.error}"] if self.error else [])]
        wide = max((len(c.label) for c in self.classes), default=0)
        for c in self.classes:
            bar = "#" * max(0, min(20, round(c.score * 20)))
            lines.append(f"  {c.label:<{wide}}  {c.score:8.4f}  {bar}".rstrip())
        return "\n".join(lines)


class Classifier:
    """A model that tells what pictures show.

    `model` is a Model or the path of one; `labels` a file with a label a line, the labels themselves, or None to take
    those among the model's assets or beside its file (`MODEL_labels.txt`), else numbers. Everything else is found out
    where it is not given:
    `input_size` (height and width in pixels, one number or two, or `"224x160"`), `image_mean` and `image_std` (numbers,
    or one for each channel: pixels of 0 to 255 become (pixel - mean) / std), `input_name` and `output_name` (tensors).
    What was found out stands in `reasons`, in words; `input` and `output` tell how pictures go in and which tensor is
    read.

        classifier = Classifier("retrained_graph.pb", "retrained_labels.txt")
        best = classifier.classify("photo.jpg")[0]
        print(best.label, best.score)

    InputError when something cannot be found out, or labels do not fit; it says what to give.
    """

    def __init__(
        self,
        model: Document | Path,
        labels: Path | Sequence[str] | None = None,
        input_size: int | str | tuple[int, int] | None = None,
        image_mean: float | str | Sequence[float] | None = None,
        image_std: float | str | Sequence[float] | None = None,
        input_name: str | None = None,
        output_name: str | None = None,
        *,
        engine: str = "auto",
    ) -> None:
        whole = Model.of(model) if isinstance(model, Document) else load(model)
        given = read_labels(labels)
        self.output, why = _output(whole, None if given is None else len(given), output_name)
        frozen = whole.freeze(self.output)
        self.input: PictureInput = find_picture_input(
            frozen, [self.output], input_name, _both(input_size), _levels(image_mean), _levels(image_std)
        )
        self._predictor = PicturePredictor(frozen, self.input, self.output, engine)
        reasons = [*self.input.reasons, f"classes come out of {self.output}: {why}", *self._predictor.reasons]
        width = _width(infer(self._predictor.graph).shape(self.output), self.output)
        self._form, said = _form(_op_behind(frozen.graph, self.output), width)
        reasons += said
        classes = 2 if width == 1 else width
        if given is None:
            given = labels_of_assets(whole, classes) or labels_beside(whole.source, classes, reasons)
        self.labels = fitting_labels(given, classes, reasons)
        self.reasons = tuple(reasons)

    def classify(self, picture: Picture, top: int = 5) -> tuple[Recognition, ...]:
        """The `top` likeliest classes of one picture (a file, its bytes, or uint8 pixels (H, W, C)), likeliest first.
        FormatError for what is not a picture, FileError for what cannot be read."""
        return self.classify_all([picture], top)[0].classes

    def classify_all(self, pictures: Iterable[Picture], top: int = 5, batch: int = BATCH) -> list[Recognitions]:
        """The likeliest classes of each of several pictures; `batch` of them go through the model at once, where it
        takes any number. The first that cannot be read raises as in `classify`."""
        found = []
        for name, scores in self._scored(pictures, batch):
            if isinstance(scores, Error):
                raise scores
            found.append(self._best(name, scores, top))
        return found

    def each(self, pictures: Iterable[Picture], top: int = 5, batch: int = BATCH) -> Iterator[Recognitions]:
        """The same one by one, as the model has done them, and going on behind pictures that cannot be read."""
        for name, scores in self._scored(pictures, batch):
            if isinstance(scores, Error):
                yield Recognitions(name, (), str(scores))
            else:
                yield self._best(name, scores, top)

    def scores(self, pictures: Sequence[Picture]) -> Array:
        """The scores of all classes, float32 (pictures, classes)."""
        table = np.zeros((len(pictures), len(self.labels)), np.float32)
        for row, (_, scores) in zip(table, self._scored(pictures, BATCH), strict=True):
            if isinstance(scores, Error):
                raise scores
            row[:] = scores
        return table

    def _scored(self, pictures: Iterable[Picture], batch: int) -> Iterator[tuple[str, Array | Error]]:
        """The name of each picture with the score of each class, or why it cannot be read."""
        for (number, picture), answer in self._predictor.answers(enumerate(pictures), lambda item: item[1], batch):
            name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else f"picture {number}"
            if isinstance(answer, Error):
                yield name, answer
                continue
            scores = self._form(np.asarray(answer, np.float64).reshape(-1))
            if len(scores) != len(self.labels):
                raise InputError(f"{self.output} gives {len(scores)} numbers; there are {len(self.labels)} labels.")
            yield name, scores

    def _best(self, name: str, scores: Array, top: int) -> Recognitions:
        order = np.argsort(-scores, kind="stable")[: max(1, top)]
        return Recognitions(name, tuple(Recognition(int(i), self.labels[i], float(scores[i])) for i in order))


@dataclass(frozen=True, slots=True)
class Report:
    """What pictures show, and what was taken for granted to find it out; text or JSON."""

    reasons: tuple[str, ...]
    pictures: tuple[Recognitions, ...]

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.pictures), taken_for_granted(self.reasons)])


def taken_for_granted(reasons: Sequence[str]) -> str:
    """Reasons as text."""
    return "\n".join(["", "Taken for granted:", *(f"  {reason}" for reason in reasons)])


# --- what was not said


def _output(model: Model, classes: int | None, name: str | None) -> tuple[str, str]:
    """The tensor that holds the scores, and why it is the one."""
    model.check_graph()
    if name is not None:
        return model.graph.port(name).tensor, "as given"
    candidates = [c for c in rank_outputs(model) if c.score > 0 and (c.dtype is None or c.dtype.is_floating)]
    if classes is not None:
        inference = infer(model.graph)
        for c in candidates:
            shape = inference.shape(c.tensor)
            if shape and (shape[-1] in (classes, classes + 1) or (classes == 2 and shape[-1] == 1)):
                return c.tensor, f"{c.reason}; as wide as there are labels"
    best = candidates[0].score if candidates else 0
    first = [c for c in candidates if c.score == best]
    if len(first) == 1:
        return first[0].tensor, first[0].reason
    listed = "".join(f"\n  {c.tensor}  ({c.op}: {c.reason})" for c in candidates[:10])
    raise InputError(f"Which tensor holds the scores is not clear; name one with output_name (--output).{listed}")


def _op_behind(graph: Graph, tensor: str) -> str:
    """The op that works out a tensor, behind what only passes it on."""
    node = graph.nodes[tensor.rpartition(":")[0]]
    while node.op in ("Identity", "Reshape", "Squeeze") and node.data_inputs and node.data_inputs[0].node in graph:
        node = graph.nodes[node.data_inputs[0].node]
    return node.op


def _form(op: str, width: int | None) -> tuple[Callable[[Array], Array], list[str]]:
    """How scores are made of the numbers of an output that this op works out, and what to say of it."""
    if width == 1:
        if op in LOGIT_OPS:
            return lambda x: _pair(1 / (1 + np.exp(-x))), [
                "one logit tells two classes apart: its sigmoid is the second's"
            ]
        return _pair, ["one number tells two classes apart: it is the score of the second"]
    if op in LOGIT_OPS:
        return softmax, ["its numbers are logits: scores are their softmax"]
    if op == "LogSoftmax":
        return np.exp, ["its numbers are logarithms: scores are their exponentials"]
    return np.asarray, []


def _pair(score: Array) -> Array:
    return np.concatenate([1 - score, score])


def _width(shape: Shape, tensor: str) -> int | None:
    """How many scores there are for a picture, where that is known; InputError for a tensor that holds no scores."""
    if shape is not None and any(size not in (1, None) for size in shape[1:-1]):
        raise InputError(
            f"{tensor} is {show(shape)}; scores are (N, classes). Name another tensor with output_name (--output)."
        )
    return shape[-1] if shape else None


def _both(size: int | str | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None or isinstance(size, str):
        return parse_size(size)
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2:
        raise InputError(f"{size} is no size; height and width in pixels were expected.")
    return sides[0], sides[1]


def _levels(levels: float | str | Sequence[float] | None) -> Levels | None:
    given = parse_levels(levels) if isinstance(levels, str) else levels
    if given is None:
        return None
    return (float(given),) if isinstance(given, int | float) else tuple(map(float, given))
