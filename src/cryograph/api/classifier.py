"""Classifies pictures with a model: the class and the arguments of TensorFlow's Android demo, the rest found out."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.errors import InputError
from ..base.files import Path
from ..base.tensors import Array
from ..graph.document import Document
from ..graph.graph import Graph
from ..graph.walks import input_names
from ..ops.inference import infer
from ..ops.networks import Levels
from ..ops.picture_inputs import PictureInput, find_picture_input
from ..ops.ranking import rank_outputs
from .labels import fitting_labels, labels_of_assets, read_labels
from .model import Model, load
from .pictures import Picture, fitted_picture

BATCH = 16
"""Pictures that go through the model at once, where it takes any number."""
LOGIT_OPS = frozenset({"BiasAdd", "Add", "AddV2", "MatMul", "Conv2D"})
"""Ops behind an output whose numbers are no chances yet."""
SWITCHES = {"keep_prob": 1.0, "dropout_keep_prob": 1.0, "dropout_rate": 0.0, "dropout": 0.0, "rate": 0.0}
"""Placeholders of numbers by which graphs of 2016 are told that they do not train, by the end of their names."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """One class that a picture may show: its index, its label, and how sure the model is."""

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Recognitions:
    """The likeliest classes of one picture, the likeliest first."""

    picture: str
    classes: tuple[Recognition, ...]

    def __str__(self) -> str:
        lines = [f"{self.picture}:"]
        wide = max((len(c.label) for c in self.classes), default=0)
        for c in self.classes:
            bar = "#" * max(0, min(20, round(c.score * 20)))
            lines.append(f"  {c.label:<{wide}}  {c.score:8.4f}  {bar}".rstrip())
        return "\n".join(lines)


class Classifier:
    """A model that tells what pictures show.

    `model` is a Model or the path of one; `labels` a file with a label a line, the labels themselves, or None to take
    what lies among the model's assets, else numbers. Everything else is found out where it is not given:
    `input_size` (height and width in pixels, one number or two), `image_mean` and `image_std` (numbers, or one for each
    channel: pixels of 0 to 255 become (pixel - mean) / std), `input_name` and `output_name` (tensors). What was found
    out stands in `reasons`, in words; `input` and `output` tell how pictures go in and which tensor is read.

        classifier = Classifier("retrained_graph.pb", "retrained_labels.txt")
        best = classifier.classify("photo.jpg")[0]
        print(best.label, best.score)

    InputError when something cannot be found out, or labels do not fit; it says what to give.
    """

    def __init__(
        self,
        model: Document | Path,
        labels: Path | Sequence[str] | None = None,
        input_size: int | tuple[int, int] | None = None,
        image_mean: float | Sequence[float] | None = None,
        image_std: float | Sequence[float] | None = None,
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
        reasons = [*self.input.reasons, f"classes come out of {self.output}: {why}"]
        part = frozen.extract(self.output, self.input.tensor)
        self._switches, said = _switches(part.graph, self.input.tensor)
        reasons += said
        self._is_logits = _op_behind(frozen.graph, self.output) in LOGIT_OPS
        if self._is_logits:
            reasons.append("its numbers are logits: scores are their softmax")
        self._predict = part.compile(self.output, [self.input.tensor, *self._switches], engine)
        width = _width(part.graph, self.output)
        self.labels = fitting_labels(given if given is not None else labels_of_assets(whole, width), width, reasons)
        self.reasons = tuple(reasons)

    def classify(self, picture: Picture, top: int = 5) -> tuple[Recognition, ...]:
        """The `top` likeliest classes of one picture (a file, its bytes, or uint8 pixels (H, W, C)), likeliest first.
        FormatError for what is not a picture, FileError for what cannot be read."""
        return self.classify_all([picture], top)[0].classes

    def classify_all(self, pictures: Iterable[Picture], top: int = 5, batch: int = BATCH) -> list[Recognitions]:
        """The likeliest classes of each of several pictures; `batch` of them go through the model at once, where it
        takes any number."""
        found: list[Recognitions] = []
        waiting: list[tuple[str, Array]] = []
        limit = self.input.batch or max(1, batch)
        if self.input.batch == 0 or (self.input.size is None and not self.input.encoded):
            limit = 1  # pictures of several sizes cannot lie in one array
        for number, picture in enumerate(pictures):
            name = os.fspath(picture) if isinstance(picture, str | os.PathLike) else f"picture {number}"
            waiting.append((name, fitted_picture(picture, self.input)))
            if len(waiting) == limit:
                found += self._run(waiting, top)
                waiting = []
        return found + (self._run(waiting, top) if waiting else [])

    def scores(self, pictures: Sequence[Picture]) -> Array:
        """The scores of all classes, float32 (pictures, classes)."""
        every = self.classify_all(pictures, len(self.labels))
        table = np.zeros((len(every), len(self.labels)), np.float32)
        for row, one in zip(table, every, strict=True):
            for c in one.classes:
                row[c.index] = c.score
        return table

    def _run(self, pictures: Sequence[tuple[str, Array]], top: int) -> list[Recognitions]:
        arrays = [array for _, array in pictures]
        if self.input.batch == 0:
            fed = arrays[0]
        else:
            short = (self.input.batch or len(arrays)) - len(arrays)
            fed = np.stack(arrays + arrays[-1:] * short)
        answer = self._predict({self.input.tensor: fed, **self._switches})[self.output]
        table = np.asarray(answer, np.float64).reshape(-1, len(self.labels))
        if self._is_logits:
            table = np.exp(table - table.max(-1, keepdims=True))
            table /= table.sum(-1, keepdims=True)
        made = []
        for (name, _), row in zip(pictures, table, strict=False):
            order = np.argsort(-row, kind="stable")[:top]
            made.append(Recognitions(name, tuple(Recognition(int(i), self.labels[i], float(row[i])) for i in order)))
        return made


@dataclass(frozen=True, slots=True)
class Report:
    """What pictures show, and what was taken for granted to find it out; text or JSON."""

    reasons: tuple[str, ...]
    pictures: tuple[Recognitions, ...]

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.pictures), "", "Taken for granted:", *(f"  {r}" for r in self.reasons)])


# --- what was not said


def _output(model: Model, classes: int | None, name: str | None) -> tuple[str, str]:
    """The tensor that holds the scores, and why it is the one."""
    if name is not None:
        return model.graph.port(name).tensor, "as given"
    candidates = [c for c in rank_outputs(model) if c.score > 0 and (c.dtype is None or c.dtype.is_floating)]
    if classes is not None:
        inference = infer(model.graph)
        for c in candidates:
            shape = inference.shape(c.tensor)
            if shape and shape[-1] in (classes, classes + 1):
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
    while node.op in ("Identity", "Reshape", "Squeeze") and input_names(node)[0] in graph.nodes:
        node = graph.nodes[input_names(node)[0]]
    return node.op


def _switches(graph: Graph, tensor: str) -> tuple[dict[str, Array], list[str]]:
    """What else must be fed: that the graph does not train, and that nothing is dropped."""
    fed: dict[str, Array] = {}
    said = []
    for node in graph:
        name = f"{node.name}:0"
        if node.op not in ("Placeholder", "PlaceholderV2") or name == tensor:
            continue
        dtype, end = node.attr("dtype"), node.name.rpartition("/")[2].lower()
        if dtype is not None and dtype.name == "bool":
            fed[name] = np.array(False)
        elif dtype is not None and dtype.is_floating and end in SWITCHES:
            fed[name] = np.array(SWITCHES[end], dtype.numpy)
        else:
            raise InputError(f"The graph also wants {name} ({dtype}); cut it with input_name (--input) behind that.")
        said.append(f"{name} is {fed[name]}: nothing is trained here")
    return fed, said


def _width(graph: Graph, tensor: str) -> int | None:
    shape = infer(graph).shape(tensor)
    return shape[-1] if shape else None


def _both(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise InputError(f"A picture cannot be {height} x {width} pixels.")
    return height, width


def _levels(levels: float | Sequence[float] | None) -> Levels | None:
    if levels is None:
        return None
    return (float(levels),) if isinstance(levels, int | float) else tuple(map(float, levels))
