"""The verb `retrain`."""

from __future__ import annotations

from typing import Any

import click

from .show import AS_JSON, ENGINE, WEIGHTS, counting, show


@click.command(options_metavar="--images DIR --output NEW.pb [OPTIONS]")
@click.argument("model")
@click.option("--images", required=True, metavar="DIR", help="A directory with a folder of pictures for each class.")
@click.option("--output", "-o", "output", required=True, metavar="NEW.pb", help="Where to write the new model.")
@click.option(
    "--validation",
    type=float,
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="Pictures put aside to choose the best epoch by.",
)
@click.option(
    "--test",
    type=float,
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="Pictures put aside to judge the result by.",
)
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", default=200, show_default=True, help="Times through the pictures."
)
@click.option(
    "--learning-rate", type=float, default=0.01, show_default=True, metavar="RATE", help="How large steps are."
)
@click.option("--batch", type=click.IntRange(1), metavar="N", default=100, show_default=True, help="Pictures a step.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Another one gives another order of pictures.",
)
@click.option("--flip", is_flag=True, help="Also learn from mirrored copies.")
@click.option("--crop", type=float, default=0, metavar="PERCENT", help="Also from copies cut by up to this much.")
@click.option("--scale", type=float, default=0, metavar="PERCENT", help="Also from copies enlarged by up to this.")
@click.option("--brightness", type=float, default=0, metavar="PERCENT", help="Also from brighter and darker copies.")
@click.option(
    "--copies",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Changed copies of each picture.",
)
@click.option("--finetune", metavar="LAYERS", help="Train further layers, too: the last N, or globs of weights.")
@click.option(
    "--finetune-epochs",
    type=click.IntRange(1),
    metavar="N",
    default=5,
    show_default=True,
    help="Times through, for these.",
)
@click.option(
    "--finetune-rate",
    type=float,
    metavar="RATE",
    default=1e-4,
    show_default=True,
    help="How large steps are, for these.",
)
@click.option("--bottleneck", metavar="TENSOR", help="The features to learn from, where they are not found.")
@click.option("--input", "input_name", metavar="TENSOR", help="The tensor that takes pictures, where it is not found.")
@click.option("--old-output", metavar="TENSOR", help="The old answer of the model, where it is not found.")
@click.option(
    "--final-name", metavar="NAME", default="final_result", show_default=True, help="What the new answer is called."
)
@click.option("--size", metavar="PIXELS", help="Height and width of what the model takes: 224, or 224x160.")
@click.option("--mean", metavar="LEVELS", help="Subtracted from pixels of 0 to 255.")
@click.option("--std", metavar="LEVELS", help="Pixels are divided by this then.")
@click.option("--checkpoint", is_flag=True, help="Also write the new layer as variables: .meta and checkpoint.")
@click.option("--no-cache", is_flag=True, help="Work features out anew, and keep none.")
@WEIGHTS
@ENGINE
@AS_JSON
def retrain(
    model: str, images: str, output: str, checkpoint: bool, weights: str | None, as_json: bool, **options: Any
) -> None:
    """Retrain a model for other classes of pictures.

    MODEL is any model that classifies pictures. Its last layer is trained anew on the pictures in DIR, which has one
    folder for each class; the folders' names become the labels. NEW.pb, its labels (NEW_labels.txt) and a picture of
    what is taken for what (NEW_confusion.png) are written; `cryograph classify NEW.pb IMAGE...` uses them.

    What the network gives for each picture is kept in the user's cache directory (CRYOGRAPH_CACHE names another one),
    so that the next training on the same pictures begins at once: up to 1 GB (CRYOGRAPH_CACHE_LIMIT, as in 500M, names
    another size), and what was not used for longest goes first.

    With --finetune batch norms go on using the means and variances that they have, and these are not trained.
    """
    from ..api.model import load
    from ..api.retrain_options import arguments
    from ..api.retraining import check_target
    from ..api.retraining import retrain as train

    check_target(output)
    with counting() as watch:
        made = train(load(model, weights), images, watch=watch, **arguments(**options))
    written = made.save(output, checkpoint)
    show(made, as_json)
    click.echo(f"Written: {', '.join(written)}", err=as_json)
