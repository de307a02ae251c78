"""The verb `classify`."""

from __future__ import annotations

import click

from .show import AS_JSON, show

LEVELS = "One number, or one for each channel with commas."


@click.command()
@click.argument("model")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--labels", "-l", metavar="FILE", help="The names of the classes, one a line.")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many classes to print.")
@click.option("--size", metavar="PIXELS", help="Height and width of what the model takes: 224, or 224x160.")
@click.option("--mean", metavar="LEVELS", help=f"Subtracted from pixels of 0 to 255. {LEVELS}")
@click.option("--std", metavar="LEVELS", help=f"Pixels are divided by this then. {LEVELS}")
@click.option("--input", "input_name", metavar="TENSOR", help="The tensor that takes pictures.")
@click.option("--output", "-o", "output_name", metavar="TENSOR", help="The tensor that holds the scores.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Pictures run at once.")
@click.option("--engine", default="auto", show_default=True, help="auto, numpy, onnxruntime, openvino or fastest.")
@AS_JSON
def classify(
    model: str,
    images: tuple[str, ...],
    labels: str | None,
    top: int,
    size: str | None,
    mean: str | None,
    std: str | None,
    input_name: str | None,
    output_name: str | None,
    batch: int,
    engine: str,
    as_json: bool,
) -> None:
    """Tell what pictures show.

    MODEL is any model that classifies pictures, IMAGE a JPEG, PNG, GIF, BMP or WebP, or a directory of them. Size,
    scaling, input and output are found out from the graph where they are not given; what was found out is printed.
    """
    from ..api.classifier import Classifier, Report
    from ..api.labels import parse_levels, parse_size
    from ..api.pictures import picture_files

    classifier = Classifier(
        model,
        labels,
        parse_size(size),
        parse_levels(mean),
        parse_levels(std),
        input_name,
        output_name,
        engine=engine,
    )
    found = classifier.classify_all(picture_files(images), top, batch)
    show(Report(classifier.reasons, tuple(found)), as_json)
