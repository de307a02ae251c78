"""The verb `run`."""

from __future__ import annotations

import click

from .freeze import OUTPUTS, names
from .show import AS_JSON, ENGINE, WEIGHTS, show


@click.command()
@click.argument("path")
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="""\b
What to feed, once for each input. VALUE is a .npy file, a .npz file
(FILE.npz:KEY), a picture, a number or list as in JSON, or `random`.""",
)
@OUTPUTS
@click.option("--signature", metavar="NAME", help="Which signature to call.")
@WEIGHTS
@ENGINE
@click.option("--allow", metavar="OP,...", help="Ops that may read and write files, such as ReadFile.")
@click.option("--save", metavar="FILE.npz", help="Write the answers to a .npz file instead of printing them.")
@click.option("--mean", type=float, default=0.0, help="Subtracted from the pixels of pictures.")
@click.option("--std", type=float, default=1.0, help="Pixels of pictures are divided by this.")
@AS_JSON
def run(
    path: str,
    inputs: tuple[str, ...],
    outputs: str | None,
    signature: str | None,
    weights: str | None,
    engine: str,
    allow: str | None,
    save: str | None,
    mean: float,
    std: float,
    as_json: bool,
) -> None:
    """Run a model once and print its answers.

    Without --outputs the model's own or the likeliest ones are worked out. To name what pictures show, see `classify`.
    """
    from ..api.model import load
    from ..api.values import Answers, parse_feeds, save_answers

    predict = load(path, weights).compile(names(outputs), engine=engine, signature=signature, allow=names(allow) or ())
    answers = predict(parse_feeds(inputs, predict.inputs, mean, std))
    if save:
        save_answers(save, answers)
        show({"output": save} if as_json else f"{save}: {', '.join(answers)}", as_json)
    else:
        show(Answers(answers), as_json)
