"""Classifiers: what they find out of a graph, how they make pictures fit, and what they refuse."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cryograph as cg
from cryograph.api.model import Model
from cryograph.api.pictures import encoded_of, picture_files, pixels_of
from cryograph.base.dtypes import BOOL, FLOAT32, INT32, STRING, UINT8, dtype_of
from cryograph.base.errors import FileError, FormatError, GraphError, InputError
from cryograph.base.files import MemoryFile
from cryograph.graph.document import Signature, TensorSpec
from cryograph.graph.node import Node
from tests.support.small_graphs import const, document_of, ints, node, placeholder

RED, GREEN, BLUE = (np.full((6, 5, 3), level, np.uint8) for level in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
LABELS = ["red", "green", "blue"]


def mean_colour(source: str, *before: Node, scale: float = 4.0) -> Model:
    """A graph that tells the strongest channel of (N, H, W, 3) in `source`."""
    return Model.of(
        document_of(
            *before,
            ints("axes", [1, 2]),
            node("pooled", "Mean", source, "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
            const("weights", np.eye(3, dtype=np.float32) * scale),
            node("logits", "MatMul", "pooled", "weights", T=FLOAT32),
            node("final_result", "Softmax", "logits", T=FLOAT32),
        )
    )


def encoded(pixels: Any, kind: str = "PNG", **settings: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **settings)
    return data.getvalue()


def winners(classifier: cg.Classifier, pictures: Sequence[Any] = (RED, GREEN, BLUE)) -> list[str]:
    return [found.classes[0].label for found in classifier.classify_all(pictures)]


def test_size_and_output_are_found_out() -> None:
    classifier = cg.Classifier(mean_colour("x", placeholder("x", (None, 4, 7, 3))), LABELS)
    assert winners(classifier) == LABELS
    assert (classifier.input.size, classifier.input.batch, classifier.output) == ((4, 7), None, "final_result:0")
    said = "class probabilities (Softmax); nothing takes it; by its name; as wide as there are labels"
    assert classifier.reasons == (
        "pictures go into x:0 (float32 (?, 4, 7, 3)): the only placeholder that can hold a picture",
        "size 4 x 7: by the placeholder",
        "(pixel - 127.5) / 127.5: a guess, as nothing in the graph says more; give mean and std if wrong",
        f"classes come out of final_result:0: {said}",
    )


@pytest.mark.parametrize(("batch", "count"), [(None, 5), (1, 5), (2, 5), (8, 5)])
def test_batches(batch: int | None, count: int) -> None:
    classifier = cg.Classifier(mean_colour("x", placeholder("x", (batch, 4, 4, 3))), LABELS)
    pictures = [RED, GREEN, BLUE, GREEN, RED][:count]
    assert winners(classifier, pictures) == ["red", "green", "blue", "green", "red"]
    assert [len(found.classes) for found in classifier.classify_all(pictures, top=2, batch=3)] == [2] * count
    scores = classifier.scores(pictures)
    assert scores.shape == (count, 3)
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-6)


SCALINGS: Mapping[str, tuple[list[Node], str, tuple[float, ...], tuple[float, ...]]] = {
    "to -1 ... 1": (
        [
            *(const("half", 127.5), node("d", "RealDiv", "x", "half", T=FLOAT32)),
            *(const("one", 1.0), node("end", "Sub", "d", "one", T=FLOAT32)),
        ],
        "the graph scales them itself, to -1 ... 1",
        (0.0,),
        (1.0,),
    ),
    "mean colour": (
        [const("m", [123.68, 116.78, 103.94]), node("end", "Sub", "x", "m", T=FLOAT32)],
        "the graph scales them itself, to -114.8 ... 140.2",
        (0.0,),
        (1.0,),
    ),
    "behind folded constants, which wait for the input": (
        [
            node("two", "Const", "^x", dtype=FLOAT32, value=np.array(2, np.float32)),
            node("m", "Mul", "two", "x", T=FLOAT32),
            *(const("one", 1.0), node("end", "Sub", "m", "one", T=FLOAT32)),
        ],
        "the graph goes on from 0 ... 1 itself",
        (0.0,),
        (255.0,),
    ),
    "from 0 ... 1": (
        [
            *(const("two", 2.0), node("m", "Mul", "two", "x", T=FLOAT32)),
            *(const("one", 1.0), node("end", "Sub", "m", "one", T=FLOAT32)),
        ],
        "the graph goes on from 0 ... 1 itself",
        (0.0,),
        (255.0,),
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_what_the_graph_does_itself_is_not_done_twice(name: str) -> None:
    nodes, said, mean, std = SCALINGS[name]
    classifier = cg.Classifier(mean_colour("end", placeholder("x", (None, 4, 4, 3)), *nodes), LABELS)
    assert (classifier.input.mean, classifier.input.std) == (mean, std)
    assert any(said in reason for reason in classifier.reasons), classifier.reasons
    assert winners(classifier) == LABELS


@pytest.mark.parametrize("name", ["image_classification", "serving_default"])
def test_signatures_of_a_known_kind_tell_how_pixels_are_scaled(name: str) -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    taken = {"images": TensorSpec.make("x:0", FLOAT32, (None, 4, 4, 3))}
    given = {"default": TensorSpec.make("final_result:0", FLOAT32, (None, 3))}
    graph.signatures[name] = Signature.make(name, taken, given)
    classifier = cg.Classifier(graph, LABELS)
    assert any("takes images of 0 ... 1" in r for r in classifier.reasons) == (name == "image_classification")
    assert classifier.input.std == ((255.0,) if name == "image_classification" else (127.5,))


def test_whole_pixels_are_fed_as_they_are() -> None:
    graph = mean_colour(
        "f", placeholder("x", (None, 4, 4, 3), UINT8), node("f", "Cast", "x", SrcT=UINT8, DstT=FLOAT32), scale=0.02
    )
    classifier = cg.Classifier(graph, LABELS)
    assert "pixels as they are, 0 to 255: the placeholder is uint8" in classifier.reasons
    assert winners(classifier) == LABELS
    best = classifier.classify(RED)[0]
    assert best.score == pytest.approx(np.exp(5.1) / (np.exp(5.1) + 2), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "mean", "bgr"),
    [
        ("MobilenetV2/Conv/x", (127.5,), False),
        ("resnet_v1_50/conv1/x", (123.68, 116.78, 103.94), False),
        ("resnet50/conv5_block3_out_1/Relu", (103.939, 116.779, 123.68), True),
    ],
)
def test_the_family_of_the_network_tells_how_pixels_are_scaled(name: str, mean: tuple[float, ...], bgr: bool) -> None:
    graph = mean_colour(name, placeholder("x", (None, None, None, 3)), node(name, "Relu", "x", T=FLOAT32))
    classifier = cg.Classifier(graph, LABELS)
    assert (classifier.input.mean, classifier.input.bgr, classifier.input.size) == (mean, bgr, (224, 224))
    assert winners(classifier) == (["blue", "green", "red"] if bgr else LABELS)  # the weights know no order


def test_the_user_has_the_last_word() -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)), placeholder("other", (None, 9, 9, 3)))
    classifier = cg.Classifier(graph, LABELS, 4, [0, 0, 255], 255, "x", "final_result")
    assert classifier.input.mean == (0.0, 0.0, 255.0)
    assert classifier.classify(BLUE)[0].score == pytest.approx(1 / 3)
    assert "(pixel - mean) / std: as given" in classifier.reasons
    same = cg.Classifier(graph, LABELS, "4x4", "0,0,255", "255", "x", "final_result")
    assert same.input == classifier.input
    with pytest.raises(InputError, match=r"\(4, 4, 3\) is no size; height and width"):
        cg.Classifier(graph, LABELS, (4, 4, 3), input_name="x")  # type: ignore[arg-type]


def test_small_whole_numbers_are_centred() -> None:
    int8 = dtype_of("int8")
    before = (placeholder("x", (None, 4, 4, 3), int8), node("f", "Cast", "x", SrcT=int8, DstT=FLOAT32))
    classifier = cg.Classifier(mean_colour("f", *before, scale=0.02), LABELS)
    assert "pixels less 128: the placeholder is int8" in classifier.reasons
    assert winners(classifier) == LABELS
    assert cg.Classifier(mean_colour("f", *before), LABELS, image_mean=0).classify(RED)[0].label == "red"  # 255 is 127


def test_pictures_in_rows() -> None:
    """As the networks of TensorFlow's tutorials took the digits of MNIST."""
    before = (placeholder("x", (None, 48)), ints("s", [-1, 4, 4, 3]), node("r", "Reshape", "x", "s", T=FLOAT32))
    classifier = cg.Classifier(mean_colour("r", *before), LABELS)
    assert "a row holds a picture (4, 4, 3): as r reshapes it" in classifier.reasons
    assert (classifier.input.tensor, classifier.input.size, classifier.input.flat) == ("x:0", (4, 4), True)
    assert winners(classifier) == LABELS
    weights = np.stack([np.r_[np.ones(32), -np.ones(32)], np.r_[-np.ones(32), np.ones(32)]], 1).astype(np.float32)
    graph = document_of(
        placeholder("x", (None, 64)),
        const("weights", weights),
        node("logits", "MatMul", "x", "weights", T=FLOAT32),
        node("final_result", "Softmax", "logits", T=FLOAT32),
    )
    square = cg.Classifier(Model.of(graph), ["top", "bottom"])
    assert "a row holds a picture (8, 8, 1): a guess, as its numbers make a square" in square.reasons
    top = np.zeros((8, 8), np.uint8)
    top[:4] = 255
    assert winners(square, [top, top[::-1]]) == ["top", "bottom"]


