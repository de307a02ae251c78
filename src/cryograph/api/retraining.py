"""Retrains a network for other classes of pictures: what TensorFlow's image_retraining example did, from any model.

1. Pictures lie in one folder a class; which part each belongs to depends on its name only (`train.labelled`).
2. The input and the features before the last layer are found in the graph (`ops.picture_inputs`, `ops.bottlenecks`).
3. Features are worked out by the fast engine, and kept (`features`); those of distorted copies are not.
4. A new last layer is trained on them (`train.softmax_head`) and takes the place of the old one
   (`transforms.replace_head`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.errors import FileError, InputError
from ..base.files import Path, atomic_write, is_dir, is_remote
from ..base.tensors import Array
from ..engines.engines import check_trainer
from ..formats.save import GRAPH_FORMATS, format_of
from ..graph.document import Document
from ..graph.graph import Graph
from ..ops.bottlenecks import find_bottleneck
from ..ops.picture_inputs import PictureInput, find_picture_input
from ..ops.ranking import one_choice, rank_outputs
from ..train.distortions import Distortion
from ..train.labelled import Labelled, Picture, find_labelled
from ..train.softmax_head import Epoch, HeadSettings, fit_head
from ..transforms.defaults import with_defaults
from ..transforms.replace_head import replace_head
from .confusion import Confusion
from .features import Features
from .finetuning import Finetuning, finetune
from .model import Model, load

SOME = 10
"""Pictures that cannot be read, or are taken for another class, are named up to this number."""
Watch = Callable[[str, int, int], object]
"""Is told what is done (pictures of `train`, `validation`, `test`, `copies`, or `epochs`), how much of it now, and how
much in all."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """A network with a new last layer, and how good it is.

    `model` takes pictures at `input` as the old one did and gives the chances of `labels` at `output`; `heads` are the
    constants that were trained, `epochs` and `finetuned` tell how the new layer and then further ones were. `accuracy`
    is the share of right answers on the parts train, validation and test (None for one without pictures), `confusion`
    that of the test part, `wrong` the pictures of it that are taken for another class. `reasons` and `warnings` are in
    words.
    """

    model: Model
    input: PictureInput
    output: str
    heads: tuple[str, ...]
    labels: tuple[str, ...]
    counts: tuple[int, int, int]
    accuracy: tuple[float | None, float | None, float | None]
    confusion: Confusion
    wrong: tuple[tuple[str, str, str], ...]
    epochs: tuple[Epoch, ...]
    finetuned: tuple[Mapping[str, float], ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    def save(self, path: Path, checkpoint: bool = False) -> list[str]:
        """Writes the model (the format from the suffix), its labels and the picture of its confusion beside it, and on
        request the graph with its new layer as variables (`.meta`) and a checkpoint of them. Gives what was written."""
        name = os.fspath(path)
        stem = _stem(name)
        labels, picture, meta = f"{stem}_labels.txt", f"{stem}_confusion.png", f"{stem}-0.meta"
        with atomic_write(labels) as names, atomic_write(picture) as drawing:  # these take their names after the model
            names.write("".join(f"{label}\n" for label in self.labels).encode())
            names.flush()
            drawing.write(self.confusion.to_png())
            drawing.flush()
            if checkpoint:
                self.model.unfreeze(self.heads).save(meta)
            self.model.save(name)
        return [name, labels, picture, *([f"{stem}-0", meta] if checkpoint else [])]

    def to_json(self) -> str:
        """How it went, as JSON; without the model."""
        told = {
            "output": self.output,
            "input": self.input.tensor,
            "labels": self.labels,
            **{f"{part}_pictures": n for part, n in zip(("train", "validation", "test"), self.counts, strict=True)},
            **{f"{part}_accuracy": a for part, a in zip(("train", "validation", "test"), self.accuracy, strict=True)},
            "confusion": self.confusion.counts,
            "wrong": self.wrong,
            "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs],
            "finetuned": self.finetuned,
            "reasons": self.reasons,
            "warnings": self.warnings,
        }
        return json.dumps(told, indent=2)

    def __str__(self) -> str:
        more = f", {len(self.finetuned)} more of further layers" if self.finetuned else ""
        lines = [f"{len(self.labels)} classes, {sum(self.counts)} pictures, {len(self.epochs)} epochs{more}"]
        for part, n, share in zip(("train", "validation", "test"), self.counts, self.accuracy, strict=True):
            lines.append(f"  {part:<11}{n:6} pictures" + ("" if share is None else f"  {share:6.1%} right"))
        if self.counts[2]:
            lines += ["", "Test pictures by class (rows), and what they are taken for:"]
            lines += ["  " + line for line in str(self.confusion).splitlines()]
        lines += [f"  {path} is {truth}, taken for {answer}" for path, truth, answer in self.wrong[:SOME]]
        if len(self.wrong) > SOME:
            lines.append(f"  and {len(self.wrong) - SOME} more")
        lines += ["", "Taken for granted:", *(f"  {reason}" for reason in self.reasons)]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def retrain(
    model: Document | Path,
    images: Path,
    *,
    validation: float = 10,
    test: float = 10,
    distortion: Distortion | None = None,
    copies: int = 1,
    settings: HeadSettings | None = None,
    finetuning: Finetuning | None = None,
    bottleneck: str | None = None,
    input_name: str | None = None,
    output_name: str | None = None,
    final_name: str = "final_result",
    input_size: tuple[int, int] | None = None,
    image_mean: Sequence[float] | None = None,
    image_std: Sequence[float] | None = None,
    engine: str = "auto",
    cached: bool = True,
    watch: Watch = lambda what, now, total: None,
) -> Retrained:
    """A network that tells apart the classes of pictures in `images`, one folder each.

    `model` is any classifier of pictures: a Model or a path (frozen `.pb`, SavedModel, checkpoint with its graph).
    `validation` and `test` per cent of the pictures are put aside. With a `distortion` the training also sees `copies`
    changed copies of each picture; `finetuning` says which further layers are trained then (needs the extra `jax`).
    Everything else is found out where it is not given, and said in `reasons`.
    Pictures that cannot be read are left out, and named in `warnings`; InputError for a class of which none can be
    learnt from, and for what cannot be found out.
    """
    _check_name(final_name)
    if copies > 1 and not distortion:
        raise InputError(
            f"{copies} copies of each picture were to be learnt from, but nothing changes them; say how with distortion"
            " (--flip, --crop, --scale, --brightness)."
        )
    if finetuning is not None:
        check_trainer()  # now, and not when the features have been worked out
    labelled = find_labelled(images, validation, test)
    whole = Model.of(model) if isinstance(model, Document) else load(model)
    output, why = _old_output(whole, output_name)
    network = whole.freeze(output)
    tensor, rank, width, because = find_bottleneck(network, output, bottleneck)
    levels = (None if image_mean is None else tuple(image_mean), None if image_std is None else tuple(image_std))
    target = find_picture_input(network, [tensor], input_name, input_size, *levels)
    features = Features(network, target, tensor, rank == 4, engine, cached)
    parts = {part: labelled.part(part) for part in ("train", "validation", "test")}
    x = {part: _features(features, part, pictures, watch) for part, pictures in parts.items()}
    parts = {part: [p for p in pictures if p.path not in features.unreadable] for part, pictures in parts.items()}
    left_out = _left_out(labelled, parts["train"], features.unreadable)
    y = {part: np.array([p.label for p in pictures], np.int64) for part, pictures in parts.items()}
    seen, known = _with_copies(features, parts["train"], x["train"], y["train"], distortion, copies, watch)
    held = (x["validation"], y["validation"]) if len(y["validation"]) else None
    how = settings or HeadSettings()
    head = fit_head(seen, known, len(labelled.labels), held, how, lambda epoch: watch("epochs", 1, how.epochs))
    still = with_defaults(network, features.switches)  # so that nothing but pictures has to be fed to the new model
    made, name, heads = replace_head(still, tensor, head.weights, head.biases, final_name, rank == 4)
    new = Model.of(made)
    rows: list[Mapping[str, float]] = []
    said = {part: head.scores(found).argmax(-1) if len(found) else y[part] for part, found in x.items()}
    reasons = [*target.reasons, *features.reasons, f"features are {tensor} ({width} numbers): {because}"]
    reasons.append(f"the old classes came out of {output}: {why}")
    reasons.append(f"the new classes come out of {name}:0")
    if features.switches:
        reasons.append(f"the new model has defaults for {', '.join(features.switches)}, which need not be fed")
    reasons.append(f"features of {features.fresh} pictures were worked out, of {features.kept} they were at hand")
    if finetuning is not None:
        logits = new.graph.nodes[name].inputs[0]
        new, tuned, rows = finetune(new, logits, heads, tensor, target, parts, finetuning, distortion)
        heads = [*tuned, *heads]
        reasons.append(f"trained further: {', '.join(tuned)}")
        scores = Features(new, target, f"{name}:0", False, engine, cached=False)
        said = {part: _features(scores, f"new {part}", found, watch) for part, found in parts.items()}
        said = {part: found.argmax(-1) if len(found) else y[part] for part, found in said.items()}
    return Retrained(
        model=new,
        input=target,
        output=f"{name}:0",
        heads=tuple(heads),
        labels=labelled.labels,
        counts=(len(y["train"]), len(y["validation"]), len(y["test"])),
        accuracy=(_share(said, y, "train"), _share(said, y, "validation"), _share(said, y, "test")),
        confusion=Confusion.of(labelled.labels, y["test"], said["test"]),
        wrong=tuple(_wrong(labelled, parts["test"], said["test"])),
        epochs=head.epochs,
        finetuned=tuple(rows),
        reasons=tuple(reasons),
        warnings=(*labelled.warnings, *left_out),
    )


def check_target(path: Path) -> None:
    """InputError or FileError where `Retrained.save` could not write a model, before anything is worked out."""
    name = os.fspath(path)
    is_directory = name.endswith(("/", os.sep)) or is_dir(name)  # a SavedModel
    is_onnx = os.path.splitext(name)[1].lower() == ".onnx"
    if not (is_directory or is_onnx) and format_of(name, Document(Graph(), "graph")) not in GRAPH_FORMATS:
        raise InputError(f"{name}: no model fits into this format, weights only. Use .pb, .pbtxt, .meta or .onnx.")
    if not is_remote(name):
        folder = os.path.dirname(_stem(name)) or "."
        if not os.path.isdir(folder):
            raise FileError(f"{folder} does not exist; the new model was to be written there.")
        if not os.access(folder, os.W_OK):
            raise FileError(f"{folder} cannot be written to; the new model was to be written there.")


def _stem(name: str) -> str:
    """What the names of the files beside a model begin with."""
    return os.path.splitext(name.rstrip("/" + os.sep))[0]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", name):
        raise InputError(f"{name!r} is no name for a node: letters, digits and _ . - / were expected (--final-name).")


def _left_out(labelled: Labelled, learnt: Sequence[Picture], unreadable: Mapping[str, str]) -> list[str]:
    """What to say of pictures that cannot be read."""
    for number, label in enumerate(labelled.labels):
        if not any(picture.label == number for picture in learnt):
            why = next(unreadable[p.path] for p in labelled.pictures if p.label == number and p.path in unreadable)
            raise InputError(f"No picture of {label} to learn from can be read: {why}")
    said = [f"left out: {why}" for why in unreadable.values()]
    return said if len(said) <= SOME else [*said[:SOME], f"left out: {len(said) - SOME} more that cannot be read"]


def _old_output(model: Model, name: str | None) -> tuple[str, str]:
    model.check_graph()
    if name is not None:
        return model.graph.port(name).tensor, "as given"
    candidates = [c for c in rank_outputs(model) if c.score > 0]
    chosen = one_choice(candidates, 1)
    if not chosen:
        listed = "".join(f"\n  {c.tensor}  ({c.op}: {c.reason})" for c in candidates[:10])
        raise InputError(f"Which tensor is the old answer is not clear; name it: output_name (--old-output).{listed}")
    return chosen[0].tensor, chosen[0].reason


def _features(features: Features, part: str, pictures: Sequence[Picture], watch: Watch) -> Array:
    return features.of([p.path for p in pictures], lambda now: watch(part, now, len(pictures)))


def _with_copies(
    features: Features,
    pictures: Sequence[Picture],
    x: Array,
    y: Array,
    distortion: Distortion | None,
    copies: int,
    watch: Watch,
) -> tuple[Array, Array]:
    """Features and classes to train on, those of changed copies behind those of the pictures themselves."""
    if not distortion or copies < 1:
        return x, y
    paths, every = [p.path for p in pictures], [x]
    for seed in range(copies):
        made = features.of(paths, lambda now: watch("copies", now, copies * len(paths)), distortion, seed)
        every.append(made)
    return np.concatenate(every), np.tile(y, copies + 1)


def _share(said: Mapping[str, Array], truth: Mapping[str, Array], part: str) -> float | None:
    """How many answers are right."""
    return float((said[part] == truth[part]).mean()) if len(truth[part]) else None


def _wrong(labelled: Labelled, pictures: Sequence[Picture], answers: Array) -> Iterator[tuple[str, str, str]]:
    """Pictures that are taken for another class: the file, its class, the other one."""
    for picture, answer in zip(pictures, answers, strict=True):
        if picture.label != answer:
            yield picture.path, labelled.labels[picture.label], labelled.labels[answer]
