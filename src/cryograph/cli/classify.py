"""The verb `classify`."""

from __future__ import annotations

import click

from .show import AS_JSON, ENGINE, WEIGHTS, show

LEVELS = "One number, or one for each channel with commas."


@click.command()
@click.argument("model")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--labels", "-l", metavar="FILE", help="The names of the classes, one a line, or JSON.")
@click.option(
    "--top", type=click.IntRange(1), metavar="N", default=5, show_default=True, help="How many classes to print."
)
@click.option("--size", metavar="PIXELS", help="Height and width of what the model takes: 224, or 224x160.")
@click.option("--mean", metavar="LEVELS", help=f"Subtracted from pixels of 0 to 255. {LEVELS}")
@click.option("--std", metavar="LEVELS", help=f"Pixels are divided by this then. {LEVELS}")
@click.option("--input", "input_name", metavar="TENSOR", help="The tensor that takes pictures.")
@click.option("--output", "-o", "output_name", metavar="TENSOR", help="The tensor that holds the scores.")
@click.option(
    "--batch", type=click.IntRange(1), metavar="N", default=16, show_default=True, help="Pictures run at once."
)
@WEIGHTS
@ENGINE
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
    weights: str | None,
    engine: str,
    as_json: bool,
) -> None:
    """Tell what pictures show.

    MODEL is any model that classifies pictures, IMAGE a JPEG, PNG, GIF, BMP, WebP or TIFF, or a directory of them,
    folders in it included. Labels, size, scaling, input and output are found out where they are not given; what was
    found out is printed. Pictures that cannot be read are named, and the exit code is 2 then.
    """
    from ..api.classifier import Classifier, Report, taken_for_granted
    from ..api.labels import parse_levels, parse_size
    from ..api.model import load
    from ..api.pictures import picture_files
    from ..base.errors import FormatError

    pictures = picture_files(images)
    classifier = Classifier(
        load(model, weights),
        labels,
        parse_size(size),
        parse_levels(mean),
        parse_levels(std),
        input_name,
        output_name,
        engine=engine,
    )
    found = []
    for one in classifier.each(pictures, top, batch):
        found.append(one)
        if not as_json:
            click.echo(one)
    show(Report(classifier.reasons, tuple(found)) if as_json else taken_for_granted(classifier.reasons), as_json)
    bad = [one for one in found if one.error]
    if bad:
        raise FormatError(bad[0].error if len(found) == 1 else f"{len(bad)} of {len(found)} pictures cannot be read.")