def decoding(decoder: str = "DecodeJpeg") -> Model:
    """As the retraining example of TensorFlow writes it: bytes in, everything else in the graph."""
    return mean_colour(
        "scaled",
        placeholder("DecodeJpeg/contents", (), STRING),
        node("DecodeJpeg", decoder, "DecodeJpeg/contents", channels=3),
        node("Cast", "Cast", "DecodeJpeg", SrcT=UINT8, DstT=FLOAT32),
        ints("dim", 0),
        node("ExpandDims", "ExpandDims", "Cast", "dim", T=FLOAT32, Tdim=INT32),
        ints("size", [4, 4]),
        node("Resize", "ResizeBilinear", "ExpandDims", "size", T=FLOAT32),
        const("by", 1 / 255),
        node("scaled", "Mul", "Resize", "by", T=FLOAT32),
    )


def test_a_graph_that_decodes_gets_bytes(tmp_path: Path) -> None:
    classifier = cg.Classifier(decoding(), LABELS)
    assert classifier.input.encoded
    assert classifier.input.batch == 0
    assert winners(classifier) == LABELS
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF"):
        assert classifier.classify(encoded(GREEN, kind))[0].label == "green", kind
    path = tmp_path / "blue.webp"
    path.write_bytes(encoded(BLUE, "WebP", lossless=True))
    assert classifier.classify(path)[0].label == "blue"


def test_logits_become_chances() -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    chances, logits = (cg.Classifier(graph, LABELS, output_name=name) for name in ("final_result", "logits"))
    assert "its numbers are logits: scores are their softmax" in logits.reasons
    np.testing.assert_allclose(logits.scores([RED, BLUE]), chances.scores([RED, BLUE]), rtol=1e-6)


def test_switches_of_training_are_set() -> None:
    graph = mean_colour(
        "chosen",
        placeholder("x", (None, 4, 4, 3)),
        placeholder("is_training", (), BOOL),
        placeholder("dropout/keep_prob", ()),
        node("kept", "RealDiv", "x", "dropout/keep_prob", T=FLOAT32),
        node("noise", "ZerosLike", "kept", T=FLOAT32),
        node("chosen", "Select", "is_training", "noise", "kept", T=FLOAT32),
    )
    classifier = cg.Classifier(graph, LABELS)
    assert winners(classifier) == LABELS
    assert "is_training:0 is False: nothing is trained here" in classifier.reasons
    assert "dropout/keep_prob:0 is 1.0: nothing is trained here" in classifier.reasons


def test_labels(tmp_path: Path) -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    path = tmp_path / "labels.txt"
    path.write_text("\ufeffred\ngrün\nblue\n\n", "utf-8")
    assert cg.Classifier(graph, path).labels == ["red", "grün", "blue"]
    assert cg.Classifier(graph).labels == ["0", "1", "2"]
    assert cg.Classifier(graph, ["a", "b"]).labels == ["background", "a", "b"]
    with pytest.raises(InputError, match="There are 5 labels for 3 classes"):
        cg.Classifier(graph, list("abcde"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="is no list of labels"):
        cg.Classifier(graph, path)
    graph.assets["names.txt"] = MemoryFile(b"r\ng\nb\n").span()
    assert cg.Classifier(graph).labels == ["r", "g", "b"]


@pytest.mark.parametrize("turned", range(1, 9))
def test_pictures_are_upright(turned: int) -> None:
    pixels = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3) * 7
    exif = Image.Exif()
    exif[0x0112] = turned
    data = encoded(pixels, "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        from PIL import ImageOps

        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(pixels_of(data, 3), expected)
    np.testing.assert_array_equal(pixels_of(encoded_of(data), 3), expected)


def test_pictures_of_all_kinds(tmp_path: Path) -> None:
    grey = np.arange(30, dtype=np.uint8).reshape(5, 6)
    np.testing.assert_array_equal(pixels_of(grey, 1)[..., 0], grey)
    np.testing.assert_array_equal(pixels_of(encoded(grey), 3), np.repeat(grey[..., None], 3, 2))
    assert pixels_of(np.dstack([RED, RED[..., :1]]), 3).shape == (6, 5, 3)
    with pytest.raises(InputError, match=r"An array of float32 \[6, 5, 3\] is no picture"):
        pixels_of(RED.astype(np.float32), 3)
    with pytest.raises(InputError, match="A Image is no picture: a path, the bytes of a file or a uint8 array"):
        pixels_of(Image.fromarray(RED), 3)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="its format is not known"):
        pixels_of(b"no picture", 3)
    with pytest.raises(FormatError, match="is not a picture that can be read"):
        pixels_of(encoded(RED, "JPEG")[:200], 3)
    for name in ("b.png", "a.JPG", "notes.txt", "._b.png"):
        (tmp_path / name).write_bytes(encoded(RED, "JPEG" if name.endswith("JPG") else "PNG"))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "c.gif").write_bytes(encoded(RED, "GIF"))
    (tmp_path / "inner" / "round").symlink_to(tmp_path)
    assert [Path(p).name for p in picture_files([tmp_path])] == ["a.JPG", "b.png", "c.gif"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="holds no pictures"):
        list(picture_files([tmp_path / "empty"]))
    with pytest.raises(FileError, match="does not exist; a picture or a directory"):
        picture_files([tmp_path / "b.png", tmp_path / "none"])


def test_a_tensor_that_holds_no_scores(tmp_path: Path) -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    with pytest.raises(InputError, match=r"x:0 is \(\?, 4, 4, 3\); scores are \(N, classes\)"):
        cg.Classifier(graph, output_name="x")
    cg.save_checkpoint(tmp_path / "weights", {"w": np.zeros(3, np.float32)})
    with pytest.raises(GraphError, match="weights holds weights only, which cannot be run"):
        cg.Classifier(tmp_path / "weights")


REFUSED: Mapping[str, tuple[Model, str]] = {
    "no picture": (
        mean_colour("r", placeholder("x", (None, 8)), ints("s", [-1, 2, 2, 2]), node("r", "Reshape", "x", "s")),
        "No placeholder behind the output can hold a picture",
    ),
    "two": (
        mean_colour(
            "s",
            placeholder("x", (None, 4, 4, 3)),
            placeholder("z", (None, 4, 4, 3)),
            node("s", "AddV2", "x", "z", T=FLOAT32),
        ),
        r"Several placeholders can hold a picture; name one .*\n  x:0  \(\?, 4, 4, 3\)\n  z:0",
    ),
    "no size": (mean_colour("x", placeholder("x", (None, None, None, 3))), "give input_size"),
    "another input": (
        mean_colour(
            "s", placeholder("x", (None, 4, 4, 3)), placeholder("z", ()), node("s", "Mul", "x", "z", T=FLOAT32)
        ),
        r"The graph also wants z:0 \(float32\)",
    ),
}


@pytest.mark.parametrize("lacking", ["DecodeJpeg", "Resize", "logits", "final_result"])
def test_nodes_without_inputs_are_told(lacking: str) -> None:
    model = decoding()
    model.graph.nodes[lacking].inputs = ()
    with pytest.raises(cg.Error):
        cg.Classifier(model, LABELS, output_name="final_result")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_found_out_is_asked_for(name: str) -> None:
    model, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        cg.Classifier(model, LABELS)


FORMS: Mapping[str, str] = {
    "numbers": "0 red\n1 green\n2 blue\n",
    "numbers from 1": "1: red\n2: green\n3: blue",
    "a list": '["red", "green", "blue"]',
    "the class index of Keras": '{"0": ["n1", "red"], "1": ["n2", "green"], "2": ["n3", "blue"]}',
    "class_indices of Keras": '{"blue": 2, "red": 0, "green": 1}',
    "a map": "item {\n  id: 2\n  name: 'green'\n}\nitem {\n  name: \"red\"\n  id: 1\n}\n"
    "item {\n id: 3\n name: '/m/3'\n display_name: 'blue'\n}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_many_forms(form: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(FORMS[form])
    assert cg.Classifier(mean_colour("x", placeholder("x", (None, 4, 4, 3))), path).labels == LABELS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "begins as JSON does, but is none"),
        ("[1, 2]", "a JSON list of them was expected"),
        ('{"1": "a"}', "an object with one for each number from 0 on"),
        ("item { id: 1 }", "an item without id or name"),
        ('item {\n id: 999999999\n name: "a"\n}', "the id 999999999; at most"),
        ("\n\n", "holds no labels"),
    ],
)
def test_what_is_no_list_of_labels(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(FileError, match=message):
        cg.Classifier(mean_colour("x", placeholder("x", (None, 4, 4, 3))), path)


def test_labels_beside_the_model_are_taken_where_they_fit(tmp_path: Path) -> None:
    path = tmp_path / "retrained_graph.pb"
    mean_colour("x", placeholder("x", (None, 4, 4, 3))).save(path)
    (tmp_path / "retrained_labels.txt").write_text("red\ngreen\n")
    assert cg.Classifier(path).labels == ["0", "1", "2"]
    (tmp_path / "retrained_labels.txt").write_text("red\ngreen\nblue\n")
    classifier = cg.Classifier(path)
    assert classifier.labels == LABELS
    assert f"labels are those of {tmp_path / 'retrained_labels.txt'}, which lies beside the model" in classifier.reasons


def test_a_plane_for_each_channel() -> None:
    back = ints("order", [0, 2, 3, 1])
    turned = node("t", "Transpose", "x", "order", T=FLOAT32, Tperm=INT32)
    classifier = cg.Classifier(mean_colour("t", placeholder("x", (None, 3, 4, 7)), back, turned), LABELS)
    assert (classifier.input.size, classifier.input.channels_first) == ((4, 7), True)
    assert winners(classifier) == LABELS


@pytest.mark.parametrize(("op", "score"), [("", 1 / (1 + np.exp(-0.5))), ("Sigmoid", 1 / (1 + np.exp(-0.5)))])
def test_one_number_tells_two_classes_apart(op: str, score: float) -> None:
    graph = document_of(
        placeholder("x", (None, 4, 4, 3)),
        ints("axes", [1, 2]),
        node("pooled", "Mean", "x", "axes", T=FLOAT32, Tidx=INT32, keep_dims=False),
        const("weights", np.array([[0.5], [-0.5], [0.0]], np.float32)),
        node("logit", "MatMul", "pooled", "weights", T=FLOAT32),
        *([node("out", op, "logit", T=FLOAT32)] if op else []),
    )
    classifier = cg.Classifier(Model.of(graph), ["green", "red"], image_mean=0, image_std=255)
    found = classifier.classify(RED)
    assert [(c.label, pytest.approx(c.score)) for c in found] == [("red", score), ("green", 1 - score)]
    assert winners(classifier, [GREEN]) == ["green"]


def test_logarithms_become_chances() -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    graph.graph.add(node("logs", "LogSoftmax", "logits", T=FLOAT32))
    chances, made = (cg.Classifier(graph, LABELS, output_name=name) for name in ("final_result", "logs"))
    np.testing.assert_allclose(made.scores([RED, BLUE]), chances.scores([RED, BLUE]), rtol=1e-6)


@pytest.mark.parametrize("decodes", [False, True])
def test_a_picture_that_cannot_be_read_among_many(decodes: bool, tmp_path: Path) -> None:
    graph = decoding() if decodes else mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    classifier = cg.Classifier(graph, LABELS)
    whole = encoded(GREEN, "JPEG")
    for name, data in {"a.jpg": whole, "b.jpg": whole[:200], "c.png": b"", "d.jpg": whole}.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.png", "none.jpg", "d.jpg")]
    found = list(classifier.each(paths, batch=3))
    assert [bool(one.classes) for one in found] == [True, False, False, False, True]
    assert all(one.picture in one.error for one in found[1:4])
    with pytest.raises(FormatError, match=r"b\.jpg is not a picture"):
        classifier.classify_all(paths)


def test_overrides_that_do_not_fit_are_refused() -> None:
    graph = mean_colour("x", placeholder("x", (None, 4, 4, 3)))
    for settings, message in (
        ({"input_size": 5}, r"x:0 takes pictures of \(\?, 4, 4, 3\), not of 5 x 5"),
        ({"input_size": 0}, "cannot be 0 x 0"),
        ({"image_mean": [1, 2]}, "mean has 2 numbers; one was expected, or one for each of 3"),
        ({"image_std": 0}, "std is 0; finite numbers"),
        ({"image_mean": float("nan")}, "mean is nan"),
    ):
        with pytest.raises(InputError, match=message):
            cg.Classifier(graph, LABELS, **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="takes the bytes of files, which the graph scales itself"):
        cg.Classifier(decoding(), LABELS, image_mean=0)


def test_an_answer_that_is_wider_than_there_are_labels_is_refused() -> None:
    classifier = cg.Classifier(mean_colour("x", placeholder("x", (None, 4, 4, 3))), LABELS)
    classifier.labels = ["a", "b"]  # as where the graph does not tell how many classes there are
    with pytest.raises(InputError, match="final_result:0 gives 3 numbers; there are 2 labels"):
        classifier.classify(RED)
